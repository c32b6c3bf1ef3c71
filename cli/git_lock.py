"""A lock that our gits hold with us: its descriptor is handed to every git we start.

So a git that outlives us, because we were killed, keeps the lock until it ends, and nobody repairs
what is still being written. The lock is the file's, and dies with its last holder.
"""

import os
from pathlib import Path
from types import TracebackType
from typing import Self

from filelock import FileLock, Timeout

from ..store.errors import StoreBusy

WAIT_S = 60.0
_POLL_S = 0.02


class GitLock:
    """A lock on a file, taken by `with`; waits at most `wait_s`. `descriptor` goes to git."""

    def __init__(self, path: Path, *, wait_s: float = WAIT_S) -> None:
        self.path = path
        self.wait_s = wait_s
        self.descriptor = -1
        self._lock = FileLock(
            self.path,
            timeout=wait_s,
            mode=0o600,
            thread_local=False,
            poll_interval=_POLL_S,
            fallback_to_soft=False,
            preserve_lock_file=True,
            on_acquired=self._acquired,
        )

    def __enter__(self) -> Self:
        """Take the lock.

        Raises:
            StoreBusy: another held it for all of `wait_s`.
        """
        try:
            self._lock.acquire()
        except Timeout as error:
            raise StoreBusy(str(self.path), self.wait_s) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.descriptor = -1
        self._lock.release()

    def _acquired(self, descriptor: int) -> None:
        os.set_inheritable(descriptor, False)  # only those get it to whom we pass it
        self.descriptor = descriptor
