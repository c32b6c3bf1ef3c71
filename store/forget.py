"""Forgets older versions: time travel ends at a frame, the log stays, and replay brings all back.

The fact not to miss: a version is needed as long as some frame that is kept shows it, or a late
event may go back to before it. So the newest version at the oldest frame kept stays, and the frames
of the window, and one more, are always kept. Where a wider window comes with new rules, a close
that must go back further folds the whole log again (`frames.py`).

    versions of an entity     2 . . 5 . . . 9        oldest frame kept: 7
    shown at 7, 8, 9                5     ->5 9      2 is dropped, 5 stays
"""

from typing import NamedTuple

from . import closes
from .engine import Cursor
from .errors import FrameNotShown
from .origin import BASE_FRAME
from .seal import carried

_DROP = """
    DELETE FROM entity_past WHERE frame < :kept AND (
        EXISTS (
            SELECT 1 FROM entity_past AS newer WHERE newer.document = entity_past.document
            AND newer.key_digest = entity_past.key_digest
            AND newer.frame > entity_past.frame AND newer.frame <= :kept
        ) OR EXISTS (
            SELECT 1 FROM entity AS newest WHERE newest.document = entity_past.document
            AND newest.key_digest = entity_past.key_digest AND newest.frame <= :kept
        )
    )
"""


class Forgotten(NamedTuple):
    """What was dropped: how many versions, and the oldest frame that is still shown."""

    oldest: int | None  # None: fewer frames have closed than are kept
    versions: int


def forget(cursor: Cursor, keep: int) -> Forgotten:
    """Drop the versions that only frames before the last `keep` closed ones need."""
    keep = max(keep, closes.rules_in_force(cursor).frames.reopen + 1)
    cursor.execute(
        "SELECT frame FROM frame WHERE state = 'closed' ORDER BY frame DESC LIMIT ?", (keep,)
    )
    kept = [row[0] for row in cursor.fetchall()]
    before = oldest(cursor)
    if len(kept) < keep or (before is not None and kept[-1] <= before):
        return Forgotten(before, 0)
    count = cursor.execute("SELECT count(*) FROM entity_past").fetchone()[0]
    drop(cursor, kept[-1])
    _put(cursor, kept[-1])
    left = cursor.execute("SELECT count(*) FROM entity_past").fetchone()[0]
    return Forgotten(kept[-1], count - left)


def drop(cursor: Cursor, kept: int) -> None:
    """Drop what no frame from `kept` on shows; also in caches that were folded beside."""
    cursor.execute(_DROP, {"kept": kept})


def oldest(cursor: Cursor) -> int | None:
    """Return the oldest frame whose state is still shown; None where all are."""
    row = cursor.execute("SELECT forgotten FROM store WHERE id = 1").fetchone()
    return None if row is None else row[0]


def remember(cursor: Cursor) -> None:
    """Note that all versions are there again: the log was folded from nothing."""
    _put(cursor, None)


def check_shown(cursor: Cursor, frame: int) -> None:
    """Return when the state as a frame left it can be told.

    Raises:
        FrameNotShown: it has not closed yet, or its versions were dropped.
    """
    newest = closes.last(cursor)
    assert newest is not None, "a store's first transaction closes its base state"
    first = oldest(cursor)
    if not (BASE_FRAME if first is None else first) <= frame <= newest.frame:
        raise FrameNotShown(frame, first, newest.frame)


def _put(cursor: Cursor, kept: int | None) -> None:
    row = cursor.execute(
        "SELECT store_id, created_us, forgotten, seal FROM store WHERE id = 1"
    ).fetchone()
    *before, sealed = row
    sealed = carried(before, sealed, (*before[:2], kept))
    cursor.execute("UPDATE store SET forgotten = ?, seal = ? WHERE id = 1", (kept, sealed))
