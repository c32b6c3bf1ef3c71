"""A store's folder, told by its files alone: opening a store for an append reads no more.

mailbox/          of every store
store.sqlite3     of one whose log is here, known for ours by its header
store.server      of one whose log is on a server (`marker.py`)
"""

import os

from . import marker
from .errors import NotAStore, StoreMissing
from .marker import Marker

MAILBOX = "mailbox"
DATABASE = "store.sqlite3"
APPLICATION_ID = 0x676F6F64  # "good", in the file's header: how a database of ours is known

_SQLITE = b"SQLite format 3\0"
_ID_OFFSET = 68  # in SQLite's header, big-endian; there since the store was made


def is_postgresql(url: str | None) -> bool:
    """Say whether a url leads to a PostgreSQL server."""
    return url is not None and url.startswith(("postgresql://", "postgresql+psycopg://"))


def check(folder: str, url: str | None) -> Marker | None:
    """See that a folder is a store's; return its marker, None where the log is here.

    Raises:
        StoreMissing: there is no store.
        NotAStore: something else is there, or not the kind of store that the url says.
    """
    mark = marker.read(folder)
    database = os.path.join(folder, DATABASE)
    is_here = os.path.isfile(database)
    if mark is None and is_here and is_postgresql(url):
        raise NotAStore(folder, f"its store is the file {DATABASE}, not a server's")
    if mark is None and not is_here:
        if os.path.isdir(folder) and os.listdir(folder) and not is_postgresql(url):
            raise NotAStore(folder, f"there is no {DATABASE} in it")
        raise StoreMissing(folder)
    if not os.path.isdir(os.path.join(folder, MAILBOX)):
        raise NotAStore(folder, f"there is no folder {MAILBOX} in it")
    if mark is None and not _is_ours(database):
        raise NotAStore(folder, f"{DATABASE} is not a database of ours")
    return mark


def _is_ours(database: str) -> bool:
    """Tell a database of ours by its header: `append` would acknowledge into anything otherwise."""
    with open(database, "rb") as file:
        head = file.read(_ID_OFFSET + 4)
    return head.startswith(_SQLITE) and head[_ID_OFFSET:] == APPLICATION_ID.to_bytes(4, "big")
