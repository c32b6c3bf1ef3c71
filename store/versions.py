"""Earlier versions of a document, rendered: what an edit of its file may have been made of."""

from pathlib import Path

import orjson

from ..kernel import Rules, canonical
from ..kernel.document import Document
from . import closes, export_record, forget, snapshots
from .engine import Cursor
from .export import render
from .origin import BASE_FRAME
from .origin import STREAM as BASE_STREAM


def written(
    cursor: Cursor, rules: Rules, document: Document, root: Path, seed: bytes
) -> bytes | None:
    """Return the version that lies at a document's path under `root` since the last export there.

    Where none was written, that is the version the store was made from. None where the state has
    moved on and that version cannot be told from the snapshots.
    """
    assert document.path is not None
    at = export_record.target(root, document.path)
    last = export_record.last(cursor, at)
    if last is None:
        return None
    kept = forget.oldest(cursor)
    for frame in (None, *_frames(cursor, at), BASE_FRAME):
        if frame is not None and kept is not None and frame < kept:
            continue  # its versions were forgotten
        share = snapshots.shares(cursor, frame).get(document.name, snapshots.EMPTY)
        if share.digest.to_bytes(32, "big") == last.document_digest:
            return render(cursor, rules, document.name, seed, frame)
    return None


def state(cursor: Cursor, document: str, frame: int, seed: bytes) -> bytes | None:
    """Return a document as a frame left it, by the rules of that frame; None: they lack it.

    Raises:
        FrameNotShown: the frame has not closed, or its versions were forgotten.
    """
    forget.check_shown(cursor, frame)
    first = closes.since(cursor, frame)[0]
    rules = closes.rules(cursor, first.rules)
    if all(each.name != document for each in rules.documents):
        return None
    return render(cursor, rules, document, seed, frame)


def base_state(cursor: Cursor, document: Document) -> bytes:
    """Return the file that a document's base state was made of, in canonical form.

    A document that began empty gives its empty form.
    """
    cursor.execute(
        "SELECT body FROM event WHERE kind = 'own' AND stream = ? ORDER BY position", (BASE_STREAM,)
    )
    entities: dict[str, object] = {}
    whole: object = {}
    for (body,) in cursor:
        for operation in orjson.loads(body)["ops"]:
            name, *rest = [_unescaped(part) for part in operation["path"].split("/")[1:]]
            if name == document.name and rest:
                entities[rest[0]] = operation["value"]
            elif name == document.name:
                whole = operation["value"]
    if not document.is_record:
        whole = _whole(document, entities)
    return canonical(orjson.dumps(whole), depth_max=0, size_max=0)


def _whole(document: Document, entities: dict[str, object]) -> object:
    if document.root is None:
        return entities
    beside = entities.pop("@", {})
    assert isinstance(beside, dict)
    return {**beside, document.root: entities}


def _frames(cursor: Cursor, at: export_record.Target) -> list[int]:
    cursor.execute(
        "SELECT frame FROM export WHERE clone = ? AND path = ? AND done = 1", (at.clone, at.path)
    )
    return [row[0] for row in cursor.fetchall()]


def _unescaped(segment: str) -> str:
    return segment.replace("~1", "/").replace("~0", "~")
