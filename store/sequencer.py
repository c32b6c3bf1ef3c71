"""The sequencer: moves notes from the mailbox into the log, each exactly once.

The fact not to miss: a batch's events and the offsets behind it are one transaction, so a kill
before the commit takes the batch again, and a kill after it does not.

Bounded: a batch holds at most BATCH_NOTES notes and about BATCH_SIZE bytes of them.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from . import log, mailbox
from .door import note_of
from .engine import Writer
from .log import Refusal
from .mailbox import Damage, Mail

BATCH_NOTES = 2_000
BATCH_SIZE = 32 * 2**20


class Drained(NamedTuple):
    """What a drain took in: new events and copies counted, refusals each with its reason."""

    events: int
    copies: int
    quarantined: list[Refusal]


def drain(writer: Writer, folder: Path, *, now_us: int) -> Drained:
    """Take in all notes that lie whole in the mailbox; the caller holds the store's lock."""
    drained = Drained(0, 0, [])
    offsets = log.offsets(writer.cursor())
    if cut := mailbox.cut_short(str(folder), offsets):
        with writer.transaction("drain") as cursor:
            log.put_offsets(cursor, cut)
    for batch in _batches(folder, offsets | cut):
        with writer.transaction("drain") as cursor:
            taken = log.take(cursor, [note_of(found, now_us) for found in batch])
            log.put_offsets(cursor, {found.segment: found.end for found in batch})
        drained = Drained(
            drained.events + len(taken.events),
            drained.copies + len(taken.copies),
            drained.quarantined + taken.refused,
        )
    return drained


def _batches(folder: Path, offsets: dict[str, int]) -> Iterator[list[Mail | Damage]]:
    batch: list[Mail | Damage] = []
    size = 0
    for found in mailbox.read(str(folder), offsets):
        if not isinstance(found, Mail | Damage):
            continue  # a torn end: it was never acknowledged, and nothing follows it
        batch.append(found)
        size += found.end - found.offset
        if len(batch) >= BATCH_NOTES or size >= BATCH_SIZE:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
