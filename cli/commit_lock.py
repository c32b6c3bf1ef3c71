"""The lock of whoever moves branches: one committer at a time in a clone.

It is not the store's lock, so that `append`, `drain` and a close go on while git works.
"""

from pathlib import Path

from .git_lock import WAIT_S, GitLock

LOCK_FILE = "commit.lock"


class CommitLock(GitLock):
    """The lock in a store's folder, taken by `with`; waits at most `wait_s`."""

    def __init__(self, folder: Path, *, wait_s: float = WAIT_S) -> None:
        super().__init__(folder / LOCK_FILE, wait_s=wait_s)
