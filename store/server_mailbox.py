"""The mailbox on a server: the table `note`, which anyone inserts into without a lock.

The fact not to miss: a note is here with the bytes, the segment and the offset that it has in a
file, so what a process kept for itself while the server was away comes in as if it had come at
once: unique by (segment, offset) while it waits here, and behind `taken` in the row of its segment
once the sequencer has been at it.

    number    in order of arrival; the sequencer takes what was here when it began, and no more
    bytes     the note in its frame, checksums and all
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from . import door, mailbox
from .disk import Disk
from .engine import Cursor
from .segment import FRAME_SIZE, REJECTED, Note, frame, holds, nonce_of, note_size, unpack
from .step import reached

if TYPE_CHECKING:
    from psycopg import Connection


class Posted(NamedTuple):
    """A note as it is sent: its place in a segment, how much of that it takes, its bytes."""

    segment: str
    offset: int
    size: int
    bytes: bytes


class Waiting(NamedTuple):
    """A note that the sequencer has not taken."""

    number: int
    segment: str
    offset: int
    size: int
    bytes: bytes

    @property
    def end(self) -> int:
        return self.offset + self.size

    @property
    def source(self) -> str:
        return f"mailbox/{self.segment} bytes {self.offset} to {self.end}"


def put(connection: "Connection", posted: Iterable[Posted]) -> None:
    """Insert notes, all or nothing; committed when it returns. What is there already stays."""
    with connection.transaction(), connection.cursor() as cursor:
        cursor.executemany(
            b'INSERT INTO note (segment, "offset", size, bytes) VALUES (%s, %s, %s, %s)'
            b' ON CONFLICT (segment, "offset") DO NOTHING',
            posted,
        )


def send_left(connection: "Connection", folder: str, disk: Disk) -> int:
    """Send what was kept here while the server was away; return how many segments went.

    A segment is deleted once its notes are committed there. Two processes may be at it at once.
    """
    sent = 0
    for name in mailbox.sizes(folder):
        try:
            sent += _send_segment(connection, folder, name, disk)
        except FileNotFoundError:
            continue  # another process has sent it
    return sent


def newest(cursor: Cursor) -> int:
    """Return the number of the newest note that waits; 0 when none does."""
    return int(cursor.execute("SELECT coalesce(max(number), 0) FROM note").fetchone()[0])


def waits(cursor: Cursor, last: int) -> bool:
    """Say whether a note waits, of those up to a number."""
    row = cursor.execute("SELECT 1 FROM note WHERE number <= ? LIMIT 1", (last,)).fetchone()
    return row is not None


def waiting(cursor: Cursor) -> int:
    """Return how many bytes of notes wait."""
    return int(cursor.execute("SELECT coalesce(sum(size), 0) FROM note").fetchone()[0])


def read(cursor: Cursor, last: int) -> Iterator[Waiting]:
    """Yield the notes that wait, up to a number, in order of arrival."""
    rows = cursor.scan(
        'SELECT number, segment, "offset", size, bytes FROM note WHERE number <= ? ORDER BY number',
        (last,),
    )
    return map(Waiting._make, rows)


def drop(cursor: Cursor, taken: Iterable[Waiting]) -> None:
    """Take notes out, in the transaction that made events of them."""
    cursor.executemany("DELETE FROM note WHERE number = ?", [(each.number,) for each in taken])


def faults(cursor: Cursor) -> Iterator[door.Unsound]:
    """Find the notes that wait and are not what was sent."""
    for found in read(cursor, newest(cursor)):
        if not is_whole(found):
            what = "a note's bytes are not what was written"
            yield door.Unsound(found.source, what, waits=True)


def is_whole(found: Waiting) -> bool:
    """Tell whether a note holds its checksums, at the place it was sent for."""
    nonce = nonce_of(found.segment)
    head, data = found.bytes[:FRAME_SIZE], found.bytes[FRAME_SIZE:]
    return (
        nonce is not None
        and len(head) == FRAME_SIZE
        and note_size(head, nonce, found.offset) == len(data)
        and holds(head, data)
    )


def note_of(found: Waiting, now_us: int) -> Note:
    """Return the note; what does not hold its checksums is to be quarantined, as in a file."""
    if is_whole(found):
        return unpack(found.bytes[FRAME_SIZE:])
    return Note(
        found.bytes,
        received_us=now_us,
        source=found.source,
        kind=REJECTED,
        reason=door.DAMAGED_NOTE,
    )


def _send_segment(connection: "Connection", folder: str, name: str, disk: Disk) -> bool:
    if not mailbox.is_left(folder, name):
        return False  # being written at this moment
    nonce = nonce_of(name)
    assert nonce is not None, name
    posted, end = [], 0
    for found in mailbox.read_segment(folder, name):
        end = found.end
        if isinstance(found, mailbox.Torn):
            continue  # it was never acknowledged
        data = frame(door.note_of(found, 0), nonce, found.offset)
        posted.append(Posted(name, found.offset, found.end - found.offset, data))
    put(connection, posted)
    reached("send: segment committed")
    return mailbox.retire(folder, name, end, disk)
