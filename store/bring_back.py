"""Brings the log back, event by event, from whatever holds a copy of it.

The fact not to miss: nothing is taken on trust. At each position the chain's digest is known from
the event before, and a candidate counts only where the chain then goes on as it did: to the digest
the damaged row still holds, to the row behind it, to the head, or along a copy whose whole chain
was followed.

    p-1 ---- candidate at p ---- p+1       chain(p-1), digest of the candidate, digest of p+1
      known                 still read     must give the chain that stands at p+1

The order of asking: the row itself, another copy of the log, the notes still in the mailbox, the
row with one bit turned back. What none of them gives is a gap, and keeps its place.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple, cast

from ..kernel.errors import DeltaRejected
from . import log, mailbox
from .delta import check
from .log import FIRST_CHAIN, Entry, EventRow, own_entry
from .log_copy import CopyReader, Line, LogCopy
from .mailbox import Mail
from .mend import mended, mended_row, one_bit_apart
from .salvage import Beside, Salvage, beside
from .seal import seal
from .segment import OWN, REJECTED, Note
from .verify import wrong

RUN_MAX = 1_000  # events in a row that are looked for among the notes


class Found(NamedTuple):
    """An event as it was written; `source` is "" where the row itself stood as it was."""

    row: EventRow
    source: str
    rules: str | None = None


class Gap(NamedTuple):
    """A position whose event nothing gives; `left` is the row as it lies, if it can be read."""

    position: int
    left: EventRow | None


class Noted(NamedTuple):
    """A note of the mailbox as the event it becomes, and where it lies."""

    entry: Entry
    place: str


class Sources(NamedTuple):
    """What a log is brought back from: the damaged database, older ones, copies, the mailbox."""

    tables: Sequence[Salvage]  # the newest first
    copies: Sequence[LogCopy]
    mailbox: str  # its folder


class Bringer:
    """Walks a log from its first event to the last that anything knows of."""

    def __init__(self, sources: Sources) -> None:
        self._tables = sources.tables
        self._readers = [CopyReader(copy) for copy in sources.copies]
        self._notes = list(noted(sources.mailbox))
        self._by_digest: dict[bytes, list[Noted]] = {}
        for each in self._notes:
            self._by_digest.setdefault(each.entry.digest, []).append(each)
        self._lines: dict[int, list[tuple[str, Line]]] = {}
        heads = [table.head() for table in sources.tables]
        self._heads = {head for head in heads if head is not None}
        self.last = max(
            [*(table.last_position() for table in sources.tables)]
            + [copy.position for copy in sources.copies],
            default=0,
        )
        self._row = lru_cache(maxsize=4 * RUN_MAX)(self._read)

    def walk(self) -> Iterator[Found | Gap]:
        """Yield what is at each position, from 1."""
        chain: bytes | None = FIRST_CHAIN
        position = 1
        while position <= self.last:
            for found in self._at(position, chain):
                yield found
                position += 1
                # Behind a gap the next row's link cannot be held against anything.
                chain = found.row.chain if isinstance(found, Found) else None

    def _at(self, position: int, chain: bytes | None) -> list[Found | Gap]:
        row = self._row(position)
        lines = self._lines_at(position)
        rules = next((line.rules for _, line in lines if line.rules is not None), None)
        if row is not None and not any(wrong(row, chain)):
            return [Found(row, "", rules)]
        if chain is None:
            return [Gap(position, row)]
        for name, line in lines:
            if _link(chain, line.entry.digest) == line.chain:
                return [Found(log.row_of(position, line.entry, chain), name, rules)]
        for table in self._tables[1:]:
            older = table.event(position)
            if older is not None and not any(wrong(older, chain)):
                return [Found(older, table.name, rules)]
        if row is None:
            return self._run(position, chain) or [Gap(position, None)]
        found = self._mended(position, chain, row)
        return [Gap(position, row) if found is None else found]

    def _mended(self, position: int, chain: bytes, row: EventRow) -> Found | None:
        """Put a row right that can be read: its body first, then what stands beside it."""
        body = self._body(position, chain, row)
        if body is None:
            return None
        notes = self._by_digest.get(sha256(body).digest(), [])
        right = self._beside(row, notes)
        if right is None:
            return None
        is_noted = bool(notes) and (row.body != body or right != beside(row))
        source = notes[0].place if is_noted else "its own digests"
        return Found(log.row_of(position, Entry(*right, body), chain), source)

    def _body(self, position: int, chain: bytes, row: EventRow) -> bytes | None:
        own = row.body if type(row.body) is bytes else b""
        if self._goes_on(position, _link(chain, sha256(own).digest())):
            return own
        for each in self._notes:
            if self._goes_on(position, _link(chain, each.entry.digest)):
                return each.entry.body
        digest = row.digest
        if type(digest) is not bytes or not self._goes_on(position, _link(chain, digest)):
            return None
        return mended(own, lambda body: sha256(body).digest() == digest)

    def _beside(self, row: EventRow, notes: Sequence[Noted]) -> Beside | None:
        """Return kind, frame, time, stream and receipt as the seal says they were."""
        for each in [beside(row), *(note.entry[:5] for note in notes)]:
            sealed = seal((row.position, *each))
            if sealed == row.seal or one_bit_apart(sealed, row.seal):
                return each
        turned = mended_row((row.position, *beside(row)), row.seal)
        if turned is not None and turned[0] == row.position:
            return cast("Beside", turned[1:])
        return notes[0].entry[:5] if notes else None

    def _run(self, position: int, chain: bytes) -> list[Found | Gap]:
        """Find notes, one after the other, that fill a run of rows that cannot be read."""
        size = 1
        while position + size <= self.last and self._row(position + size) is None:
            size += 1
            if size > RUN_MAX:
                return []
        firsts = [notes[0] for notes in self._by_digest.values()]  # what came again is a copy
        for start in range(len(firsts) - size + 1):
            filled: list[Found | Gap] = []
            reached = chain
            for index, each in enumerate(firsts[start : start + size]):
                row = log.row_of(position + index, each.entry, reached)
                filled.append(Found(row, each.place))
                reached = row.chain
            if self._goes_on(position + size - 1, reached):
                return filled
        return []

    def _goes_on(self, position: int, chain: bytes) -> bool:
        """Say whether the chain stood at this digest once the position was in the log."""
        row, following = self._row(position), self._row(position + 1)
        if (row is not None and row.chain == chain) or (position, chain) in self._heads:
            return True
        if following is None or type(following.digest) is not bytes:
            return False
        return _link(chain, following.digest) == following.chain

    def _read(self, position: int) -> EventRow | None:
        return self._tables[0].event(position) if self._tables else None

    def _lines_at(self, position: int) -> list[tuple[str, Line]]:
        found = [(reader.name, reader.at(position)) for reader in self._readers]
        return [(name, line) for name, line in found if line is not None]


def _link(chain: bytes, digest: bytes) -> bytes:
    return sha256(chain + digest).digest()


def noted(folder: str) -> Iterator[Noted]:
    """Yield the notes that lie whole in the mailbox and can become events, as these."""
    for found in mailbox.read(folder, {}):
        if isinstance(found, Mail):
            made = _event_of(found.note)
            if made is not None:
                yield Noted(made, f"mailbox/{found.segment} byte {found.offset}")


def _event_of(note: Note) -> Entry | None:
    if note.kind == REJECTED:
        return None
    if note.kind == OWN:
        assert note.frame is not None and note.stream is not None, "its writer says both"
        return own_entry(note.body, note.frame, note.stream, note.received_us)
    try:
        delta = check(note.body, frame=note.frame, stream=note.stream)
    except DeltaRejected:
        return None
    return Entry("delta", delta.frame, delta.utc_us, delta.stream, note.received_us, delta.body)
