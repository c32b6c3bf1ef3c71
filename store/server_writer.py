"""A writer to a server's mailbox: `append` returns when the server has committed.

The fact not to miss: where the server is away the note is kept in a segment in the local mailbox,
under the name and at the offset it was sent with, and the next command that writes sends it. So
nobody needs to know whether a commit that was cut off has happened: it counts once.

    segment + offset chosen -> sent, committed                        done: exit 0
                            -> no answer -> local segment, flushed    kept: NoteWaits, exit 5

Each batch has a segment of its own; the file is made on failure alone.
"""

import fcntl
import os
from _thread import allocate_lock
from collections.abc import Callable, Sequence

from . import server_mailbox
from .clock import Clock
from .disk import DISK, Disk, write_all
from .errors import GoodneighborError, NotAStore, NoteWaits, Refused, StoreUnwritable
from .segment import HEADER_SIZE, NONCE_SIZE, Note, frame, header, segment_name
from .server import connect, psycopg, shown, translated
from .server_mailbox import Posted
from .step import reached


class ServerWriter:
    """Appends notes to the mailbox of one store on a server. Threads may share it.

    It connects at the first append. A forked child gets a connection of its own.
    """

    def __init__(
        self,
        url: str,
        store_id: str,
        folder: str,
        *,
        clock: Clock | None = None,
        disk: Disk = DISK,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._url = url
        self._store_id = store_id
        self._folder = folder
        self._clock = clock or Clock()
        self._disk = disk
        self._random = random
        self._mutex = allocate_lock()
        self._connection: psycopg.Connection | None = None
        self._process = 0

    def __enter__(self) -> "ServerWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def clock(self) -> Clock:
        """The clock that stamps this writer's notes."""
        return self._clock

    def append(self, note: Note) -> tuple[str, int]:
        """Keep one note; return its segment and offset, once the server has committed.

        Raises:
            NoteWaits: it is durable here; the next command that writes sends it.
            Refused: this is not the store, or it lets nobody in; nothing was kept.
            StoreUnwritable: the server is away and the disk refuses.
        """
        return self.append_many((note,))[0]

    def append_many(self, notes: Sequence[Note]) -> list[tuple[str, int]]:
        """Keep notes with one commit; return the segment and offset of each.

        Raises:
            NoteWaits, Refused, StoreUnwritable: as for `append`, for all of them.
        """
        if not notes:
            return []
        with self._mutex:
            nonce = self._random(NONCE_SIZE)
            posted = _posted(notes, segment_name(self._clock.tick(), nonce), nonce)
            try:
                self._send(posted)
            except Refused:
                raise
            except GoodneighborError as error:
                path = self._keep_here(posted, nonce)
                raise NoteWaits(path, len(posted), error) from error
        reached("append: note committed")
        return [(each.segment, each.offset) for each in posted]

    def send_left(self) -> int:
        """Send what was kept here while the server was away; return how many segments went."""
        if not os.listdir(self._folder):
            return 0
        with self._mutex:
            return self._send([])

    def close(self) -> None:
        """Let the connection go; another append opens one anew."""
        with self._mutex:
            self._let_go()

    def _send(self, posted: Sequence[Posted]) -> int:
        try:
            with translated(self._url):
                connection = self._connected()
                left = server_mailbox.send_left(connection, self._folder, self._disk)
                if posted:
                    reached("append: note sent")
                    server_mailbox.put(connection, posted)
                return left
        except BaseException:
            self._let_go()
            raise

    def _connected(self) -> psycopg.Connection:
        if self._connection is not None and self._process == os.getpid():
            return self._connection
        self._connection, self._process = connect(self._url, "append"), os.getpid()
        row = self._connection.execute(b"SELECT store_id FROM store WHERE id = 1").fetchone()
        found = None if row is None else str(row[0])
        if found != self._store_id:
            what = f"it holds store {found}, and this clone belongs to store {self._store_id}"
            raise NotAStore(shown(self._url), what)
        return self._connection

    def _let_go(self) -> None:
        if self._connection is not None and self._process == os.getpid():
            self._connection.close()
        self._connection = None  # a forked child leaves its parent's connection alone

    def _keep_here(self, posted: Sequence[Posted], nonce: bytes) -> str:
        """Write the batch as a segment of its own, durably; return its path."""
        path = os.path.join(self._folder, posted[0].segment)
        doing, outcome = "make a segment in", "unknown"  # the server may have committed it
        try:
            descriptor = self._disk.create(path)
            doing = "write to"
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)  # "being written", to those who send it
                data = b"".join([header(nonce), *(each.bytes for each in posted)])
                write_all(self._disk, descriptor, data)
                self._disk.flush(descriptor)
            finally:
                os.close(descriptor)
            self._disk.flush_folder(self._folder)
        except OSError as error:
            raise StoreUnwritable(path, error, outcome, doing) from error
        reached("append: note kept here")
        return path


def _posted(notes: Sequence[Note], segment: str, nonce: bytes) -> list[Posted]:
    posted, offset = [], HEADER_SIZE
    for note in notes:
        data = frame(note, nonce, offset)
        posted.append(Posted(segment, offset, len(data), data))
        offset += len(data)
    return posted
