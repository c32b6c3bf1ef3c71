"""Documents as files: the snapshots in canonical form, where the rules say they go.

The fact not to miss: before a file is touched, the database knows what it is about to become. Bytes
on disk are ours when they are those of the last export or of the one begun; any others are
somebody's work, and go to quarantine before they are replaced (law 7).

    intents committed -> each: written beside, flushed, renamed, folder flushed -> results committed

Law 5: a document that lost more than `max_loss` of its entities is held back, alone. A document
that never held anything is not written: there is nothing to say yet.

A manifest beside the documents, and commits, will be told from here; today the files are all.
"""

import os
import stat
from collections.abc import Collection, Iterator
from fractions import Fraction
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from ..kernel import Fold, Rules
from ..kernel.document import Document
from . import closes, export_record, quarantine, snapshots
from .disk import Disk, replace_file
from .engine import Cursor, Writer
from .errors import StoreUnwritable
from .export_record import LastExport, Target, Version
from .snapshots import Share
from .step import reached

FILE_MODE = 0o644
BESIDE = ".{}.neighbor-new"


class Withheld(NamedTuple):
    """A document that was not written, and why; `lost` of `entities` where that is the reason."""

    document: str
    path: str
    reason: str
    lost: int = 0
    entities: int = 0


class Saved(NamedTuple):
    """Somebody's bytes that an export replaced, after it put them into quarantine."""

    document: str
    path: str
    quarantine: int


class Exported(NamedTuple):
    """What an export did, by document; with `check`, what it would do."""

    written: list[str]
    unchanged: list[str]
    refused: list[Withheld]
    saved: list[Saved]


class ExportOrder(NamedTuple):
    """Where an export goes, and what it may do."""

    root: Path
    allow_loss: Collection[str] = ()
    asked_by: str = ""


class Planned(NamedTuple):
    """One document on its way to its file."""

    document: Document
    at: Target
    share: Share
    data: bytes | None  # None: the last export stands there, and nothing has changed since
    found: bytes | None  # what is at the path; None: nothing
    is_ours: bool  # what is at the path came from us
    loss: Withheld | None  # a loss beyond the bound

    @property
    def is_due(self) -> bool:
        return self.data is not None and self.data != self.found

    @property
    def is_foreign(self) -> bool:
        return self.is_due and self.found is not None and not self.is_ours


def export(writer: Writer, order: ExportOrder, *, now_us: int, seed: bytes, disk: Disk) -> Exported:
    """Write the documents that differ from their files; the caller holds the store's lock."""
    with writer.transaction("export intents") as cursor:
        rules, plans, refused = _plan(cursor, order, seed)
        saved = [_save(cursor, plan, now_us) for plan in plans if plan.is_foreign]
        _put_intents(cursor, order, plans, rules, now_us)
    for plan in plans:
        if plan.is_due:
            _write(writer, order.root, plan, disk)
    with writer.transaction("export results") as cursor:
        for plan in plans:
            if plan.data is not None:
                export_record.finish(cursor, plan.at, plan.data)
    return _exported(plans, refused, saved)


def compare(cursor: Cursor, order: ExportOrder, seed: bytes) -> Exported:
    """Say what an export would do, and do nothing."""
    _, plans, refused = _plan(cursor, order, seed)
    saved = [
        Saved(plan.document.name, str(plan.document.path), 0) for plan in plans if plan.is_foreign
    ]
    return _exported(plans, refused, saved)


def render(cursor: Cursor, rules: Rules, name: str, seed: bytes, frame: int | None = None) -> bytes:
    """Return a whole document in canonical form, now or as frame `frame` left it."""
    with Fold(rules, seed=seed) as fold:
        rows = snapshots.entities(cursor, name, frame)
        fold.load(name, [(row.key, row.body) for row in rows if row.body])
        return fold.document(name)


def path_fault(root: Path, path: str) -> str:
    """Tell what keeps a document's path from being written under a root; "" when nothing does."""
    at = root
    parts = path.split("/")
    for part in parts[:-1]:
        at /= part
        if at.is_symlink():
            return f"{at.relative_to(root)} is a symbolic link"
        if at.exists() and not at.is_dir():
            return f"{at.relative_to(root)} is not a folder"
    target = at / parts[-1]
    if target.is_symlink():
        return f"{path} is a symbolic link"
    if target.exists() and not stat.S_ISREG(target.stat().st_mode):
        return f"{path} is not a regular file"
    return ""


def _exported(plans: Collection[Planned], refused: list[Withheld], saved: list[Saved]) -> Exported:
    written = [plan.document.name for plan in plans if plan.is_due]
    unchanged = [plan.document.name for plan in plans if not plan.is_due]
    return Exported(written, unchanged, refused, saved)


def _plan(
    cursor: Cursor, order: ExportOrder, seed: bytes
) -> tuple[Rules, list[Planned], list[Withheld]]:
    rules = closes.rules_in_force(cursor)
    shares = snapshots.shares(cursor)
    plans, refused = [], []
    for document in rules.documents:
        if document.path is None or document.name not in shares:
            continue
        if fault := path_fault(order.root, document.path):
            refused.append(Withheld(document.name, document.path, fault))
            continue
        plan = _plan_document(cursor, order, rules, document, shares[document.name], seed)
        if plan.loss is not None and document.name not in order.allow_loss:
            refused.append(plan.loss)
        else:
            plans.append(plan)
    return rules, plans, refused


def _plan_document(
    cursor: Cursor, order: ExportOrder, rules: Rules, document: Document, share: Share, seed: bytes
) -> Planned:
    assert document.path is not None
    target = order.root / document.path
    found = target.read_bytes() if target.exists() else None
    at = export_record.target(order.root, document.path)
    is_ours = found is not None and export_record.is_ours(cursor, at, found)
    last = export_record.last(cursor, at)
    if last is not None and found is not None and _stands(last, found, share, rules):
        return Planned(document, at, share, None, found, is_ours, None)
    data = render(cursor, rules, document.name, seed)
    loss = None if data == found else loss_of(cursor, rules, document, share, last)
    return Planned(document, at, share, data, found, is_ours, loss)


def _stands(last: LastExport, found: bytes, share: Share, rules: Rules) -> bool:
    """Say without rendering that the file is what an export now would write."""
    return (
        last.clone != export_record.AS_FOUND
        and last.document_digest == share.digest.to_bytes(32, "big")
        and last.rules == rules.digest
        and last.digest == sha256(found).digest()
    )


def loss_of(
    cursor: Cursor, rules: Rules, document: Document, share: Share, last: LastExport | None
) -> Withheld | None:
    """Say how many entities are gone since the last export or the base state, if too many are."""
    if last is not None:
        before, removed = last.entities, last.removed
    else:
        base = snapshots.shares(cursor, -1).get(document.name, snapshots.EMPTY)
        before, removed = base.entities, base.removed
    lost = max(share.removed - removed, before - share.entities)
    if lost <= Fraction(str(rules.export.max_loss)) * before:
        return None
    reason = f"it would lose {lost} of {before} entities, more than max_loss lets through"
    return Withheld(document.name, str(document.path), reason, lost, before)


def _save(cursor: Cursor, plan: Planned, now_us: int) -> Saved:
    assert plan.found is not None
    path = str(plan.document.path)
    number = quarantine.put(cursor, path, now_us, "replaced by export", plan.found)
    return Saved(plan.document.name, path, number)


def _put_intents(
    cursor: Cursor, order: ExportOrder, plans: Collection[Planned], rules: Rules, now_us: int
) -> None:
    for plan in plans:
        if plan.data is not None:
            version = Version(plan.document.name, plan.share, rules.digest)
            export_record.begin(cursor, plan.at, plan.data, version)
        if (loss := plan.loss) is not None:
            export_record.put_loss(
                cursor, loss.document, loss.lost, loss.entities, order.asked_by, now_us
            )


def _write(writer: Writer, root: Path, plan: Planned, disk: Disk) -> None:
    assert plan.data is not None
    target = root / str(plan.document.path)
    beside = target.with_name(BESIDE.format(target.name))
    writer.check()
    try:
        for folder in reversed(list(_missing_folders(root, target.parent))):
            folder.mkdir()
            disk.flush_folder(str(folder.parent))
        if os.path.lexists(beside):
            disk.remove(str(beside))  # of an export that was killed; nobody else writes this name
        replace_file(disk, str(target), plan.data, beside=str(beside), mode=FILE_MODE)
    except OSError as error:
        raise StoreUnwritable(str(target), error, "not written") from error
    reached("export: file replaced")


def _missing_folders(root: Path, folder: Path) -> Iterator[Path]:
    while folder != root and not folder.exists():
        yield folder
        folder = folder.parent
