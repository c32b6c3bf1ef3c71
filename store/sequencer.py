"""The sequencer: moves notes from the mailbox into the log, each exactly once.

The fact not to miss: a batch's events and the offsets behind it are one transaction, so a kill
before the commit takes the batch again, and a kill after it does not. The same holds where the
mailbox is a table; there the notes go out of it in that transaction too.

Bounded: a batch holds at most BATCH_NOTES notes and about BATCH_SIZE bytes of them, and after
TURN_BATCHES of them whoever waits for the store has it. A drain takes what lay there when it began;
what is written meanwhile is the next one's, or it would chase the writers for ever.
"""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import NamedTuple

from . import log, mailbox, server_mailbox
from .door import note_of
from .engine import Cursor, Writer
from .log import Refusal, Taken
from .mailbox import Damage, Mail
from .server_mailbox import Waiting

BATCH_NOTES = 2_000
BATCH_SIZE = 32 * 2**20
TURN_BATCHES = 4  # a third of a second; with 1, two who drain at once take 1.4 times as long


class Drained(NamedTuple):
    """What a drain took in: new events and copies counted, refusals each with its reason."""

    events: int
    copies: int
    quarantined: list[Refusal]

    def plus(self, taken: Taken) -> "Drained":
        """Return these and what one batch became."""
        return Drained(
            self.events + len(taken.events),
            self.copies + len(taken.copies),
            self.quarantined + taken.refused,
        )


def drain(writer: Writer, folder: Path, *, now_us: int) -> Drained:
    """Take in all notes that lie whole in the mailbox; the caller holds the store's lock.

    Others may have had the lock meanwhile, but not since the last batch.

    Raises:
        StoreBusy: one that it gave way to held the lock for all of the wait.
    """
    drained = Drained(0, 0, [])
    goal = mailbox.sizes(str(folder))
    is_over = False
    while not is_over:
        is_over = True
        for number, batch in enumerate(_batches(folder, _offsets(writer, folder), goal)):
            if number and number % TURN_BATCHES == 0 and writer.give_way():
                is_over = False  # the other has read on, so this batch is old
                break
            with writer.transaction("drain") as cursor:
                taken = log.take(cursor, [note_of(found, now_us) for found in batch])
                log.put_offsets(cursor, {found.segment: found.end for found in batch})
            drained = drained.plus(taken)
    return drained


def drain_server(writer: Writer, send_left: Callable[[], object], *, now_us: int) -> Drained:
    """Take in all notes that wait here or in the server's mailbox, as `drain` does.

    A note that is committed while this runs is met by the next drain: no number is skipped for
    good, because what is taken is taken out.
    """
    drained = Drained(0, 0, [])
    send_left()
    last = server_mailbox.newest(writer.cursor())
    left = last > 0
    numbers = count(1)
    while left:
        with writer.transaction("drain") as cursor:
            batch, left = _server_batch(cursor, last)
            fresh = _not_taken(cursor, batch)
            taken = log.take(cursor, [server_mailbox.note_of(found, now_us) for found in fresh])
            log.put_offsets(cursor, {found.segment: found.end for found in fresh})
            server_mailbox.drop(cursor, batch)
        drained = drained.plus(taken)
        if left and next(numbers) % TURN_BATCHES == 0 and writer.give_way():
            left = server_mailbox.waits(writer.cursor(), last)  # the other took of them
    return drained


def _server_batch(cursor: Cursor, last: int) -> tuple[list[Waiting], bool]:
    """Return the oldest notes that wait, and whether there may be more."""
    batch: list[Waiting] = []
    size = 0
    for found in server_mailbox.read(cursor, last):
        batch.append(found)
        size += found.size
        if len(batch) >= BATCH_NOTES or size >= BATCH_SIZE:
            return batch, True
    return batch, False


def _not_taken(cursor: Cursor, batch: list[Waiting]) -> list[Waiting]:
    """Leave out what was taken before and sent again: its sender had not heard of the commit."""
    names = list({found.segment for found in batch})
    rows = cursor.each("SELECT taken FROM segment WHERE name = ?", [(name,) for name in names])
    taken = {name: row[0] for name, row in zip(names, rows, strict=True) if row is not None}
    return [found for found in batch if found.offset >= taken.get(found.segment, 0)]


def _offsets(writer: Writer, folder: Path) -> dict[str, int]:
    """Return how far each segment was taken in; one that a power cut made shorter, up to there."""
    offsets = log.offsets(writer.cursor())
    if cut := mailbox.cut_short(str(folder), offsets):
        with writer.transaction("drain") as cursor:
            log.put_offsets(cursor, cut)
    return offsets | cut


def _batches(
    folder: Path, offsets: dict[str, int], goal: dict[str, int]
) -> Iterator[list[Mail | Damage]]:
    batch: list[Mail | Damage] = []
    size = 0
    for found in mailbox.read(str(folder), offsets, goal):
        if not isinstance(found, Mail | Damage):
            continue  # a torn end: it was never acknowledged, and nothing follows it
        batch.append(found)
        size += found.end - found.offset
        if len(batch) >= BATCH_NOTES or size >= BATCH_SIZE:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
