"""The store's lock: one process at a time sequences, closes, exports and checkpoints.

A native lock on `store.lock`, which dies with its holder. Deleting the file while it is held would
let a second process lock a new file of the same name, so the holder compares what it holds with
what the path names right before each commit. Writers to the mailbox never come here: waiting is
by polling, one after the other (`turn.py`).
"""

import os
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from filelock import FileLock

from .errors import LockLost, StoreBusy
from .turn import POLL_S, is_taken, turn

LOCK_FILE = "store.lock"
WAIT_S = 10.0
_HOLDER_SIZE_MAX = 200


class StoreLock:
    """The lock of the store in a folder, taken by `with`; waits at most `wait_s`.

    `who` says in a few words what the holder is doing, for those who wait. One object is for one
    holder; two objects exclude each other in one process too.
    """

    def __init__(self, folder: Path, *, wait_s: float = WAIT_S, who: str = "") -> None:
        assert wait_s >= 0, wait_s
        self.path = folder / LOCK_FILE
        self.wait_s = wait_s
        self.who = who
        self._holder = f"process {os.getpid()} ({who})" if who else f"process {os.getpid()}"
        self._descriptor = -1
        self._lock = FileLock(
            self.path,
            timeout=wait_s,
            mode=0o600,
            thread_local=False,
            poll_interval=POLL_S,
            fallback_to_soft=False,  # a marker file does not die with its holder
            preserve_lock_file=True,  # unlinking on release admits two holders at once
            on_acquired=self._acquired,
        )

    def __enter__(self) -> Self:
        """Take the lock.

        Raises:
            StoreBusy: another held it for all of `wait_s`.
        """
        assert self._descriptor < 0, "the lock is taken already"
        self._take()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._descriptor >= 0:  # else it was given away, and others have it
            self._release()

    def is_awaited(self) -> bool:
        """Say whether another waits for the lock that we hold."""
        return is_taken(self.path.parent)

    def give_way(self) -> None:
        """Let the lock go, and take it again behind one who waits for it.

        Raises:
            StoreBusy: others held it for all of `wait_s`; it is not ours any more.
        """
        assert self._descriptor >= 0, "the lock is not held"
        self._release()
        self._take()

    def check(self) -> None:
        """Return when the path still names the file we hold. Call it before every commit.

        Raises:
            LockLost: the file was deleted or replaced; commit nothing.
        """
        assert self._descriptor >= 0, "the lock is not held"
        ours = os.fstat(self._descriptor)
        try:
            named = self.path.lstat()
        except FileNotFoundError:
            raise LockLost(str(self.path)) from None
        if (named.st_dev, named.st_ino) != (ours.st_dev, ours.st_ino):
            raise LockLost(str(self.path))

    def _take(self) -> None:
        deadline_s = time.monotonic() + self.wait_s
        try:
            with turn(self.path.parent, self.wait_s):
                self._lock.acquire(timeout=max(0.0, deadline_s - time.monotonic()))
        except TimeoutError as error:  # filelock's is one too
            raise StoreBusy(str(self.path), self.wait_s, _holder(self.path)) from error

    def _release(self) -> None:
        os.ftruncate(self._descriptor, 0)
        self._descriptor = -1
        self._lock.release()

    def _acquired(self, descriptor: int) -> None:
        with suppress(OSError):  # a courtesy; on a full disk nobody's name stands there
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, self._holder.encode()[:_HOLDER_SIZE_MAX], 0)
        self._descriptor = descriptor


def _holder(path: Path) -> str:
    """Return who wrote a name into the lock file; "" when nobody has yet."""
    try:
        with path.open("rb") as file:
            return file.read(_HOLDER_SIZE_MAX).decode(errors="replace")
    except OSError:
        return ""
