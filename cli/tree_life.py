"""A command's whole life: it runs, it is told to end, it is killed, and so is all that it started.

    running ---- the command ends -----> lingering ---- LINGER_S --> told --- grace --> killed
       `-- time is over, or we are asked ------------------------->    (SIGTERM)     (SIGKILL)

It is over when nobody of the tree is left; what the command leaves running when it ends is ended
too. Our own children must all be the command's: they are reaped here, whoever they are.
"""

import os
import select
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NamedTuple

from . import process

LINGER_S = 0.5  # for a `tee` behind the command that still writes what it read
READ_SIZE = 2**16
_POLL_S = 0.1  # between two looks, where nobody tells us of orphans
_WAIT_S_MAX = 3600.0

Source = Callable[[bytes], None]  # is handed what was read; b"" at the end


class Limits(NamedTuple):
    """How long a command may run, and how long it may take to end when it is told to."""

    timeout_s: float | None
    grace_s: float


class Ended(NamedTuple):
    """How it ended: `code` is the command's exit code, or minus the signal that ended it."""

    code: int
    cause: str  # exited, timeout, or what `ask` was given
    left: int  # processes that it left running when it ended, and that were ended
    survivors: list[int]  # not even SIGKILL ended them


class TreeLife:
    """The life of one started command; `run` returns when it and all it started are gone."""

    def __init__(
        self, started: process.Started, limits: Limits, *, adopts: bool, group: int = 0
    ) -> None:
        self._started = started
        self._limits = limits
        self._adopts = adopts  # orphans of the tree come to us
        self._group = group
        self._sources: dict[int, Source] = {}
        self._code: int | None = None
        self._has_children = True
        self._stage = "running"
        self._cause = "exited"
        self._signal: int = signal.SIGTERM
        self._asked: list[tuple[str, int]] = []
        self._left = 0
        now_s = time.monotonic()
        self._until_s = None if limits.timeout_s is None else now_s + limits.timeout_s

    def listen(self, descriptor: int, source: Source) -> None:
        """Hand what can be read from a descriptor to `source`, until its end."""
        os.set_blocking(descriptor, False)
        self._sources[descriptor] = source

    def ask(self, cause: str, number: int = signal.SIGTERM) -> None:
        """Have all of it end, told by a signal; asked again, there is no more grace.

        Only noted here, so that a signal's handler may ask.
        """
        self._asked.append((cause, number))

    def run(self, awake: int) -> Ended:
        """Wait for the end; whatever comes in on the descriptor `awake` is a child that ended."""
        survivors: list[int] = []
        while not self._is_over():
            self._answer()
            now_s = time.monotonic()
            if self._until_s is not None and now_s >= self._until_s:
                if self._stage == "told":
                    survivors = process.kill_all(os.getpid(), self._group, self._is_over)
                    break
                self._time_is_over()
            self._wait(awake, now_s)
        self._read_rest()
        code = -signal.SIGKILL if self._code is None else self._code
        return Ended(code, self._cause, self._left, survivors)

    def _is_over(self) -> bool:
        self._reap()
        if self._code is not None and self._stage == "running":
            self._stage = "lingering"
            self._until_s = time.monotonic() + LINGER_S
        if self._code is None:
            return False
        return not self._has_children if self._adopts else not self._members()

    def _answer(self) -> None:
        while self._asked:
            cause, self._signal = self._asked.pop(0)
            if self._stage == "told":
                self._until_s = time.monotonic()
                continue
            if self._code is None:
                self._cause = cause
            self._tell()

    def _time_is_over(self) -> None:
        if self._stage == "running":
            self._cause = "timeout"
        else:
            self._left = len(self._members())
        self._tell()

    def _tell(self) -> None:
        self._stage = "told"
        self._until_s = time.monotonic() + self._limits.grace_s
        members = self._members()
        process.send(members, self._signal)
        process.send(members, signal.SIGCONT)  # who is stopped hears it too

    def _members(self) -> list[int]:
        return process.members(os.getpid(), self._group)

    def _wait(self, awake: int, now_s: float) -> None:
        left_s = _WAIT_S_MAX if self._until_s is None else max(0.0, self._until_s - now_s)
        if not self._adopts and self._code is not None:
            left_s = min(left_s, _POLL_S)
        poll = select.poll()
        for descriptor in (awake, *self._sources):
            poll.register(descriptor, select.POLLIN)
        for descriptor, _event in poll.poll(min(left_s, _WAIT_S_MAX) * 1000 + 1):
            if descriptor == awake:
                os.read(awake, READ_SIZE)
            else:
                self._read(descriptor)

    def _read(self, descriptor: int) -> bool:
        """Read once; tell whether there may be more."""
        try:
            data = os.read(descriptor, READ_SIZE)
        except BlockingIOError:
            return False
        source = self._sources[descriptor]
        if not data:
            del self._sources[descriptor]
        source(data)
        return bool(data)

    def _read_rest(self) -> None:
        """Read what is still in the pipes; all who wrote there are gone."""
        for descriptor in list(self._sources):
            while self._read(descriptor):
                continue

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                self._has_children = False
                return
            if pid == 0:
                return
            if pid == self._started.pid:
                self._code = os.waitstatus_to_exitcode(status)
                self._started.returncode = self._code  # Popen must not wait for it again


@contextmanager
def waking(numbers: Iterable[int], handler: Callable[[int], object]) -> Iterator[int]:
    """Yield a descriptor that can be read when a child has ended or one of these signals came.

    A signal that our caller ignores (nohup, a shell's `&`) stays ignored. After one of them came
    they all are: this process is on its clean end, and a second one must not spoil it.
    """
    came: set[int] = set()

    def handle(number: int, _frame: FrameType | None) -> None:
        if number != signal.SIGCHLD:
            came.add(number)
            handler(number)

    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    heard = [each for each in numbers if signal.getsignal(each) is not signal.SIG_IGN]
    before_fd = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    before = {each: signal.signal(each, handle) for each in (*heard, signal.SIGCHLD)}
    try:
        yield reading
    finally:
        for number, handled in before.items():
            ends = came and number != signal.SIGCHLD
            signal.signal(number, signal.SIG_IGN if ends else handled)
        signal.set_wakeup_fd(before_fd)
        os.close(reading)
        os.close(writing)
