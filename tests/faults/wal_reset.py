"""A checkpoint in one process meets a write in another, with the store's lock and without.

    checkpoint B                     checkpoint A             writer
                                     copies all of the log
    reads how long the log is                                 commits: the log starts anew
    (lets its memory map go)
    copies up to the old length, and
    notes it as copied                                        commits up to there never are

SQLite before 3.51.3 (3.50.7, 3.44.6) loses commits, or the whole file, to this race. The harness
makes B's window wider by what the callback costs, where SQLite unmaps the file; mmap is on, or
there is nothing to unmap. `python -m tests.faults.wal_reset`.
"""

import argparse
import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, closing, nullcontext
from functools import partial
from pathlib import Path
from typing import NamedTuple

from goodneighbor.store.lock import StoreLock

from . import harness, processes, sqlite_files
from .journal import Journal, lines

WRITERS, CHECKPOINTERS = 2, 2
COMMITS = 500  # of each writer in a round
MMAP_SIZE = 2**28
WAIT_S = 60.0
FIXED = ((3, 44, 6), (3, 50, 7), (3, 51, 3))  # the fix, and what it was ported back to

Lock = Callable[[], AbstractContextManager[object]]


class Found(NamedTuple):
    """What is left of a round."""

    acknowledged: int
    there: int
    fault: str  # what SQLite itself says, "" when nothing

    @property
    def is_whole(self) -> bool:
        return self.there == self.acknowledged and not self.fault


def is_fixed(version: tuple[int, ...] = sqlite3.sqlite_version_info) -> bool:
    """Say whether a version of SQLite has the fix."""
    return version >= FIXED[-1] or any(version[:2] == at[:2] and version >= at for at in FIXED)


def play(folder: Path, *, with_lock: bool) -> Found:
    """Play one round: writers and checkpointers, all at once; return what is left."""
    path, said = folder / "probe.sqlite3", folder / "said"
    folder.mkdir()
    with closing(_connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE kept (writer, number, body, UNIQUE (writer, number))")

    def lock() -> AbstractContextManager[object]:
        return StoreLock(folder, wait_s=WAIT_S) if with_lock else nullcontext()

    with closing(Journal(said, "probe")) as journal:
        over = folder / "over"
        writers = [
            processes.start(partial(_write, path, number, lock, journal), journal)
            for number in range(WRITERS)
        ]
        others = [
            processes.start(partial(_checkpoint, path, over, lock), journal)
            for _ in range(CHECKPOINTERS)
        ]
        ended = [processes.end(process) for process in writers]
        over.touch()
        ended += [processes.end(process) for process in others]
    assert not with_lock or not any(ended), lines(said, "raised")
    return _found(path, len(lines(said, "kept")))


def _write(path: Path, writer: int, lock: Lock, journal: Journal) -> None:
    with closing(_connect(path)) as connection:
        for number in range(COMMITS):
            with lock():
                connection.execute("BEGIN IMMEDIATE")
                row = (writer, number, os.urandom(200))
                connection.execute("INSERT INTO kept VALUES (?, ?, ?)", row)
                connection.execute("COMMIT")
            journal.say("kept", number)


def _checkpoint(path: Path, over: Path, lock: Lock) -> None:
    with (
        sqlite_files.watched(lambda operation: None, unmapped=lambda: time.sleep(0)),
        closing(_connect(path)) as connection,
    ):
        while not over.exists():
            with lock():
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, timeout=WAIT_S)
    for setting in ("synchronous = FULL", "wal_autocheckpoint = 0", f"mmap_size = {MMAP_SIZE}"):
        connection.execute(f"PRAGMA {setting}").fetchall()
    return connection


def _found(path: Path, acknowledged: int) -> Found:
    try:
        with closing(_connect(path)) as connection:
            (said,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
            (there,) = connection.execute("SELECT count(*) FROM kept NOT INDEXED").fetchone()
    except sqlite3.DatabaseError as error:
        return Found(acknowledged, 0, str(error))
    return Found(acknowledged, there, "" if said == "ok" else said.partition("\n")[0])


def main() -> int:
    """Play rounds until one is not whole, or to their end; say which version was met."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.wal_reset")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--no-lock", action="store_true", help="the control")
    asked = parser.parse_args()
    whole = acknowledged = 0
    with tempfile.TemporaryDirectory(dir=harness.memory()) as folder:
        for number in range(asked.rounds):
            found = play(Path(folder) / str(number), with_lock=not asked.no_lock)
            acknowledged += found.acknowledged
            if not found.is_whole:
                break
            whole += 1
    how = "without the lock" if asked.no_lock else "with the lock"
    state = "has the fix" if is_fixed() else "before the fix of 3.51.3"
    print(f"SQLite {sqlite3.sqlite_version}, {state}; {how}, {acknowledged} commits acknowledged")
    if whole == asked.rounds:
        print(f"{whole} rounds whole, nothing lost")
        return 0
    print(
        f"round {whole}: {found.there} of {found.acknowledged} there; {found.fault or 'no fault'}"
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
