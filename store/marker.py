"""The marker: a file in a store's folder that says its database is on a server, and which store's.

    store id (32 hex digits)
    url, or an empty line where NEIGHBOR_STORE said it

The fact not to miss: notes wait in this folder while the server is away. They are for that store
and no other, so a server that holds another one is refused, whatever the url says by now.

`append` reads it, so it imports nothing.
"""

import os

from .disk import Disk, replace_file

MARKER = "store.server"


class Marker:
    """What the file says."""

    __slots__ = ("store_id", "url")

    def __init__(self, store_id: str, url: str | None) -> None:
        self.store_id = store_id
        self.url = url


def read(folder: str) -> Marker | None:
    """Read a folder's marker; None where the store is no server's."""
    try:
        with open(os.path.join(folder, MARKER), encoding="utf-8") as file:
            store_id, _, url = file.read().partition("\n")
    except FileNotFoundError:
        return None
    return Marker(store_id, url.strip() or None)


def write(folder: str, marker: Marker, disk: Disk) -> None:
    """Put a marker into a folder, durably. A url may hold a password: the file is its owner's."""
    path = os.path.join(folder, MARKER)
    beside = path + ".new"
    if os.path.lexists(beside):
        disk.remove(beside)  # of a creation that died
    data = f"{marker.store_id}\n{marker.url or ''}\n".encode()
    replace_file(disk, path, data, beside=beside, mode=0o600)
