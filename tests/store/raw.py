"""The database under a store, past the store: to look, and to do harm."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

from goodneighbor.store import Store, marker
from goodneighbor.store.engine import Cursor, Database, open_database
from goodneighbor.store.sqlite import SqliteCursor


def url_of(store: Store) -> str:
    """Return the url of a store on a server."""
    mark = marker.read(str(store.folder))
    assert mark is not None
    assert mark.url is not None
    return mark.url


def database(store: Store) -> Database:
    """Return the database of a store, wherever it is."""
    mark = marker.read(str(store.folder))
    return open_database(store.folder, None if mark is None else mark.url)


@contextmanager
def raw(store: Store) -> Iterator[Cursor]:
    """Open a cursor whose statements are committed one by one."""
    mark = marker.read(str(store.folder))
    if mark is None:
        file = store.folder / "store.sqlite3"
        with closing(sqlite3.connect(file, isolation_level=None)) as connection:
            yield connection.cursor(SqliteCursor)
        return
    from goodneighbor.store.postgresql import PostgresqlCursor
    from goodneighbor.store.server import connect

    assert mark.url is not None
    with connect(mark.url) as opened:
        yield PostgresqlCursor(opened)
