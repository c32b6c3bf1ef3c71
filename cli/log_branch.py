"""The branch `goodneighbor/log`: the log itself, one segment a commit, never rewritten.

    <close position>.jsonl    the events since the segment before, up to that close

The fact not to miss: the log goes first. A document that is refused holds back only itself, and an
export that is killed after its segment finds it there.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from ..store import Store
from ..store.publication import Publication
from ..store.step import reached
from . import refs
from .errors import OtherStore
from .git import Entry, Git
from .message import STORE, skip_ci

BRANCH = "goodneighbor/log"
REF = f"refs/heads/{BRANCH}"
ATTEMPTS_MAX = 5
_SEGMENT = re.compile(r"([0-9]+)\.jsonl")


@dataclass(frozen=True)
class Segments:
    """What the branch holds: its tip, and up to which position of this store's log."""

    tip: str | None
    position: int
    is_ours: bool = True


def extend(
    git: Git, store: Store, now: Publication, scratch: Path, *, take_over: bool = False
) -> str | None:
    """Add a segment up to the last close, if there is anything new; return the branch's tip.

    With `take_over`, another store's segments give way to this one's, and stay in the history.

    Raises:
        OtherStore: the branch holds another store's log.
    """
    for _ in range(ATTEMPTS_MAX):
        there = segments(git, now.store_id, take_over=take_over)
        if there.position >= now.position:
            refs.flush(git.folder, [REF])  # who moved it may have died before
            return there.tip
        commit = _commit(git, store, now, there, scratch)
        if git.move_refs({REF: (there.tip, commit)}, "goodneighbor: log"):
            refs.flush(git.folder, [REF])
            reached("commit: log segment added")
            return commit
        refs.free(git.folder, REF)  # only we move it, and the living one is us
    raise AssertionError("the log branch is moved under the commit lock alone")


def segments(git: Git, store_id: str, *, take_over: bool = False) -> Segments:
    """Look at the branch, or at what a remote had of it where there is none yet."""
    tip = git.resolve(REF)
    if tip is None:
        return Segments(None, 0)
    theirs = git.trailer(tip, STORE)
    if theirs not in ("", store_id):
        if take_over:
            return Segments(tip, 0, is_ours=False)
        raise OtherStore(BRANCH, theirs, store_id)
    names = git.call("ls-tree", "-z", "--name-only", tip).fields()
    found = [_SEGMENT.fullmatch(name) for name in names]
    return Segments(tip, max((int(each[1]) for each in found if each), default=0))


def _commit(git: Git, store: Store, now: Publication, there: Segments, scratch: Path) -> str:
    lines = store.log_lines(there.position + 1, now.position)
    blob = git.write_blob(lines.text)
    indexed = git.within(git.folder, scratch)
    indexed.call(
        "read-tree", *([there.tip] if there.tip is not None and there.is_ours else ["--empty"])
    )
    indexed.stage({f"{now.position}.jsonl": Entry("100644", blob)})
    tree = indexed.call("write-tree").line()
    message = (
        f"log {lines.first} to {lines.last}\n\n"
        f"{STORE}: {now.store_id}\nNeighbor-Position: {now.position}\n"
        f"Neighbor-Chain: {lines.chain}\n{skip_ci(now)}"
    )
    parents = [] if there.tip is None else ["-p", there.tip]
    return git.call("commit-tree", *parents, "-F", "-", tree, stdin=message.encode()).line()
