"""The turn: who wants the store's lock waits for it here, and one at a time at the lock itself.

The fact not to miss: whoever lets the lock go and takes it again at once would have it again before
a waiter looks, since waiting is by polling. It needs the turn first, and the waiter has that until
it has the lock:

    holder   lets go .  wants the turn ............. has it, waits for the lock
    waiter   has the turn .... has the lock, lets the turn go

So between two holds of one process, each time somebody waits, another has its own. The turn is a
lock on the store's folder: no file that a full disk could refuse, and it dies with its holder.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

POLL_S = 0.02


@contextmanager
def turn(folder: Path, wait_s: float) -> Iterator[None]:
    """Have the turn while the block runs; waits at most `wait_s`.

    Raises:
        TimeoutError: others had it for all of the wait.
    """
    deadline_s = time.monotonic() + wait_s
    with _opened(folder) as descriptor:
        while not _lock(descriptor):
            if time.monotonic() >= deadline_s:
                raise TimeoutError(str(folder))
            time.sleep(POLL_S)
        yield


def is_taken(folder: Path) -> bool:
    """Say whether somebody has the turn: asked by who holds the lock, whether one waits for it."""
    with _opened(folder) as descriptor:
        return not _lock(descriptor)


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)  # a process forked meanwhile has the descriptor too
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
