"""The doctor's look at the documents: damage (rule 3), writes past the log (rule 6), totals.

Damage goes under rule 3: a stash that is popped is where it comes from.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from ..kernel import Rules
from ..kernel.document import Document
from ..store import EditRefused, Store
from ..store.edit import MARKERS, read
from . import manifest
from .document_files import is_inside
from .finding import Finding
from .git import Git
from .place import RULES_FILE

TOTAL = "total_{}"
COUNTS = ("count", "total")  # of `_meta`, beside a document's root


def look(git: Git, store: Store, rules: Rules, tree: Path) -> Iterator[Finding]:
    """Yield what is wrong with the documents in the main working tree and at the branch's tip."""
    exported = [each for each in rules.documents if each.path is not None]
    edited = _edited(git, store, tree, exported)
    for document in exported:
        damage = _damage(document, tree)
        if damage is not None:
            yield damage
        elif document.path in edited:
            yield Finding(
                6,
                f"{document.path} was edited, and the log does not have it",
                f"neighbor absorb {document.path}",
            )
    yield from _edited_at_tip(git, rules.export.branch, exported)
    yield from _totals(store, rules)


def uncommitted_rules(git: Git) -> Iterator[Finding]:
    """Yield a finding where neighbor.toml is not what the last commit has."""
    if git.changes([RULES_FILE]):
        yield Finding(
            0,
            f"{RULES_FILE} is not committed: other clones and worktrees do not have it",
            f"git add {RULES_FILE} && git commit -m 'neighbor.toml' -- {RULES_FILE}",
        )


def _damage(document: Document, tree: Path) -> Finding | None:
    path = str(document.path)
    if not is_inside(tree, path):
        return None
    data = (tree / path).read_bytes()
    try:
        read(document, data)
    except EditRefused as refused:
        rule = 3 if MARKERS.search(data) else 6
        return Finding(rule, f"{path}: {refused.reason}", "neighbor export")
    return None


def _edited(git: Git, store: Store, tree: Path, documents: Sequence[Document]) -> set[str]:
    """Return the paths at which neither a commit's bytes nor those of an export lie."""
    paths = [str(each.path) for each in documents if is_inside(tree, str(each.path))]
    changed = {each.path for each in git.changes(paths)}
    return {path for path in changed if not store.wrote(tree, path, (tree / path).read_bytes())}


def _edited_at_tip(git: Git, branch: str, documents: Sequence[Document]) -> Iterator[Finding]:
    tip = git.tip(branch)
    found = None if tip is None else manifest.newest(git, tip)
    if tip is None or found is None:
        return
    there = git.entries(tip, [str(each.path) for each in documents])
    for document in documents:
        file = found.manifest.files.get(str(document.path))
        at = there.get(str(document.path))
        if file is not None and (at is None or at.blob != file.blob):
            yield Finding(
                6,
                f"{document.path} was changed on {branch} since the last export",
                "neighbor export --commit",
            )


def _totals(store: Store, rules: Rules) -> Iterator[Finding]:
    """Yield the totals that say another number than there are entities."""
    counts = {each.document: each.entities for each in store.status().documents}
    for record in rules.documents:
        if record.is_record:
            yield from _record_totals(store, rules, record, counts)
        elif record.root is not None:
            yield from _meta_totals(store, record, counts.get(record.name, 0))


def _record_totals(
    store: Store, rules: Rules, record: Document, counts: dict[str, int]
) -> Iterator[Finding]:
    body = store.entity(record.name, b"")
    said: dict[str, Any] = {} if body is None else orjson.loads(body)
    for counted in rules.documents:
        total = TOTAL.format(counted.name)
        # Without a file, what there was before the store began is counted nowhere.
        if counted.is_record or counted.path is None or total in record.derive:
            continue
        there = counts.get(counted.name, 0)
        if type(said.get(total)) is int and said[total] != there:
            yield _drifted(f"/{record.name}/{total}", said[total], counted, there, record, total)


def _meta_totals(store: Store, document: Document, there: int) -> Iterator[Finding]:
    body = store.entity(document.name, b"@")
    meta = {} if body is None else orjson.loads(body).get("_meta")
    for name in COUNTS:
        said = meta.get(name) if isinstance(meta, dict) else None
        total = f"_meta.{name}"
        if type(said) is int and said != there and total not in document.derive:
            place = f"/{document.name}/@/_meta/{name}"
            yield _drifted(place, said, document, there, document, total)


def _drifted(
    place: str, said: int, counted: Document, there: int, holder: Document, total: str
) -> Finding:
    return Finding(
        6,
        f"{place} says {said:,}, and there are {there:,} {counted.name}",
        f'in {RULES_FILE}: [documents.{holder.name}.derive] "{total}" = "count({counted.name})"',
    )
