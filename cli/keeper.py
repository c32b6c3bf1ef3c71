"""A stream's keeper as the supervisor sees it: started with an order, asked to end, listened to.

The keeper outlives neither its stream nor the supervisor. Should it die itself, what it kept comes
to the supervisor (which adopts orphans too), is known by its environment, and is ended here.
"""

import json
import os
import signal
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from . import process
from .keep import END, KILL, SIZE_DIGITS
from .tree_life import READ_SIZE, Limits

MODULE = "goodneighbor.cli.keep"
KEEPER_DIED = "keeper died"


class Order(NamedTuple):
    """What a keeper is asked to run, and how."""

    stream: str
    command: Sequence[str]
    folder: Path
    environment: Mapping[str, str]
    log: Path
    limits: Limits
    lines: bool  # tell each new line that is printed


@dataclass
class Told:
    """What a keeper has told so far."""

    started_s: float | None = None  # on the clock that all processes share, time.monotonic
    line: str = ""
    code: int | None = None  # of the command, or minus its signal; None: it has not ended
    cause: str = ""
    left: int = 0
    survivors: list[int] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)  # the last lines of its stderr


class Keeper:
    """One keeper process; `close` when it has ended."""

    def __init__(self, order: Order) -> None:
        self.told = Told()
        self.has_ended = False
        self._marks = {
            name: order.environment[name] for name in ("NEIGHBOR_LEASE", "NEIGHBOR_STREAM")
        }
        self._unread = b""
        self.descriptor, tell = os.pipe()
        life, self._life = os.pipe()
        words = (str(tell), str(life), order.stream)
        self._process = process.start_helper(MODULE, words, order.environment, (tell, life))
        os.close(tell)
        os.close(life)
        self._write(_packed(order))

    def end(self) -> None:
        """Ask it to end its command: told first, killed when its grace is over."""
        self._write(END)

    def kill(self) -> None:
        """Ask it to end its command at once."""
        self._write(KILL)

    def read(self) -> None:
        """Take in what it tells; call this when `descriptor` can be read."""
        data = os.read(self.descriptor, READ_SIZE)
        *lines, self._unread = (self._unread + data).split(b"\n")
        for line in lines:
            self._take_in(json.loads(line))
        if not data:
            self._end_of_file()

    def close(self) -> None:
        """Let go of a keeper that has ended."""
        assert self.has_ended, "its stream may still run"
        os.close(self.descriptor)
        os.close(self._life)

    def _take_in(self, message: dict[str, Any]) -> None:
        told = self.told
        if "started" in message:
            told.started_s = message["started"]
        elif "ended" in message:
            ended = message["ended"]
            told.code, told.cause, told.left = ended["code"], ended["cause"], ended["left"]
            told.survivors, told.errors, told.line = (
                ended["survivors"], ended["errors"], ended["line"]
            )  # fmt: skip
        elif "fault" in message:
            told.errors = message["fault"].splitlines()[-1:]
        else:
            told.line = message["line"]

    def _end_of_file(self) -> None:
        self._process.wait()  # for its end alone: `reap_adopted` may have had its exit code
        self.has_ended = True
        if self.told.code is None:
            self.told.code, self.told.cause = -signal.SIGKILL, KEEPER_DIED
            self.told.survivors = self._end_orphans()

    def _end_orphans(self) -> list[int]:
        """End what a dead keeper kept; return who did not end."""
        deadline_s = time.monotonic() + process.KILL_S_MAX
        seen: set[int] = set()
        while orphans := process.carrying(self._marks):
            if time.monotonic() > deadline_s:
                break
            seen.update(orphans)
            process.send(orphans, signal.SIGKILL)
            time.sleep(process.POLL_S)
        _reap(seen)
        return orphans

    def _write(self, data: bytes) -> None:
        try:
            while data:
                data = data[os.write(self._life, data) :]
        except BrokenPipeError:
            return  # it has ended, or died: `read` finds out which


def _packed(order: Order) -> bytes:
    data = json.dumps(
        {
            "command": list(order.command),
            "folder": str(order.folder),
            "log": str(order.log),
            "timeout_s": order.limits.timeout_s,
            "grace_s": order.limits.grace_s,
            "lines": order.lines,
        }
    ).encode()
    return b"%0*d%s" % (SIZE_DIGITS, len(data), data)


def _reap(pids: Iterable[int]) -> None:
    """Take note of the end of those that have become our children."""
    for pid in pids:
        try:
            os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            continue  # somebody else's, whose end is theirs to note
