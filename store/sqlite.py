"""SQLite: the database as one file in the store's folder.

The fact not to miss: every commit, checkpoint and close of a writing connection happens under the
store's lock. SQLite before 3.51.3 can corrupt a WAL when a checkpoint in one process meets a write
in another. Readers open `mode=ro`, because a plain reader's last close checkpoints as well.

A new database is made under another name and renamed when it is whole, so a process that dies on
the way leaves nothing that `Store.open` would take for a store.
"""

import errno
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import quote

from . import definitions
from .engine import SCHEMA, Cursor, Database, Scratch, Session, Values, Writer
from .errors import NotAStore, StoreBusy, StoreDamaged, StoreMissing, StoreTooNew, StoreUnwritable
from .folder import APPLICATION_ID, DATABASE

TYPE_CHECKING = False  # a reader takes no lock, and need not import one
if TYPE_CHECKING:
    from collections.abc import Callable

    from .disk import Disk
    from .lock import StoreLock

BUSY_WAIT_S = 5.0
UNFINISHED = DATABASE + ".new"

_WAL_AT, _WAL = 18, b"\x02\x02"  # a higher number there, and SQLite only reads the file
_CACHE = "cache_size = -65536"
_CACHE_ONCE_THROUGH = "cache_size = -512"  # the processor's cache holds it: 15 % off a scan's time
_SETTINGS = (
    "synchronous = FULL",
    "mmap_size = 0",
    "wal_autocheckpoint = 0",
    "foreign_keys = OFF",
    _CACHE,
)
# A scratch that dies with its process needs no journal and no flush.
_SCRATCH = ("journal_mode = OFF", "synchronous = OFF", _CACHE)
_CACHES = ("entity", "entity_past", "document", "receipt", "frame", "frame_stream")

_FULL = frozenset({sqlite3.SQLITE_FULL})
_UNWRITABLE = frozenset({sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN})
# SQLITE_ERROR: a statement of ours that does not fit the schema, so the schema is not what we made.
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR})
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


class SqliteCursor(sqlite3.Cursor):
    """The driver's cursor, with the two ways of reading that a server would do otherwise."""

    def each(self, statement: str, rows: Iterable[Values], /) -> Iterator[object]:
        for values in rows:
            yield self.execute(statement, values).fetchone()

    def scan(self, statement: str, values: Values = (), /) -> Iterator[object]:
        return self.connection.cursor(SqliteCursor).execute(statement, values)

    @contextmanager
    def once_through(self) -> Iterator[None]:
        self.connection.execute(f"PRAGMA {_CACHE_ONCE_THROUGH}")
        try:
            yield
        finally:
            self.connection.execute(f"PRAGMA {_CACHE}")


class SqliteSession(Session):
    """A connection; `lock` is the store's for one that writes."""

    def __init__(self, connection: sqlite3.Connection, lock: "StoreLock | None" = None) -> None:
        self.connection = connection
        self._lock = lock

    def cursor(self) -> Cursor:
        return self.connection.cursor(SqliteCursor)

    def begin(self) -> None:
        self.connection.execute("BEGIN" if self._lock is None else "BEGIN IMMEDIATE")

    def commit(self) -> None:
        self.connection.execute("COMMIT")

    def rollback(self) -> None:
        if self.connection.in_transaction:
            self.connection.rollback()

    def check(self) -> None:
        assert self._lock is not None, "a reader holds no lock"
        self._lock.check()

    def is_awaited(self) -> bool:
        assert self._lock is not None, "a reader holds no lock"
        return self._lock.is_awaited()

    def checkpoint(self) -> None:
        """Move the write-ahead log into the database, as far as no reader is in the way."""
        self.connection.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def close(self) -> None:
        self.connection.close()


class SqliteDatabase(Database):
    """The database file of the store in a folder."""

    def __init__(self, folder: Path, file: str = DATABASE) -> None:
        super().__init__(folder)
        self.path = folder / file

    @property
    def name(self) -> str:
        return str(self.path)

    def exists(self) -> bool:
        return self.path.exists()

    @contextmanager
    def creating(self, lock: "StoreLock", disk: "Disk") -> Iterator[Writer]:
        for left in self.folder.glob(UNFINISHED + "*"):
            left.unlink()  # of a creation that died
        unfinished = SqliteDatabase(self.folder, UNFINISHED)
        unfinished._make(lock)
        with unfinished.writing(lock) as writer:
            yield writer
        disk.rename(str(unfinished.path), str(self.path))
        disk.flush_folder(str(self.folder))

    @contextmanager
    def beside(self) -> Iterator[Scratch]:
        """Attach the log to an empty database on disk: a bare name finds what is empty first."""
        connection = sqlite3.connect("", isolation_level=None, uri=True)
        try:
            cursor = connection.cursor(SqliteCursor)
            for setting in _SCRATCH:
                cursor.execute(f"PRAGMA {setting}")
            cursor.execute("ATTACH DATABASE ? AS log", (self._uri("ro"),))
            cursor.execute(
                "SELECT CAST(sql AS TEXT) FROM log.sqlite_master WHERE sql IS NOT NULL AND tbl_name"
                f" IN ({', '.join('?' for _ in _CACHES)}) ORDER BY type DESC",
                _CACHES,
            )
            for (statement,) in cursor.fetchall():
                cursor.execute(statement)
            cursor.execute("BEGIN")
            yield Scratch(cursor, "log", "main")
        finally:
            connection.close()

    def faults(self, cursor: Cursor) -> Iterator[str]:
        cursor.execute("PRAGMA integrity_check(10)")
        yield from (said for (said,) in cursor.fetchall() if said != "ok")
        yield from definitions.faults(cursor)
        with self.path.open("rb") as file:
            if not file.read(_WAL_AT + len(_WAL)).endswith(_WAL):
                yield "its first page does not say that it keeps a write-ahead log"

    @contextmanager
    def translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
            if code in _BUSY:
                raise StoreBusy(self.name, BUSY_WAIT_S) from error
            if code in _DAMAGED:
                raise StoreDamaged(self.name, str(error)) from error
            if code in _FULL:
                full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                raise StoreUnwritable(self.name, full, "unfinished") from error
            if code in _UNWRITABLE:
                failed = OSError(errno.EIO, str(error))
                raise StoreUnwritable(self.name, failed, "unfinished") from error
            raise
        except UnicodeDecodeError as error:  # SQLite's own message quotes a damaged schema
            raise StoreDamaged(self.name, f"what it says of itself is no text: {error}") from error

    @contextmanager
    def reading(self, lock: "Callable[[], StoreLock]") -> Iterator[Cursor]:
        """Read; where the disk has no room for the index that readers share, alone."""
        with ExitStack() as stack:
            try:
                cursor = stack.enter_context(super().reading(lock))
            except StoreUnwritable:
                cursor = stack.enter_context(self._reading_alone(lock()))
            yield cursor

    @contextmanager
    def _reading_alone(self, lock: "StoreLock") -> Iterator[Cursor]:
        """Read under the store's lock, and make no file: a full disk must not hide what is there.

        Without a write-ahead log the file is all there is; with one its index is kept in memory,
        which SQLite does for a connection that has the database to itself.
        """
        with lock, self.translated():
            log = self.path.with_name(self.path.name + "-wal")
            has_log = log.exists() and log.stat().st_size > 0
            connection = self._connect("rw" if has_log else "ro&immutable=1", alone=has_log)
            try:
                cursor = connection.cursor(SqliteCursor)
                if self._revision(cursor) != SCHEMA:
                    raise StoreUnwritable(self.name, OSError(errno.ENOSPC, "no room"), "not kept")
                cursor.execute("BEGIN")
                yield cursor
            finally:
                connection.close()

    def _reader(self) -> SqliteSession:
        return SqliteSession(self._connect("ro"))

    def _writer(self, lock: "StoreLock") -> SqliteSession:
        return SqliteSession(self._connect("rw"), lock)

    def _connect(self, mode: str, *, alone: bool = False) -> sqlite3.Connection:
        if not self.path.exists():
            raise StoreMissing(str(self.folder))
        connection = sqlite3.connect(
            self._uri(mode),
            uri=True,
            isolation_level=None,
            timeout=BUSY_WAIT_S,
            cached_statements=256,
        )
        try:
            if alone:
                connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            _prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _uri(self, mode: str) -> str:
        return f"file:{quote(str(self.path))}?mode={mode}"

    def _make(self, lock: "StoreLock") -> None:
        """Make the file; what it holds is known for ours by its header.

        Raises:
            OSError: a write-ahead log was refused, which SQLite says by another mode alone.
        """
        with self.translated():
            connection = sqlite3.connect(self.path, isolation_level=None)
            try:
                self.path.chmod(0o600)
                if connection.execute("PRAGMA journal_mode = WAL").fetchone() != ("wal",):
                    raise OSError(errno.EIO, "it does not take a write-ahead log", str(self.path))
                _prepare(connection)
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                self._migrate(SqliteSession(connection, lock), lock)
            finally:
                connection.close()

    def _revision(self, cursor: Cursor) -> str:
        found = cursor.execute("PRAGMA application_id").fetchone()[0]
        if found != APPLICATION_ID:
            raise NotAStore(str(self.folder), f"{self.path.name} is not a database of ours")
        row = cursor.execute("SELECT version_num FROM alembic_version").fetchone()
        revision = "" if row is None else str(row[0])
        if revision != SCHEMA:
            self._check_revision(cursor, revision)
        if revision > SCHEMA:
            raise StoreTooNew(str(self.folder), revision, SCHEMA)
        return revision

    def _check_revision(self, cursor: Cursor, revision: str) -> None:
        """See that the number stands in its table and in its index alike: a bit makes another."""
        said = cursor.execute("PRAGMA integrity_check(alembic_version)").fetchone()[0]
        if said != "ok":
            raise StoreDamaged(self.name, f"its schema is not {revision!r}: {said}")

    def _migrate(self, session: Session, lock: "StoreLock") -> None:
        from sqlalchemy import create_engine
        from sqlalchemy.pool import StaticPool

        from .migrate import driver_errors, migrate

        assert isinstance(session, SqliteSession)
        connection = session.connection
        engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
        with driver_errors(), engine.connect() as opened, opened.begin():
            connection.execute("BEGIN IMMEDIATE")
            migrate(opened)
            lock.check()


def _prepare(connection: sqlite3.Connection) -> None:
    for setting in _SETTINGS:
        connection.execute(f"PRAGMA {setting}")
