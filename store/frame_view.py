"""Frames as they are shown: who took part, what became of their units, what did not apply.

A closed frame is read from its receipts; an open one from the log as it lies, because nothing of it
has folded yet.
"""

from typing import NamedTuple

from . import receipts
from .delta import AHEAD_US_MAX, check
from .engine import Cursor
from .frames import missing
from .receipts import FrameSums, StreamStatus, Unapplied


class FrameRow(NamedTuple):
    """One frame in a list."""

    frame: int
    state: str  # open, closed
    sums: FrameSums
    streams: int
    state_digest: str | None


class FrameDetail(NamedTuple):
    """One frame in full."""

    frame: int
    state: str
    rules: str | None  # hex digest
    state_digest: str | None
    streams: list[StreamStatus]
    sums: FrameSums
    unapplied: list[Unapplied]
    ahead: int  # events whose time is more than 5 minutes ahead of their arrival


def frames(cursor: Cursor) -> list[FrameRow]:
    """Return the fleet's frames that have closed, are open, or have events, lowest first."""
    cursor.execute(
        "SELECT frame, state, state_digest FROM frame WHERE frame >= 0 UNION"
        " SELECT frame, 'open', NULL FROM event AS e WHERE kind = 'delta'"
        " AND NOT EXISTS (SELECT 1 FROM frame WHERE frame = e.frame) ORDER BY 1"
    )
    return [_row(cursor, number, state, digest) for number, state, digest in cursor.fetchall()]


def frame(cursor: Cursor, number: int) -> FrameDetail | None:
    """Return one frame in full; None where nothing is known of it."""
    row = cursor.execute(
        "SELECT state, rules, state_digest FROM frame WHERE frame = ?", (number,)
    ).fetchone()
    streams = _streams_live(cursor, number) if row is None or row[0] == "open" else None
    if row is None and not streams:
        return None
    state, rules, digest = row or ("open", None, None)
    ahead = cursor.execute(
        "SELECT count(*) FROM event WHERE frame = ? AND kind = 'delta'"
        " AND utc_us > received_us + ?",
        (number, AHEAD_US_MAX),
    ).fetchone()[0]
    return FrameDetail(
        number,
        state,
        rules.hex() if rules else None,
        digest.hex() if digest else None,
        receipts.streams(cursor, number) if streams is None else streams,
        receipts.sums_of(cursor, number),
        receipts.unapplied(cursor, number),
        ahead,
    )


def _row(cursor: Cursor, number: int, state: str, digest: bytes | None) -> FrameRow:
    sums = receipts.sums_of(cursor, number)
    if state == "closed":
        streams = receipts.streams(cursor, number)
    else:  # its events have not folded: they are counted as they lie
        streams = _streams_live(cursor, number)
        sums = sums._replace(events=sum(each.events for each in streams))
    return FrameRow(number, state, sums, len(streams), digest.hex() if digest else None)


def _streams_live(cursor: Cursor, number: int) -> list[StreamStatus]:
    """Return an open frame's streams by what the log holds so far."""
    found = {name: StreamStatus(name, "missing", "", 0) for name in missing(cursor, number)}
    cursor.execute(
        "SELECT stream, body FROM event WHERE frame = ? AND kind = 'delta' ORDER BY position",
        (number,),
    )
    for stream, body in cursor:
        lower = stream.lower()
        delta = check(body, frame=number, stream=stream, limits=False)
        before = found.get(lower)
        count = 1 + (before.events if before else 0)
        if delta.fallback and (before is None or before.status == "fallback"):
            found[lower] = StreamStatus(lower, "fallback", delta.reason, count)
        else:
            found[lower] = StreamStatus(lower, "reported", "", count)
    return [found[name] for name in sorted(found)]
