"""Makes a store: folder, mailbox, database; rules and base state as its first events.

The fact not to miss: the database becomes a store only when its first events are in it, so a
process that dies on the way leaves nothing that `Store.open` would take for one.

The base state is closed at once, as frame -1: it can be read and exported before any frame closes,
and the rules in force are in the log from the first close on.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from ..kernel import Rules
from . import closes, export_record, frames, log, marker, origin
from .disk import Disk
from .engine import Cursor, Database
from .errors import (
    DocumentUnknown,
    NotAStore,
    StoreExists,
    StoreMissing,
    StoreOnNetwork,
    StoreUnwritable,
)
from .filesystem import network_kind
from .folder import MAILBOX
from .frames import CloseOrder
from .lock import StoreLock
from .marker import Marker
from .seal import seal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .postgresql import PostgresqlDatabase

FOLDER_MODE = 0o700


class Creation(NamedTuple):
    """What a new store starts with; `base` holds the bytes of files by document."""

    rules_text: str
    base: Mapping[str, bytes]
    store_id: str
    now_us: int


def create(
    database: Database,
    lock_of: Callable[[str], StoreLock],
    order: Creation,
    *,
    seed: bytes,
    disk: Disk,
) -> None:
    """Make the store.

    Raises:
        RulesInvalid, DocumentRefused, DocumentUnknown, StoreExists, StoreOnNetwork: nothing
            was made.
        StoreUnwritable: the disk refused; what it took is no store, and `create` may be run again.
    """
    rules = Rules.parse(order.rules_text)
    for name in order.base.keys() - {document.name for document in rules.documents}:
        raise DocumentUnknown(name)
    base = origin.entries(rules.documents, order.base, origin.BASE_FRAME, order.now_us)
    if database.exists() or marker.read(str(database.folder)) is not None:
        raise StoreExists(database.name)
    if kind := network_kind(database.folder):
        raise StoreOnNetwork(str(database.folder), kind)
    with _refused(database.folder):
        make_folders(database.folder, disk)
    with lock_of("init") as lock, _refused(database.folder):
        if database.exists():
            raise StoreExists(database.name)
        with database.creating(lock, disk) as writer, writer.transaction("create") as cursor:
            _put_first_rows(cursor, order)
            log.append(cursor, base)
            close = CloseOrder(origin.BASE_FRAME, rules_text=order.rules_text)
            frames.close(cursor, close, now_us=order.now_us, seed=seed)
            export_record.put_as_found(cursor, closes.rules_in_force(cursor), order.base)


def join(database: "PostgresqlDatabase", disk: Disk) -> str:
    """Make a folder's part of a store that is on a server; return the store's id.

    Raises:
        StoreMissing, NotAStore, StoreOnNetwork: nothing was made.
        StoreUnwritable: the disk refused; run it again.
    """
    found = database.store_id()
    if found is None:
        raise StoreMissing(database.name)
    known = marker.read(str(database.folder))
    if known is not None and known.store_id != found:
        what = f"it belongs to store {known.store_id}, and {database.name} holds store {found}"
        raise NotAStore(str(database.folder), what)
    if kind := network_kind(database.folder):
        raise StoreOnNetwork(str(database.folder), kind)
    with _refused(database.folder):
        make_folders(database.folder, disk)
        marker.write(str(database.folder), Marker(found, database.url), disk)
    return found


@contextmanager
def _refused(folder: Path) -> Iterator[None]:
    """Say what it means that the disk refused."""
    try:
        yield
    except OSError as error:
        where = str(error.filename or folder)
        raise StoreUnwritable(where, error, "not made", "make a store in") from error


def make_folders(folder: Path, disk: Disk) -> None:
    """Make a store's folders, where they are not there."""
    folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    (folder / MAILBOX).mkdir(mode=FOLDER_MODE, exist_ok=True)
    disk.flush_folder(str(folder.parent))


def _put_first_rows(cursor: Cursor, order: Creation) -> None:
    made = (order.store_id, order.now_us)
    cursor.execute(
        "INSERT INTO store (id, store_id, created_us, epoch, position, chain, seal)"
        " VALUES (1, ?, ?, 0, 0, ?, ?)",
        (*made, log.FIRST_CHAIN, seal((*made, None))),
    )
