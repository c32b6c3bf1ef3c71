"""The manifest beside documents that are exported as files: whose they are, also before a commit.

A person may commit such files by hand; the guard then finds their blobs in the same tree's
manifest. A store writes files only over its own manifest, as it commits only over its own.
"""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from ..store import Store
from ..store.disk import DISK, replace_file
from ..store.export import path_fault
from ..store.publication import Page
from . import manifest
from .errors import OtherStore
from .git import Git
from .manifest import MANIFEST, File, Manifest

FILE_MODE = 0o644


def check_owner(store: Store, tree: Path) -> None:
    """Return where the files in a tree are this store's, or nobody's.

    Raises:
        OtherStore: the manifest there names another.
    """
    lying = _lying(tree)
    if lying is not None and lying.store_id != store.store_id():
        raise OtherStore(str(tree), lying.store_id, store.store_id())


def write(git: Git, store: Store, tree: Path) -> None:
    """Write the manifest of the documents as they lie in a tree, where it says something new."""
    if path_fault(tree, MANIFEST):
        return
    lying = _lying(tree)
    before = {} if lying is None else lying.files
    digests = {path: _digest(tree / path) for path in before}
    same = {path: file for path, file in before.items() if digests[path] == file.sha256}
    # A loss that the export held back is told by its file, which is not what is rendered here.
    every = [file.document for file in before.values()] + store.documents()
    standing = {path: file.standing for path, file in same.items()}
    now = store.publication(standing, allow_loss=every)
    files = {page.path: _file(git, tree, page, before) for page in now.pages}
    told = {path: file for path, file in files.items() if file is not None}
    if told:
        made = Manifest(now.store_id, now.frame, now.position, now.state_digest, told)
        _put(tree, manifest.render(made))


def _file(git: Git, tree: Path, page: Page, before: Mapping[str, File]) -> File | None:
    """Tell of a document what lies there; as before where that is not what the store holds."""
    if page.data is None or _digest(tree / page.path) != sha256(page.data).hexdigest():
        return before.get(page.path)
    digest = sha256(page.data).hexdigest()
    return File(page.document, git.blob_id(page.data), digest, page.standing)


def _put(tree: Path, data: bytes) -> None:
    file = tree / MANIFEST
    if file.is_file() and file.read_bytes() == data:
        return
    beside = file.with_name(f".{file.name}.neighbor-new")
    beside.unlink(missing_ok=True)
    replace_file(DISK, str(file), data, beside=str(beside), mode=FILE_MODE)


def _lying(tree: Path) -> Manifest | None:
    file = tree / MANIFEST
    return manifest.parse(file.read_bytes()) if file.is_file() else None


def _digest(file: Path) -> str:
    return sha256(file.read_bytes()).hexdigest() if file.is_file() else ""
