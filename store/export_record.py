"""What was put where: the record by which an export knows its own bytes from somebody's work.

A row is there before its file is, and `done` after; in between, the bytes of both exports are ours.
`done` is sealed as well: an export that seems never to have been done would be checked by nobody.
What lay at the documents' paths when the store was made counts as exported, under no clone's name.
"""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from ..kernel import Rules
from . import closes, snapshots
from .engine import Cursor
from .seal import SEALED, carried, seal
from .snapshots import Share

AS_FOUND = ""  # the clone of what lay there when the store was made
FILES = ""  # the branch of an export that writes files only
_SEALED = ", ".join(SEALED["export"])  # every column; `done` is the last


class Target(NamedTuple):
    """A document's path in one clone."""

    clone: str
    path: str


class LastExport(NamedTuple):
    """What the store last put at a path, or found there when it was made."""

    clone: str
    digest: bytes  # of the file's bytes
    document_digest: bytes  # of the entities it was made from
    rules: bytes
    entities: int
    removed: int


class Version(NamedTuple):
    """The state of a document that a file is made from."""

    document: str
    share: Share
    rules: bytes


def target(root: Path, path: str) -> Target:
    """Name a document's path under a root."""
    return Target(str(root.resolve()), path)


def last(cursor: Cursor, at: Target) -> LastExport | None:
    """Return what was last put there, or lay there from the start; None for neither."""
    row = cursor.execute(
        "SELECT clone, digest, document_digest, rules, entities, removed FROM export"
        " WHERE clone IN (?, ?) AND branch = ? AND path = ? AND done = 1"
        " ORDER BY clone DESC LIMIT 1",
        (at.clone, AS_FOUND, FILES, at.path),
    ).fetchone()
    return None if row is None else LastExport(*row)


def is_ours(cursor: Cursor, at: Target, data: bytes) -> bool:
    """Say whether bytes are those of the last export, of one begun, or of the start."""
    row = cursor.execute(
        "SELECT 1 FROM export WHERE clone IN (?, ?) AND branch = ? AND path = ? AND digest = ?",
        (at.clone, AS_FOUND, FILES, at.path, sha256(data).digest()),
    ).fetchone()
    return row is not None


def begin(cursor: Cursor, at: Target, data: bytes, version: Version) -> None:
    """Note what a path is about to hold."""
    row = cursor.execute(
        "SELECT done FROM export WHERE clone = ? AND branch = ? AND path = ? AND digest = ?",
        (at.clone, FILES, at.path, sha256(data).digest()),
    ).fetchone()
    _put(cursor, at, data, version, done=0 if row is None else row[0])


def finish(cursor: Cursor, at: Target, data: bytes) -> None:
    """Make what was written the last export there; what was there before it is no longer ours."""
    place = (at.clone, FILES, at.path, sha256(data).digest())
    here = "clone = ? AND branch = ? AND path = ? AND digest = ?"
    row = cursor.execute(f"SELECT {_SEALED}, seal FROM export WHERE {here}", place).fetchone()
    assert row is not None, "what is finished was begun"
    *before, sealed = row
    sealed = carried(before, sealed, [*before[:-1], 1])
    cursor.execute(f"UPDATE export SET done = 1, seal = ? WHERE {here}", (sealed, *place))
    cursor.execute(
        "DELETE FROM export WHERE clone = ? AND branch = ? AND path = ? AND digest <> ?", place
    )


def was_written(cursor: Cursor, at: Target) -> bool:
    """Say whether an export has put something there, not only the store's making."""
    found = last(cursor, at)
    return found is not None and found.clone != AS_FOUND


def replace(cursor: Cursor, at: Target, version: Version, data: bytes) -> None:
    """Note that a path holds other bytes of ours now, which no export to files wrote."""
    begin(cursor, at, data, version)
    finish(cursor, at, data)


def put_as_found(cursor: Cursor, rules: Rules, base: Mapping[str, bytes]) -> None:
    """Note the files a store was made from, as if it had exported them."""
    shares = snapshots.shares(cursor)
    for document in rules.documents:
        if document.path is not None and document.name in base:
            share = shares.get(document.name, snapshots.EMPTY)
            version = Version(document.name, share, rules.digest)
            at = Target(AS_FOUND, document.path)
            _put(cursor, at, base[document.name], version, done=1)


def put_loss(
    cursor: Cursor, document: str, lost: int, entities: int, asked_by: str, now_us: int
) -> None:
    """Keep that a loss beyond the bound was let through, and who asked for it."""
    row = (document, _frame(cursor), entities, lost, asked_by, now_us)
    cursor.execute(
        "INSERT INTO loss (document, frame, entities, lost, asked_by, allowed_us, seal)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (*row, seal(row)),
    )


def _put(cursor: Cursor, at: Target, data: bytes, version: Version, done: int) -> None:
    share = version.share
    row = (
        *(at.clone, FILES, at.path, sha256(data).digest(), _frame(cursor)),
        *(version.document, share.digest.to_bytes(32, "big"), version.rules),
        *(share.entities, share.removed, done),
    )
    cursor.execute(
        f"INSERT INTO export ({_SEALED}, seal) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (clone, branch, path, digest) DO UPDATE SET frame = excluded.frame,"
        " document = excluded.document, document_digest = excluded.document_digest,"
        " rules = excluded.rules, entities = excluded.entities, removed = excluded.removed,"
        " done = excluded.done, seal = excluded.seal",
        (*row, seal(row)),
    )


def _frame(cursor: Cursor) -> int:
    closed = closes.last(cursor)
    assert closed is not None, "a store's first transaction closes its base state"
    return closed.frame
