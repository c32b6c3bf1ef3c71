"""A segment: one writer's file in the mailbox, and how its bytes prove themselves.

    offset 0            32                                             (little-endian throughout)
    +-------------------+---------+---------+-- ... --+---------+
    | header            | frame   | frame   |         | frame   |      each frame holds one note
    +-------------------+---------+---------+-- ... --+---------+

    header              frame
    0   8  magic        0   4  mark             f6 'G' 'N' 1a; UTF-8 never holds it
    8  12  nonce        4   4  size             of the note
    20  4  version      8   4  CRC-32C          of the note's bytes
    24  4  zero         12  4  CRC-32C          of nonce, this frame's offset, and bytes 0 to 12
    28  4  CRC-32C      16  n  note

The checksum over the first fields is apart from the note's, so that a flipped size is told from
an end that never came, and reading can go on behind a damaged note. Nonce and offset go into it,
so that no frame counts anywhere but where it was written: not a block of an older file that a
power cut brought up, and not a segment somebody quotes inside a delta.
"""

from struct import Struct

from ..kernel import crc32c
from .errors import StoreTooNew

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

SUFFIX = ".notes"
NONCE_SIZE = 12
VERSION = 1
BODY_SIZE_MAX = (
    64 * 2**20
)  # of one note; deltas are bounded at 16 MiB, what is rejected may be more

DELTA = 1
REJECTED = 2  # bytes that cannot become an event, with the reason: to be quarantined
OWN = 3  # a delta of the store's own, such as an absorbed edit

_MAGIC = b"\x89GNMAIL\n"
_MARK = b"\xf6GN\x1a"
_HEADER = Struct("<8s12sII")
_FRAME = Struct("<4sII")
_CHECKSUM = Struct("<I")
_PLACE = Struct("<12sQ")
_NOTE = Struct("<qqBBHH")  # received_us, frame, kind, stream's size, source's size, reason's size

HEADER_SIZE = _HEADER.size + _CHECKSUM.size
FRAME_SIZE = _FRAME.size + _CHECKSUM.size  # in front of each note
NOTE_SIZE_MAX = BODY_SIZE_MAX + _NOTE.size + 255 + 2 * 65535
_NO_FRAME = -(2**63)

assert HEADER_SIZE == 32
assert FRAME_SIZE == 16


class Note:
    """A delta lying in the mailbox, with what is known of its coming."""

    __slots__ = ("body", "frame", "kind", "reason", "received_us", "source", "stream")

    def __init__(
        self,
        body: bytes,
        *,
        received_us: int,
        source: str,
        kind: int = DELTA,
        frame: int | None = None,
        stream: str | None = None,
        reason: str = "",
    ) -> None:
        assert kind in (DELTA, REJECTED, OWN), kind
        assert (kind == REJECTED) == (reason != ""), (kind, reason)
        assert len(body) <= BODY_SIZE_MAX, len(body)
        self.body = body  # as it came
        self.received_us = received_us
        self.source = source
        self.kind = kind
        self.frame = frame  # said beside the body, for one that lacks it
        self.stream = stream  # likewise
        self.reason = reason  # why it is rejected

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Note) and pack(self) == pack(other)

    def __hash__(self) -> int:
        return hash(pack(self))


def pack(note: Note) -> bytes:
    """Write a note as bytes. What is said beside the body and cannot be true is cut or left out."""
    stream = _cut(note.stream or "", 255)
    source = _cut(note.source, 65535)
    reason = _cut(note.reason, 65535)
    frame = _NO_FRAME if note.frame is None or abs(note.frame) >= 2**63 else note.frame
    sizes = (len(stream), len(source), len(reason))
    head = _NOTE.pack(note.received_us, frame, note.kind, *sizes)
    return head + stream + source + reason + note.body


def unpack(data: bytes) -> Note:
    """Read a note back. Its bytes have passed their checksum, so they are as `pack` made them."""
    received_us, frame, kind, stream_size, source_size, reason_size = _NOTE.unpack_from(data)
    source_at = _NOTE.size + stream_size
    reason_at = source_at + source_size
    body_at = reason_at + reason_size
    assert body_at <= len(data), "a note that passed its checksum is whole"
    return Note(
        data[body_at:],
        received_us=received_us,
        source=data[source_at:reason_at].decode(),
        kind=kind,
        frame=None if frame == _NO_FRAME else frame,
        stream=data[_NOTE.size : source_at].decode() or None,
        reason=data[reason_at:body_at].decode(),
    )


def segment_name(created_us: int, nonce: bytes) -> str:
    """Name a new segment: by age, so that a listing reads well, and by a nonce never used again."""
    assert len(nonce) == NONCE_SIZE, len(nonce)
    return f"{max(created_us, 0):014x}-{nonce.hex()}{SUFFIX}"


def nonce_of(name: str) -> bytes | None:
    """Return the nonce in a segment's name; None for a name that is no segment's."""
    _, dash, rest = name.removesuffix(SUFFIX).partition("-")
    if not name.endswith(SUFFIX) or not dash or len(rest) != 2 * NONCE_SIZE:
        return None
    try:
        return bytes.fromhex(rest)
    except ValueError:
        return None


def header(nonce: bytes) -> bytes:
    """Return a segment's first 32 bytes."""
    fields = _HEADER.pack(_MAGIC, nonce, VERSION, 0)
    return fields + _CHECKSUM.pack(crc32c(fields))


def header_fault(data: bytes, nonce: bytes) -> str:
    """Tell what is wrong with a segment's first 32 bytes; "" when nothing is.

    Raises:
        StoreTooNew: a newer program wrote them, so their frames may be of another form.
    """
    if data == header(nonce):
        return ""
    if len(data) < HEADER_SIZE or _CHECKSUM.pack(crc32c(data[:-4])) != data[-4:]:
        return "the segment's header is not what was written"
    _, found, version, _ = _HEADER.unpack_from(data)
    if version > VERSION:
        raise StoreTooNew(f"segment {nonce.hex()}", f"version {version}", f"version {VERSION}")
    return f"the segment is the one with nonce {found.hex()}: its file was renamed or copied"


def frame(note: Note, nonce: bytes, offset: int) -> bytes:
    """Return a note as it stands in its segment at `offset`."""
    data = pack(note)
    head = _FRAME.pack(_MARK, len(data), crc32c(data))
    return head + _CHECKSUM.pack(_head_checksum(head, nonce, offset)) + data


def note_size(head: bytes, nonce: bytes, offset: int) -> int | None:
    """Return the size of the note behind a frame's first 16 bytes; None when they do not hold."""
    mark, size, _ = _FRAME.unpack_from(head)
    (checksum,) = _CHECKSUM.unpack_from(head, _FRAME.size)
    if mark != _MARK or size > NOTE_SIZE_MAX or _NOTE.size > size:
        return None
    return int(size) if checksum == _head_checksum(head[: _FRAME.size], nonce, offset) else None


def holds(head: bytes, note: bytes) -> bool:
    """Tell whether a note's bytes are those its frame was written for."""
    return bool(crc32c(note) == _FRAME.unpack_from(head)[2])


def find_frame(fetch: "Callable[[int, int], bytes]", start: int, end: int, nonce: bytes) -> int:
    """Return the first offset from `start` on where a frame's first bytes hold, or `end`.

    `fetch(offset, size)` reads the segment; a window at a time is held.
    """
    window_size = 2**16
    while end - start >= FRAME_SIZE:
        window = fetch(start, min(window_size + FRAME_SIZE, end - start))
        at = window.find(_MARK)
        while 0 <= at <= len(window) - FRAME_SIZE:
            if note_size(window[at : at + FRAME_SIZE], nonce, start + at) is not None:
                return start + at
            at = window.find(_MARK, at + 1)
        start += max(1, len(window) - FRAME_SIZE + 1)
    return end


def _head_checksum(head: bytes, nonce: bytes, offset: int) -> int:
    return crc32c(head, crc32c(_PLACE.pack(nonce, offset)))


def _cut(words: str, size_max: int) -> bytes:
    encoded = words.replace("\0", "\ufffd").encode(errors="replace")  # NUL is no text everywhere
    if len(encoded) <= size_max:
        return encoded
    return encoded[:size_max].decode(errors="ignore").encode()
