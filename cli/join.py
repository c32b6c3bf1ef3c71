"""Join: a clone becomes one of several that share a store on a server.

`neighbor init` comes here where the url leads to a store that is there: nothing is written to the
repository, and the clone's folder learns which store's it is. Again with another url it follows a
server that has moved; another store's is refused.
"""

import os
from pathlib import Path
from urllib.parse import urlsplit

from ..kernel import Rules
from ..store import Store, StoreExists, StoreMissing
from ..store.folder import DATABASE, is_postgresql
from ..store.marker import MARKER
from .delta_files import delta_files, is_known
from .errors import InitRefused
from .place import RULES_FILE, Place


def store_url(where: Place) -> str | None:
    """Return the url the store is to be at: NEIGHBOR_STORE, before `[store] url` of the rules.

    Raises:
        InitRefused: a password stands in a file that is committed.
        RulesInvalid: the rules cannot be read.
    """
    if said := os.environ.get("NEIGHBOR_STORE"):
        return said
    file = where.main_tree() / RULES_FILE
    if not file.is_file():
        return None
    url = Rules.parse(file.read_bytes().decode("utf-8", "surrogateescape")).store_url
    if url is not None and urlsplit(url).password is not None:
        raise InitRefused(
            f"The url under [store] in {RULES_FILE} holds a password, and that file is committed.\n"
            "Leave it out there, and put it into ~/.pgpass or PGPASSWORD; or give the whole url in "
            "NEIGHBOR_STORE."
        )
    return url


def join(where: Place, url: str | None, pending_from: int | None = None) -> Store | None:
    """Join the store that a server holds; None where it holds none yet, or no url names one.

    Raises:
        StoreExists: the repository's store is a file of its own.
        NotAStore: the clone belongs to another store.
        StoreAway, Refused: the server does not answer, or lets nobody in.
    """
    if url is None or not is_postgresql(url):
        return None
    if (where.store / DATABASE).exists():
        raise StoreExists(where.store_folder)
    is_new = not (where.store / MARKER).exists()
    try:
        store = Store.join(where.store, url)
    except StoreMissing:
        return None
    if is_new:
        store.known_files(_known(where.main_tree(), pending_from))
    return store


def _known(tree: Path, pending_from: int | None) -> list[Path]:
    return [file for file in delta_files(tree) if is_known(file, pending_from)]
