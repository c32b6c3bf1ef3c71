"""The log: the sequencer that fills it, and reading it by position.

The fact not to miss: what is taken in and the offset up to which its segment was read are committed
in one transaction, so a note becomes an event exactly once, whenever the process is killed.
Positions count from 1 without holes because one process at a time gives them, under the store's
lock.

    chain[n] = SHA-256(chain[n-1] || digest[n])        chain[0] = 32 zero bytes
    the store's row holds the head (position, chain), so that cut-off rows show as well

Law 4: what cannot become an event goes to quarantine, bytes and reason, and never stops the rest.
"""

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from typing import NamedTuple

from ..kernel import Event
from ..kernel.errors import DeltaRejected
from . import quarantine
from .delta import check
from .engine import Cursor
from .errors import StoreDamaged
from .schedule import Header
from .seal import seal
from .segment import OWN, REJECTED, Note

FIRST_CHAIN = bytes(32)
ID_SIZE = 16
LOWEST = -(2**62)  # below every frame there is
EDITS_STREAM = "git"
LAST_IN_FRAME_US = 2**63 - 1  # later than any time there is


class Head(NamedTuple):
    """Where the log ends; position 0 is an empty log."""

    position: int
    chain: bytes


class Entry(NamedTuple):
    """What is about to become an event."""

    kind: str  # delta, own, close
    frame: int
    utc_us: int | None
    stream: str
    received_us: int
    body: bytes

    @property
    def digest(self) -> bytes:
        return sha256(self.body).digest()


class Taken(NamedTuple):
    """What became of notes, in their order: ids of new events and of copies; refusals."""

    events: list[bytes]
    copies: list[bytes]
    refused: list["Refusal"]


class Refusal(NamedTuple):
    """A note that went to quarantine."""

    id: int  # in quarantine
    source: str
    reason: str
    text: str


class EventRow(NamedTuple):
    """One event as it stands in the log."""

    position: int
    id: bytes
    kind: str
    frame: int
    utc_us: int | None
    stream: str
    received_us: int
    digest: bytes
    body: bytes
    chain: bytes
    seal: bytes

    @property
    def sealed(self) -> tuple[object, ...]:
        """What stands beside the body, as `seal` takes it."""
        return (self.position, *self[2:7])


_EVENT_COLUMNS = "position, id, kind, frame, utc_us, stream, received_us, digest, body, chain, seal"


def head(cursor: Cursor) -> Head:
    """Return where the log ends.

    Raises:
        StoreDamaged: the store's own row is not found.
    """
    row = cursor.execute("SELECT position, chain FROM store WHERE id = 1").fetchone()
    if row is None:
        raise StoreDamaged("store", "its row is not where it was made")
    return Head(*row)


def append(cursor: Cursor, entries: Sequence[Entry]) -> list[int]:
    """Add events at the end of the log; return their positions."""
    position, chain = head(cursor)
    rows = []
    for entry in entries:
        position += 1
        rows.append(row_of(position, entry, chain))
        chain = rows[-1].chain
    put_rows(cursor, rows)
    cursor.execute("UPDATE store SET position = ?, chain = ? WHERE id = 1", (position, chain))
    return [row.position for row in rows]


def put_rows(cursor: Cursor, rows: Sequence[EventRow]) -> None:
    """Write events as they are; only `append` and a recovery do."""
    cursor.executemany(
        f"INSERT INTO event ({_EVENT_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows
    )


def row_of(position: int, entry: Entry, chain: bytes) -> EventRow:
    """Return an entry as the row it is at a position; `chain` is that of the row before."""
    digest = entry.digest
    beside = (entry.kind, entry.frame, entry.utc_us, entry.stream, entry.received_us)
    sealed = seal((position, *beside))
    linked = sha256(chain + digest).digest()
    return EventRow(position, digest[:ID_SIZE], *beside, digest, entry.body, linked, sealed)


def take(cursor: Cursor, notes: Iterable[Note]) -> Taken:
    """Make events of notes: new ones into the log, copies counted, the rest to quarantine."""
    taken = Taken([], [], [])
    entries: dict[bytes, Entry] = {}
    copies: list[tuple[bytes, Note]] = []
    found: list[tuple[bytes, Entry, Note]] = []
    for note in notes:
        try:
            entry = _entry(note)
        except DeltaRejected as error:
            taken.refused.append(refuse(cursor, note, error.reason, str(error)))
            continue
        found.append((entry.digest[:ID_SIZE], entry, note))
    there = _positions_of(cursor, [identity for identity, _, _ in found])
    for (identity, entry, note), position in zip(found, there, strict=True):
        if identity in entries or position is not None:
            copies.append((identity, note))
            taken.copies.append(identity)
        else:
            entries[identity] = entry
            taken.events.append(identity)
    append(cursor, list(entries.values()))
    _put_copies(cursor, copies)
    return taken


def _put_copies(cursor: Cursor, copies: Sequence[tuple[bytes, Note]]) -> None:
    rows = []
    there = _positions_of(cursor, [identity for identity, _ in copies])
    for (_, note), position in zip(copies, there, strict=True):
        assert position is not None, "a copy is of an event that is there"
        row = (position, note.source, note.received_us)
        rows.append((*row, seal(row)))
    cursor.executemany(
        "INSERT INTO copy (position, source, received_us, seal) VALUES (?, ?, ?, ?)", rows
    )


def refuse(cursor: Cursor, note: Note, reason: str, text: str) -> Refusal:
    """Put a note into quarantine."""
    number = quarantine.put(cursor, note.source, note.received_us, reason, note.body)
    return Refusal(number, note.source, reason, text)


def position_of(cursor: Cursor, identity: bytes) -> int | None:
    """Return where an event stands; None when the log does not hold it."""
    row = cursor.execute("SELECT position FROM event WHERE id = ?", (identity,)).fetchone()
    return None if row is None else int(row[0])


def _positions_of(cursor: Cursor, identities: Sequence[bytes]) -> list[int | None]:
    rows = cursor.each(
        "SELECT position FROM event WHERE id = ?", ((identity,) for identity in identities)
    )
    return [None if row is None else int(row[0]) for row in rows]


def read(cursor: Cursor, first: int = 1) -> Iterator[EventRow]:
    """Yield events from position `first` on, in their order."""
    rows = cursor.scan(
        f"SELECT {_EVENT_COLUMNS} FROM event WHERE position >= ? ORDER BY position", (first,)
    )
    return map(EventRow._make, rows)


def headers_to_place(cursor: Cursor, position: int, frame: int, closed: int) -> list[Header]:
    """Return the deltas that a close of `frame` takes and no earlier one has.

    `position` and `closed` are those of the close before: what came since for frames that it had
    passed, and everything for the frames between the two.
    """
    # `+frame` keeps the planner off the index on frame, which would walk all of the log.
    cursor.execute(
        "SELECT position, frame FROM event WHERE frame > ? AND frame <= ? AND kind <> 'close'"
        " UNION SELECT position, frame FROM event WHERE position > ? AND +frame <= ?"
        " AND kind <> 'close' ORDER BY position",
        (closed, frame, position, closed),
    )
    return [Header(*row) for row in cursor]


def all_headers(cursor: Cursor) -> list[Header]:
    """Return every delta's header, for a schedule made from nothing."""
    cursor.execute("SELECT position, frame FROM event WHERE kind <> 'close' ORDER BY position")
    return [Header(*row) for row in cursor]


def events_folding_in(cursor: Cursor, frame: int) -> list[tuple[int, Event]]:
    """Return the events that receipts place in a frame, with their positions.

    Raises:
        StoreDamaged: a body does not hold its digest; a flipped bit must not fold in silence.
    """
    cursor.execute(
        "SELECT e.position, e.digest, e.frame, e.utc_us, e.stream, e.kind, e.body FROM receipt AS r"
        " JOIN event AS e ON e.position = r.position WHERE r.frame = ? ORDER BY e.position",
        (frame,),
    )
    placed = []
    for position, digest, own_frame, utc_us, stream, kind, body in cursor:
        if sha256(body).digest() != digest:
            raise StoreDamaged(f"event {position}", "its body is not what was logged")
        event = Event(digest[:ID_SIZE], own_frame, utc_us, stream, kind == "own", body)
        placed.append((position, event))
    return placed


def offsets(cursor: Cursor) -> dict[str, int]:
    """Return how many bytes of each segment have been taken in."""
    return dict(cursor.execute("SELECT name, taken FROM segment").fetchall())


def put_offsets(cursor: Cursor, taken: dict[str, int]) -> None:
    """Note how far segments have been taken in, in the transaction that took them."""
    cursor.executemany(
        "INSERT INTO segment (name, taken, seal) VALUES (?, ?, ?)"
        " ON CONFLICT (name) DO UPDATE SET taken = excluded.taken, seal = excluded.seal",
        [(*row, seal(row)) for row in taken.items()],
    )


def drop_offsets(cursor: Cursor, names: Iterable[str]) -> None:
    """Forget segments that are no more."""
    cursor.executemany("DELETE FROM segment WHERE name = ?", [(name,) for name in names])


def own_entry(body: bytes, frame: int, stream: str, received_us: int) -> Entry:
    """Make an event of the store's own: an absorbed edit sorts last in its frame."""
    utc_us = LAST_IN_FRAME_US if stream == EDITS_STREAM else None
    return Entry("own", frame, utc_us, stream, received_us, body)


def _entry(note: Note) -> Entry:
    if note.kind == REJECTED:
        raise DeltaRejected("It was refused when it was sent.", reason=note.reason)
    if note.kind == OWN:
        assert note.frame is not None, "a delta of the store's own says its frame"
        assert note.stream is not None, "and whose it is"
        return own_entry(note.body, note.frame, note.stream, note.received_us)
    delta = check(note.body, frame=note.frame, stream=note.stream)
    return Entry("delta", delta.frame, delta.utc_us, delta.stream, note.received_us, delta.body)
