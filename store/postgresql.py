"""PostgreSQL: the log and the snapshots on a server, for many hosts.

The fact not to miss: what the store's lock is on one host, an advisory lock on the server is among
all. A writer holds it for its session, as it holds the file lock, so that nobody writes between its
transactions; each transaction takes it once more for itself (`pg_advisory_xact_lock`), and compares
the epoch, so that a pooler that hands sessions round lets no two in. The file lock is held as well:
it guards what is local, such as exported files.

One store is one schema (the first of the search path). Text there sorts by bytes, as in SQLite.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import lru_cache
from itertools import chain, count, islice
from pathlib import Path
from typing import Any

from . import marker
from .engine import SCHEMA, Cursor, Database, Scratch, Session, Values, Writer
from .errors import LockLost, NotAStore, Refused, StoreBusy, StoreExists, StoreMissing, StoreTooNew
from .server import connect, psycopg, shown, translated

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .disk import Disk
    from .lock import StoreLock

EACH_ROWS = 500  # look-ups in one trip
SCAN_ROWS = 200  # rows of a large result in one trip

_CACHES = ("entity", "entity_past", "document", "receipt", "frame", "frame_stream")
_LOCK_CLASS = 0x676F6F64  # "good"; the second number of a store's lock is its schema's
_VALUE = re.compile(r"\?|(?<!:):([a-z_]+)")


class PostgresqlCursor:
    """The driver's cursor, told our way of naming values."""

    __slots__ = ("_connection", "_cursor")

    _names = count()

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        self._cursor = connection.cursor(binary=True)

    def execute(self, statement: str, values: Values = (), /) -> "PostgresqlCursor":
        self._cursor.execute(_spelled(statement), values)
        return self

    def executemany(self, statement: str, rows: Iterable[Values], /) -> "PostgresqlCursor":
        self._cursor.executemany(_spelled(statement), rows)
        return self

    def each(self, statement: str, rows: Iterable[Values], /) -> Iterator[object]:
        left = iter(rows)
        while some := list(islice(left, EACH_ROWS)):
            with self._connection.cursor(binary=True) as cursor:
                cursor.executemany(_spelled(statement), some, returning=True)
                yield from [result.fetchone() for result in cursor.results()]

    def scan(self, statement: str, values: Values = (), /) -> Iterator[object]:
        if self._connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE:
            with self._connection.cursor(binary=True) as whole:  # nothing would hold it open
                yield from whole.execute(_spelled(statement), values)
            return
        name = f"scan_{next(self._names)}"
        cursor = self._connection.cursor(name, binary=True)
        cursor.itersize = SCAN_ROWS
        try:
            rows = cursor.execute(_spelled(statement), values)
            yield from chain(rows)  # which has no close() that is called as well
        finally:
            self._give_up(cursor)

    def _give_up(self, cursor: "psycopg.ServerCursor") -> None:
        """Close it; no error is heard where rows are given up, and the next statement has it."""
        try:
            cursor.close()
        except psycopg.OperationalError:
            self._connection.close()
            cursor.close()  # a word to the server no more

    def once_through(self) -> AbstractContextManager[None]:
        return nullcontext()  # the server's cache is not ours to set

    def fetchone(self) -> Any:
        return self._cursor.fetchone()

    def fetchall(self) -> list[Any]:
        return list(self._cursor.fetchall())

    def __iter__(self) -> Iterator[Any]:
        return iter(self._cursor)


class PostgresqlSession(Session):
    """A connection; one that writes holds the server's lock until it is closed."""

    def __init__(self, url: str, lock: "StoreLock | None" = None) -> None:
        self._lock = lock
        self._name = shown(url)
        self.connection = connect(url, "" if lock is None else lock.who)
        try:
            if lock is not None:
                self._key = self._own_key()
                self._take_lock(lock)
        except BaseException:
            self.connection.close()
            raise

    def cursor(self) -> Cursor:
        return PostgresqlCursor(self.connection)

    def begin(self) -> None:
        if self._lock is None:
            self.connection.execute(b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        else:
            self.connection.execute(b"BEGIN")
            self.connection.execute(b"SELECT pg_advisory_xact_lock(%s, %s)", self._key)

    def commit(self) -> None:
        self.connection.execute(b"COMMIT")

    def rollback(self) -> None:
        if not self.connection.closed:
            self.connection.rollback()

    def check(self) -> None:
        assert self._lock is not None, "a reader holds no lock"
        self._lock.check()
        held = self.connection.execute(
            b"SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted"
            b" AND classid::bigint = %s AND objid::bigint = %s AND pid = pg_backend_pid()",
            (self._key[0], self._key[1] % 2**32),
        ).fetchone()
        if held is None:
            raise LockLost(self._name, "its lock is no longer ours, so another may hold it")

    def is_awaited(self) -> bool:
        """Ask for the waiters here, and for other hosts', whom the server keeps in their order."""
        assert self._lock is not None, "a reader holds no lock"
        if self._lock.is_awaited():
            return True
        waits = self.connection.execute(
            b"SELECT 1 FROM pg_locks JOIN pg_database AS d ON d.oid = database"
            b" WHERE locktype = 'advisory' AND NOT granted AND classid::bigint = %s"
            b" AND objid::bigint = %s AND d.datname = current_database() LIMIT 1",
            (self._key[0], self._key[1] % 2**32),
        ).fetchone()
        return waits is not None

    def checkpoint(self) -> None:
        """The server keeps its own log."""

    def close(self) -> None:
        self.connection.close()

    def _own_key(self) -> tuple[int, int]:
        row = self.connection.execute(
            b"SELECT oid::bigint FROM pg_namespace WHERE nspname = current_schema()"
        ).fetchone()
        if row is None:
            raise Refused(f"{self._name} has no schema to keep a store in: see its search_path.")
        return _LOCK_CLASS, (int(row[0]) + 2**31) % 2**32 - 2**31  # as the server's int has it

    def _take_lock(self, lock: "StoreLock") -> None:
        wait_ms = max(1, round(lock.wait_s * 1000))
        self.connection.execute(b"SELECT set_config('lock_timeout', %s, false)", (str(wait_ms),))
        try:
            self.connection.execute(b"SELECT pg_advisory_lock(%s, %s)", self._key)
        except psycopg.errors.LockNotAvailable as error:
            raise StoreBusy(self._name, lock.wait_s, self._holder()) from error

    def _holder(self) -> str:
        row = self.connection.execute(
            b"SELECT application_name FROM pg_stat_activity JOIN pg_locks USING (pid)"
            b" WHERE locktype = 'advisory' AND granted AND classid::bigint = %s"
            b" AND objid::bigint = %s LIMIT 1",
            (self._key[0], self._key[1] % 2**32),
        ).fetchone()
        return "" if row is None else str(row[0])


class PostgresqlDatabase(Database):
    """The schema that a url leads to, and the folder that its marker lies in."""

    has_mailbox = True

    def __init__(self, folder: Path, url: str) -> None:
        super().__init__(folder)
        self.url = url

    @property
    def name(self) -> str:
        return shown(self.url)

    def exists(self) -> bool:
        return self.store_id() is not None

    def store_id(self) -> str | None:
        """Return the id of the store there; None where there is none, or none was finished."""
        with self.translated(), connect(self.url) as connection:
            return _store_id(PostgresqlCursor(connection))

    @contextmanager
    def creating(self, lock: "StoreLock", disk: "Disk") -> Iterator[Writer]:
        """Make the tables; it is a store once its own row is committed."""
        with self.translated():
            session = self._writer(lock)
            try:
                _check_encoding(session.cursor())
                self._migrate(session, lock)
                if _store_id(session.cursor()) is not None:
                    raise StoreExists(self.name)  # made while we waited for the lock
                yield Writer(self, lock, session)
                made = _store_id(session.cursor())
            finally:
                session.close()
        assert made is not None, "the first transaction makes the store's row"
        marker.write(str(self.folder), marker.Marker(made, self.url), disk)

    @contextmanager
    def beside(self) -> Iterator[Scratch]:
        """Make temporary tables: a bare name finds them first."""
        with self.translated(), connect(self.url, "fold beside") as connection:
            connection.execute(b"BEGIN ISOLATION LEVEL REPEATABLE READ")
            cursor = PostgresqlCursor(connection)
            schema = cursor.execute("SELECT quote_ident(current_schema())").fetchone()[0]
            for table in _CACHES:
                cursor.execute(
                    f"CREATE TEMPORARY TABLE {table} (LIKE {schema}.{table} INCLUDING ALL)"
                    " ON COMMIT DROP"
                )
            yield Scratch(cursor, schema, "pg_temp")
            connection.execute(b"ROLLBACK")

    def faults(self, cursor: Cursor) -> Iterator[str]:
        """Yield nothing: the server checks its pages itself, where it has checksums."""
        return iter(())

    @contextmanager
    def translated(self) -> Iterator[None]:
        with translated(self.url):
            yield

    def _reader(self) -> PostgresqlSession:
        return PostgresqlSession(self.url)

    def _writer(self, lock: "StoreLock") -> PostgresqlSession:
        return PostgresqlSession(self.url, lock)

    def _revision(self, cursor: Cursor) -> str:
        found = _store_id(cursor)
        if found is None:
            raise StoreMissing(self.name)
        known = marker.read(str(self.folder))
        if known is not None and known.store_id != found:
            what = f"store {found}, and {self.folder} belongs to store {known.store_id}"
            raise NotAStore(self.name, what)
        row = cursor.execute("SELECT version_num FROM alembic_version").fetchone()
        revision = "" if row is None else str(row[0])
        if revision > SCHEMA:
            raise StoreTooNew(self.name, revision, SCHEMA)
        return revision

    def _migrate(self, session: Session, lock: "StoreLock") -> None:
        """Migrate on a second connection; the lock is the session's until it closes."""
        from sqlalchemy import create_engine
        from sqlalchemy.pool import NullPool

        from .migrate import driver_errors, migrate

        def opened() -> psycopg.Connection:
            connection = connect(self.url, "migrate")
            connection.autocommit = False
            return connection

        engine = create_engine("postgresql+psycopg://", creator=opened, poolclass=NullPool)
        with driver_errors(), engine.begin() as connection:
            migrate(connection)
            lock.check()


@lru_cache(maxsize=512)
def _spelled(statement: str) -> bytes:
    """Write a statement as the driver wants it: `?` is `%s` there, and `:name` `%(name)s`."""
    plain = statement.replace("%", "%%")
    return _VALUE.sub(lambda m: f"%({m[1]})s" if m[1] else "%s", plain).encode()


def _store_id(cursor: Cursor) -> str | None:
    there = cursor.execute("SELECT to_regclass('store'), to_regclass('alembic_version')").fetchone()
    if None in there:
        return None
    row = cursor.execute("SELECT store_id FROM store WHERE id = 1").fetchone()
    return None if row is None else str(row[0])


def _check_encoding(cursor: Cursor) -> None:
    encoding = cursor.execute("SELECT current_setting('server_encoding')").fetchone()[0]
    if encoding != "UTF8":
        raise Refused(
            f"No store can be in a database whose encoding is {encoding}: keys and names are UTF-8."
            "\nNothing was made. Make the database anew with `ENCODING 'UTF8' TEMPLATE template0`."
        )
