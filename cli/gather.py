"""Gather what the streams of a frame left, delta files and mailbox, waiting for the late ones.

Looking is cheap and taking is not (each is a transaction, flushed), so while waiting nothing is
taken before a file or a segment has changed.
"""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..store import Refusal, Store
from ..store.mailbox import sizes
from ..store.store import MAILBOX
from .answer import warn
from .delta_files import delta_files

POLL_S = 0.25  # between two looks at who has reported


@dataclass
class Gathered:
    """What came into the log, and what could not."""

    events: int = 0
    copies: int = 0
    quarantined: list[Refusal] = field(default_factory=list)
    waiting: list[Path] = field(default_factory=list)  # files half written at the last look
    left: list[tuple[Path, str]] = field(default_factory=list)  # not regular files


def gather(
    store: Store, tree: Path | None, frame: int, expect: Sequence[str], wait_s: float
) -> Gathered:
    """Take in what is there until nobody is missing in the frame, or `wait_s` is over.

    Without a main tree there are no delta files, and the mailbox is all.
    """
    deadline_s = time.monotonic() + wait_s
    gathered = Gathered()
    seen = None
    while True:
        files = [] if tree is None else delta_files(tree)
        looks = (sizes(str(store.folder / MAILBOX)), [_look(file) for file in files])
        if looks != seen:
            _take(store, files, gathered)
        missing = store.missing(frame, expect)
        left_s = deadline_s - time.monotonic()
        if not missing or left_s <= 0:
            return gathered
        if seen is None:
            names = ", ".join(missing)
            warn(f"Waiting up to {wait_s:g} s for {names} (`--wait 0s` closes at once).")
        seen = looks
        time.sleep(min(POLL_S, left_s))


def _take(store: Store, files: list[Path], gathered: Gathered) -> None:
    collected = store.collect(files)
    drained = store.drain()
    gathered.events += collected.events + drained.events
    gathered.copies += collected.copies + drained.copies
    gathered.quarantined += [*collected.quarantined, *drained.quarantined]
    gathered.waiting = collected.waiting
    gathered.left = collected.left


def _look(file: Path) -> tuple[str, int, int]:
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
