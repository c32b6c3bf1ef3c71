"""Reads what can be read of a damaged SQLite file, row by row; nothing of it is changed.

The fact not to miss: a page that cannot be read costs the rows on it and no others, so each event
is asked for by its position. What comes out is not believed here: a row of the door is held
against its seal, and an event is judged by whoever asked for it.

No seal speaks for a row that is not found. So where a table's pages do not add up, one row more
says that some may be missing. And no definition is believed that is not ours (`definitions.py`).
"""

import re
import sqlite3
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from . import definitions
from .log import EventRow
from .mend import mended_row
from .seal import SEALED, SEALED_ROWS, seal

MISSING = "(rows that cannot be read)"
_EVENT_SIZE_MIN = 100  # of any event in the file: what the head says beyond is damage
# A bit of a row's head makes bytes of a text, and the other way round: what they are we know.
_EVENTS = (
    "SELECT position, CAST(id AS BLOB), CAST(kind AS TEXT), frame, utc_us, CAST(stream AS TEXT),"
    " received_us, CAST(digest AS BLOB), CAST(body AS BLOB), CAST(chain AS BLOB),"
    " CAST(seal AS BLOB) FROM event"
)
_SAID_MAX = 100_000  # things that the engine may find in a file's pages
# It says so of a row, or of a row's number: the row is read all the same, and has its seal.
_OF_A_ROW = re.compile(r" value in |[Rr]owid \S+ out of order")

Beside = tuple[str, int, int | None, str, int]  # kind, frame, time, stream, receipt


class Made(NamedTuple):
    """The store's own row, as far as its seal holds."""

    store_id: str
    created_us: int


class DoorRow(NamedTuple):
    """A row of the door; `is_sound` says whether it stands as written, or one bit apart."""

    values: tuple[object, ...]
    is_sound: bool
    was_mended: bool
    seal: object = None  # as it lies


class Salvage:
    """A damaged database opened for reading; `name` is what its finds are said to come from."""

    def __init__(self, path: Path, name: str) -> None:
        """Open the file.

        Raises:
            OSError: it must be read from a copy, and there is no room for one.
        """
        self.name = name
        self._size = path.stat().st_size
        self._broke = False  # the last reading ended where a page could not be read
        self._file = sqlite3.connect(
            f"file:{quote(str(path))}?mode=ro", uri=True, isolation_level=None
        )
        self._file.text_factory = _text
        self._file.execute("PRAGMA writable_schema = ON")  # one bad definition does not end it all
        # Of a file whose definitions cannot be put right, all counts as unreadable.
        self._connection = (
            self._file if self._is_as_made() else self._copied() or sqlite3.connect("")
        )

    def close(self) -> None:
        """Let the file go."""
        self._connection.close()
        self._file.close()

    def event(self, position: int) -> EventRow | None:
        """Return the event at a position as it lies; None where it cannot be read."""
        rows = self._rows(f"{_EVENTS} WHERE position = ?", (position,))
        row = next(rows, None)
        return None if row is None else EventRow._make(row)

    def last_position(self) -> int:
        """Return the highest position that there is a row for, or that the head names.

        A damaged row may lie under a key that no event ever had. So one that its seal does not
        hold counts only where it comes next behind those that do, or behind the head. And where
        the head's chain is that of a sound row, this is the last, whatever number the head has. A
        head that stands in a damaged row has none.
        """
        named, chain = self.head() or (None, None)
        last, loose = 0, set()
        if self.made() is None:
            named = None
        if isinstance(named, int) and 0 <= named <= self._size // _EVENT_SIZE_MIN:
            last = named
        for row in self._rows(f"{_EVENTS} ORDER BY position DESC"):
            event = EventRow._make(row)
            is_sound = event.seal == seal(event.sealed)
            if is_sound and event.chain == chain:
                return event.position
            if event.position <= last:
                break
            if is_sound:
                last = event.position
                break
            loose.add(event.position)
        while last + 1 in loose:
            last += 1
        return last

    def head(self) -> tuple[object, object] | None:
        """Return the position and chain that the head names, as they lie."""
        row = next(self._rows("SELECT position, chain FROM store"), None)
        return None if row is None else (row[0], row[1])

    def made(self) -> Made | None:
        """Return who the store is and since when; None where that is damaged."""
        for row in self._judged("store"):
            store_id, created_us, _ = row.values
            if row.is_sound and isinstance(store_id, str) and isinstance(created_us, int):
                return Made(store_id, created_us)
        return None

    def door(self, table: str) -> Iterator[DoorRow]:
        """Yield a table's rows with their seals judged, and put right where one bit was wrong.

        Where some may be missing, a last one says so, and is not sound.
        """
        doubts = self._doubts(table)
        seen = set[tuple[object, ...]]()
        is_whole = all(map(_OF_A_ROW.search, doubts))
        self._broke = False
        for row in self._judged(table):
            if doubts and row.values in seen:
                continue  # a damaged page leads to some row twice
            if doubts:
                seen.add(row.values)
                is_whole = is_whole and row.is_sound
            yield row
        if self._broke or not is_whole:
            yield DoorRow((MISSING,) * len(SEALED[table]), False, False)

    def rules(self) -> Iterator[tuple[object, object]]:
        """Yield digest and text of each rules text."""
        rows = self._rows("SELECT CAST(digest AS BLOB), CAST(text AS TEXT) FROM rules")
        yield from ((digest, text) for digest, text in rows)

    def last_quarantine(self) -> int:
        """Return the highest number that quarantine has given."""
        row = next(self._rows("SELECT seq FROM sqlite_sequence WHERE name = 'quarantine'"), None)
        return row[0] if row is not None and isinstance(row[0], int) else 0

    def _judged(self, table: str) -> Iterator[DoorRow]:
        columns = ", ".join(SEALED[table])
        only = f" WHERE {SEALED_ROWS[table]}" if table in SEALED_ROWS else ""
        for *stands, sealed in self._rows(
            f"SELECT {columns}, CAST(seal AS BLOB) FROM {table}{only}"
        ):
            values = tuple(stands)
            if seal(values) == sealed or _held_before(table, values, sealed):
                yield DoorRow(values, True, False, sealed)
            elif (right := mended_row(values, sealed)) is not None:
                yield DoorRow(right, True, True, sealed)
            else:
                yield DoorRow(values, False, False, sealed)

    def _doubts(self, table: str) -> list[str]:
        """Return what the engine finds in a table's pages; nothing: each row can be found."""
        said = self._said(table)
        if said and self._connection is self._file:
            # A copy has no indexes, and so no pages that are not the table's.
            self._connection = self._copied() or self._file
            said = self._said(table)
        return said

    def _said(self, table: str) -> list[str]:
        self._broke = False
        said = [
            line
            for (lines,) in self._rows(f"PRAGMA integrity_check({table})")
            for line in str(lines).splitlines()
            if line != "ok" and not line.startswith("***")
        ]
        for (page,) in self._rows("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)):
            said += [f"page {page} is not its alone"] * (page in self._shared)
        return [*said, "it cannot be looked through"] if self._broke else said

    @cached_property
    def _shared(self) -> set[int]:
        """The pages that two trees lead to: one's first page may have been another."""
        try:
            said = self._file.execute(f"PRAGMA integrity_check({_SAID_MAX})").fetchall()
        except (sqlite3.DatabaseError, UnicodeDecodeError):
            return set()  # its definitions are damaged, and then its first pages are not
        return {int(n) for (line,) in said for n in re.findall(r"reference to page (\d+)", line)}

    def _is_as_made(self) -> bool:
        try:
            return definitions.is_as_made(self._file)
        except (sqlite3.DatabaseError, UnicodeDecodeError):
            return False

    def _copied(self) -> sqlite3.Connection | None:
        try:
            copy = definitions.as_made(self._file)
        except (sqlite3.DatabaseError, UnicodeDecodeError):
            return None
        copy.text_factory = _text
        return copy

    def _rows(self, statement: str, values: Sequence[object] = ()) -> Iterator[tuple[Any, ...]]:
        """Yield rows until there is no more, or none that can be read."""
        try:
            yield from self._connection.execute(statement, values)
        except (sqlite3.DatabaseError, UnicodeDecodeError):  # the latter from SQLite's message
            self._broke = True


def beside(row: EventRow) -> Beside:
    """Return what stands beside an event's body, in the order of `Entry`."""
    return row[2:7]


def _held_before(table: str, values: tuple[object, ...], sealed: object) -> bool:
    """Say whether a row is as revisions before 0005 made it: the file may be damaged since then."""
    if table == "frame":
        return sealed is None
    return table in ("export", "store") and seal(values[:-1]) == sealed


def _text(data: bytes) -> str:
    return data.decode(errors="surrogateescape")
