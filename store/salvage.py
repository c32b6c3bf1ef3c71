"""Reads what can be read of a damaged SQLite file, row by row; nothing of it is changed.

The fact not to miss: a page that cannot be read costs the rows on it and no others, so each event
is asked for by its position. What comes out is not believed here: a row of the door is held
against its seal, and an event is judged by whoever asked for it.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from .log import EventRow
from .mend import mended_row
from .seal import EXPECTED, SEALED, seal

_EVENT_SIZE_MIN = 100  # of any event in the file: what the head says beyond is damage
_EVENT_COLUMNS = (
    *("position", "id", "kind", "frame", "utc_us", "stream", "received_us"),
    *("digest", "body", "chain", "seal"),
)


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
    done: object = None  # of an export: not sealed, since it changes


class Salvage:
    """A damaged database opened for reading; `name` is what its finds are said to come from."""

    def __init__(self, path: Path, name: str) -> None:
        self.name = name
        self._size = path.stat().st_size
        self._connection = sqlite3.connect(
            f"file:{quote(str(path))}?mode=ro", uri=True, isolation_level=None
        )
        self._broke = False  # the last reading ended where a page could not be read
        self._connection.text_factory = lambda data: data.decode(errors="surrogateescape")
        self._events = f"SELECT {self._columns('event', _EVENT_COLUMNS)} FROM event"

    def close(self) -> None:
        """Let the file go."""
        self._connection.close()

    def event(self, position: int) -> EventRow | None:
        """Return the event at a position as it lies; None where it cannot be read."""
        rows = self._rows(f"{self._events} WHERE position = ?", (position,))
        row = next(rows, None)
        return None if row is None else EventRow._make(row)

    def last_position(self) -> int:
        """Return the highest position that there is a row for, or that the head names.

        A damaged row may lie under a key that no event ever had. So one that its seal does not
        hold counts only where it comes next behind those that do, or behind the head.
        """
        (named,) = next(self._rows("SELECT position FROM store WHERE id = 1"), (None,))
        last, loose = 0, set()
        if isinstance(named, int) and 0 <= named <= self._size // _EVENT_SIZE_MIN:
            last = named
        for row in self._rows(f"{self._events} ORDER BY position DESC"):
            event = EventRow._make(row)
            if event.position <= last:
                break
            if event.seal == seal(event.sealed):
                last = event.position
                break
            loose.add(event.position)
        while last + 1 in loose:
            last += 1
        return last

    def head(self) -> tuple[object, object] | None:
        """Return the position and chain that the head names, as they lie."""
        row = next(self._rows("SELECT position, chain FROM store WHERE id = 1"), None)
        return None if row is None else (row[0], row[1])

    def made(self) -> Made | None:
        """Return who the store is and since when; None where that is damaged."""
        for row in self.door("store"):
            store_id, created_us = row.values
            if row.is_sound and isinstance(store_id, str) and isinstance(created_us, int):
                return Made(store_id, created_us)
        return None

    def door(self, table: str) -> Iterator[DoorRow]:
        """Yield a table's rows with their seals judged, and put right where one bit was wrong."""
        columns = SEALED[table]
        chosen = self._columns(table, (*columns, "seal", "done"))
        only = f" WHERE {EXPECTED}" if table == "frame_stream" else ""
        self._broke = False
        for row in self._rows(f"SELECT {chosen} FROM {table}{only}"):
            *stands, sealed, done = row
            values = tuple(stands)
            if seal(values) == sealed:
                yield DoorRow(values, True, False, done)
            elif (right := mended_row(values, sealed)) is not None:
                yield DoorRow(right, True, True, done)
            else:
                yield DoorRow(values, False, False)
        if self._broke:
            yield DoorRow(("(rows that cannot be read)",) * len(columns), False, False)

    def rules(self) -> Iterator[tuple[object, object]]:
        """Yield digest and text of each rules text."""
        yield from ((row[0], row[1]) for row in self._rows("SELECT digest, text FROM rules"))

    def open_frames(self) -> Iterator[int]:
        """Yield the frames that were open."""
        for (frame,) in self._rows("SELECT frame FROM frame WHERE state = 'open' ORDER BY frame"):
            if isinstance(frame, int):
                yield frame

    def last_quarantine(self) -> int:
        """Return the highest number that quarantine has given."""
        row = next(self._rows("SELECT seq FROM sqlite_sequence WHERE name = 'quarantine'"), None)
        return row[0] if row is not None and isinstance(row[0], int) else 0

    def _columns(self, table: str, names: Sequence[str]) -> str:
        """Name columns for a SELECT; one that an older schema lacks is read as NULL."""
        there = {row[1] for row in self._rows(f"PRAGMA table_info({table})")}
        return ", ".join(name if name in there else "NULL" for name in names)

    def _rows(self, statement: str, values: Sequence[object] = ()) -> Iterator[tuple[object, ...]]:
        """Yield rows until there is no more, or none that can be read."""
        try:
            yield from self._connection.execute(statement, values)
        except (sqlite3.DatabaseError, UnicodeDecodeError):  # the latter from SQLite's message
            self._broke = True


def beside(row: EventRow) -> Beside:
    """Return what stands beside an event's body, in the order of `Entry`."""
    return row[2:7]
