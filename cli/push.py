"""Push the branch and the log: by building the export again on the remote's tip, never by force.

The fact not to miss: nothing is locked while the network is waited for. What is pushed is a commit
by its id; when others were faster, everything is looked at again.

    fetch -> locked: is anything alone with us but our own exports?
                 no:  build the export on the remote's tip, move the local branch there
                 yes: merge the two tips; documents and manifest come from the log
          -> push branch and log, both or neither -> rejected: again, with a growing pause
"""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..store import Store
from ..store.step import reached
from . import log_branch, manifest, message, refs
from .commit import Committed, Order, Work, export_on, working
from .errors import BranchMoves, GitFailed, PushRefused
from .git import Git
from .manifest import MANIFEST
from .place import Place

ATTEMPTS_MAX = 8
NETWORK_S = 300.0
PAUSE_S, PAUSE_S_MAX = 0.2, 5.0
# How git and its hosts say that somebody else was faster.
_RACES = (
    "fetch first",
    "non-fast-forward",
    "stale info",
    "failed to update ref",
    "cannot lock ref",
    "failed to lock",
    "reference already exists",
    "incorrect old value",
)


@dataclass(frozen=True)
class Remote:
    """What a remote has of us, fetched."""

    tip: str | None
    log_tip: str | None


def push(where: Place, store: Store, branch: str, order: Order, remote: str) -> Committed:
    """Export with commit on what the remote has, and push it with the log.

    Raises:
        PushRefused: the remote said no; or commits there conflict with ours outside the documents.
        BranchMoves: others were faster each time.
        and what `commit` raises.
    """
    git = Git(Path(where.tree or where.common))  # a remote's url may be relative to a tree
    for attempt in range(ATTEMPTS_MAX):
        theirs = fetch(git, remote, branch)
        reached("push: fetched")
        with working(where, store, branch, order) as work:
            committed = _export_over(work, theirs, remote)
        if committed is not None:
            _check_log(git, committed, theirs, remote)
            if _send(git, remote, branch, committed, theirs):
                reached("push: sent")
                return committed
        reached("push: others were faster")
        time.sleep(random.uniform(0.5, 1.0) * min(PAUSE_S * 2**attempt, PAUSE_S_MAX))
    raise BranchMoves(f"{branch} of {remote}", ATTEMPTS_MAX)


def fetch(git: Git, remote: str, branch: str) -> Remote:
    """Bring the remote's branch and log here, under no ref of ours; return their tips."""
    names = (f"refs/heads/{branch}", log_branch.REF)
    listed = git.call("ls-remote", "--end-of-options", remote, *names, timeout_s=NETWORK_S).line()
    tips = {name: tip for tip, name in (line.split("\t") for line in listed.splitlines())}
    there = [name for name in names if name in tips]
    if there:
        options = ("--quiet", "--no-tags", "--no-write-fetch-head", "--end-of-options")
        git.call("fetch", *options, remote, *there, timeout_s=NETWORK_S)
    return Remote(*(tips.get(name) for name in names))


def _export_over(work: Work, theirs: Remote, remote: str) -> Committed | None:
    """Export so that the remote's tip is in what is pushed; None where the branch moved."""
    git = work.git
    tip = git.resolve(work.ref)
    if theirs.log_tip is not None and git.resolve(log_branch.REF) is None:
        git.move_refs({log_branch.REF: (None, theirs.log_tip)}, "goodneighbor: log")
        refs.flush(git.folder, [log_branch.REF])
    if theirs.tip is None or (tip is not None and git.is_ancestor(theirs.tip, tip)):
        return export_on(work, tip, [] if tip is None else [tip])
    if tip is None or git.is_ancestor(tip, theirs.tip):
        return export_on(work, tip, [theirs.tip])
    if _only_exports(work, theirs.tip, tip):
        return export_on(work, tip, [theirs.tip], beside=[tip])
    tree = _merge(work, tip, theirs.tip, remote)
    return export_on(work, tip, [tip, theirs.tip], base=tree)


def _only_exports(work: Work, theirs: str, ours: str) -> bool:
    """Tell whether all that we have and the remote has not are exports of this store."""
    git = work.git
    shown = f"--format=%H %(trailers:key={message.STORE},valueonly,separator=%x20)"
    listing = ("log", shown, "--end-of-options", ours, f"^{theirs}")
    store_id = work.store.store_id()
    lines = git.call(*listing).line().splitlines()
    if not all(line.split()[1:] == [store_id] for line in lines):
        return False
    forked = git.call("merge-base", theirs, ours, ends=(0, 1)).line()
    if not forked:
        return False
    return set(git.changed_paths(forked, ours)) <= _own_paths(git, ours)


def _own_paths(git: Git, commit: str) -> set[str]:
    """Return the paths that exports write: the manifest, and the files it names."""
    found = manifest.newest(git, commit)
    return {MANIFEST} | (set() if found is None else set(found.manifest.files))


def _merge(work: Work, ours: str, theirs: str, remote: str) -> str:
    """Merge two tips into a tree; conflicts may be where documents and manifest go, no other.

    Raises:
        PushRefused: there are others, or nothing in common.
    """
    options = ("--write-tree", "-z", "--name-only", "--no-messages")
    answer = work.git.call("merge-tree", *options, ours, theirs, ends=(0, 1, 128))
    if answer.exit_code == 128:
        raise PushRefused(remote, answer.stderr.strip(), "Merge by hand, then push again.")
    tree, *paths = answer.fields()
    conflicts = sorted(set(paths) - _own_paths(work.git, ours) - _own_paths(work.git, theirs))
    if conflicts:
        raise PushRefused(
            remote,
            f"commits there conflict with ones of {work.branch} here, in {', '.join(conflicts)}.",
            f"Merge them by hand (`git pull --no-rebase`), then `neighbor export --push {remote}`.",
        )
    return tree


def _check_log(git: Git, committed: Committed, theirs: Remote, remote: str) -> None:
    """Refuse to push a log that does not continue the remote's: one of them is not this store's."""
    log_tip = committed.log_tip
    if log_tip is None or theirs.log_tip is None or git.is_ancestor(theirs.log_tip, log_tip):
        return
    raise PushRefused(
        remote,
        f"its {log_branch.BRANCH} holds what the one here does not continue.",
        "This store was restored from an older copy, or another wrote there: see "
        f"`git log {log_branch.BRANCH}` in both.",
    )


def _send(git: Git, remote: str, branch: str, committed: Committed, theirs: Remote) -> bool:
    """Push branch and log, both or neither; False where somebody was faster.

    Raises:
        PushRefused: the remote said no for another reason.
    """
    assert committed.tip is not None, "an export stands on a commit"
    specs = [f"{committed.tip}:refs/heads/{branch}"]
    if committed.log_tip is not None:
        specs.append(f"{committed.log_tip}:{log_branch.REF}")
    if (committed.tip, committed.log_tip or theirs.log_tip) == (theirs.tip, theirs.log_tip):
        return True
    return _pushed(git, remote, specs)


def _pushed(git: Git, remote: str, specs: Sequence[str]) -> bool:
    command = ("push", "--atomic", "--porcelain", "--end-of-options", remote, *specs)
    answer = git.call(*command, ends=(0, 1, 128), timeout_s=NETWORK_S)
    if answer.exit_code == 0:
        return True
    said = f"{answer.line()}\n{answer.stderr}"
    if any(race in said for race in _RACES):
        return False
    if answer.exit_code == 1:
        refused = [line for line in said.splitlines() if line.startswith(("!", "remote:"))]
        raise PushRefused(remote, "\n  ".join(refused) or said, "Nothing of it is there.")
    raise GitFailed(("git", *command), answer.exit_code, answer.stderr, git.folder)
