"""The mailbox: a folder of segments, read on from where the sequencer stopped, and retired.

Reading takes no part in writing: a segment is read up to the last whole note, whatever its writer
is doing. What does not hold its checksum is one of three things, and they are told apart:

* in the middle, with notes behind it: damage. What lies there was acknowledged once.
* at the end, its writer alive: a note being written. It is not looked at yet.
* at the end, its writer gone: torn, where the end never came (a kill, a power cut) and so was
  never acknowledged; damage, where all bytes are there and some are wrong.
"""

import fcntl
import os
from contextlib import suppress

from .disk import DISK, Disk
from .segment import (
    FRAME_SIZE,
    HEADER_SIZE,
    Note,
    find_frame,
    header_fault,
    holds,
    nonce_of,
    note_size,
    unpack,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

_WINDOW_SIZE = 2**20
_RAW_SIZE_MAX = 2**20  # of damaged bytes handed on as evidence; the segment keeps the rest


class Found:
    """Something between two offsets of a segment."""

    __slots__ = ("end", "offset", "segment")

    def __init__(self, segment: str, offset: int, end: int) -> None:
        assert 0 <= offset < end, (segment, offset, end)
        self.segment = segment
        self.offset = offset
        self.end = end  # read on from here


class Mail(Found):
    """A whole note."""

    __slots__ = ("note",)

    def __init__(self, segment: str, offset: int, end: int, note: Note) -> None:
        super().__init__(segment, offset, end)
        self.note = note


class Damage(Found):
    """Bytes that are not what was written; `raw` is at most their first MiB."""

    __slots__ = ("raw", "what")

    def __init__(self, segment: str, offset: int, end: int, what: str, raw: bytes) -> None:
        super().__init__(segment, offset, end)
        self.what = what
        self.raw = raw


class Torn(Found):
    """An end that was never finished, so never acknowledged. Reading does not go past it."""

    __slots__ = ()


def sizes(folder: str) -> dict[str, int]:
    """Return the size of each segment in the mailbox, oldest first; none when it is not there."""
    found = {}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if nonce_of(entry.name):
                    with suppress(FileNotFoundError):  # retired meanwhile
                        found[entry.name] = entry.stat().st_size
    except FileNotFoundError:
        return {}
    return dict(sorted(found.items()))


def read(
    folder: str, offsets: "Mapping[str, int]", goal: "Mapping[str, int] | None" = None
) -> "Iterator[Mail | Damage | Torn]":
    """Read on from an offset in each segment, from the start where none is given.

    `goal` is the `sizes` of a moment: what begins behind them, written since, is left.
    Lazily: a segment is opened when its turn comes, and one note is held at a time.
    """
    for name, size in (sizes(folder) if goal is None else goal).items():
        if size <= offsets.get(name, 0):
            continue
        for found in read_segment(folder, name, offsets.get(name, 0)):
            if found.offset >= size:
                break
            yield found


def read_segment(folder: str, name: str, start: int = 0) -> "Iterator[Mail | Damage | Torn]":
    """Read on in one segment from an offset that an earlier reading ended at.

    One that was retired meanwhile gives nothing.

    Raises:
        StoreTooNew: the segment was written by a newer program.
    """
    try:
        opened = _Segment(folder, name)
    except FileNotFoundError:
        return
    with opened as segment:
        offset = start or (yield from segment.begin())
        while offset < segment.size:
            found = segment.next(offset)
            if found is None:
                return
            yield found
            if isinstance(found, Torn):
                return
            offset = found.end


def cut_short(folder: str, offsets: "Mapping[str, int]") -> dict[str, int]:
    """Return the size of each segment that is shorter than was read and whose writer is gone.

    A power cut leaves one: its writer died between write and flush, and a reader was faster than
    the disk. What was read is in the log, and what was acknowledged had been flushed.
    """
    cut = {}
    for name, size in sizes(folder).items():
        if size < offsets.get(name, 0):
            with _Segment(folder, name) as segment:
                if segment.writer_gone:
                    cut[name] = segment.size
    return cut


def is_left(folder: str, name: str) -> bool:
    """Say whether a segment's writer is gone; False for one that is no more."""
    try:
        with _Segment(folder, name) as segment:
            return segment.writer_gone
    except FileNotFoundError:
        return False


def retire(folder: str, name: str, through: int, disk: Disk = DISK) -> bool:
    """Delete a segment that was read up to `through` and whose writer is gone; tell whether it was.

    The caller vouches that all its notes are kept elsewhere. One that grew since, or whose writer
    lives, stays.
    """
    path = os.path.join(folder, name)
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        if not _lock(descriptor, fcntl.LOCK_EX) or os.fstat(descriptor).st_size != through:
            return False
        disk.remove(path)  # under the lock: a writer that comes second sees the file has no name
    finally:
        os.close(descriptor)
    disk.flush_folder(folder)
    return True


class _Segment:
    """A segment open for reading, as long as it was when it was opened."""

    def __init__(self, folder: str, name: str) -> None:
        nonce = nonce_of(name)
        assert nonce is not None, name
        self.name = name
        self.nonce = nonce
        path = os.path.join(folder, name)
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        # In this order: once the writer is gone, the size read after is final. The other way round
        # a note finished in between would be taken for a torn one.
        self.writer_gone = _lock(self._descriptor, fcntl.LOCK_SH)
        self.size = os.fstat(self._descriptor).st_size
        if self.writer_gone:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        self._window = b""
        self._window_at = 0

    def __enter__(self) -> "_Segment":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def fetch(self, offset: int, size: int) -> bytes:
        """Return bytes of the segment; fewer only where the file was cut after it was opened."""
        at = offset - self._window_at
        if at < 0 or at + size > len(self._window):
            self._window = os.pread(self._descriptor, max(size, _WINDOW_SIZE), offset)
            self._window_at, at = offset, 0
        return self._window[at : at + size]

    def begin(self) -> "Generator[Damage | Torn, None, int]":
        """Check the header; return where the notes begin, or the end when there is nothing yet."""
        fault = header_fault(self.fetch(0, HEADER_SIZE), self.nonce)
        if fault and self._never_came(0):
            if self.writer_gone and self.size:
                yield Torn(self.name, 0, self.size)
            return self.size
        if fault:
            yield self.damage(0, HEADER_SIZE, fault)
        return HEADER_SIZE

    def damage(self, offset: int, end: int, what: str) -> Damage:
        raw = self.fetch(offset, min(end - offset, _RAW_SIZE_MAX))
        return Damage(self.name, offset, end, what, raw)

    def next(self, offset: int) -> "Mail | Damage | Torn | None":
        """Return what lies at an offset; None when its writer may still be at it."""
        left = self.size - offset
        head = self.fetch(offset, FRAME_SIZE)
        size = note_size(head, self.nonce, offset) if len(head) == FRAME_SIZE else None
        if size is None:
            return self._without_frame(offset)
        if FRAME_SIZE + size > left:
            return Torn(self.name, offset, self.size) if self.writer_gone else None
        end = offset + FRAME_SIZE + size
        data = self.fetch(offset + FRAME_SIZE, size)
        if len(data) == size and holds(head, data):
            return Mail(self.name, offset, end, unpack(data))
        if not self.writer_gone and (end == self.size or len(data) < size):
            return None  # being written, or being taken back after the disk refused it
        return self.damage(offset, end, "a note's bytes are not what was written")

    def _without_frame(self, offset: int) -> "Damage | Torn | None":
        end = find_frame(self.fetch, offset + 1, self.size, self.nonce)
        if end == self.size and not self.writer_gone:
            return None
        if end == self.size and self._never_came(offset):
            return Torn(self.name, offset, self.size)
        return self.damage(offset, end, "no note begins where one should")

    def _never_came(self, offset: int) -> bool:
        """Tell whether the end is a frame cut short, or space that was never filled."""
        if self.size - offset < (FRAME_SIZE if offset else HEADER_SIZE):
            return True
        for at in range(offset, self.size, _WINDOW_SIZE):
            if self.fetch(at, min(_WINDOW_SIZE, self.size - at)).strip(b"\0"):
                return False
        return True


def _lock(descriptor: int, kind: int) -> bool:
    """Try a lock on a segment: it is free when no writer lives."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
