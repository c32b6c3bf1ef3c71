"""The PostgreSQL server: connecting to it, and what its errors mean to us.

The fact not to miss: a commit that has been answered is durable. `synchronous_commit` may be
stronger than `on` where the server says so, and is never weaker. The other settings make the server
notice a host that is gone: it holds our locks only as long as it believes in us.

Only this file and `postgresql.py` know the driver; neither is imported without such a url.
"""

import errno
import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from .errors import (
    DriverMissing,
    GoodneighborError,
    Refused,
    StoreAway,
    StoreBusy,
    StoreDamaged,
    StoreUnwritable,
)

try:
    import psycopg as psycopg  # the others of ours take it from here: a missing driver is said once
    from psycopg.conninfo import conninfo_to_dict, make_conninfo
except ImportError as error:
    raise DriverMissing(str(error)) from error

logging.getLogger("psycopg").setLevel(logging.ERROR)  # what it warns of reaches us as an error

CONNECT_WAIT_S = 10
NAME_SIZE_MAX = 63  # of an application's name, on the server

# Seconds after which either end gives the other up; a server holds our locks that long at most.
_ALIVE = {"keepalives_idle": "10", "keepalives_interval": "5", "keepalives_count": "4"}
_SETTINGS = (
    "SELECT set_config('synchronous_commit', 'on', false)"
    " WHERE current_setting('synchronous_commit') NOT IN ('on', 'remote_apply');"
    "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 4"
)

# By the first characters of the SQLSTATE, the longer first.
_AWAY = ("08", "57P", "53300")
_BUSY = ("55P03", "40")
_FULL = ("53100",)
_UNWRITABLE = ("58", "53", "25006")
_DAMAGED = ("XX", "42P01", "42703")
_DENIED = ("28", "3D", "42501", "3F")
# A failed connection brings no SQLSTATE: a mistake in the url is told from a server that is away by
# the server's words, as far as it speaks English.
_DENIED_WORDS = re.compile(r"authentication failed|does not exist|pg_hba\.conf|no password")


def connect(url: str, doing: str = "") -> "psycopg.Connection":
    """Open a connection that commits each statement unless told otherwise.

    `doing` says in a few words what for, to those who look at the server's sessions.

    Raises:
        StoreAway: the server does not answer, or takes nobody in.
    """
    with translated(url):
        name = f"goodneighbor {os.uname().nodename} {os.getpid()} {doing}".rstrip()
        asked: dict[str, Any] = {
            "application_name": name[:NAME_SIZE_MAX],
            "connect_timeout": str(CONNECT_WAIT_S),
            **_ALIVE,
            **conninfo_to_dict(_libpq(url)),
        }
        connection = psycopg.connect(make_conninfo(**asked), autocommit=True)
        try:
            connection.execute(_SETTINGS.encode())
        except BaseException:
            connection.close()
            raise
        return connection


def shown(url: str) -> str:
    """Return a url without its password."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=user.partition(":")[0] + at + host))


@contextmanager
def translated(url: str) -> Iterator[None]:
    """Turn the driver's errors into ours, by what the caller can do about them."""
    try:
        yield
    except psycopg.Error as error:
        ours = _ours(shown(url), error)
        if ours is None:
            raise
        raise ours from error


def _ours(name: str, error: "psycopg.Error") -> GoodneighborError | None:
    state = error.sqlstate or ""
    said = " ".join(str(error).split())
    if state.startswith(_DENIED) or (not state and _DENIED_WORDS.search(said)):
        return Refused(f"The server refuses: {name}: {said}\nNothing was done. Mend the url.")
    if state.startswith(_AWAY) or (not state and isinstance(error, psycopg.OperationalError)):
        return StoreAway(name, said)
    if state.startswith(_BUSY):
        return StoreBusy(name, 0, "another session")
    if state.startswith(_FULL):
        full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return StoreUnwritable(name, full, "unfinished")
    if state.startswith(_UNWRITABLE):
        return StoreUnwritable(name, OSError(errno.EIO, said), "unfinished")
    return StoreDamaged(name, said) if state.startswith(_DAMAGED) else None


def _libpq(url: str) -> str:
    return "postgresql://" + url.partition("://")[2]
