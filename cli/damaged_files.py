"""Documents' files in the main tree that do not parse: evidence of an accident, and put right.

The fact not to miss: what lies there is kept in quarantine before it is replaced, also what the
index holds of it after a merge that failed. Where exports are commits the committed version comes
back, where it parses; otherwise the store's goes out.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..kernel import Rules, canonical
from ..kernel.document import Document
from ..kernel.errors import DeltaRejected
from ..store import Store
from ..store.disk import DISK, replace_file
from ..store.export import BESIDE, FILE_MODE
from .document_files import is_inside
from .git import Git


@dataclass(frozen=True)
class DamagedFile:
    """A document's file that nobody can read as one."""

    document: Document
    file: Path
    what: str


def find(store: Store, tree: Path) -> Iterator[DamagedFile]:
    """Yield the documents' files that do not parse, strictly."""
    for document in Rules.parse(store.rules_text()).documents:
        if document.path is not None and is_inside(tree, document.path):
            what = fault(tree.joinpath(document.path).read_bytes())
            if what:
                yield DamagedFile(document, tree / document.path, what)


def fault(data: bytes) -> str:
    """Tell what keeps bytes from being a document; "" when nothing does."""
    try:
        body = canonical(data, "compact", depth_max=0, size_max=0)
    except DeltaRejected as error:
        at = "" if error.position is None else f" at byte {error.position}"
        return f"it does not parse: {error.reason}{at}"
    return "" if body.startswith(b"{") else "it is not a JSON object"


def put_right(store: Store, git: Git, found: DamagedFile) -> None:
    """Keep a damaged file's bytes, and put back the version that is committed, or the store's."""
    path = str(found.document.path)
    inside = git.within(found.file.parents[path.count("/")])
    head = inside.head()
    committed = None if head is None else inside.blob(head, path)
    store.keep(path, "replaced by recover", found.file.read_bytes())
    for blob in _staged(inside, path):
        if blob != committed:
            store.keep(f"{path} in the index", "replaced by recover", blob)
    if committed is not None and not fault(committed):
        inside.call("restore", "--source=HEAD", "--staged", "--worktree", "--", path)
        return
    beside = found.file.with_name(BESIDE.format(found.file.name))
    beside.unlink(missing_ok=True)
    data = store.document(found.document.name)
    replace_file(DISK, str(found.file), data, beside=str(beside), mode=FILE_MODE)


def _staged(git: Git, path: str) -> Iterator[bytes]:
    for field in git.call("ls-files", "-z", "--stage", "--", path).fields():
        yield git.bytes_of(field.split()[1])
