"""What became of each unit of each event, and of each frame and stream: receipts that balance.

The fact not to miss: a receipt row is first of all the place of an event (which frame it folds in);
its sums are filled in when that frame folds, and again whenever it is folded again.

Law 4: in = applied + duplicate + skipped, for each event, and so for each frame.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from ..kernel import Event, Receipt
from .delta import check
from .engine import Cursor
from .schedule import Place
from .seal import SEALED, seal


class FrameSums(NamedTuple):
    """A folded frame in numbers."""

    frame: int
    events: int
    units_in: int
    applied: int
    duplicate: int
    skipped: int
    optional_skipped: int
    late: int  # events that came after a close had passed their own frame


class StreamStatus(NamedTuple):
    """One stream in one frame: expected, missing, reported, fallback or late."""

    stream: str  # lower case
    status: str
    reason: str  # why it is a fallback
    events: int


class Unapplied(NamedTuple):
    """Units that did not apply, counted by where they came from and why."""

    source: str
    status: str  # duplicate, skipped, optional
    reason: str
    operation: str
    units: int


def place(cursor: Cursor, places: Mapping[int, Place]) -> None:
    """Note where events fold, by position, before their frames are folded."""
    cursor.executemany(
        "INSERT INTO receipt (position, frame, late, units_in, applied, duplicate, skipped,"
        " optional_skipped) VALUES (?, ?, ?, 0, 0, 0, 0, 0)",
        ((position, at.frame, int(at.late)) for position, at in places.items()),
    )


def frames_from(cursor: Cursor, frame: int) -> list[int]:
    """Return the frames from `frame` on in which events fold."""
    cursor.execute("SELECT DISTINCT frame FROM receipt WHERE frame >= ? ORDER BY frame", (frame,))
    return [row[0] for row in cursor]


def write(
    cursor: Cursor, frame: int, events: Sequence[tuple[int, Event]], receipts: Sequence[Receipt]
) -> FrameSums:
    """Fill in the receipts of a frame that has just folded; return its sums."""
    for receipt in receipts:
        sums = receipt.applied + receipt.duplicate + receipt.skipped
        assert receipt.units_in == sums, f"frame {frame}: a receipt does not balance"
    cursor.executemany(
        "UPDATE receipt SET units_in = ?, applied = ?, duplicate = ?, skipped = ?,"
        " optional_skipped = ?, unapplied = ? WHERE position = ?",
        (
            (*receipt[:5], _packed(receipt), position)
            for (position, _), receipt in zip(events, receipts, strict=True)
        ),
    )
    _write_streams(cursor, frame, events)
    return sums_of(cursor, frame)


def sums_of(cursor: Cursor, frame: int) -> FrameSums:
    """Add a frame's receipts up. Edits taken in always come after their close: none is late."""
    row = cursor.execute(
        "SELECT count(*), coalesce(sum(units_in), 0), coalesce(sum(applied), 0),"
        " coalesce(sum(duplicate), 0), coalesce(sum(skipped), 0),"
        " coalesce(sum(optional_skipped), 0), (SELECT count(*) FROM receipt AS r"
        "  JOIN event AS e ON e.position = r.position"
        "  WHERE r.frame = :frame AND r.late = 1 AND e.kind = 'delta')"
        " FROM receipt WHERE frame = :frame",
        {"frame": frame},
    ).fetchone()
    return FrameSums(frame, *map(int, row))


def streams(cursor: Cursor, frame: int) -> list[StreamStatus]:
    """Return a folded or open frame's streams as they are on record."""
    cursor.execute(
        "SELECT stream, status, reason, events FROM frame_stream WHERE frame = ? ORDER BY stream",
        (frame,),
    )
    return [StreamStatus(*row) for row in cursor]


def unapplied(cursor: Cursor, frame: int) -> list[Unapplied]:
    """Return what did not apply in a frame, most frequent first."""
    cursor.execute(
        "SELECT unapplied FROM receipt WHERE frame = ? AND unapplied IS NOT NULL", (frame,)
    )
    counts: Counter[tuple[str, str, str, str]] = Counter()
    for (packed,) in cursor:
        for source, _, status, reason, operation in json.loads(packed):
            counts[(source, status, reason, operation)] += 1
    return [
        Unapplied(*key, count) for key, count in sorted(counts.items(), key=lambda i: (-i[1], i[0]))
    ]


def mark_closed(cursor: Cursor, frame: int) -> None:
    """Close a frame's own row; open frames that it passes and nothing folded in are no more."""
    cursor.execute(
        "INSERT INTO frame (frame, state, events, units_in, applied, duplicate, skipped,"
        " optional_skipped) VALUES (?, 'closed', 0, 0, 0, 0, 0, 0)"
        " ON CONFLICT (frame) DO UPDATE SET state = 'closed', seal = NULL",
        (frame,),
    )
    cursor.execute("DELETE FROM frame WHERE frame < ? AND state = 'open'", (frame,))


def put_open(cursor: Cursor, frame: int) -> None:
    """Note that a frame is open, where nothing is noted of it."""
    row = (frame, "open", None, 0, 0, 0, 0, 0, 0, None, None)
    cursor.execute(
        f"INSERT INTO frame ({', '.join(SEALED['frame'])}, seal)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (frame) DO NOTHING",
        (*row, seal(row)),
    )


def expect(cursor: Cursor, frame: int, names: Iterable[str]) -> None:
    """Note that streams are expected in a frame that has not closed."""
    cursor.executemany(
        "INSERT INTO frame_stream (frame, stream, status, reason, events, seal)"
        " VALUES (?, ?, 'expected', '', 0, ?) ON CONFLICT (frame, stream) DO NOTHING",
        ((frame, name.lower(), seal((frame, name.lower(), "expected"))) for name in names),
    )


def _packed(receipt: Receipt) -> bytes | None:
    lines = [tuple(unit) for unit in receipt.unapplied]
    return json.dumps(lines, separators=(",", ":")).encode() if lines else None


def _write_streams(cursor: Cursor, frame: int, events: Sequence[tuple[int, Event]]) -> None:
    cursor.execute("SELECT position FROM receipt WHERE frame = ? AND late = 1", (frame,))
    late = {row[0] for row in cursor}
    best: dict[str, tuple[tuple[bool, int], StreamStatus]] = {}
    counts: Counter[str] = Counter()
    for position, event in events:
        if event.own:
            continue
        seen = _status(event, position in late)
        # An older delta that folds here says the least of who took part in this frame.
        rank = (event.frame != frame, _RANK[seen.status])
        best[seen.stream] = min(best.get(seen.stream, (rank, seen)), (rank, seen))
        counts[seen.stream] += 1
    cursor.execute("DELETE FROM frame_stream WHERE frame = ?", (frame,))
    cursor.executemany(
        "INSERT INTO frame_stream (frame, stream, status, reason, events) VALUES (?, ?, ?, ?, ?)",
        ((frame, *status[:3], counts[status.stream]) for _, status in best.values()),
    )


# What a stream that sent several deltas counts as: a report before a late one before a fallback.
_RANK = {"reported": 0, "late": 1, "fallback": 2}


def _status(event: Event, is_late: bool) -> StreamStatus:
    stream = event.stream.lower()
    if b'"status":"fallback"' in event.body:  # cheap, and the full look only where it may matter
        delta = check(event.body, frame=event.frame, stream=event.stream, limits=False)
        if delta.fallback:
            return StreamStatus(stream, "fallback", delta.reason, 1)
    return StreamStatus(stream, "late" if is_late else "reported", "", 1)
