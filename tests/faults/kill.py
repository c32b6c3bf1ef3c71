"""Where a process dies: at the n-th reaching of a step, or at its n-th call of anything.

Both are counted inside the process that is to die, so the same order kills at the same place.
"""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NamedTuple

from goodneighbor.store import step

from .journal import Journal


class AtStep(NamedTuple):
    """Die when the step `name` has been reached `nth` times."""

    name: str
    nth: int


class AtCall(NamedTuple):
    """Die at the `nth` call or return of a function, Python's or C's: between any two steps."""

    nth: int


Order = AtStep | AtCall | None


class Calls:
    """Counts calls and returns in this process, once `sys.setprofile` has it."""

    def __init__(self, fatal: int = 0) -> None:
        self.count = 0
        self._fatal = fatal

    def __call__(self, frame: FrameType, event: str, argument: object) -> None:
        self.count += 1
        if self.count == self._fatal:
            die()


class Steps:
    """Tells each step to the journal, and dies at the one that was ordered."""

    def __init__(self, journal: Journal, fatal: AtStep | None = None) -> None:
        self._journal = journal
        self._fatal = fatal
        self._left = fatal.nth if fatal else 0

    def __call__(self, name: str) -> None:
        self._journal.say("step", name)
        if self._fatal is not None and name == self._fatal.name:
            self._left -= 1
            if self._left == 0:
                die()


def arm(order: Order, journal: Journal) -> None:
    """Have this process die where it was ordered to."""
    step.watch(Steps(journal, order if isinstance(order, AtStep) else None))
    if isinstance(order, AtCall):
        sys.setprofile(Calls(order.nth))


@contextmanager
def count_calls(journal: Journal) -> Iterator[None]:
    """Tell the journal each step, and at the end how many calls and returns there were."""
    calls = Calls()
    step.watch(Steps(journal))
    sys.setprofile(calls)
    try:
        yield
    finally:
        sys.setprofile(None)
        step.watch(None)
    journal.say("calls", calls.count)


def die() -> None:
    """End this process at once: no handler runs, nothing is written any more."""
    os.kill(os.getpid(), signal.SIGKILL)
