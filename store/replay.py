"""Folds the whole log again, from nothing: the proof that everything else is a cache.

The fact not to miss: it reads `event` and `rules` alone. Beside the store (`check`), the same code
runs where the caches' tables are empty ones: a bare name finds the scratch table first, and the
store's log where there is none.
"""

from collections.abc import Iterator
from typing import NamedTuple

from . import closes, forget, log, receipts, snapshots
from .engine import Cursor, Database, Scratch
from .export import render
from .folding import fold_frames
from .receipts import FrameSums
from .refold import refold
from .schedule import Schedule

DIFFERENCES_MAX = 1_000

# What must be equal, column by column, after folding again.
COMPARED = {
    "entity": "document, key, key_digest, frame, body, digest",
    "entity_past": "document, key_digest, frame, body",
    "document": "document, frame, digest, entities, removed",
    "receipt": "position, frame, late, units_in, applied, duplicate, skipped, optional_skipped,"
    " unapplied",
    "frame": "frame, rules, events, units_in, applied, duplicate, skipped, optional_skipped,"
    " state_digest, totals",
    "frame_stream": "frame, stream, status, reason, events",
}


class Difference(NamedTuple):
    """A row of a cache that is not what the log folds to."""

    table: str
    row: str  # what the row is about
    what: str  # "missing", "not from the log", "different"


class Replayed(NamedTuple):
    """What a replay folded, and what it found to differ."""

    frames: int
    state_digest: str
    differs: list[Difference]


def replay(cursor: Cursor, seed: bytes) -> Replayed:
    """Empty the caches and fill them from the log; the caller holds the lock and commits."""
    empty(cursor)
    folded = fold_all(cursor, seed)
    return Replayed(len(folded), snapshots.state_digest(cursor), [])


def empty(cursor: Cursor) -> None:
    """Empty the caches; what was forgotten is about to be there again."""
    for table in ("entity", "entity_past", "document", "receipt"):
        cursor.execute(f"DELETE FROM {table}")
    cursor.execute("DELETE FROM frame WHERE state = 'closed'")
    # What an open frame expects is not in the log before its close; it is kept.
    cursor.execute("DELETE FROM frame_stream WHERE seal IS NULL")
    forget.remember(cursor)


def check(database: Database, seed: bytes) -> Replayed:
    """Fold the log again beside the store, and say what differs; nothing of the store changes."""
    with database.beside() as scratch:
        folded = fold_all(scratch.cursor, seed)
        if (kept := forget.oldest(scratch.cursor)) is not None:
            forget.drop(scratch.cursor, kept)
        differs = list(_differences(scratch))
        return Replayed(len(folded), snapshots.state_digest(scratch.cursor), differs)


def check_documents(cursor: Cursor, seed: bytes) -> Replayed:
    """Fold the log in memory and compare the documents; nothing is written anywhere."""
    refolded = refold(cursor, seed)
    with refolded.fold as fold:
        differs = [
            Difference("document", document.name, "different")
            for document in fold.rules.documents
            if fold.document(document.name) != render(cursor, fold.rules, document.name, seed)
        ]
    return Replayed(refolded.frames, snapshots.state_digest(cursor), differs)


def fold_all(cursor: Cursor, seed: bytes) -> list[FrameSums]:
    """Place and fold every event, into caches that are empty."""
    in_log = closes.since(cursor)
    schedule = Schedule(in_log)
    placed = ((header.position, schedule.place(header)) for header in log.all_headers(cursor))
    receipts.place(cursor, {position: at for position, at in placed if at is not None})
    folded = fold_frames(cursor, receipts.frames_from(cursor, log.LOWEST), schedule.rules, seed)
    for close in in_log:
        receipts.mark_closed(cursor, close.frame)
    return folded


def _differences(scratch: Scratch) -> Iterator[Difference]:
    left = DIFFERENCES_MAX
    for table, columns in COMPARED.items():
        found = list(_table_differences(scratch, table, columns, left))
        yield from found
        left -= len(found)


def _table_differences(
    scratch: Scratch, table: str, columns: str, most: int
) -> Iterator[Difference]:
    kept = " WHERE seal IS NULL" if table == "frame_stream" else ""
    closed = " WHERE state = 'closed'" if table == "frame" else ""
    ours = f"SELECT {columns} FROM {scratch.kept}.{table}{kept}{closed}"
    folded = f"SELECT {columns} FROM {scratch.folded}.{table}{kept}{closed}"
    lacking = _rows(scratch.cursor, f"{folded} EXCEPT {ours}", most)
    extra = _rows(scratch.cursor, f"{ours} EXCEPT {folded}", most)
    for name in sorted(lacking.keys() | extra.keys()):
        what = "different" if name in lacking and name in extra else "missing"
        yield Difference(table, name, what if name in lacking else "not from the log")


def _rows(cursor: Cursor, query: str, most: int) -> dict[str, int]:
    """Return the rows of a query by what they are about: their first columns."""
    cursor.execute(f"{query} LIMIT ?", (most,))
    width = 2 if query.startswith(("SELECT document", "SELECT frame, stream")) else 1
    return {"/".join(_shown(value) for value in row[:width]): 1 for row in cursor}


def _shown(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
