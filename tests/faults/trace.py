"""A trace: creation and rounds of a store that nobody disturbs, every operation in its order.

Segments and exports tell through `WatchedDisk`, SQLite's files through its VFS; what is sent and
acknowledged stands between them, so that each prefix says what had been promised by then.
"""

import shutil
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import NamedTuple

from goodneighbor.store.disk import DISK
from goodneighbor.store.segment import SUFFIX

from . import roles, script, sqlite_files
from .journal import Journal
from .life import prepare
from .operations import FLUSH, Observer, Operation, WatchedDisk
from .roles import Place
from .script import Round

ROUNDS = 2
CREATION = -1
SHM = "-shm"

# Controls: flushes that are asked for and do nothing, by the end of the file's name.
UNFLUSHED = {
    "flush of the segments": SUFFIX,
    "flush of SQLite's log": ".sqlite3-wal",
    "flush of the database": ".sqlite3",
    "flush of the exports": ".neighbor-new",
}


class Mark(NamedTuple):
    """Something said on the way: a round begins; a sending is sent, acknowledged."""

    kind: str
    number: int


class Trace(NamedTuple):
    """What lay there before, and what was then done and said; paths are under `folder`."""

    folder: Path
    found: dict[str, bytes]
    lines: list[Operation | Mark]
    rounds: list[Round]


class Pen(Journal):
    """A journal without a file: what is said goes into the trace."""

    def __init__(self, lines: list[Operation | Mark]) -> None:
        self._lines = lines

    def say(self, kind: str, *words: object) -> None:
        """Write down what was sent or acknowledged."""
        if kind in ("sent", "acknowledged"):
            self._lines.append(Mark(kind, int(str(words[0]))))

    def close(self) -> None:
        """Let nothing go: there is no file."""


def record(
    seed: str,
    folder: Path,
    *,
    without: str | None = None,
    broken: AbstractContextManager[None] | None = None,
) -> Trace:
    """Play creation and rounds in `folder`, which is gone afterwards.

    `without` names flushes to be taken out; `broken` is in force for the rounds.
    """
    place, rounds = Place(folder), script.rounds(seed)[:ROUNDS]
    prepare(place, rounds)
    lines: list[Operation | Mark] = []
    trace = Trace(folder, found(folder), lines, rounds)
    observe = _observer(lines, without)
    disk, pen = WatchedDisk(observe), Pen(lines)
    with sqlite_files.watched(observe):
        lines.append(Mark("round", CREATION))
        roles.create(place, rounds[0], pen, disk)
        with broken or nullcontext():
            for index, each in enumerate(rounds):
                lines.append(Mark("round", index))
                roles.undamaged(place, each, pen, disk)
    shutil.rmtree(folder)
    return trace


def record_recovery(seed: str, folder: Path, *, without: str | None = None) -> Trace:
    """Play the first round, damage the store, and record its recovery alone."""
    place, rounds = Place(folder), script.rounds(seed)[:1]
    prepare(place, rounds)
    lines: list[Operation | Mark] = [Mark("round", CREATION), Mark("round", 0)]
    pen = Pen(lines)
    roles.create(place, rounds[0], pen, DISK)
    roles.damaged(place, rounds[0], pen)
    trace = Trace(folder, found(folder), lines, rounds)
    observe = _observer(lines, without)
    with sqlite_files.watched(observe):
        roles.recover(place, WatchedDisk(observe))
    shutil.rmtree(folder)
    return trace


def _observer(lines: list[Operation | Mark], without: str | None) -> Observer:
    """Make the observer that writes each operation down, but for flushes that are taken out."""
    end = UNFLUSHED[without] if without else None

    def observe(operation: Operation) -> None:
        taken_out = end is not None and operation.kind == FLUSH and operation.path.endswith(end)
        if not operation.path.endswith(SHM) and not taken_out:
            lines.append(operation)

    return observe


def found(folder: Path) -> dict[str, bytes]:
    """Read every file under a folder."""
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
