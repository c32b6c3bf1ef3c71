"""An edit of a document made outside the store: who made what of what, and whether it may be one.

Law 5: what does not parse, holds markers or a name twice, has no root, hides an entity where none
can be, or lost more than `max_loss` of its entities is evidence, and changes nothing.
"""

import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import orjson

from ..kernel import Rules, canonical
from ..kernel.document import Document
from ..kernel.errors import DeltaRejected
from .errors import EditRefused
from .members import members

DEPTH_MAX = 1_000  # as for a file that the state starts from
MARKERS = re.compile(rb"^(<{7}|\|{7}|>{7})( |\r?$)|^={7}\r?$", re.MULTILINE)


class Edit(NamedTuple):
    """A document as somebody left it. Blobs and commits are names: the store knows no git."""

    document: str
    body: bytes
    path: str | None = None
    commit: str | None = None  # None: it lay in a working tree
    manifest_blob: str | None = None  # of the export that was edited
    base_blob: str | None = None  # what was edited
    new_blob: str | None = None  # what it became
    since_frame: int = 0  # the frame of that export: nothing before it was made of it
    read_blob: Callable[[str], bytes] | None = None  # None: made of what the store would export
    allow_loss: bool = False
    lies_under: Path | None = None  # its bytes at `path` there may go: they are in the log


class Read(NamedTuple):
    """A whole document: its canonical bytes and the keys of its entities, none of a record."""

    compact: bytes
    keys: frozenset[bytes]


def read(document: Document, body: bytes) -> Read:
    """Read a document's file strictly.

    Raises:
        EditRefused: it is no whole document.
    """
    if MARKERS.search(body):
        raise EditRefused(document.name, document.path, "it holds conflict markers")
    try:
        compact = canonical(body, "compact", depth_max=DEPTH_MAX, size_max=0)
    except DeltaRejected as error:
        at = "" if error.position is None else f" at byte {error.position}"
        raise EditRefused(document.name, document.path, f"{error.reason}{at}") from error
    if not compact.startswith(b"{"):
        raise EditRefused(document.name, document.path, "it is not a JSON object")
    return Read(compact, frozenset() if document.is_record else _keys(document, compact))


def check_loss(document: Document, rules: Rules, old: Read, new: Read) -> None:
    """Refuse an edit without too many of the entities it was made of.

    Raises:
        EditRefused: more than `max_loss` of them are gone.
    """
    lost = len(old.keys - new.keys)
    if lost > Fraction(str(rules.export.max_loss)) * len(old.keys):
        reason = f"{lost} of {len(old.keys)} entities are gone, more than max_loss lets through"
        raise EditRefused(document.name, document.path, reason)


def _keys(document: Document, compact: bytes) -> frozenset[bytes]:
    if document.root is None:
        return frozenset(members(compact))
    name = canonical(orjson.dumps(document.root), "compact")[1:-1]  # as the writer spells it
    under = members(compact).get(name)
    if under is None or not under.startswith(b"{"):
        reason = f"it has no object `{document.root}` to hold its entities"
        raise EditRefused(document.name, document.path, reason)
    keys = frozenset(members(under))
    if b"@" in keys:
        reason = f"an entity under `{document.root}` is named `@`"
        raise EditRefused(document.name, document.path, reason)
    return keys
