"""The lock of whoever makes or takes away worktrees: one admin step at a time in a clone.

git locks nothing there: of 20 simultaneous `git worktree add`, up to 14 fail, and some leave their
branch. What takes long, checking files out and saving them, happens outside. It is taken last:
whoever holds it waits for no other lock.
"""

from pathlib import Path

from .git_lock import WAIT_S, GitLock

LOCK_FILE = "worktree.lock"


class WorktreeLock(GitLock):
    """The lock in a store's folder, taken by `with`; waits at most `wait_s`."""

    def __init__(self, folder: Path, *, wait_s: float = WAIT_S) -> None:
        super().__init__(folder / LOCK_FILE, wait_s=wait_s)
