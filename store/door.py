"""The door held against itself: what was taken in, what was refused, how far segments were read.

The fact not to miss: the log proves itself by its chain, and everything folded is proved by the
log; what is between mailbox and log has its seals, and the notes that still lie there.

    mailbox   n1 n2 n3 | n4 n5        `taken` stands on a note's border; each note before it is in
                     taken            the log, none behind it was taken in
"""

from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import NamedTuple

from ..kernel.errors import DeltaRejected
from . import log, mailbox
from .delta import check
from .engine import Cursor
from .log import ID_SIZE
from .mailbox import Damage, Mail, Torn
from .seal import EXPECTED, ROW_NAMES, SEALED, seal
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
        only = f" WHERE {EXPECTED}" if table == "frame_stream" else ""
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
    border = 0 if taken == 0 else None
    for found in mailbox.read_segment(folder, name):
        if found.end == taken:
            border = taken
        if isinstance(found, Torn):
            continue
        if isinstance(found, Damage):
            if not _is_kept(cursor, found):
                place = f"mailbox/{name} bytes {found.offset} to {found.end}"
                yield Unsound(place, found.what, waits=found.offset >= taken)
            continue
        place = f"mailbox/{name} byte {found.offset}"
        if found.end <= taken and not is_taken(cursor, found.note):
            yield Unsound(place, "it was read, and what it holds is not in the log")
        elif found.offset >= taken and is_taken(cursor, found.note, this_very_one=True):
            yield Unsound(place, "it is in the log, and counts as not read")
    sizes: Mapping[str, int] = mailbox.sizes(folder)
    if border is None and taken < sizes.get(name, 0):
        yield Unsound(f"mailbox/{name}", f"no note ends at byte {taken}, up to which it was read")


def is_taken(cursor: Cursor, note: Note, *, this_very_one: bool = False) -> bool:
    """Say whether the log, or quarantine, holds a note; or this very sending of it."""
    identity = identity_of(note)
    if identity is None:
        return not this_very_one  # quarantined; a retry may have made an event of it since
    row = cursor.execute(
        "SELECT position, received_us FROM event WHERE id = ?", (identity,)
    ).fetchone()
    return row is not None and (not this_very_one or row[1] == note.received_us)


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


def _is_kept(cursor: Cursor, found: Damage) -> bool:
    """Say whether a drain has met the damage: its bytes are in quarantine then."""
    row = cursor.execute(
        "SELECT 1 FROM quarantine WHERE source = ? AND reason = ?", (source_of(found), DAMAGED_NOTE)
    ).fetchone()
    return row is not None


def source_of(found: Mail | Damage) -> str:
    """Name a place in a segment, as quarantine does."""
    return f"mailbox/{found.segment} bytes {found.offset} to {found.end}"
