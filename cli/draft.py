"""A commit in the making: which documents go in, which are held back, and its objects.

The fact not to miss: documents come from the log alone, so what a tip holds is only asked whether
it may be replaced. It may where its blob is the one in its own manifest, or one that was taken in
(law 7); where a commit has two parents, both are asked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from ..store import Store, Withheld
from ..store.publication import Page, Publication, Standing
from ..store.step import reached
from . import manifest, message
from .git import Entry, Git
from .manifest import MANIFEST, File, Found, Manifest

EDITED = "it was edited outside the store, and the edit is not in the log"


@dataclass(frozen=True)
class Parent:
    """A commit to go on top of: the manifest that counts there, and the edits taken in."""

    commit: str
    found: Found | None
    taken: Mapping[str, str]  # blobs by path


@dataclass(frozen=True)
class Draft:
    """What a commit will hold."""

    now: Publication
    parents: tuple[Parent, ...]
    base: str  # the tree that documents and manifest go into
    there: Mapping[str, Entry]  # documents and manifest in that tree
    pages: tuple[Page, ...]
    refused: tuple[Withheld, ...]

    @property
    def before(self) -> Manifest | None:
        """The manifest that the new one follows."""
        found = self.parents[-1].found if self.parents else None
        return None if found is None else found.manifest

    @property
    def changed(self) -> list[str]:
        """The documents that come out other than they stand in the tree."""
        return [page.document for page in self.pages if self.is_changed(page)]

    @property
    def left(self) -> list[str]:
        """The documents that stand as they should."""
        return [page.document for page in self.pages if not self.is_changed(page)]

    def is_changed(self, page: Page) -> bool:
        """Tell whether a document's blob in the tree is another than it will be."""
        file = self.before.files.get(page.path) if self.before is not None else None
        at = self.there.get(page.path)
        if file is None or at is None or at.blob != file.blob:
            return True
        return page.data is not None and sha256(page.data).hexdigest() != file.sha256

    def brings_nothing(self) -> bool:
        """Tell whether the parent says all of it already, or something newer."""
        before = self.before
        if before is None or len(self.parents) != 1:
            return False
        if before.position > self.now.position:
            return True
        is_same = before.state_digest == self.now.state_digest and MANIFEST in self.there
        return is_same and not self.changed


def draft(
    git: Git,
    store: Store,
    parents: Sequence[Parent],
    base: str | None,
    allow_loss: Sequence[str],
    replaced: Sequence[Parent] = (),
) -> Draft:
    """Look at what stands, and take the documents as of the last close from the store.

    Commits in `replaced` will no longer be there: their edits hold a document back as well.
    """
    tree = base or (parents[-1].commit if parents else git.empty_tree())
    now = store.publication(_standing(git, parents), allow_loss=allow_loss)
    there = git.entries(tree, [page.path for page in now.pages] + [MANIFEST])
    pages, refused = [], list(now.refused)
    for page in now.pages:
        reason = _blocked(git, tree, page.path) or _edited(git, store, page, [*parents, *replaced])
        if reason:
            refused.append(Withheld(page.document, page.path, reason))
        else:
            pages.append(page)
    return Draft(now, tuple(parents), tree, there, tuple(pages), tuple(refused))


def write(git: Git, store: Store, made: Draft, scratch: Path, asked_by: str) -> str:
    """Write the objects of a commit, through an index of its own; no ref moves."""
    files = {} if made.before is None else dict(made.before.files)
    staged: dict[str, Entry | None] = {}
    for page in made.pages:
        if page.data is not None:
            blob = git.write_blob(page.data)
            files[page.path] = File(
                page.document, blob, sha256(page.data).hexdigest(), page.standing
            )
        at = made.there.get(page.path)
        mode = at.mode if at is not None and at.is_file else "100644"
        staged[page.path] = Entry(mode, files[page.path].blob)
    paths = {document.path for document in made.now.rules.documents}
    kept = {path: file for path, file in files.items() if path in paths}
    now = made.now
    text = manifest.render(Manifest(now.store_id, now.frame, now.position, now.state_digest, kept))
    staged[MANIFEST] = Entry("100644", git.write_blob(text))
    indexed = git.within(git.folder, scratch)
    indexed.call("read-tree", "--end-of-options", made.base)
    indexed.stage(staged)
    tree = indexed.call("write-tree").line()
    scratch.unlink()
    said = message.compose(store, now, made.before, made.changed, asked_by).encode()
    parents = [word for parent in made.parents for word in ("-p", parent.commit)]
    commit = git.call("commit-tree", *parents, "-F", "-", tree, stdin=said).line()
    reached("commit: objects written")
    return commit


def _standing(git: Git, parents: Sequence[Parent]) -> dict[str, Standing]:
    """Return what stands by the last parent's manifest; an edited file stands for no state.

    On two parents every document is written anew: what stands in their merge is neither's.
    """
    found = parents[-1].found if parents else None
    if found is None:
        return {}
    files = found.manifest.files
    there = git.entries(parents[-1].commit, list(files)) if len(parents) == 1 else {}
    return {
        path: file.standing
        if path in there and there[path].blob == file.blob
        else file.standing._replace(state="")
        for path, file in files.items()
    }


def _edited(git: Git, store: Store, page: Page, parents: Sequence[Parent]) -> str:
    """Say why a document may not be written over what its parents hold; "" when it may."""
    for parent in parents:
        entry = git.entries(parent.commit, [page.path]).get(page.path)
        if entry is None or page.data is None:
            continue
        if not entry.is_file:
            return "it is no regular file in the commit it would go into"
        files = {} if parent.found is None else parent.found.manifest.files
        known = files[page.path].blob if page.path in files else None
        if entry.blob in (known, parent.taken.get(page.path)):
            continue
        data = git.bytes_of(entry.blob)
        if data != page.data and (known or not _wrote(git, store, page.path, data)):
            return EDITED
    return ""


def _wrote(git: Git, store: Store, path: str, data: bytes) -> bool:
    """Tell whether bytes are those the store was made from, or exported to files before."""
    main = git.folder.parent if git.folder.name == ".git" else git.folder
    return store.wrote(main, path, data)


def _blocked(git: Git, tree: str, path: str) -> str:
    """Tell which folder of a path is none in a tree, such as a symbolic link; "" for none."""
    parts = path.split("/")[:-1]
    folders = ["/".join(parts[: count + 1]) for count in range(len(parts))]
    blocking = sorted(git.entries(tree, folders))
    return f"{blocking[0]} is not a folder in the commit it would go into" if blocking else ""
