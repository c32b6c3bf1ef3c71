"""What the store asks of a database, and which engine a url names.

    sqlite.py       one file, one host; the store's lock is a file's
    postgresql.py   a server, many hosts; the store's lock is an advisory one there as well

The fact not to miss: everything above this file is the same on every engine. SQL text keeps to
what SQLite and PostgreSQL both speak, with `?` or `:name` for values; bytes are bytes, times are
integers, and no statement's meaning hangs on how text sorts. Every commit happens under the store's
lock and counts an epoch.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol, Self

from .errors import LogConflict, Refused, StoreMissing
from .folder import is_postgresql
from .step import reached

TYPE_CHECKING = False  # a reader takes no lock, and need not import one
if TYPE_CHECKING:
    from collections.abc import Callable

    from .disk import Disk
    from .lock import StoreLock

SCHEMA = "0005"  # the newest revision in migrations/versions

Values = Sequence[Any] | Mapping[str, Any]


class Cursor(Protocol):
    """The driver's own cursor, or a thin coat over it: bulk paths pay for nothing else.

    As with every cursor, another `execute` ends what the one before had still to give.
    """

    def execute(self, statement: str, values: Values = (), /) -> Self:
        """Run one statement."""
        ...

    def executemany(self, statement: str, rows: Iterable[Values], /) -> Self:
        """Run one statement that returns nothing, once for each row of values."""
        ...

    def each(self, statement: str, rows: Iterable[Values], /) -> Iterator[Any]:
        """Look something up many times over: yield the first row found for each, or None.

        On a server that is one trip, and not one for each row.
        """
        ...

    def scan(self, statement: str, values: Values = (), /) -> Iterator[Any]:
        """Yield the rows of a large result as they come, on a cursor of its own."""
        ...

    def once_through(self) -> AbstractContextManager[None]:
        """While the block runs, keep little of what is read: none of it is asked for again."""
        ...

    def fetchone(self) -> Any: ...

    def fetchall(self) -> list[Any]: ...

    def __iter__(self) -> Iterator[Any]: ...


class Scratch(NamedTuple):
    """Empty caches beside the store, for folding again: on `cursor`, `entity` is the empty one.

    `kept` and `folded` are what to write before a cache's name (`kept.entity`) to say which.
    """

    cursor: Cursor
    kept: str
    folded: str


class Session(ABC):
    """One connection; the engine's part of reading and writing."""

    @abstractmethod
    def cursor(self) -> Cursor:
        """Return a new cursor."""

    @abstractmethod
    def begin(self) -> None:
        """Begin a transaction: one moment to a reader, no other writer to a writer."""

    @abstractmethod
    def commit(self) -> None:
        """Make what was written durable; the lock is ours still, or nothing is committed."""

    @abstractmethod
    def rollback(self) -> None:
        """Forget what the transaction did, if one is open."""

    @abstractmethod
    def check(self) -> None:
        """Return when the store's lock is still ours. Raises: LockLost."""

    @abstractmethod
    def is_awaited(self) -> bool:
        """Say whether another waits for the store's lock."""

    @abstractmethod
    def checkpoint(self) -> None:
        """Let the engine tidy its own log, where that is ours to do."""

    @abstractmethod
    def close(self) -> None:
        """Let the connection go, and what it holds with it."""


class Database(ABC):
    """Where a store's log and snapshots are. Opening it is left to the first call that needs it."""

    has_mailbox = False  # notes wait in a table of it, and not in files alone

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    @abstractmethod
    def name(self) -> str:
        """How errors name it: a path, or a url without its password."""

    @abstractmethod
    def exists(self) -> bool:
        """Say whether a store has been made there."""

    @abstractmethod
    def creating(self, lock: "StoreLock", disk: "Disk") -> "AbstractContextManager[Writer]":
        """Make the database at the newest schema; it is a store when the block ends well."""

    @abstractmethod
    def beside(self) -> AbstractContextManager[Scratch]:
        """Open empty caches with the store's log, to fold again; gone when closed."""

    @abstractmethod
    def faults(self, cursor: Cursor) -> Iterator[str]:
        """Yield what the engine itself finds wrong with its pages."""

    @abstractmethod
    def translated(self) -> AbstractContextManager[None]:
        """Turn the driver's errors into ours, by what the caller can do about them."""

    @abstractmethod
    def _reader(self) -> Session:
        """Connect for reading."""

    @abstractmethod
    def _writer(self, lock: "StoreLock") -> Session:
        """Connect for writing; the caller holds `lock`."""

    @abstractmethod
    def _revision(self, cursor: Cursor) -> str:
        """Return the schema's revision, or refuse what is not ours or newer than us."""

    @abstractmethod
    def _migrate(self, session: Session, lock: "StoreLock") -> None:
        """Bring the schema up to the newest revision, all or nothing."""

    @contextmanager
    def reading(self, lock: "Callable[[], StoreLock]") -> Iterator[Cursor]:
        """Open one read transaction: what it sees is one moment of the store.

        `lock` is asked for only when the database must be migrated first.

        Raises:
            StoreMissing, NotAStore, StoreTooNew, StoreDamaged
        """
        with self.translated():
            session = self._reader()
            try:
                if self._revision(session.cursor()) != SCHEMA:
                    session.close()
                    with writing(self, lock()):
                        pass
                    session = self._reader()
                session.begin()
                yield session.cursor()
            finally:
                session.close()

    @contextmanager
    def writing(self, lock: "StoreLock") -> Iterator["Writer"]:
        """Open the one writing connection; the caller holds `lock`, and still does afterwards."""
        with self.translated():
            writer = Writer(self, lock, self._newest(lock))
            try:
                yield writer
                writer.checkpoint()
            finally:
                writer.close()

    def _newest(self, lock: "StoreLock") -> Session:
        """Connect for writing, with the schema at the newest revision."""
        session = self._writer(lock)
        try:
            if self._revision(session.cursor()) != SCHEMA:
                self._migrate(session, lock)
        except BaseException:
            session.close()
            raise
        return session


class Writer:
    """The one connection that writes, for as long as its owner holds the store's lock."""

    def __init__(self, database: Database, lock: "StoreLock", session: Session) -> None:
        self._database = database
        self._lock = lock
        self._session = session
        self._epoch: int | None = None

    def cursor(self) -> Cursor:
        """Return a cursor for looking only; what is written goes through `transaction`."""
        return self._session.cursor()

    @contextmanager
    def transaction(self, step: str) -> Iterator[Cursor]:
        """Run one transaction, all or nothing; `step` names it for the fault harness.

        Raises:
            LockLost: another process may hold the store; rolled back.
            LogConflict: somebody wrote while we held the lock; rolled back.
        """
        cursor = self._session.cursor()
        self._session.begin()
        try:
            epoch = self._take_epoch(cursor)
            yield cursor
            reached(f"{step}: rows inserted")
            self._session.check()
            self._session.commit()
        except BaseException:
            self._session.rollback()
            raise
        self._epoch = epoch
        reached(f"{step}: committed")

    def check(self) -> None:
        """Return when the lock is still ours: called before a file is replaced."""
        self._session.check()

    def checkpoint(self) -> None:
        """Let the engine tidy its own log, as far as no reader is in the way."""
        self._session.check()
        self._session.checkpoint()
        reached("checkpoint: done")

    def give_way(self) -> bool:
        """End a turn: let one who waits for the store have it first; say whether there was one.

        Between two transactions: what was read before may be old then.

        Raises:
            StoreBusy: others held the lock for all of the wait. What was committed stays.
        """
        self.checkpoint()
        if not self._session.is_awaited():
            return False
        self.close()  # under the lock, as each close of a writing connection
        self._lock.give_way()
        self._session = self._database._newest(self._lock)
        self._epoch = None
        return True

    def close(self) -> None:
        """Let the connection go."""
        self._session.close()

    def _take_epoch(self, cursor: Cursor) -> int:
        """Count this transaction, and see that nobody else wrote since our last one."""
        row = cursor.execute("SELECT epoch FROM store WHERE id = 1").fetchone()
        found = 0 if row is None else int(row[0])
        if self._epoch is not None and found != self._epoch:
            raise LogConflict(
                self._database.name,
                f"epoch {self._epoch} became {found} while we held the store's lock",
                "Nothing was committed. Look for a second program that writes there.",
            )
        cursor.execute("UPDATE store SET epoch = epoch + 1 WHERE id = 1")
        return found + 1


def open_database(folder: Path, url: str | None = None) -> Database:
    """Return the database of a store: SQLite in its folder, unless a url names a server.

    Raises:
        Refused: the url names an engine there is none for.
    """
    if is_postgresql(url):
        from .postgresql import PostgresqlDatabase

        assert url is not None
        return PostgresqlDatabase(folder, url)
    if url is not None and not url.startswith("sqlite"):
        raise Refused(
            f"The store's url {url!r} names no engine there is: SQLite in the repository's own "
            "folder without a url, PostgreSQL with one such as postgresql+psycopg://host/database."
            "\nMend [store] url in neighbor.toml, or NEIGHBOR_STORE."
        )
    from .sqlite import SqliteDatabase

    return SqliteDatabase(folder)


@contextmanager
def writing(database: Database, lock: "StoreLock") -> Iterator[Writer]:
    """Take the store's lock, and the one writing connection under it."""
    if not database.folder.exists():
        raise StoreMissing(str(database.folder))  # before the lock would make a file there
    with lock, database.writing(lock) as writer:
        yield writer
