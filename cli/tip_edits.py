"""Edits of documents at the tip of a branch, taken in before an export goes over them.

A merged pull request, a web edit, a clone without the guard: the tip's documents differ from the
tip's manifest. The fact not to miss: the export that follows may write over exactly the blobs that
are returned here, each of them taken in, or refused and named (then the store's version goes out,
and the refused one stays in the branch's history).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from ..kernel import Rules
from ..kernel.document import Document
from ..store import Absorbed, Edit, EditRefused, Store
from . import manifest, refs
from .answer import counted, warn
from .commit import Tip
from .manifest import Found

BASE_FRAME = -1  # before every frame that a stream wrote for


@dataclass(frozen=True)
class Taken:
    """An edit that a commit brought, and what became of it."""

    path: str
    commit: str
    absorbed: Absorbed


@dataclass
class TipEdits:
    """Takes the edits at a tip in, and remembers them to be told. Called again, it takes no more.

    With `revert`, the tip is compared with the last export made there: what somebody put back is
    taken for an edit.
    """

    allow_loss: Collection[str] = ()
    revert: bool = False
    taken: list[Taken] = field(default_factory=list)
    refused: list[EditRefused] = field(default_factory=list)

    def __call__(self, store: Store, tip: Tip) -> Mapping[str, str]:
        """Take in what was edited at a tip; return by path the blobs that may be written over."""
        looked = _look(store, tip, self._compared_with(tip))
        for edit in looked.edits:
            try:
                absorbed = store.absorb(
                    edit._replace(allow_loss=edit.document in self.allow_loss)
                )  # fmt: skip
            except EditRefused as refused:
                self._refuse(refused)
                continue
            if absorbed.frame is not None:
                self.taken.append(Taken(str(edit.path), tip.commit, absorbed))
        for document in looked.gone:
            reason = f"it is gone from {tip.branch}"
            self._refuse(EditRefused(document.name, document.path, reason))
        return looked.blobs

    def _compared_with(self, tip: Tip) -> Found | None:
        exported = tip.git.resolve(f"{refs.EXPORTED}/{tip.branch}") if self.revert else None
        return tip.found if exported is None else manifest.newest(tip.git, exported)

    def _refuse(self, refused: EditRefused) -> None:
        if str(refused) not in map(str, self.refused):
            self.refused.append(refused)


@dataclass(frozen=True)
class _Looked:
    """The documents at a tip: their blobs by path, the edits among them, those that are gone."""

    blobs: dict[str, str]
    edits: list[Edit]
    gone: list[Document]


def _look(store: Store, tip: Tip, found: Found | None) -> _Looked:
    """Find the documents at a tip that are not what the manifest, or an edit since, says."""
    rules = Rules.parse(store.rules_text())
    paths = {str(each.path): each for each in rules.documents if each.path is not None}
    there = tip.git.entries(tip.commit, list(paths))
    blobs = {path: entry.blob for path, entry in there.items() if entry.is_file}
    exported = {} if found is None else found.manifest.files
    newest = _newest(store, found)
    edits = []
    for path, blob in blobs.items():
        base_blob = exported[path].blob if path in exported else None
        if base_blob is None:  # new to the exports: it was made of what the document began with
            base_blob = tip.git.write_blob(store.base_state(paths[path].name))
        if blob != newest.get(path, base_blob):
            edits.append(_edit(tip, found, paths[path], (base_blob, blob)))
    gone = [each for path, each in paths.items() if path in exported and path not in there]
    return _Looked(blobs, edits, gone)


def _edit(tip: Tip, found: Found | None, document: Document, blobs: tuple[str, str]) -> Edit:
    base_blob, new_blob = blobs
    return Edit(
        document.name,
        tip.git.bytes_of(new_blob),
        path=document.path,
        commit=tip.commit,
        manifest_blob=None if found is None else found.blob,
        base_blob=base_blob,
        new_blob=new_blob,
        since_frame=_frame(found),
        read_blob=tip.git.bytes_of,
    )


def _newest(store: Store, found: Found | None) -> dict[str, str]:
    """Return by path what the newest edit that was made under this manifest left."""
    newest: dict[str, str] = {}
    manifest_blob = None if found is None else found.blob
    for each in store.taken_in(_frame(found)):
        if each.path and each.new_blob and each.commit and each.manifest_blob == manifest_blob:
            newest.setdefault(each.path, each.new_blob)
    return newest


def _frame(found: Found | None) -> int:
    return BASE_FRAME if found is None else found.manifest.frame


def print_edits(edits: TipEdits) -> None:
    """Say which edits came in, and on stderr which could not."""
    for each in edits.taken:
        operations = counted(each.absorbed.operations, "operation")
        print(f"{each.path}: edit at {each.commit[:10]} taken in ({operations})")
    for refused in edits.refused:
        warn(f"Not taken in: {refused.path}: {refused.reason}; the store's version goes out.")


def shape(edits: TipEdits) -> dict[str, object]:
    """Give the edits as JSON."""
    return {
        "taken_in": [
            {"path": each.path, "commit": each.commit, "operations": each.absorbed.operations}
            for each in edits.taken
        ],
        "refused": [{"path": each.path, "reason": each.reason} for each in edits.refused],
    }
