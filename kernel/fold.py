"""The fold as Python sees it: a handle that takes entities and events, and tells what they became.

Inputs are packed into one buffer with offsets and belong to Python for the length of a call;
results are copied out once. Only this file and text.py, which `append` needs without the rest,
touch `ffi`.
"""

from collections.abc import Iterable, Iterator, Sequence
from struct import Struct
from typing import NamedTuple, Self

from ._kernel import ffi, lib
from .errors import GoodneighborError, KernelLimit
from .packing import BATCH, EVENT, SLACK, Packer, Row
from .rules import Rules
from .text import MEMORY_MAX, status_error

# As in abi.h: gn_row, gn_receipt, gn_line.
_ROW = Struct("<QQIIII")
_RECEIPT = Struct("<7I")
_LINE = Struct("<QIIIIBBBx4x")
assert len(SLACK) == lib.GN_TEXT_SLACK
assert ffi.sizeof("gn_event") == EVENT.size and _ROW.size == ffi.sizeof("gn_row")
assert _RECEIPT.size == ffi.sizeof("gn_receipt") and _LINE.size == ffi.sizeof("gn_line")

_ANSWERS = ("const gn_receipt **", "const gn_line **", "uint64_t *", "const uint8_t **")
_SEED_SIZE = 16
_TERM_SIZE = 16
_OUTCOMES = ("duplicate", "skipped", "optional")
_REASONS = (
    "",
    "no rule",
    "fallback",
    "missing key",
    "missing field",
    "wrong type",
    "unknown entity",
    "claim taken",
    "test failed",
    "not allowed",
    "malformed",
    "not an array or object",
    "key exists",
)
assert len(_REASONS) == lib.GN_REASON_COUNT


class Event(NamedTuple):
    """A delta as the fold takes it."""

    id: bytes  # 16 bytes
    frame: int  # the delta's own, whichever frame it folds in
    utc_us: int | None  # microseconds since 1970
    stream: str  # as written
    own: bool  # the store's own delta: no rules, no allow list
    body: bytes  # canonical compact JSON


class Changed(NamedTuple):
    """An entity that a run changed; `body` None: removed, b"": no row (an empty record or `@`)."""

    document: str
    key: bytes  # b"" for a record, b"@" for the members beside a root
    body: bytes | None


class UnitReceipt(NamedTuple):
    """A unit, or one `op?` of an applied unit, that did not apply."""

    source: str  # the member of the delta; "." is the delta itself
    item: int
    status: str  # "duplicate", "skipped" or "optional"
    reason: str
    operation: str  # "inc /agents/x/karma", or ""


class Receipt(NamedTuple):
    """What became of an event's units: units_in == applied + duplicate + skipped."""

    units_in: int
    applied: int
    duplicate: int
    skipped: int
    optional_skipped: int
    unapplied: tuple[UnitReceipt, ...]


class Folded:
    """The outcome of one run: receipts in the order of the input, and the rows that changed.

    Rows are written out when they are first asked for, which must be before the handle's next call.
    """

    def __init__(self, fold: "Fold", receipts: bytes, lines: bytes, text: bytes) -> None:
        self._fold = fold
        self._call = fold._calls
        self._receipts = receipts
        self._lines = lines
        self._text = text
        self._changed: list[Changed] | None = None

    @property
    def changed(self) -> list[Changed]:
        """The changed rows, by document in the order of the rules, then by key."""
        if self._changed is None:
            assert self._call == self._fold._calls, (
                "rows are asked for before the handle's next call"
            )
            self._changed = self._fold._read_changed()
        return self._changed

    @property
    def receipts(self) -> list[Receipt]:
        """One receipt an event."""
        lines = list(_LINE.iter_unpack(self._lines))
        return [
            Receipt(a, b, c, d, e, tuple(self._line(line) for line in lines[first : first + count]))
            for a, b, c, d, e, first, count in _RECEIPT.iter_unpack(self._receipts)
        ]

    def _line(self, line: tuple[int, ...]) -> UnitReceipt:
        at, size, _, source_index, item, source, outcome, reason = line
        text = self._text[at : at + size].decode()
        if source == lib.GN_SOURCE_MEMBER:
            return UnitReceipt(text, 0, _OUTCOMES[outcome], _REASONS[reason], "")
        name = "ops" if source == lib.GN_SOURCE_OPS else self._fold._sources[source_index]
        return UnitReceipt(name, item, _OUTCOMES[outcome], _REASONS[reason], text)


class Fold:
    """State under one set of rules; a context manager, not to be shared between threads.

    After an error nothing that the handle holds has changed.
    """

    def __init__(
        self, rules: Rules, *, seed: bytes, memory_max: int = MEMORY_MAX, fail_at: int = 0
    ) -> None:
        """Open a handle; `seed` keys its hashes, no result depends on it. `fail_at`: for tests."""
        if len(seed) != _SEED_SIZE:
            raise ValueError(f"a seed has {_SEED_SIZE} bytes, not {len(seed)}")
        self.rules = rules
        self._names = [document.name for document in rules.documents]
        self._indexes = {name: index for index, name in enumerate(self._names)}
        self._sources = rules.sources
        self._calls = 0
        status, position = ffi.new("int *"), ffi.new("uint64_t *")
        handle = lib.gn_fold_open(
            rules.program, len(rules.program), seed, memory_max, fail_at, status, position
        )
        if handle == ffi.NULL:
            raise status_error(status[0], rules.program, position[0])
        self._handle = ffi.gc(handle, lib.gn_fold_close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the memory back; the handle cannot be used afterwards."""
        ffi.release(self._handle)
        self._calls = -1

    def load(self, document: str, rows: Iterable[tuple[bytes, bytes | None]]) -> None:
        """Take (key, body) rows in as they lie in the snapshots; body None is a removed entity.

        Raises:
            DeltaRejected: a body is not canonical JSON, or a record or `@` is no object.
            KernelLimit: memory reached its bound.
        """
        index = self._indexes[document]
        parts: list[bytes] = []
        packed = bytearray()
        at = 0
        for key, body in rows:
            size = 0 if body is None else len(body)
            packed += _ROW.pack(at, at + len(key), len(key), size, index, body is None)
            parts += (key, body or b"")
            at += len(key) + size
        text = b"".join((*parts, SLACK))
        position = ffi.new("uint64_t *")
        self._calls += 1
        status = lib.gn_fold_load(
            self._handle,
            text,
            ffi.from_buffer("gn_row[]", packed),
            len(packed) // _ROW.size,
            position,
        )
        if status != lib.GN_OK:
            raise status_error(status, text, position[0])

    def needs(self, events: Sequence[Event]) -> list[tuple[str, bytes]]:
        """List (document, key) of what the events may touch and is not loaded.

        Records and the members beside a root are named until they are loaded.
        What stays unloaded is absent.
        """
        text, packed = _packed(events)
        rows, keys = ffi.new("const gn_row **"), ffi.new("const uint8_t **")
        count, event_at, position = (
            ffi.new("uint64_t *"),
            ffi.new("uint64_t *"),
            ffi.new("uint64_t *"),
        )
        self._calls += 1
        status = lib.gn_fold_needs(
            self._handle, text, packed, len(events), rows, count, keys, event_at, position
        )
        if status != lib.GN_OK:
            raise _event_error(status, events, event_at[0], position[0])
        return [(row.document, row.key) for row in self._rows(rows[0], count[0], keys[0])]

    def run(self, events: Sequence[Row]) -> Folded:
        """Fold the events of one frame, given in any order.

        Raises:
            DeltaRejected: a body is not canonical compact JSON of an object.
            KernelLimit: memory reached its bound.
        """
        text, packed = _packed(events)
        receipts, lines = ffi.new("const gn_receipt **"), ffi.new("const gn_line **")
        line_count, line_text = ffi.new("uint64_t *"), ffi.new("const uint8_t **")
        event_at, position = ffi.new("uint64_t *"), ffi.new("uint64_t *")
        self._calls += 1
        status = lib.gn_fold_run(
            self._handle, text, packed, len(events), receipts, lines, line_count, line_text,
            event_at, position,
        )  # fmt: skip
        if status != lib.GN_OK:
            raise _event_error(status, events, event_at[0], position[0])
        count = line_count[0]
        text_size = max((line.text_at + line.text_size for line in lines[0][0:count]), default=0)
        return Folded(
            self,
            bytes(ffi.buffer(receipts[0], len(events) * _RECEIPT.size)),
            bytes(ffi.buffer(lines[0], count * _LINE.size)),
            bytes(ffi.buffer(line_text[0], text_size)),
        )

    def advance(self, packer: Packer) -> None:
        """Fold the events of one frame, and keep no receipts; other threads run meanwhile.

        Raises:
            DeltaRejected, KernelLimit: as `run`.
        """
        text, table = packer.packed()
        packed = ffi.from_buffer("gn_event[]", table)
        out = [ffi.new(kind) for kind in _ANSWERS]
        event_at, position = ffi.new("uint64_t *"), ffi.new("uint64_t *")
        self._calls += 1
        status = lib.gn_fold_run(self._handle, text, packed, packer.count, *out, event_at, position)
        if status != lib.GN_OK:
            raise _event_error(status, _unpacked(text, table), event_at[0], position[0])

    def changed(self) -> list[Changed]:
        """Return the rows that the last frame changed, before the handle's next call."""
        return self._read_changed()

    def document(self, name: str, form: str = "pretty") -> bytes:
        """Write a whole document from what is loaded, "pretty" (final newline) or "compact"."""
        size = ffi.new("uint64_t *")
        self._calls += 1
        status = lib.gn_fold_document(self._handle, self._indexes[name], form == "pretty", size)
        if status != lib.GN_OK:
            raise status_error(status, b"", 0)
        whole = _unwritten(size[0])
        lib.gn_fold_document_copy(self._handle, ffi.from_buffer(whole))
        return whole

    def totals(self) -> list[int]:
        """Return the running value of each of `rules.terms`."""
        values = ffi.new("uint8_t[]", _TERM_SIZE * len(self.rules.terms) + 1)
        lib.gn_fold_totals(self._handle, values)
        return [
            int.from_bytes(ffi.buffer(values + at, _TERM_SIZE), "little", signed=True)
            for at in range(0, _TERM_SIZE * len(self.rules.terms), _TERM_SIZE)
        ]

    def set_totals(self, totals: Sequence[int]) -> None:
        """Take the running values over that an earlier handle ended with."""
        if len(totals) != len(self.rules.terms):
            raise ValueError(f"{len(self.rules.terms)} terms, but {len(totals)} totals")
        packed = b"".join(each.to_bytes(_TERM_SIZE, "little", signed=True) for each in totals)
        lib.gn_fold_set_totals(self._handle, packed)

    def recount(self) -> None:
        """Compute the running values from everything that is loaded."""
        self._calls += 1
        status = lib.gn_fold_recount(self._handle)
        if status != lib.GN_OK:
            raise status_error(status, b"", 0)

    def memory(self) -> tuple[int, int]:
        """Return the bytes held for entities, and in all."""
        state, whole = ffi.new("uint64_t *"), ffi.new("uint64_t *")
        lib.gn_fold_memory(self._handle, state, whole)
        return state[0], whole[0]

    def fail_at(self, allocation: int) -> None:
        """Let the allocation-th allocation from now fail, in each arena; 0: none. For tests."""
        lib.gn_fold_fail_at(self._handle, allocation)

    def read_narrow(self) -> None:
        """Do without wide registers, as where there are none: the same comes out. For tests."""
        lib.gn_fold_read_narrow(self._handle)

    def _read_changed(self) -> list[Changed]:
        rows, count = ffi.new("const gn_row **"), ffi.new("uint64_t *")
        text = ffi.new("const uint8_t **")
        status = lib.gn_fold_changed(self._handle, rows, count, text)
        if status != lib.GN_OK:
            raise status_error(status, b"", 0)
        return list(self._rows(rows[0], count[0], text[0]))

    def _rows(self, rows: object, count: int, text: object) -> Iterator[Changed]:
        if count == 0:
            return
        table = ffi.buffer(ffi.cast("char *", rows), count * _ROW.size)
        for key_at, body_at, key_size, body_size, document, removed in _ROW.iter_unpack(table):
            key = bytes(ffi.buffer(text + key_at, key_size))
            body = None if removed else bytes(ffi.buffer(text + body_at, body_size))
            yield Changed(self._names[document], key, body)


def _unwritten(size: int) -> bytes:
    """Return bytes that nobody else has seen and that are still to be written.

    Python has no other way to them than its C interface. `bytes(size)` would clear them first,
    which costs a third of what copying a document does.
    """
    from ctypes import c_ssize_t, c_void_p, py_object, pythonapi  # only who writes documents pays

    new = pythonapi.PyBytes_FromStringAndSize
    new.argtypes, new.restype = (c_void_p, c_ssize_t), py_object
    made: bytes = new(None, size)
    return made


def _packed(events: Sequence[Row]) -> tuple[bytes, object]:
    """Return the events' bytes in one buffer, and their table."""
    packer = Packer()
    for first in range(0, len(events), BATCH):
        packer.add(events[first : first + BATCH])
    text, table = packer.packed()
    return text, ffi.from_buffer("gn_event[]", table)


def _unpacked(text: bytes, table: bytes) -> list[Row]:
    """Read events back, for an error that names one."""
    return [
        (
            identity,
            frame,
            utc_us,
            text[name_at : name_at + name_size].decode(),
            bool(own),
            text[at : at + size],
        )
        for at, size, name_size, name_at, utc_us, frame, own, identity in EVENT.iter_unpack(table)
    ]


def _event_error(
    status: int, events: Sequence[Row], event_at: int, position: int
) -> GoodneighborError:
    if status == lib.GN_NO_MEMORY or not events:
        return KernelLimit("the fold reached its memory bound; nothing changed")
    event = Event(*events[event_at])
    error = status_error(status, event.body, position)
    error.add_note(f"in event {event.id.hex()} of stream {event.stream!r}, frame {event.frame}")
    return error
