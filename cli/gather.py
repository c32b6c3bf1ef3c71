"""Gather what the streams of a frame left, delta files and mailbox, waiting for the late ones.

Looking is cheap and taking is not (each is a transaction, flushed), so while waiting nothing is
taken before a file or a segment has changed.
"""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..store import Collected, Drained, Refusal, Store
from ..store.folder import MAILBOX
from ..store.mailbox import sizes
from . import worktree, worktree_deltas
from .answer import warn
from .delta_files import delta_files
from .errors import NoMainTree
from .place import Place
from .worktree import Worktree

POLL_S = 0.25  # between two looks at who has reported

Look = tuple[str, int, int]  # what changes when a file does


@dataclass
class Gathered:
    """What came into the log, and what could not."""

    events: int = 0
    copies: int = 0
    quarantined: list[Refusal] = field(default_factory=list)
    waiting: list[Path] = field(default_factory=list)  # files half written at the last look
    left: list[tuple[Path, str]] = field(default_factory=list)  # not regular files

    def add(self, more: "Collected | Drained | Gathered") -> None:
        """Count in what came by another way."""
        self.events += more.events
        self.copies += more.copies
        self.quarantined += more.quarantined
        if not isinstance(more, Drained):
            self.waiting += more.waiting
            self.left += more.left


def gather(
    where: Place, store: Store, frame: int, expect: Sequence[str], wait_s: float
) -> Gathered:
    """Take in what is there until nobody is missing in the frame, or `wait_s` is over.

    Files lie in the main tree, if there is one, and in the worktrees that stand.
    """
    deadline_s = time.monotonic() + wait_s
    gathered = Gathered()
    seen = None
    while True:
        files = _files(where)
        standing = [each for each in worktree.all_of(where.store) if each.is_made]
        lying = [*files, *(file for each in standing for file in worktree_deltas.lying(each))]
        looks = (sizes(str(store.folder / MAILBOX)), [_look(file) for file in lying])
        if looks != seen:
            _take(where, store, files, standing, gathered)
        missing = store.missing(frame, expect)
        left_s = deadline_s - time.monotonic()
        if not missing or left_s <= 0:
            return gathered
        if seen is None:
            names = ", ".join(missing)
            warn(f"Waiting up to {wait_s:g} s for {names} (`--wait 0s` closes at once).")
        seen = looks
        time.sleep(min(POLL_S, left_s))


def gather_changed(where: Place, store: Store, seen: set[Look], gathered: Gathered) -> None:
    """Take in those delta files of the main tree that have changed since they were `seen`."""
    changed = {look: file for file in _files(where) if (look := _look(file)) not in seen}
    seen.update(changed)
    if changed:
        collected = store.collect(changed.values())
        collected.waiting.clear()  # the close says which are half then
        gathered.add(collected)


def _files(where: Place) -> list[Path]:
    try:
        return delta_files(where.main_tree())
    except NoMainTree:
        return []


def _take(
    where: Place,
    store: Store,
    files: list[Path],
    standing: Sequence[Worktree],
    gathered: Gathered,
) -> None:
    gathered.waiting, gathered.left = [], []
    gathered.add(store.collect(files))
    for each in standing:
        collected = worktree_deltas.collect(where, each, is_over=False)
        if collected is not None:
            gathered.add(collected)
    gathered.add(store.drain())


def _look(file: Path) -> Look:
    """Tell what changes when a file does; a file that is gone meanwhile looks like that."""
    try:
        found = os.stat(file, follow_symlinks=False)
    except FileNotFoundError:
        return file.name, -1, -1
    return file.name, found.st_mtime_ns, found.st_size


def print_gathered(gathered: Gathered) -> None:
    """Say what was a copy, and on stderr what could not be taken in."""
    if gathered.copies:
        many = gathered.copies > 1
        copies = f"{gathered.copies:,} copies of deltas" if many else "1 copy of a delta"
        print(f"{copies} that the log holds already: counted once")
    warn_quarantined(gathered.quarantined)
    for path in gathered.waiting:
        warn(f"{path}: ends inside a value, so it waits for the rest")
    for path, reason in gathered.left:
        warn(f"{path}: left alone, {reason}")


def warn_quarantined(refusals: Sequence[Refusal]) -> None:
    """Name on stderr what went to quarantine, and the command that shows it."""
    for each in refusals:
        warn(
            f"{each.source}: {each.reason}, so it is in quarantine "
            f"(`neighbor quarantine show {each.id}`)"
        )


def shape(gathered: Gathered) -> dict[str, object]:
    """Give what was gathered as JSON."""
    return {
        "events": gathered.events,
        "copies": gathered.copies,
        "quarantined": [refusal_shape(each) for each in gathered.quarantined],
        "waiting": [str(path) for path in gathered.waiting],
        "left": [{"path": str(path), "reason": reason} for path, reason in gathered.left],
    }


def refusal_shape(refusal: Refusal) -> dict[str, object]:
    """Give one refusal as JSON."""
    return {"id": refusal.id, "source": refusal.source, "reason": refusal.reason}
