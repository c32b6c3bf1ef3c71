"""A writer: one process's way into the mailbox, without a lock that anyone contends for.

`append` returns when the note is on the medium; from then on nothing may lose it. Three rules
keep that true whatever fails:

* A segment is this writer's alone. Its lock says only "alive", and its name never comes again.
* One write, one flush, then the answer. A new segment's folder is flushed before its first answer.
* After a failure nothing is written to that segment again. A reader may have passed the place
  already, and what were written there then would never be read.
"""

import fcntl
import os
from _thread import allocate_lock

from .clock import Clock
from .disk import DISK, Disk, write_all
from .errors import StoreUnwritable
from .segment import HEADER_SIZE, NONCE_SIZE, Note, frame, header, segment_name
from .step import reached

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

SEGMENT_SIZE_MAX = 16 * 2**20  # a segment that has reached it takes no further batch
_TRIES_MAX = 8


class Writer:
    """Appends notes to segments of its own in one folder. Threads may share it.

    Nothing is made before the first append. A forked child gets a segment of its own. `close`
    lets the segment's lock go; readers then know that no more comes.
    """

    __slots__ = (
        "_clock",
        "_descriptor",
        "_disk",
        "_failed",
        "_folder",
        "_mutex",
        "_name",
        "_nonce",
        "_process",
        "_random",
        "_segment_size_max",
        "_size",
    )

    def __init__(
        self,
        folder: str,
        *,
        clock: Clock | None = None,
        disk: Disk = DISK,
        random: "Callable[[int], bytes]" = os.urandom,
        segment_size_max: int = SEGMENT_SIZE_MAX,
    ) -> None:
        self._folder = folder
        self._clock = clock or Clock()
        self._disk = disk
        self._random = random
        self._segment_size_max = segment_size_max
        self._mutex = allocate_lock()
        self._failed: OSError | None = None
        self._process = 0
        self._descriptor = -1  # -1: no segment yet
        self._name = ""
        self._nonce = b""
        self._size = 0  # acknowledged bytes; 0: not even the header is written

    def __enter__(self) -> "Writer":
        return self

    def __exit__(
        self,
        kind: "type[BaseException] | None",
        error: BaseException | None,
        traceback: "TracebackType | None",
    ) -> None:
        self.close()

    @property
    def clock(self) -> Clock:
        """The clock that stamps this writer's notes."""
        return self._clock

    def append(self, note: Note) -> tuple[str, int]:
        """Keep one note; return its segment and offset, once it is on the medium.

        Raises:
            StoreUnwritable: the disk refused; `outcome` says whether the note may be kept.
        """
        return self.append_many((note,))[0]

    def append_many(self, notes: "Sequence[Note]") -> list[tuple[str, int]]:
        """Keep notes with one write and one flush; return the segment and offset of each.

        Raises:
            StoreUnwritable: the disk refused; on "unknown" some of them may be kept.
        """
        if not notes:
            return []
        with self._mutex:
            if self._failed is not None:
                # The system may have dropped the pages: a second flush would report success.
                raise StoreUnwritable(
                    self._folder, self._failed, "not kept", "write after a failed flush to"
                )
            self._ready()
            data, places = self._frames(notes)
            try:
                self._keep(data, places)
            except BaseException:
                self._abandon()
                raise
            self._size += len(data)
            return places

    def send_left(self) -> int:
        """Send nothing: the mailbox is this folder."""
        return 0

    def close(self) -> None:
        """Let the segment go. What was appended stays; another append makes a new segment."""
        with self._mutex:
            self._release()

    def _ready(self) -> None:
        """See that there is a segment of this very process with room in it."""
        if self._descriptor >= 0 and (
            self._process != os.getpid() or self._size >= self._segment_size_max
        ):
            self._release()
        if self._descriptor >= 0:
            return
        try:
            self._make_segment()
        except OSError as error:
            raise StoreUnwritable(self._folder, error, "not kept", "make a segment in") from error

    def _make_segment(self) -> None:
        for _ in range(_TRIES_MAX):
            nonce = self._random(NONCE_SIZE)
            name = segment_name(self._clock.tick(), nonce)
            descriptor = self._disk.create(os.path.join(self._folder, name))
            if _is_ours(descriptor):
                self._name, self._nonce, self._descriptor = name, nonce, descriptor
                self._size, self._process = 0, os.getpid()
                reached("append: segment made")
                return
            os.close(descriptor)  # somebody looked at it before we held it; the next name is free
        raise OSError(11, f"{_TRIES_MAX} new segments were locked by others at once")

    def _frames(self, notes: "Sequence[Note]") -> tuple[bytes, list[tuple[str, int]]]:
        pieces = [] if self._size else [header(self._nonce)]
        offset = self._size or HEADER_SIZE
        places = []
        for note in notes:
            pieces.append(frame(note, self._nonce, offset))
            places.append((self._name, offset))
            offset += len(pieces[-1])
        return b"".join(pieces), places

    def _keep(self, data: bytes, places: list[tuple[str, int]]) -> None:
        try:
            write_all(self._disk, self._descriptor, data)
        except OSError as error:
            # A reader may have met the whole notes of a batch before they are cut off again.
            some_whole = len(places) > 1 and os.fstat(self._descriptor).st_size >= places[1][1]
            outcome = "unknown" if some_whole else "not kept"
            raise StoreUnwritable(self._path(), error, outcome) from error
        reached("append: note written")
        try:
            self._disk.flush(self._descriptor)
            reached("append: note flushed")
            if self._size == 0:
                self._disk.flush_folder(self._folder)
                reached("append: folder flushed")
        except OSError as error:
            self._failed = error
            raise StoreUnwritable(self._path(), error, "unknown", "flush") from error

    def _path(self) -> str:
        return os.path.join(self._folder, self._name)

    def _abandon(self) -> None:
        """Cut off what was not acknowledged, as far as the disk lets us, and let the segment go.

        Where it does not, half a frame stays, which readers take for the torn end it is.
        """
        try:
            if self._size == 0:
                self._disk.remove(self._path())
            else:
                self._disk.truncate(self._descriptor, self._size)
        except OSError:
            pass
        self._release()

    def _release(self) -> None:
        # Closing frees the lock, unless a forked child holds the same descriptor: LOCK_UN would
        # free it for both, and the other may be alive.
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _is_ours(descriptor: int) -> bool:
    """Take the lock that says "alive"; False when another got in between, or deleted the file.

    Raises:
        OSError: the file system has no such locks; the descriptor is closed.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        os.close(descriptor)
        raise
    return os.fstat(descriptor).st_nlink > 0
