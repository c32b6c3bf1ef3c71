"""Sweep the branches of streams that nobody is on: `dc/<stream>/frame-<n>` of closed frames.

Scripts leave them that make worktrees by themselves; 47 of them after a week is on record. Commits
that no other ref has are saved first. Which branches those are says their name alone, so one that a
worktree has checked out, ours or not, is left.
"""

import time
from pathlib import Path

from ..store import Store
from . import doctor_git, refs, rescue, unsaved, worktree
from .git import Git
from .sweep import Swept
from .worktree_lock import WorktreeLock


def sweep(common: Path, store: Store, swept: Swept, *, dry_run: bool) -> None:
    """Delete them, or with a dry run only tell; adds to `swept`."""
    closed = store.status().closed
    git = Git(common)
    if closed is None or not _over(git, store.folder, closed):
        return
    with WorktreeLock(store.folder) as lock:
        git = Git(common, (lock.descriptor,))
        for name in _over(git, store.folder, closed):
            swept.branches.append(name)
            if not dry_run:
                swept.rescued += _delete(git, name)


def _over(git: Git, store: Path, closed: int) -> list[str]:
    """Return the branches of closed frames that nobody is on and no record names."""
    in_use = {tree.branch for tree in doctor_git.trees(git)}
    in_use |= {each.branch for each in worktree.all_of(store)}
    listed = git.call("for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads/dc/").line()
    found = []
    for name in listed.splitlines():
        match = doctor_git.STREAM_BRANCH.fullmatch(name)
        if match is not None and int(match[1]) <= closed and name not in in_use:
            found.append(name)
    return found


def _delete(git: Git, name: str) -> list[str]:
    tip = git.tip(name)
    assert tip is not None, "it was listed, and the lock is held"
    saved = []
    if unsaved.alone(git.folder, tip, name):
        stream = name.removeprefix("dc/").rpartition("/frame-")[0]
        ref = rescue.name_for(stream, time.time())
        assert git.move_refs({ref: (None, tip)}, "rescue"), f"{ref} is a name nobody else has"
        refs.flush(git.folder, [ref])
        saved.append(ref)
    git.call("branch", "--quiet", "-D", "--", name)
    return saved
