"""Where input goes that cannot become an event: the bytes as they came, and the reason.

Also kept here: bytes that an export found in its place and nobody had logged, before it replaces
them. Nothing leaves quarantine but by a retry that made an event of it.
"""

from typing import NamedTuple

from .engine import Cursor
from .seal import seal


class Kept(NamedTuple):
    """One thing in quarantine; `size` in bytes, `body` left out of lists."""

    id: int
    source: str
    received_us: int
    reason: str
    size: int


def put(cursor: Cursor, source: str, received_us: int, reason: str, body: bytes) -> int:
    """Keep bytes that cannot become an event; return their number."""
    cursor.execute(
        "INSERT INTO quarantine (source, received_us, reason, body) VALUES (?, ?, ?, ?)"
        " RETURNING id",
        (source, received_us, reason, body),
    )
    number = int(cursor.fetchone()[0])
    sealed = seal((number, source, received_us, reason, body))
    cursor.execute("UPDATE quarantine SET seal = ? WHERE id = ?", (sealed, number))
    return number


def kept_before(cursor: Cursor, source: str, reason: str, body: bytes) -> int | None:
    """Return the number of the same bytes from the same place, kept for the same reason."""
    row = cursor.execute(
        "SELECT id FROM quarantine WHERE source = ? AND reason = ? AND body = ?",
        (source, reason, body),
    ).fetchone()
    return None if row is None else int(row[0])


def entries(cursor: Cursor) -> list[Kept]:
    """Return all that is kept, oldest first."""
    cursor.execute(
        "SELECT id, source, received_us, reason, length(body) FROM quarantine ORDER BY id"
    )
    return [Kept(*row) for row in cursor]


def entry(cursor: Cursor, number: int) -> tuple[Kept, bytes] | None:
    """Return one entry with its bytes; None where there is none of that number."""
    row = cursor.execute(
        "SELECT id, source, received_us, reason, length(body), body FROM quarantine WHERE id = ?",
        (number,),
    ).fetchone()
    return None if row is None else (Kept(*row[:5]), bytes(row[5]))


def drop(cursor: Cursor, number: int) -> None:
    """Take out what has become an event, in the transaction that made it one."""
    cursor.execute("DELETE FROM quarantine WHERE id = ?", (number,))
