"""The state as the log makes it, in memory: the log is read once, in order, and nothing is written.

The fact not to miss: a frame folds when its last event is known, and for nearly all that is when
the first close at or above it comes by. Late events stand behind that close, so they are looked up
before (the index on frame and position finds them), and wait for their frame.

    read, place, pack  ->  a few frames ahead of  ->  fold   two threads; the kernel lets Python run

Versions, receipts and digests are what `replay.py` makes; this is the state alone, in a fraction of
the time, and the chain is not checked.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import groupby, islice
from operator import itemgetter
from typing import NamedTuple

from ..kernel import Fold, Packer, Rules
from ..kernel.packing import BATCH, Row
from . import closes, log
from .engine import Cursor
from .schedule import Close, Header, Schedule

AHEAD = 4  # frames: a fold that takes longer, as when a table grows, does not stop the reading
COLUMNS = "id, frame, utc_us, stream, kind = 'own', body"

_FRAME = itemgetter(COLUMNS.split(", ").index("frame"))
_NOTHING = Close(0, log.LOWEST, 0, b"")  # before the first


class Refolded(NamedTuple):
    """The state after the last close, in a handle that the caller closes."""

    fold: Fold
    frames: int
    events: int


class _Frame(NamedTuple):
    """A frame that has all its events, and the rules it folds under."""

    rules: bytes
    events: Packer


def refold(cursor: Cursor, seed: bytes) -> Refolded:
    """Fold the whole log in memory."""
    in_log = closes.since(cursor)
    schedule = Schedule(in_log)
    named = {close.rules for close in in_log}
    state = _State({digest: closes.rules(cursor, digest) for digest in named}, seed)
    frames = events = 0
    try:
        with cursor.once_through(), ThreadPoolExecutor(1) as kernel:
            folding = deque[Future[None]]()
            for frame in _frames(cursor, in_log, schedule):
                if len(folding) == AHEAD:
                    folding.popleft().result()
                folding.append(kernel.submit(state.advance, frame.rules, frame.events))
                frames += 1
                events += frame.events.count
            for each in folding:
                each.result()
        return Refolded(state.taken(), frames, events)
    except BaseException:
        state.close()
        raise


class _State:
    """The handle that folds, changed for another where the rules change."""

    def __init__(self, rules: dict[bytes, Rules], seed: bytes) -> None:
        self._seed = seed
        self._rules = rules  # by digest
        self._fold: Fold | None = None
        self._digest = b""
        # What every entity is, kept only where handles change: a handle hands on what it changed.
        self._kept: dict[tuple[str, bytes], bytes | None] = {}

    def advance(self, digest: bytes, events: Packer) -> None:
        """Fold one frame under its rules."""
        if digest != self._digest:
            self._change(digest)
        assert self._fold is not None
        self._fold.advance(events)
        if len(self._rules) > 1:
            for document, key, body in self._fold.changed():
                self._kept[document, key] = body

    def taken(self) -> Fold:
        """Return the handle; the caller closes it."""
        assert self._fold is not None, "a log has a close, and so a frame"
        return self._fold

    def close(self) -> None:
        """Let the handle go."""
        if self._fold is not None:
            self._fold.close()

    def _change(self, digest: bytes) -> None:
        self.close()
        self._digest = digest
        rules = self._rules[digest]
        self._fold = Fold(rules, seed=self._seed)
        for document in rules.documents:
            rows = [
                (key, body)
                for (name, key), body in self._kept.items()
                if name == document.name and body != b""
            ]
            self._fold.load(document.name, rows)
        if rules.terms:
            self._fold.recount()


def _frames(cursor: Cursor, in_log: Sequence[Close], schedule: Schedule) -> Iterator[_Frame]:
    """Yield the frames in their order, each with all events that fold in it."""
    waiting = _late(cursor, in_log, schedule)
    last = _NOTHING
    for close in _first_closes(in_log):
        for number, batch in _between(cursor, last, close):
            waiting.setdefault(number, Packer()).add(batch)
        for number in sorted(number for number in waiting if number <= close.frame):
            yield _Frame(schedule.rules(number), waiting.pop(number))
        last = close


def _first_closes(in_log: Sequence[Close]) -> Iterator[Close]:
    """Yield the first close of each frame that has any."""
    for _, again in groupby(in_log, key=lambda close: close.frame):
        yield next(again)


def _between(cursor: Cursor, last: Close, close: Close) -> Iterator[tuple[int, Sequence[Row]]]:
    """Yield the events between two closes that neither had passed when they came, by frame."""
    rows = cursor.scan(
        f"SELECT {COLUMNS} FROM event WHERE position > ? AND position < ? AND frame > ?"
        " AND kind <> 'close' ORDER BY position",
        (last.position, close.position, last.frame),
    )
    while batch := tuple(islice(rows, BATCH)):
        if len(set(map(_FRAME, batch))) == 1:  # as nearly always: a loop in C, and no other
            yield batch[0][1], batch
            continue
        for number, some in groupby(batch, key=_FRAME):
            yield number, tuple(some)


def _late(cursor: Cursor, in_log: Sequence[Close], schedule: Schedule) -> dict[int, Packer]:
    """Return the events that a close had passed when they came, by the frame they fold in."""
    positions = {close.position for close in in_log}
    waiting: dict[int, Packer] = {}
    below = log.LOWEST
    for close in _first_closes(in_log):
        cursor.execute(
            # Its own frame by itself: of that the index finds what is behind, and reads no other.
            "SELECT position, frame FROM event WHERE frame > ? AND frame < ? AND position > ?"
            " UNION ALL SELECT position, frame FROM event WHERE frame = ? AND position > ?",
            (below, close.frame, close.position, close.frame, close.position),
        )
        behind = [Header(*row) for row in cursor.fetchall() if row[0] not in positions]
        for header, row in zip(behind, _rows(cursor, behind), strict=True):
            if (place := schedule.place(header)) is not None:
                waiting.setdefault(place.frame, Packer()).add([row])
        below = close.frame
    return waiting


def _rows(cursor: Cursor, headers: Sequence[Header]) -> Iterator[Row]:
    return cursor.each(
        f"SELECT {COLUMNS} FROM event WHERE position = ?",
        ((header.position,) for header in headers),
    )
