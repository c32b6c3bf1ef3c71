"""The state a repository starts from, as the store's own deltas.

A document's file becomes whole-entity `set`s, one operation an entity, in deltas of at most
DELTA_SIZE_MAX bytes: the log starts complete, and an entity is one unit. Totals stay as found.

Law 5: a file that does not parse, has no root, or hides an entity where none can be is refused by
name. It is evidence, never `{}`.
"""

from collections.abc import Iterator, Mapping, Sequence

import orjson

from ..kernel import canonical
from ..kernel.document import Document
from ..kernel.errors import DeltaRejected
from .errors import DocumentRefused
from .log import Entry, own_entry

DELTA_SIZE_MAX = 8 * 2**20
DEPTH_MAX = 1_000  # of a file; an entity made of deltas of the deepest kind stays far below
BASE_FRAME = -1
STREAM = "store"
_ENVELOPE_SIZE = 200


def entries(
    documents: Sequence[Document], files: Mapping[str, bytes], frame: int, now_us: int
) -> list[Entry]:
    """Turn documents' files into events of the store's own, for the frame given.

    Raises:
        DocumentRefused: damaged, without its root, or with a member `@` under it.
    """
    operations = (
        operation
        for document in documents
        if document.name in files
        for operation in _operations(document, files[document.name])
    )
    return [own_entry(body, frame, STREAM, now_us) for body in _deltas(operations, frame)]


def _operations(document: Document, file: bytes) -> Iterator[bytes]:
    """Yield one `set` for each entity, as JSON."""
    for key, value in _split(document, _object(document, file)):
        pointer = "/" + _escaped(document.name) + ("" if key is None else "/" + _escaped(key))
        yield orjson.dumps({"op": "set", "path": pointer, "value": value})


def _split(document: Document, whole: dict[str, object]) -> Iterator[tuple[str | None, object]]:
    if document.kind == "record":
        yield None, whole
        return
    if document.root is None:
        yield from whole.items()
        return
    under = whole.pop(document.root, None)
    if not isinstance(under, dict):
        raise DocumentRefused(
            document.name, document.path, f"it has no object `{document.root}` to hold its entities"
        )
    if "@" in under:
        raise DocumentRefused(
            document.name, document.path, f"an entity under `{document.root}` is named `@`"
        )
    if whole:
        yield "@", whole
    yield from under.items()


def _object(document: Document, file: bytes) -> dict[str, object]:
    """Parse strictly: what the kernel's reader refuses is damage, whatever others make of it."""
    try:
        value = orjson.loads(canonical(file, "compact", depth_max=DEPTH_MAX, size_max=0))
    except DeltaRejected as error:
        at = "" if error.position is None else f" at byte {error.position}"
        raise DocumentRefused(document.name, document.path, f"{error.reason}{at}") from error
    if not isinstance(value, dict):
        raise DocumentRefused(document.name, document.path, "it is not a JSON object")
    return value


def _deltas(operations: Iterator[bytes], frame: int) -> Iterator[bytes]:
    """Gather operations into deltas; one operation that is larger than the bound goes alone."""
    gathered: list[bytes] = []
    size = _ENVELOPE_SIZE
    sequence = 0
    for operation in operations:
        if gathered and size + len(operation) + 1 > DELTA_SIZE_MAX:
            yield _delta(gathered, frame, sequence)
            gathered, size, sequence = [], _ENVELOPE_SIZE, sequence + 1
        gathered.append(operation)
        size += len(operation) + 1
    if gathered:
        yield _delta(gathered, frame, sequence)


def _delta(operations: Sequence[bytes], frame: int, sequence: int) -> bytes:
    raw = b'{"frame":%d,"ops":[%s],"seq":%d,"stream_id":"%s"}' % (
        frame,
        b",".join(operations),
        sequence,
        STREAM.encode(),
    )
    return canonical(raw, "compact", depth_max=0, size_max=0)


def _escaped(segment: str) -> str:
    return segment.replace("~", "~0").replace("/", "~1")
