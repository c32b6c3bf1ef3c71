"""What a person sees of a run: a live table on a terminal, one line an event elsewhere.

On stderr, because the answer, the frame's summary, is what stdout carries. A terminal that went
away is no reason to stop: nothing more is said then.
"""

import signal
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from .run_stream import OVER, WAITING, RunStream

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

SAID_MAX = 200


class Show:
    """One line an event."""

    is_live = False

    def __init__(self) -> None:
        self._is_gone = False
        self._width = 0

    def opened(self, frame: int, streams: Sequence[RunStream]) -> None:
        """Say that a frame begins, and who is in it."""
        self._width = max(len(each.name) for each in streams)
        self.say(f"frame {frame} is open: {', '.join(each.name for each in streams)}")

    def started(self, each: RunStream) -> None:
        """Say that a stream's command runs."""
        assert each.worktree is not None
        self.say(f"{each.name:{self._width}}   started in {each.worktree.path}")

    def ended(self, each: RunStream) -> None:
        """Say how a stream ended, what it said last if that was not well, and what was saved."""
        self.say(f"{each.name:{self._width}}   {outcome(each)}{_duration(each)}{_said(each)}")
        for ref in each.rescued:
            self.say(f"{each.name:{self._width}}   its unsaved work is kept: git show {ref}")

    def stopping(self, number: int) -> None:
        """Say that a signal ends the run."""
        self.say(f"{signal.Signals(number).name}: the streams are told to end, the frame closes")

    def refresh(self, streams: Sequence[RunStream], now_s: float) -> None:
        """Show what is now; lines show only what happens."""

    def done(self, streams: Sequence[RunStream]) -> None:
        """Show nothing more of this frame."""

    def say(self, line: str) -> None:
        """Print one line, if somebody is there to read it."""
        if self._is_gone:
            return
        try:
            print(line, file=sys.stderr, flush=True)
        except OSError:
            self._is_gone = True


class LiveTable(Show):
    """A table that follows the streams: state, time and last line of each."""

    is_live = True

    def __init__(self) -> None:
        super().__init__()
        self._live: Live | None = None

    def opened(self, frame: int, streams: Sequence[RunStream]) -> None:
        from rich.console import Console
        from rich.live import Live

        super().opened(frame, streams)
        self._live = Live(console=Console(stderr=True), auto_refresh=False)
        self._draw(lambda live: live.start())

    def started(self, each: RunStream) -> None:
        """The table shows it."""

    def ended(self, each: RunStream) -> None:
        if each.reason or each.rescued:
            super().ended(each)

    def refresh(self, streams: Sequence[RunStream], now_s: float) -> None:
        self._draw(lambda live: live.update(table(streams, now_s), refresh=True))

    def done(self, streams: Sequence[RunStream]) -> None:
        self._draw(lambda live: live.stop())
        self._live = None

    def _draw(self, draw: "Callable[[Live], None]") -> None:
        if self._live is None or self._is_gone:
            return
        try:
            draw(self._live)
        except OSError:
            self._is_gone = True


def show() -> Show:
    """Return what suits where stderr goes."""
    return LiveTable() if sys.stderr.isatty() else Show()


def outcome(each: RunStream) -> str:
    """Say in a word or two how a stream ended."""
    return f"fallback ({', '.join([each.reason, *_how(each)])})" if each.reason else "reported"


def table(streams: Sequence[RunStream], now_s: float) -> "Table":
    """Return the table of what is now."""
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for heading in ("stream", "state", "elapsed", "last line"):
        drawn.add_column(heading, no_wrap=True, overflow="ellipsis")
    for each in streams:
        state = outcome(each) if each.state == OVER else each.state
        line = each.said if each.state == OVER else _line(each)
        style = "dim" if each.state == WAITING else "red" if each.reason else ""
        cells = (each.name, state, _elapsed(each, now_s), line)
        drawn.add_row(*(Text(cell) for cell in cells), style=style)
    return drawn


def _line(each: RunStream) -> str:
    return "" if each.keeper is None else each.keeper.told.line


def _how(each: RunStream) -> list[str]:
    if each.code is None or each.reason == "timeout":
        return []
    if each.code < 0:
        return [signal.Signals(-each.code).name]
    return [f"exit code {each.code}"] if each.code else []


def _duration(each: RunStream) -> str:
    if each.started_s is None or each.ended_s is None:
        return ""
    return f" after {each.ended_s - each.started_s:.1f} s"


def _elapsed(each: RunStream, now_s: float) -> str:
    if each.started_s is None:
        return ""
    seconds = int((now_s if each.ended_s is None else each.ended_s) - each.started_s)
    return f"{seconds // 60}:{seconds % 60:02}"


def _said(each: RunStream) -> str:
    said = each.said.splitlines()[:1] if each.reason else []
    return f": {said[0][:SAID_MAX]}" if said and said[0] else ""
