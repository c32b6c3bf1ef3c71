"""Folds frames into the snapshots: loads what their events need, runs the kernel, writes what
changed.

The fact not to miss: this is the only way state comes about. A close, a late event, an absorb and a
replay differ in which frames they fold, never in how.

Law 6: the kernel says which entities a frame needs, and only those are read. The one exception is
counted once: derived totals that are not on record for these rules are counted from all entities.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from ..kernel import Fold, Rules
from . import closes, log, receipts, snapshots
from .engine import Cursor
from .receipts import FrameSums
from .step import reached


class Folder:
    """The kernel's handle for the rules of the frame at hand, kept while they stay the same."""

    def __init__(self, cursor: Cursor, seed: bytes) -> None:
        self._cursor = cursor
        self._seed = seed
        self._digest: bytes | None = None
        self._fold: Fold | None = None
        self.rules: Rules | None = None
        self.seen: snapshots.Seen = {}

    def under(self, digest: bytes, frame: int) -> Fold:
        """Return a handle for these rules, about to fold `frame`."""
        if self._fold is None or digest != self._digest:
            self.close()
            self.rules = closes.rules(self._cursor, digest)
            self._fold = Fold(self.rules, seed=self._seed)
            self._digest = digest
            self._set_totals(self._fold, self.rules, frame)
        return self._fold

    def load(self, fold: Fold, names: Sequence[tuple[str, bytes]]) -> None:
        """Give the kernel what is there of the entities it names."""
        for document, rows in snapshots.load(self._cursor, names, self.seen).items():
            fold.load(document, [(row.key, row.body) for row in rows if row.body != b""])

    def close(self) -> None:
        """Let the handle go, with all the memory it holds."""
        if self._fold is not None:
            self._fold.close()
            self._fold = None

    def _set_totals(self, fold: Fold, rules: Rules, frame: int) -> None:
        if not rules.terms:
            return
        row = self._cursor.execute(
            "SELECT rules, totals FROM frame WHERE frame < ? AND state_digest IS NOT NULL"
            " ORDER BY frame DESC LIMIT 1",
            (frame,),
        ).fetchone()
        if row is not None and row[0] == rules.digest and row[1] is not None:
            fold.set_totals(json.loads(row[1]))
            return
        for document in sorted({term.document for term in rules.terms}):
            kept = snapshots.entities(self._cursor, document)
            fold.load(document, [(row.key, row.body) for row in kept if row.body != b""])
        fold.recount()


def fold_frames(
    cursor: Cursor, frames: Sequence[int], rules_of: Callable[[int], bytes], seed: bytes
) -> list[FrameSums]:
    """Fold frames in their order, each under its rules; return their sums.

    Receipts already say which events fold where, and the snapshots are those before the first.
    """
    assert list(frames) == sorted(set(frames)), "frames fold in increasing order, each once"
    folded = []
    with _folder(cursor, seed) as folder:
        for frame in frames:
            folded.append(_fold_frame(cursor, folder, frame, rules_of(frame)))
            reached("close: frame folded")
    return folded


@contextmanager
def _folder(cursor: Cursor, seed: bytes) -> Iterator[Folder]:
    folder = Folder(cursor, seed)
    try:
        yield folder
    finally:
        folder.close()


def _fold_frame(cursor: Cursor, folder: Folder, frame: int, rules: bytes) -> FrameSums:
    fold = folder.under(rules, frame)
    placed = log.events_folding_in(cursor, frame)
    assert placed, "only frames with events fold"
    events = [event for _, event in placed]
    folder.load(fold, fold.needs(events))
    folded = fold.run(events)
    rooted = {document.name for document in fold.rules.documents if document.root is not None}
    snapshots.write(cursor, frame, folded.changed, rooted, folder.seen)
    sums = receipts.write(cursor, frame, placed, folded.receipts)
    _write_frame(cursor, sums, rules, snapshots.state_digest(cursor), fold.totals())
    return sums


def _write_frame(
    cursor: Cursor, sums: FrameSums, rules: bytes, state_digest: str, totals: Sequence[int]
) -> None:
    cursor.execute(
        "INSERT INTO frame (frame, state, rules, events, units_in, applied, duplicate, skipped,"
        " optional_skipped, state_digest, totals) VALUES (?, 'closed', ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (frame) DO UPDATE SET state = 'closed', rules = excluded.rules,"
        " events = excluded.events, units_in = excluded.units_in, applied = excluded.applied,"
        " duplicate = excluded.duplicate, skipped = excluded.skipped,"
        " optional_skipped = excluded.optional_skipped, state_digest = excluded.state_digest,"
        " totals = excluded.totals, seal = NULL",
        (
            sums.frame,
            rules,
            *sums[1:7],
            bytes.fromhex(state_digest),
            json.dumps([int(total) for total in totals]),
        ),
    )
