"""A store at a glance: what waits, what is open, what did not apply, what is kept aside.

Law 4: what did not apply in the last frame is said here, and in no log that nobody reads.
"""

from pathlib import Path
from typing import NamedTuple

from . import closes, log, mailbox, receipts, server_mailbox, snapshots
from .engine import Cursor, Database
from .receipts import FrameSums, Unapplied

EMPTY_FRAMES_WARN = 10


class DocumentStatus(NamedTuple):
    """What a document holds."""

    document: str
    entities: int
    removed: int


class OpenFrame(NamedTuple):
    """A frame that collects: which streams it expects, and how many deltas it has."""

    frame: int
    expected: list[str]
    deltas: int


class Status(NamedTuple):
    """Everything `neighbor status` shows."""

    store_id: str
    folder: Path
    closed: int | None  # the last frame that closed; None before the first
    sums: FrameSums | None  # of that frame
    unapplied: list[Unapplied]  # in that frame
    open: list[OpenFrame]
    events: int
    copies: int
    quarantined: int
    waiting: int  # bytes in the mailbox that are not in the log yet
    mailbox_size: int
    documents: list[DocumentStatus]
    state_digest: str
    empty_frames: int  # in a row, up to the last close


def status(cursor: Cursor, database: Database, mailbox_folder: Path) -> Status:
    """Gather a store's status, as of one moment."""
    store_id, events = cursor.execute(
        "SELECT store_id, position FROM store WHERE id = 1"
    ).fetchone()
    last = closes.last(cursor)
    closed = last.frame if last is not None and last.frame >= 0 else None
    sizes = mailbox.sizes(str(mailbox_folder))
    taken = log.offsets(cursor)
    on_server = server_mailbox.waiting(cursor) if database.has_mailbox else 0
    return Status(
        store_id,
        database.folder,
        closed,
        None if closed is None else receipts.sums_of(cursor, closed),
        [] if closed is None else receipts.unapplied(cursor, closed),
        _open(cursor, log.LOWEST if last is None else last.frame),
        events,
        cursor.execute("SELECT count(*) FROM copy").fetchone()[0],
        cursor.execute("SELECT count(*) FROM quarantine").fetchone()[0],
        on_server + sum(max(size - taken.get(name, 0), 0) for name, size in sizes.items()),
        on_server + sum(sizes.values()),
        [
            DocumentStatus(name, share.entities, share.removed)
            for name, share in sorted(snapshots.shares(cursor).items())
        ],
        snapshots.state_digest(cursor),
        _empty_frames(cursor),
    )


def _open(cursor: Cursor, closed: int) -> list[OpenFrame]:
    cursor.execute(
        "SELECT frame, count(*) FROM event WHERE frame > ? AND kind = 'delta' GROUP BY frame",
        (closed,),
    )
    deltas = dict(cursor.fetchall())
    cursor.execute("SELECT frame FROM frame WHERE state = 'open'")
    opened = {row[0] for row in cursor.fetchall()}
    return [
        OpenFrame(
            frame,
            [each.stream for each in receipts.streams(cursor, frame) if each.status == "expected"],
            deltas.get(frame, 0),
        )
        for frame in sorted(opened | deltas.keys())
    ]


def _empty_frames(cursor: Cursor) -> int:
    """Count the closed frames, from the last one back, in which no unit applied."""
    cursor.execute(
        "SELECT applied FROM frame WHERE state = 'closed' AND frame >= 0"
        " ORDER BY frame DESC LIMIT ?",
        (EMPTY_FRAMES_WARN,),
    )
    count = 0
    for (applied,) in cursor:
        if applied:
            break
        count += 1
    return count
