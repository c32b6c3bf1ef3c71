"""The keeper of one stream: it runs the stream's command and ends all that the command started.

One process for each stream, so that what escapes from one stream's command is never taken for
another's, and so that it is ended also when the supervisor dies: then the pipe `life` comes to its
end, whatever the supervisor died of.

    supervisor --- life: an order, then E (end it) or K (kill it) ---> keeper
               <-- tell: {"started": ...} {"line": ...} {"ended": ...} ---

Started by `cli/keeper.py` as `python -P -m goodneighbor.cli.keep TELL LIFE NAME`, NAME being for
those who read a list of processes. It imports little: it is there as long as its stream is.
"""

import json
import os
import select
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from . import process
from .stream_log import LastLines, StreamLog
from .tree_life import Ended, Limits, TreeLife, waking

SIZE_DIGITS = 10  # in front of the order
LINE_EVERY_S = 0.25
END, KILL = b"E", b"K"
ASKED, ORPHANED = "asked", "orphaned"


class Keeper:
    """What is known while a command runs."""

    def __init__(self, tell: int, order: dict[str, Any]) -> None:
        self._tell = tell
        self._order = order
        self._log = StreamLog(Path(order["log"]))
        self._errors = LastLines()
        self._lines = LastLines()
        self._told_s = 0.0

    def keep(self, life: int) -> None:
        """Run the command to the end of all it started, and tell about it."""
        order = self._order
        adopts = process.adopt_orphans()
        asks: list[TreeLife] = []

        def end(_number: int) -> None:
            for tree in asks:
                tree.ask(ASKED)

        with waking((signal.SIGTERM, signal.SIGINT, signal.SIGHUP), end) as awake:
            try:
                started = process.start(order["command"], order["folder"], is_captured=True)
            except OSError as error:
                self._could_not_start(error)
                return
            limits = Limits(order["timeout_s"], order["grace_s"])
            tree = TreeLife(started, limits, adopts=adopts, group=0 if adopts else started.pid)
            asks.append(tree)
            self.say({"started": time.monotonic(), "pid": started.pid})
            assert started.stdout is not None and started.stderr is not None, "it is captured"
            tree.listen(started.stdout.fileno(), self._printed)
            tree.listen(started.stderr.fileno(), self._printed_error)
            tree.listen(life, lambda data: self._hear(tree, data))
            self._ended(tree.run(awake))

    def _hear(self, tree: TreeLife, data: bytes) -> None:
        if not data:
            tree.ask(ORPHANED)
        for byte in data:
            tree.ask(ASKED)
            if byte == KILL[0]:
                tree.ask(ASKED)

    def _printed(self, data: bytes) -> None:
        self._log.write(data)
        self._lines.write(data)
        if self._order["lines"]:
            self._say_line()

    def _printed_error(self, data: bytes) -> None:
        self._errors.write(data)
        self._printed(data)

    def _say_line(self) -> None:
        """Tell the last line, not too often, and never waiting for a supervisor that is busy."""
        now_s = time.monotonic()
        poll = select.poll()
        poll.register(self._tell, select.POLLOUT)
        if now_s - self._told_s >= LINE_EVERY_S and poll.poll(0):
            self._told_s = now_s
            self.say({"line": self._lines.last()})

    def _could_not_start(self, error: OSError) -> None:
        said = f"{self._order['command'][0]}: {error.strerror or error}"
        self._log.write(f"{said}\n".encode(errors="replace"))
        self._errors.write(f"{said}\n".encode(errors="replace"))
        self._ended(Ended(process.code_of(error), "not started", 0, []))

    def _ended(self, ended: Ended) -> None:
        self._log.close()
        told = {**ended._asdict(), "errors": self._errors.texts(), "line": self._lines.last()}
        self.say({"ended": told})

    def say(self, message: dict[str, object]) -> None:
        """Tell the supervisor, if it is still there."""
        try:
            data = json.dumps(message).encode() + b"\n"
            while data:
                data = data[os.write(self._tell, data) :]
        except BrokenPipeError:
            return  # the supervisor is gone; `life` says so


def read_order(life: int) -> dict[str, Any] | None:
    """Read the order behind its size; None if the supervisor died before it had written it."""
    head = _read(life, SIZE_DIGITS)
    data = None if head is None else _read(life, int(head))
    if data is None:
        return None
    order = json.loads(data)
    assert isinstance(order, dict), "cli/keeper.py writes it"
    return order


def _read(descriptor: int, size: int) -> bytes | None:
    data = b""
    while len(data) < size:
        part = os.read(descriptor, size - len(data))
        if not part:
            return None
        data += part
    return data


def main(words: list[str]) -> int:
    """Keep the command of the order that comes in on a pipe."""
    tell, life = int(words[0]), int(words[1])
    for descriptor in (tell, life):
        os.set_inheritable(descriptor, False)
    order = read_order(life)
    if order is None:
        return 1
    keeper = Keeper(tell, order)
    try:
        keeper.keep(life)
    except BaseException:
        keeper.say({"fault": traceback.format_exc()})
        raise
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
