"""The door held against itself: what was taken in, what was refused, how far segments were read.

The fact not to miss: the log proves itself by its chain, and everything folded is proved by the
log; what is between mailbox and log has its seals, and the notes that still lie there.

    mailbox   n1 n2 n3 | n4 n5        `taken` stands on a note's border; each note before it is in
                     taken            the log, none behind it was taken in
"""

from collections.abc import Iterator
from hashlib import sha256
from typing import NamedTuple

from ..kernel.errors import DeltaRejected
from . import log, mailbox
from .delta import check
from .engine import Cursor
from .log import ID_SIZE
from .mailbox import Damage, Mail, Torn
from .seal import ROW_NAMES, SEALED, SEALED_ROWS, seal
from .segment import OWN, REJECTED, Note

DAMAGED_NOTE = "damaged note"


class Unsound(NamedTuple):
    """What is not as it was written; `row` is the table or the segment it is in."""

    row: str
    what: str
    waits: bool = False  # it lies in the mailbox, and no drain has met it


def broken_seals(cursor: Cursor) -> Iterator[Unsound]:
    """Hold each row of the door against its seal."""
    for table, columns in SEALED.items():
        if table == "event":
            continue  # the walk along the chain looks at each
        only = f" WHERE {SEALED_ROWS[table]}" if table in SEALED_ROWS else ""
        cursor.execute(f"SELECT {', '.join(columns)}, seal FROM {table}{only}")
        at = columns.index(ROW_NAMES[table])
        for row in cursor:
            if seal(row[:-1]) != row[-1]:
                yield Unsound(f"{table} {row[at]}", "what it says is not what was written")
    cursor.execute(
        "SELECT DISTINCT frame FROM frame_stream WHERE status = 'expected' AND frame NOT IN"
        " (SELECT frame FROM frame WHERE state = 'open') ORDER BY frame"
    )
    for (frame,) in cursor.fetchall():
        yield Unsound(f"frame {frame}", "streams are expected in it, and it is not open")


def mailbox_faults(cursor: Cursor, folder: str) -> Iterator[Unsound]:
    """Read each segment from its start, and hold what was taken of it against the log."""
    offsets = log.offsets(cursor)
    for name, size in mailbox.sizes(folder).items():
        taken = offsets.get(name, 0)
        if size < taken:
            what = f"it has {size} bytes, and {taken} were read from it"
            yield Unsound(f"mailbox/{name}", what)
        yield from _segment(cursor, folder, name, taken)


def _segment(cursor: Cursor, folder: str, name: str, taken: int) -> Iterator[Unsound]:
    size = mailbox.sizes(folder).get(name, 0)
    is_border = taken in (0, size)
    for found in mailbox.read_segment(folder, name):
        is_border = is_border or found.end == taken
        if isinstance(found, Torn):
            continue
        place = f"mailbox/{name} bytes {found.offset} to {found.end}"
        if isinstance(found, Damage) and not is_taken(cursor, found):
            yield Unsound(place, found.what, waits=found.offset >= taken)
        elif found.end <= taken and not is_taken(cursor, found):
            yield Unsound(place, "it was read, and the log does not hold what it says")
        elif found.offset >= taken and isinstance(found, Mail) and _is_event(cursor, found.note):
            yield Unsound(place, "it is in the log, and counts as not read")
    if not is_border and taken < size:
        yield Unsound(f"mailbox/{name}", f"no note ends at byte {taken}, up to which it was read")


def is_taken(cursor: Cursor, found: Mail | Damage) -> bool:
    """Say whether this very sending was taken in: as an event, a copy of one, or refused."""
    note = note_of(found, now_us=0)
    identity = identity_of(note)
    if identity is None:
        return _is_refused(cursor, note)
    row = cursor.execute(
        "SELECT e.received_us, (SELECT count(*) FROM copy AS c WHERE c.position = e.position"
        " AND c.received_us = ?) FROM event AS e WHERE e.id = ?",
        (note.received_us, identity),
    ).fetchone()
    return row is not None and (row[0] == note.received_us or row[1] > 0)


def note_of(found: Mail | Damage, now_us: int) -> Note:
    """Return what was found as a note; damage as one that is refused."""
    if isinstance(found, Mail):
        return found.note
    source = f"mailbox/{found.segment} bytes {found.offset} to {found.end}"
    return Note(found.raw, received_us=now_us, source=source, kind=REJECTED, reason=DAMAGED_NOTE)


def identity_of(note: Note) -> bytes | None:
    """Return the id that a note's event has; None for one that cannot become an event."""
    if note.kind == REJECTED:
        return None
    if note.kind == OWN:
        return sha256(note.body).digest()[:ID_SIZE]
    try:
        return check(note.body, frame=note.frame, stream=note.stream).id
    except DeltaRejected:
        return None


def _is_event(cursor: Cursor, note: Note) -> bool:
    row = cursor.execute(
        "SELECT 1 FROM event WHERE id = ? AND received_us = ?",
        (identity_of(note), note.received_us),
    ).fetchone()
    return row is not None


def _is_refused(cursor: Cursor, note: Note) -> bool:
    """Say whether quarantine holds a note, or a retry has made an event of it since.

    Damage has no time of its own, and is known by its place.
    """
    row = cursor.execute(
        "SELECT 1 FROM quarantine WHERE source = ? AND (received_us = ? OR reason = ?)",
        (note.source, note.received_us, DAMAGED_NOTE),
    ).fetchone()
    if row is not None:
        return True
    identity = identity_of(Note(note.body, received_us=note.received_us, source=note.source))
    return identity is not None and log.position_of(cursor, identity) is not None
