"""Builds the database again, beside the damaged one: log, door, and what open frames expect.

The fact not to miss: nothing is mended in place. What can be read is copied, what is damaged is
brought back (`bring_back.py`), and the new file takes the old one's name when all is in it; the old
one lies under `damaged/` by then. Caches are not copied at all: the log is folded again.

What the log does not say is kept as far as seals and notes prove it: copies, quarantine, offsets,
collected files. The rest is named.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from typing import NamedTuple

from . import closes, door, log, mailbox, receipts, replay
from .bring_back import Bringer, Found, Gap, Sources
from .engine import Cursor
from .log import FIRST_CHAIN, Entry, EventRow
from .log_copy import LogCopy
from .mailbox import Damage, Mail
from .salvage import Made, Salvage, beside
from .seal import ROW_NAMES, SEALED, is_seal, seal

ROWS_AT_ONCE = 1_000
_TWICE = (
    "it is in the log before, and was logged again while that row could not be found; the log can "
    "end in front of it, and what is behind it come again"
)
_COPIED = ("copy", "collected", "quarantine", "loss", "export")


class Step(NamedTuple):
    """One thing that a recovery does: to what, and from where it brings it."""

    place: str
    what: str


class Lost(NamedTuple):
    """What nothing holds a second copy of; where it `stops`, nothing is changed."""

    place: str
    what: str
    stops: bool = False


class Told(NamedTuple):
    """What is handed in besides the database; believed as far as it proves itself."""

    copies: tuple[LogCopy, ...] = ()
    store_id: str = ""  # as a manifest says, where neither database nor copy does
    rules_texts: tuple[str, ...] = ()  # such as neighbor.toml where it is committed
    cut: bool = False  # end the log before the first gap, and take in again what is behind it


Report = Step | Lost


def made_from(sources: Sources, told: Told) -> Made | None:
    """Return which store it is; None where nothing says so."""
    for table in sources.tables:
        if (made := table.made()) is not None:
            return made
    store_id = next((copy.store_id for copy in sources.copies), told.store_id)
    first = next(Bringer(sources).walk(), None)
    if not store_id or not isinstance(first, Found):
        return None
    return Made(store_id, first.row.received_us)  # a store's first event is made with it


def rebuild(
    cursor: Cursor | None, sources: Sources, told: Told, made: Made, seed: bytes
) -> Iterator[Report]:
    """Fill an empty database; without a cursor, only say what would be done."""
    log_again = _Log(told)
    if cursor is not None:
        cursor.execute(
            "INSERT INTO store (id, store_id, created_us, epoch, position, chain, seal)"
            " VALUES (1, ?, ?, 0, 0, ?, ?)",
            (*made, FIRST_CHAIN, seal((*made, None))),
        )
    if not any(table.made() for table in sources.tables):
        yield Step("store", f"known again by its id {made.store_id}")
    yield from log_again.write(cursor, sources)
    if sources.tables:
        yield from _door(cursor, sources.tables[0])
        yield from _open_frames(cursor, sources.tables[0], log_again.closed)
    if cursor is not None:
        yield from _offsets(cursor, sources)
        replay.replay(cursor, seed)


class _Log:
    """The log on its way into the new database, with the rules that its closes name."""

    def __init__(self, told: Told) -> None:
        self._cut = told.cut
        self._texts = {sha256(text.encode()).digest(): text for text in told.rules_texts}
        self._rows: list[EventRow] = []
        self._ids: set[bytes] = set()
        self.gaps = 0
        self.closed: int | None = None  # the frame of the last close before any gap

    def write(self, cursor: Cursor | None, sources: Sources) -> Iterator[Report]:
        """Write every event that is there or is brought back, and the rules."""
        for table in reversed(sources.tables):
            for digest, text in table.rules():
                if isinstance(text, str) and sha256(_bytes(text)).digest() == digest:
                    self._texts[sha256(_bytes(text)).digest()] = text
        head = (0, FIRST_CHAIN)
        named: dict[bytes, int] = {}
        behind: list[EventRow] = []
        for found in Bringer(sources).walk():
            if isinstance(found, Gap):
                self.gaps += 1
                yield Lost(f"event {found.position}", _gap(found, self.closed), stops=True)
                continue
            if found.row.id in self._ids:
                self.gaps += 1
                yield Lost(f"event {found.row.position}", _TWICE, stops=True)
                continue
            self._ids.add(found.row.id)
            if self.gaps:
                behind.append(found.row)
                continue
            if found.source:
                yield Step(f"event {found.row.position}", f"brought back from {found.source}")
            if found.rules is not None:
                self._texts[sha256(found.rules.encode()).digest()] = found.rules
            if found.row.kind == "close":
                self.closed = found.row.frame
                digest = bytes.fromhex(json.loads(found.row.body)["rules"])
                named.setdefault(digest, found.row.position)
            self._put(cursor, found.row)
            head = (found.row.position, found.row.chain)
        self._flush(cursor)
        if cursor is not None:
            cursor.execute("UPDATE store SET position = ?, chain = ? WHERE id = 1", head)
        yield from self._write_rules(cursor, named, sources.tables)
        if self._cut:
            yield from _take_in_behind(cursor, behind)

    def _put(self, cursor: Cursor | None, row: EventRow) -> None:
        self._rows.append(row)
        if len(self._rows) == ROWS_AT_ONCE:
            self._flush(cursor)

    def _flush(self, cursor: Cursor | None) -> None:
        if cursor is not None:
            log.put_rows(cursor, self._rows)
        self._rows.clear()

    def _write_rules(
        self, cursor: Cursor | None, named: Mapping[bytes, int], tables: Iterable[Salvage]
    ) -> Iterator[Report]:
        there = {digest: text for table in tables for digest, text in table.rules()}
        for digest, position in named.items():
            place = f"rules {digest.hex()[:12]}"
            text = self._texts.get(digest)
            if text is None:
                self.gaps += 1
                yield Lost(place, f"event {position} names them; their text is nowhere", stops=True)
                continue
            if there.get(digest) != text:
                yield Step(place, "their text is brought back")
            if cursor is not None:
                closes.put_rules(cursor, digest, text)


def _take_in_behind(cursor: Cursor | None, rows: Iterable[EventRow]) -> Iterator[Report]:
    """Log the deltas behind a gap again, where the log now ends; their frames close again."""
    for row in rows:
        if row.kind == "close":
            yield Lost(f"event {row.position}", f"the close of frame {row.frame}: close it again")
            continue
        yield Step(f"event {row.position}", "taken in again, at the end of the log")
        if cursor is not None:
            log.append(cursor, [Entry(*beside(row), row.body)])


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")


def _gap(gap: Gap, frame: int | None) -> str:
    what = "it cannot be read" if gap.left is None else "it is not what was logged"
    last = "no frame" if frame is None or frame < 0 else f"frame {frame}"
    return f"{what}, and nothing holds a copy of it; the last good close is that of {last}"


def _door(cursor: Cursor | None, table: Salvage) -> Iterator[Report]:
    """Copy what the log does not hold, each row by its seal."""
    for name in _COPIED:
        columns = SEALED[name]
        at = columns.index(ROW_NAMES[name])
        for row in table.door(name):
            place = f"{name} {row.values[at]}"
            if not row.is_sound:
                yield Lost(place, "its row is not what was written, and nothing holds a copy")
                continue
            if row.was_mended:
                yield Step(place, "brought back from its own digests")
            if cursor is not None:
                _put_door_row(cursor, name, row.values)
    if cursor is not None:
        _keep_numbers(cursor, table.last_quarantine())


def _put_door_row(cursor: Cursor, name: str, values: tuple[object, ...], **beside: object) -> None:
    columns = [*SEALED[name], "seal", *beside]
    marks = ", ".join("?" for _ in columns)
    cursor.execute(
        f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({marks}) ON CONFLICT DO NOTHING",
        (*values, seal(values), *beside.values()),
    )


def _keep_numbers(cursor: Cursor, last: int) -> None:
    """See that quarantine gives no number twice: one that a retry took out stays taken."""
    row = cursor.execute("SELECT coalesce(max(id), 0) FROM quarantine").fetchone()
    if last > row[0]:
        cursor.execute(
            "INSERT INTO quarantine (id, source, received_us, reason, body)"
            " VALUES (?, '', 0, '', ?)",
            (last, b""),
        )
        cursor.execute("DELETE FROM quarantine WHERE id = ?", (last,))


def _open_frames(cursor: Cursor | None, table: Salvage, closed: int | None) -> Iterator[Report]:
    """Open again the frames that collect, above the last that closed, with whom they expect."""
    for name in ("frame", "frame_stream"):
        for row in table.door(name):
            frame = row.values[0]
            is_past = isinstance(frame, int) and closed is not None and frame <= closed
            if is_past and (row.is_sound or not is_seal(row.seal)):
                continue  # of a closed frame; a damaged row that has a seal may be of an open one
            if not row.is_sound or not isinstance(frame, int):
                what = f"its row of {name} is not what was written, and nothing holds a copy"
                yield Lost(f"frame {frame}", what)
                continue
            if row.was_mended:
                yield Step(f"frame {frame}", f"its row of {name}, brought back by its own digest")
            if cursor is not None:
                receipts.put_open(cursor, frame)
                if name == "frame_stream":
                    _put_door_row(cursor, name, row.values, reason="", events=0)


def _offsets(cursor: Cursor, sources: Sources) -> Iterator[Report]:
    """Say how far each segment was read: up to the last note that was certainly taken in.

    What the database still says stands, unless a note proves more: an older database, set aside
    before, was read last when it was damaged.
    """
    believed = dict[str, int]()
    for table in list(sources.tables)[:1]:
        for row in table.door("segment"):
            name, taken = row.values
            if row.is_sound and isinstance(name, str) and isinstance(taken, int):
                believed[name] = taken
    for name, size in mailbox.sizes(sources.mailbox).items():
        said = believed.get(name, 0)
        proved = _proved(cursor, sources.mailbox, name)
        taken = max(said if said <= size else 0, proved)
        if taken != said:
            yield Step(f"mailbox/{name}", f"read up to byte {taken}, as its notes say")
        yield from _again(cursor, sources.mailbox, name, taken)
        if taken:
            log.put_offsets(cursor, {name: taken})


def _proved(cursor: Cursor, folder: str, name: str) -> int:
    taken = 0
    for found in mailbox.read_segment(folder, name):
        if isinstance(found, Mail | Damage) and door.is_taken(cursor, found):
            taken = found.end
    return taken


def _again(cursor: Cursor, folder: str, name: str, taken: int) -> Iterator[Report]:
    """Bring back what notes that were read became besides events: copies, and quarantine."""
    for found in mailbox.read_segment(folder, name):
        if found.end > taken:
            return
        if isinstance(found, Mail | Damage) and not door.is_taken(cursor, found):
            log.take(cursor, [door.note_of(found, now_us=0)])
            what = "taken in"
            if isinstance(found, Damage):
                what = "damaged since it was read; its bytes go to quarantine"
            yield Step(f"mailbox/{name} byte {found.offset}", what)
