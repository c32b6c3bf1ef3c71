"""Deletes segments that nobody needs any more: the log branch holds what they brought.

The fact not to miss: a segment is a second copy of what was acknowledged, and goes only when there
is another: its writer is gone, and each of its notes is an event that the branch has, flushed. One
that holds a note in quarantine stays, because the database is the only other place of that.

    lock free -> read to its end -> each note's event at or below `through` -> file, folder -> row
"""

from pathlib import Path

from . import door, log, mailbox
from .disk import Disk
from .engine import Cursor, Writer
from .errors import StoreUnwritable
from .mailbox import Mail, Torn
from .step import reached


def retire(writer: Writer, folder: Path, through: int, disk: Disk) -> list[str]:
    """Delete what stands in the log up to position `through`; return the segments' names.

    The caller holds the store's lock, and has seen that position on the log branch, flushed.

    Raises:
        StoreUnwritable: the disk refused; each segment is there still, or replaced.
    """
    offsets = log.offsets(writer.cursor())
    sizes = mailbox.sizes(str(folder))
    done = [
        name
        for name, size in sizes.items()
        if offsets.get(name) == size
        and mailbox.is_left(str(folder), name)
        and _is_held(writer.cursor(), str(folder), name, through)
        and _delete(folder, name, size, disk)
    ]
    reached("retire: segments deleted")
    # Also of one whose row a kill left behind: names never come again.
    gone = [name for name in offsets if name not in sizes or name in done]
    if gone:
        with writer.transaction("retire") as cursor:
            log.drop_offsets(cursor, gone)
    return done


def _delete(folder: Path, name: str, size: int, disk: Disk) -> bool:
    try:
        return mailbox.retire(str(folder), name, size, disk)
    except OSError as error:
        raise StoreUnwritable(str(folder / name), error, "unfinished", "delete") from error


def _is_held(cursor: Cursor, folder: str, name: str, through: int) -> bool:
    """Say whether each note of a segment is an event at or below a position."""
    for found in mailbox.read_segment(folder, name):
        if isinstance(found, Torn):
            continue  # never acknowledged
        identity = door.identity_of(found.note) if isinstance(found, Mail) else None
        position = None if identity is None else log.position_of(cursor, identity)
        if position is None or position > through:
            return False
    return True
