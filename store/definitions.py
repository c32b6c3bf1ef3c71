"""What a SQLite file says its tables are, held against what the migrations made.

The fact not to miss: SQLite believes that text. One flipped bit in it lets a column go by another
name, so that it seems to be lacking, or nothing be read at all, while every row lies as it was. So
whoever reads a damaged file asks here first, and reads a copy whose definitions are ours where the
file's own are not.

An older schema lacks only the last columns of what `TABLES` names, and reads as NULL there.
"""

import errno
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from functools import lru_cache

from .engine import Cursor

# What a recovery reads; all else is folded again.
TABLES = (
    *("event", "rules", "store", "copy", "segment", "collected", "quarantine", "loss", "export"),
    *("frame", "frame_stream", "sqlite_sequence"),  # the last is SQLite's: numbers it has given
)

_NO_ROOM = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE})
_PLACE = "the system's folder of temporary files"

Column = tuple[object, ...]  # as SQLite tells it: place, name, type, may it be NULL, key


def faults(cursor: Cursor) -> Iterator[str]:
    """Yield the tables whose columns are not those that the migrations made.

    SQLite reads a damaged name as a name, and tells nobody before a statement asks for the right
    one.
    """
    for table, meant in _meant().items():
        found = cursor.execute(f"PRAGMA table_info({table})").fetchall()
        if found and found != meant:  # a table that only a server has is not there
            yield f"table {table} is not as it was made"


def is_as_made(file: sqlite3.Connection) -> bool:
    """Say whether what a recovery reads is defined as it was made, by this schema."""
    for table in TABLES:
        named = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ? AND tbl_name = name"
        if file.execute(f"PRAGMA table_info({table})").fetchall() != _meant()[table]:
            return False
        if file.execute(named, (table,)).fetchone() is None:
            return False
    return True


def as_made(file: sqlite3.Connection) -> sqlite3.Connection:
    """Copy a file to where SQLite keeps what is temporary, with our definitions and no index.

    A table that the file says nothing of, at two of three places, is not there in the copy.

    Raises:
        sqlite3.DatabaseError: it is beyond copying.
        OSError: there is no room for the copy.
    """
    copy = sqlite3.connect("", isolation_level=None)
    try:
        file.backup(copy)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode in _NO_ROOM:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), _PLACE) from error
        raise
    copy.execute("PRAGMA writable_schema = ON")
    with suppress(sqlite3.DatabaseError):  # the first look says what is wrong, the next one looks
        copy.execute("SELECT 1 FROM sqlite_master")
    for table in TABLES:
        copy.execute(
            "UPDATE sqlite_master SET type = 'table', name = :table, tbl_name = :table, sql = :text"
            " WHERE name = :table OR (tbl_name = :table AND sql LIKE 'CREATE TABLE%')",
            {"table": table, "text": _bare(table)},
        )
    marks = ", ".join("?" for _ in TABLES)
    copy.execute(f"DELETE FROM sqlite_master WHERE name NOT IN ({marks})", TABLES)
    copy.execute("PRAGMA writable_schema = RESET")
    return copy


def _bare(table: str) -> str:
    """Return a definition that asks for no index: names alone, and which is the row's number."""
    columns = [
        f'"{name}" INTEGER PRIMARY KEY' if (kind, key) == ("INTEGER", 1) else f'"{name}"'
        for _, name, kind, _, _, key in _meant()[table]
    ]
    return f"CREATE TABLE {table} ({', '.join(columns)})"


@lru_cache(maxsize=1)
def _meant() -> Mapping[str, list[Column]]:
    """Return each table's columns; only who looks this closely pays for importing SQLAlchemy."""
    from sqlalchemy.dialects.sqlite import dialect
    from sqlalchemy.schema import CreateTable

    from .schema import metadata

    with closing(sqlite3.connect("")) as made:
        for table in metadata.sorted_tables:
            if table.info.get("engine", "sqlite") == "sqlite":
                made.execute(str(CreateTable(table).compile(dialect=dialect())))
        names = [row[0] for row in made.execute("SELECT name FROM sqlite_master WHERE sql > ''")]
        return {name: made.execute(f"PRAGMA table_info({name})").fetchall() for name in names}
