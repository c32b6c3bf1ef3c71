"""The log as it is shown: events by position, each with what became of it."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from .engine import Cursor


class LoggedEvent(NamedTuple):
    """One event; `folds_in` and the sums are None until a close has taken it."""

    position: int
    id: str  # 32 hex digits
    kind: str  # delta, own, close
    frame: int
    stream: str
    utc_us: int | None
    received_us: int
    copies: int
    folds_in: int | None
    late: bool
    units_in: int | None
    applied: int | None
    duplicate: int | None
    skipped: int | None
    body: bytes  # b"" where it was not asked for


class Asked(NamedTuple):
    """Which events to show: from a position on, or else the newest."""

    first: int | None
    frame: int | None
    stream: str | None
    limit: int
    bodies: bool


def events(cursor: Cursor, asked: Asked) -> list[LoggedEvent]:
    """Return events in the order of their positions."""
    wanted, values = ["1 = 1"], list[object]()
    for clause, value in (
        ("e.position >= ?", asked.first),
        ("e.frame = ?", asked.frame),
        ("lower(e.stream) = ?", None if asked.stream is None else asked.stream.lower()),
    ):
        if value is not None:
            wanted.append(clause)
            values.append(value)
    order = "e.position" if asked.first is not None else "e.position DESC"
    cursor.execute(
        "SELECT e.position, e.id, e.kind, e.frame, e.stream, e.utc_us, e.received_us,"
        " (SELECT count(*) FROM copy AS c WHERE c.position = e.position), r.frame, r.late,"
        f" r.units_in, r.applied, r.duplicate, r.skipped, {'e.body' if asked.bodies else 'NULL'}"
        " FROM event AS e LEFT JOIN receipt AS r ON r.position = e.position"
        f" WHERE {' AND '.join(wanted)} ORDER BY {order} LIMIT ?",
        (*values, asked.limit),
    )
    return sorted(_event(row) for row in cursor.fetchall())


def _event(row: Sequence[Any]) -> LoggedEvent:
    position, identity, *middle = row[:9]
    late, *sums, body = row[9:]
    made = (position, identity.hex(), *middle, bool(late), *sums, body or b"")
    return LoggedEvent._make(made)
