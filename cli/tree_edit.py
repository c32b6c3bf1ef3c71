"""An edit of a document in a working tree, taken in; the tree is clean of it afterwards.

The fact not to miss: the edit counts once, whenever the command is killed. An intent says what is
being taken in before its note is kept, and goes when the file is back: one that is found belongs to
a dead command, and what lies in the file since then was made of what it says.

    intent -> note durable, frame closed again -> file and index entry as at the tip -> intent away

Law 7: a file that changed meanwhile stays, and what was staged of it beside the edit is saved.
"""

import time
from dataclasses import dataclass
from pathlib import Path

from ..kernel import Rules
from ..kernel.document import Document
from ..store import Absorbed, Edit, EditRefused, Store
from ..store.step import reached
from . import checked_out, intent, manifest, rescue
from .checked_out import Tree
from .document_files import is_inside
from .errors import GitFailed, TreeBusy
from .git import Entry, Git
from .intent import Intent
from .manifest import Found

KIND = "absorb"
INDEX_WAIT_S = 10.0
_POLL_S = 0.05


@dataclass(frozen=True)
class Taken:
    """What became of an edit in a tree."""

    document: Document
    absorbed: Absorbed
    is_put_back: bool  # False: the tip does not have the file; an export writes over it
    saved: str | None  # the ref that holds what was staged beside it


@dataclass(frozen=True)
class _Edited:
    """A document's file in a tree, and what it stands beside."""

    git: Git
    tree: Tree
    document: Document
    blob: str  # of the file, filters applied
    at: Entry | None  # in the commit the tree stands on
    staged: Entry | None
    found: Found | None
    base: str  # the blob it was made of

    @property
    def path(self) -> str:
        return str(self.document.path)


def take_in(
    git: Git, store: Store, tree: Tree, document: Document, *, allow_loss: bool = False
) -> Taken:
    """Take the edit of a document in a tree in; the caller holds the commit lock.

    Raises:
        EditRefused: it is no edit; nothing changed.
        TreeBusy: another git holds the tree's index; the same command again finishes.
    """
    edited = _look(git, store, tree, document)
    absorbed, begun = _absorb(store, edited, allow_loss)
    saved = _save_staged(edited)
    if edited.at is not None:
        _put_back(edited, edited.at)
    for each in begun:
        intent.remove(each)
    reached("absorb: intent away")
    return Taken(document, absorbed, edited.at is not None, saved)


def _look(git: Git, store: Store, tree: Tree, document: Document) -> _Edited:
    path = str(document.path)
    inside = git.within(tree.folder)
    staged = inside.staged([path]).get(path)
    if staged is not None and staged.mode == "unmerged":
        raise EditRefused(document.name, path, "a merge of it is unresolved in the index")
    if not is_inside(tree.folder, path):
        raise EditRefused(document.name, path, f"there is no such regular file in {tree.folder}")
    head = inside.head()
    at = None if head is None else inside.entries(head, [path]).get(path)
    found = None if head is None else manifest.newest(inside, head)
    blob = inside.call("hash-object", "-w", "--", path).line()
    commits = found is not None or Rules.parse(store.rules_text()).export.commit
    if at is not None and at.is_file and commits:
        return _Edited(inside, tree, document, blob, at, staged, found, at.blob)
    base = store.written(tree.folder, document.name)
    if base is None:
        base = store.base_state(document.name) if head is None else None
    if base is None:
        reason = "the version that it was made of cannot be told, the state has moved on"
        raise EditRefused(document.name, path, reason)
    return _Edited(inside, tree, document, blob, None, staged, found, git.write_blob(base))


def _absorb(store: Store, edited: _Edited, allow_loss: bool) -> tuple[Absorbed, list[Intent]]:
    """Keep the edit; also return the intents that go when the file is back."""
    dead = [
        each
        for each in intent.pending(store.folder, KIND)
        if (each.facts["tree"], each.facts["path"]) == (str(edited.tree.folder), edited.path)
    ]
    base = _base(store, edited, dead)
    facts = {
        "tree": str(edited.tree.folder),
        "path": edited.path,
        "base_blob": edited.base,
        "new_blob": edited.blob,
        "position": store.status().events,
    }
    begun = intent.write(store.folder, KIND, facts)
    reached("absorb: intent written")
    try:
        absorbed = store.absorb(_edit(edited, base, allow_loss))
    except EditRefused:
        intent.remove(begun)
        raise
    return absorbed, [*dead, begun]


def _base(store: Store, edited: _Edited, dead: list[Intent]) -> str:
    """Return the blob that the edit was made of: that of a dead command's edit, if it stayed."""
    for each in reversed(dead):
        was_here = each.facts["base_blob"] == edited.base and edited.blob != edited.base
        if (was_here or each.facts["new_blob"] == edited.blob) and _is_kept(store, each):
            return str(each.facts["new_blob"])
    return edited.base


def _is_kept(store: Store, dead: Intent) -> bool:
    """Tell whether the edit of a dead command is in the log."""
    position = dead.facts["position"]
    assert isinstance(position, int), dead.file
    return any(
        each.position > position
        and each.commit is None
        and (each.path, each.new_blob) == (dead.facts["path"], dead.facts["new_blob"])
        for each in store.taken_in()
    )


def _edit(edited: _Edited, base: str, allow_loss: bool) -> Edit:
    return Edit(
        edited.document.name,
        edited.git.bytes_of(edited.blob),
        path=edited.path,
        manifest_blob=None if edited.found is None else edited.found.blob,
        base_blob=base,
        new_blob=edited.blob,
        read_blob=edited.git.bytes_of,
        allow_loss=allow_loss,
        lies_under=edited.tree.folder if edited.at is None else None,
    )


def _save_staged(edited: _Edited) -> str | None:
    """Save what is staged where it is neither the tip's nor what was taken in."""
    known = {edited.blob} if edited.at is None else {edited.blob, edited.at.blob}
    if edited.at is None or edited.staged is None or edited.staged.blob in known:
        return None
    ref = rescue.name_for("absorb", time.time())
    checked_out.copy_index(edited.tree)
    try:
        rescue.save(edited.git.within(edited.tree.folder, edited.tree.index_beside), [], ref)
    finally:
        edited.tree.index_beside.unlink(missing_ok=True)
    return ref


def _put_back(edited: _Edited, at: Entry) -> None:
    """Make file and index entry the tip's again, unless the file changed under our hands."""
    now = edited.git.call("hash-object", "--", edited.path).line()
    if now != edited.blob:
        raise EditRefused(
            edited.document.name, edited.path, "it changed while it was taken in, and stays"
        )
    checked_out.put(edited.git, edited.tree, edited.path, at)
    reached("absorb: file put back")
    _stage(edited, at)
    reached("absorb: index put back")


def _stage(edited: _Edited, at: Entry) -> None:
    deadline_s = time.monotonic() + INDEX_WAIT_S
    while True:
        try:
            edited.git.stage({edited.path: at})
            edited.git.call("update-index", "-q", "--refresh", ends=(0, 1))
            return
        except GitFailed as failed:
            if "index.lock" not in failed.stderr:
                raise
            if time.monotonic() >= deadline_s:
                raise TreeBusy(edited.tree.lock, INDEX_WAIT_S) from failed
        time.sleep(_POLL_S)


def relative(tree: Path, named: str, folder: Path) -> str | None:
    """Return the path of a named file inside a tree, or None for one outside it."""
    try:
        return (folder / named).relative_to(tree).as_posix()
    except ValueError:
        return None
