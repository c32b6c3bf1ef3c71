"""Copies of the log that git holds: the branch here, remotes' branches, and another clone's.

The fact not to miss: git proves what it hands out by its hash, and the store follows the chain; a
branch that cannot be read on ends there, and counts as far as it goes no more than any other.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from ..store.log_copy import LogCopy
from . import log_branch
from .errors import GitFailed
from .git import Git
from .message import STORE

FETCHED = "refs/goodneighbor/recovered-log"  # what `--from` brought last
_SEGMENT = re.compile(r"([0-9]+)\.jsonl")


def log_copies(git: Git, source: str | None = None) -> list[LogCopy]:
    """Return the copies there are, ours first; `source` is a clone or a remote to ask as well.

    Raises:
        GitFailed: `source` cannot be asked, or has no log branch.
    """
    refs = [log_branch.REF, *_of_remotes(git)]
    if source is not None:
        wanted = f"+{log_branch.REF}:{FETCHED}"
        git.call("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--", source, wanted)
        refs.append(FETCHED)
    found = [_copy(git, ref, source or "") for ref in refs]
    return [each for each in found if each is not None]


def _of_remotes(git: Git) -> list[str]:
    answer = git.call("for-each-ref", "--format=%(refname)", "refs/remotes")
    return [ref for ref in answer.line().split() if ref.endswith(f"/{log_branch.BRANCH}")]


def _copy(git: Git, ref: str, source: str) -> LogCopy | None:
    """Look at one branch; None where there is none, or not even its tip can be read."""
    try:
        tip = git.resolve(ref)
        if tip is None:
            return None
        told = [git.trailer(tip, name) for name in (STORE, "Neighbor-Position", "Neighbor-Chain")]
    except GitFailed:
        return None
    store_id, position, chain = told
    if not position.isdigit():
        return None
    name = f"{log_branch.BRANCH} of {source}" if ref == FETCHED else ref.removeprefix("refs/")
    shown = f"branch {name.removeprefix('heads/').removeprefix('remotes/')}"
    return LogCopy(shown, store_id, int(position), chain, lambda: _texts(git, tip))


def _texts(git: Git, tip: str) -> Iterator[bytes]:
    try:
        names = git.call("ls-tree", "-z", "--name-only", tip).fields()
        ends = sorted(int(found[1]) for name in names if (found := _SEGMENT.fullmatch(name)))
        for end in ends:
            data = git.blob(tip, f"{end}.jsonl")
            if data is None:
                return
            yield data
    except GitFailed:
        return  # an object that git cannot read: the copy ends here


def rules_texts(git: Git, tree: Path | None, name: str) -> tuple[str, ...]:
    """Return the rules as they lie in the tree and at its commit, in case the log's are lost."""
    found = []
    if tree is not None and (tree / name).is_file():
        found.append((tree / name).read_bytes())
    head = git.head()
    committed = None if head is None else git.blob(head, name)
    if committed is not None:
        found.append(committed)
    return tuple(data.decode("utf-8", "surrogateescape") for data in found)
