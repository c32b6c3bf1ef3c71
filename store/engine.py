"""The database: who may read it, who may write it, and where engines differ.

The fact not to miss: every commit, checkpoint and close of a writing connection happens under the
store's lock. SQLite before 3.51.3 can corrupt a WAL when a checkpoint in one process meets a write
in another. Readers open `mode=ro`, because a plain reader's last close checkpoints as well.

PostgreSQL comes in by URL; this file is where it will differ. Statements elsewhere keep to SQL that
both speak.
"""

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from .errors import (
    LogConflict,
    NotAStore,
    Refused,
    StoreBusy,
    StoreDamaged,
    StoreMissing,
    StoreTooNew,
    StoreUnwritable,
)
from .step import reached
from .store import APPLICATION_ID, DATABASE

TYPE_CHECKING = False  # a reader takes no lock, and need not import one
if TYPE_CHECKING:
    from collections.abc import Callable

    from .lock import StoreLock

SCHEMA = "0001"  # the newest revision in migrations/versions
BUSY_WAIT_S = 5.0

_FULL = frozenset({sqlite3.SQLITE_FULL})
_UNWRITABLE = frozenset({sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN})
# SQLITE_ERROR: a statement of ours that does not fit the schema, so the schema is not what we made.
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR})
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})

Cursor = sqlite3.Cursor


class Database:
    """Where a store's log and snapshots are. Opening it is left to the first call that needs it."""

    def __init__(self, folder: Path, url: str | None = None, name: str = DATABASE) -> None:
        if url is not None and not url.startswith("sqlite"):
            raise Refused(
                f"The store's url {url!r} is not one this version can open: it keeps log and "
                "snapshots in SQLite.\n"
                "Take [store] url out of neighbor.toml, or unset NEIGHBOR_STORE."
            )
        self.folder = folder
        self.path = folder / name

    @contextmanager
    def reading(self, lock: "Callable[[], StoreLock]") -> Iterator[Cursor]:
        """Open one read transaction: what it sees is one moment of the store.

        `lock` is asked for only when the database must be migrated first.

        Raises:
            StoreMissing, NotAStore, StoreTooNew, StoreDamaged
        """
        with _translated(self.path):
            connection = self._connect("ro")
            try:
                if self._schema(connection.cursor()) != SCHEMA:
                    connection.close()
                    with writing(self, lock()):
                        pass
                    connection = self._connect("ro")
                cursor = connection.cursor()
                cursor.execute("BEGIN")
                yield cursor
            finally:
                connection.close()

    @contextmanager
    def writing(self, lock: "StoreLock") -> Iterator["Writer"]:
        """Open the one writing connection; the caller holds `lock`, and still does afterwards."""
        with _translated(self.path):
            connection = self._connect("rw")
            try:
                if self._schema(connection.cursor()) != SCHEMA:
                    _migrate(connection, lock)
                writer = Writer(connection, lock)
                yield writer
                writer.checkpoint()
            finally:
                connection.close()

    def create(self, lock: "StoreLock") -> None:
        """Make the database file, at the newest schema; the caller holds `lock`."""
        with _translated(self.path):
            connection = sqlite3.connect(self.path, isolation_level=None)
            try:
                self.path.chmod(0o600)
                connection.execute("PRAGMA journal_mode = WAL")
                _prepare(connection)
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                _migrate(connection, lock)
            finally:
                connection.close()

    def _connect(self, mode: str) -> sqlite3.Connection:
        if not self.path.exists():
            raise StoreMissing(str(self.folder))
        uri = f"file:{quote(str(self.path))}?mode={mode}"
        connection = sqlite3.connect(
            uri, uri=True, isolation_level=None, timeout=BUSY_WAIT_S, cached_statements=256
        )
        _prepare(connection)
        return connection

    def _schema(self, cursor: Cursor) -> str:
        """Return the schema revision, or refuse what is not ours or newer than us."""
        found = cursor.execute("PRAGMA application_id").fetchone()[0]
        if found != APPLICATION_ID:
            raise NotAStore(str(self.folder), f"{self.path.name} is not a database of ours")
        row = cursor.execute("SELECT version_num FROM alembic_version").fetchone()
        revision = "" if row is None else str(row[0])
        if revision > SCHEMA:
            raise StoreTooNew(str(self.folder), revision, SCHEMA)
        return revision


class Writer:
    """The one connection that writes, for as long as its owner holds the store's lock."""

    def __init__(self, connection: sqlite3.Connection, lock: "StoreLock") -> None:
        self._connection = connection
        self._lock = lock
        self._epoch: int | None = None

    def cursor(self) -> Cursor:
        """Return a cursor for looking only; what is written goes through `transaction`."""
        return self._connection.cursor()

    @contextmanager
    def transaction(self, step: str) -> Iterator[Cursor]:
        """Run one transaction, all or nothing; `step` names it for the fault harness.

        Raises:
            LockLost: another process may hold the store; rolled back.
            LogConflict: somebody wrote while we held the lock; rolled back.
        """
        cursor = self._connection.cursor()
        cursor.execute("BEGIN IMMEDIATE")
        try:
            epoch = self._take_epoch(cursor)
            yield cursor
            reached(f"{step}: rows inserted")
            self._lock.check()
            cursor.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.rollback()
            raise
        self._epoch = epoch
        reached(f"{step}: committed")

    def check(self) -> None:
        """Return when the lock is still ours: called before a file is replaced."""
        self._lock.check()

    def checkpoint(self) -> None:
        """Move the write-ahead log into the database, as far as no reader is in the way."""
        self._lock.check()
        self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        reached("checkpoint: done")

    def _take_epoch(self, cursor: Cursor) -> int:
        """Count this transaction, and see that nobody else wrote since our last one."""
        row = cursor.execute("SELECT epoch FROM store WHERE id = 1").fetchone()
        found = 0 if row is None else int(row[0])
        if self._epoch is not None and found != self._epoch:
            raise LogConflict(
                str(self._lock.path),
                f"epoch {self._epoch} became {found} while we held the store's lock",
                "Nothing was committed. Look for a second program that writes store.sqlite3.",
            )
        cursor.execute("UPDATE store SET epoch = epoch + 1 WHERE id = 1")
        return found + 1


@contextmanager
def writing(database: Database, lock: "StoreLock") -> Iterator[Writer]:
    """Take the store's lock, and the one writing connection under it."""
    if not database.path.exists():
        raise StoreMissing(str(database.folder))  # before the lock would make a file there
    with lock, database.writing(lock) as writer:
        yield writer


def _prepare(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA mmap_size = 0")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute("PRAGMA cache_size = -65536")


def _migrate(connection: sqlite3.Connection, lock: "StoreLock") -> None:
    """Run alembic's steps up to the newest, all in one transaction."""
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import create_engine
    from sqlalchemy.pool import StaticPool

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
    with engine.connect() as opened, opened.begin():
        connection.execute("BEGIN IMMEDIATE")
        config.attributes["connection"] = opened
        command.upgrade(config, "head")
        lock.check()


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Turn the driver's errors into ours, by what the caller can do about them."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if code in _BUSY:
            raise StoreBusy(str(path), BUSY_WAIT_S) from error
        if code in _DAMAGED:
            raise StoreDamaged(str(path), str(error)) from error
        if code in _FULL:
            full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            raise StoreUnwritable(str(path), full, "unknown") from error
        if code in _UNWRITABLE:
            failed = OSError(errno.EIO, str(error))
            raise StoreUnwritable(str(path), failed, "unknown") from error
        raise
