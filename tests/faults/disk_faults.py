"""A disk that fails at any operation of a round, once or on and on, and what the store then does.

    for each operation n, error and duration:
        play a round, fail at n          -> a clear error, or none
        the disk still failing: read     -> everything is there
        the disk is well again: recover  -> judged

Disk full refuses what takes space, an I/O error everything; a short write takes half of its bytes
first. `python -m tests.faults.disk_faults --every` fails at each operation in each way.

With `--recovery` it is the recovery of a store that was damaged after the round, and what is looked
for meanwhile is the damaged database, which nobody may throw away.
"""

import argparse
import errno
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from contextlib import AbstractContextManager, nullcontext
from itertools import product
from pathlib import Path
from typing import NamedTuple

from goodneighbor.store import Store
from goodneighbor.store.errors import StoreUnwritable

from . import breakage, harness, judgement, operations, roles, script, sqlite_files
from .facts import Facts
from .judgement import Ledger
from .life import prepare
from .operations import CREATE, WRITE, Fault, Operation, WatchedDisk
from .recovery import recover
from .roles import Place
from .trace import Mark, Pen

FULL, IO, SHORT = "disk full", "I/O error", "short write"
ONCE, ON = "once", "from then on"
WAYS = tuple(product((FULL, IO, SHORT), (ONCE, ON)))
TAKE_SPACE = (CREATE, WRITE)


class Case(NamedTuple):
    """One fault: at which operation of the round, from 0, which error, and for how long."""

    at: int
    error: str
    lasts: str


class Played(NamedTuple):
    """What a round came to: its error, what was said before, and what the fault met."""

    error: BaseException | None
    said: list[Mark]
    met: Operation | None


class FailingDisk:
    """Lets operations pass and counts them; from the case's on it fails those that it is about."""

    def __init__(self, case: Case | None) -> None:
        self.kinds: list[str] = []  # of all operations so far
        self.met: Operation | None = None
        self.is_well = case is None
        self._case = case

    def __call__(self, operation: Operation) -> None:
        number, case = len(self.kinds), self._case
        self.kinds.append(operation.kind)
        if case is None or self.is_well or number < case.at:
            return
        if case.error != IO and operation.kind not in TAKE_SPACE:
            return  # a full disk still flushes, cuts and deletes
        first = self.met is None
        if first:
            self.met = operation
            self.is_well = case.lasts == ONCE
        half = len(operation.data) // 2 if case.error == SHORT and first else 0
        raise Fault(errno.EIO if case.error == IO else errno.ENOSPC, half)


class Bench:
    """A store that is laid out anew for each case, and what a round of it leaves undisturbed.

    With `recovers` it is laid out after the round, damaged.
    """

    def __init__(self, seed: str, folder: Path, *, recovers: bool) -> None:
        self.place = Place(folder / "life")
        self.recovers = recovers
        self._kept = folder / "kept"
        self.round = script.rounds(seed)[0]
        prepare(self.place, [self.round])
        Store.create(self.place.store, script.RULES, script.BASE).close()
        self._before: list[Operation | Mark] = []
        if recovers:
            self.damaged = roles.damaged(self.place, self.round, Pen(self._before))
        shutil.copytree(self.place.folder, self._kept)
        counting = FailingDisk(None)
        with sqlite_files.watched(counting):
            played = self.play(counting)
        assert played.error is None, played.error
        self.kinds = counting.kinds
        self.undisturbed = recover(self.place, self.round, range(len(self.round.sendings)), Pen([]))

    def lay(self) -> None:
        """Put the store back to what it was before the round."""
        shutil.rmtree(self.place.folder)
        shutil.copytree(self._kept, self.place.folder)

    def play(self, disk: FailingDisk) -> Played:
        """Play the round on a disk; return the error that ended it, if any did."""
        said = list(self._before)
        error = None
        try:
            if self.recovers:
                roles.recover(self.place, WatchedDisk(disk))
            else:
                roles.undamaged(self.place, self.round, Pen(said), WatchedDisk(disk))
        except Exception as raised:  # judged by the caller
            error = raised
        return Played(error, [line for line in said if isinstance(line, Mark)], disk.met)


def judge(bench: Bench, case: Case) -> tuple[Played, list[str]]:
    """Play one case and say what is wrong."""
    bench.lay()
    disk = FailingDisk(case)
    with sqlite_files.watched(disk):
        played = bench.play(disk)
        problems = _unclear(played, case)
        problems += _thrown_away(bench) if bench.recovers else _unreadable(bench)
    try:
        return played, problems + _lost(bench, played)
    except Exception:  # told to whoever runs the harness, with the case
        return played, [*problems, "it does not go on:", traceback.format_exc()]


def _unclear(played: Played, case: Case) -> list[str]:
    """Find an error that does not say what happened and where."""
    error = played.error
    if error is None:
        return []
    if not isinstance(error, StoreUnwritable):
        return ["not a clear error:", *traceback.format_exception(error)]
    meant = {errno.EIO, errno.EIO if case.error == IO else errno.ENOSPC}
    if error.errno not in meant:
        return [f"errno {error.errno} for {case.error}: {error}"]
    return [] if "/" in str(error) else [f"the error names no place: {error}"]


def _unreadable(bench: Bench) -> list[str]:
    """Read everything while the disk is as it is."""
    try:
        with Store.open(bench.place.store) as store:
            store.status()
            store.frames()
            documents = [store.document(name) for name in store.documents()]
            assert all(documents)
            store.quarantine_list()
    except Exception:  # told to whoever runs the harness, with the case
        return ["not readable while the disk fails:", traceback.format_exc()]
    return []


def _thrown_away(bench: Bench) -> list[str]:
    return [] if bench.place.keeps(bench.damaged) else ["the damaged database is thrown away"]


def _lost(bench: Bench, played: Played) -> list[str]:
    """Go on when the disk is well, and hold what is there against what was promised."""
    before, after = Ledger(), Ledger()
    sent = [mark.number for mark in played.said if mark.kind == "sent"]
    told = {mark.number for mark in played.said if mark.kind == "acknowledged"}
    again: list[Operation | Mark] = []
    facts = recover(bench.place, bench.round, told, Pen(again))
    later = [mark for mark in again if isinstance(mark, Mark)]
    for ledger in (before, after):
        ledger.count_files(bench.round)
        ledger.count(bench.round, sent, sorted(told))
    after.count(
        bench.round,
        [mark.number for mark in later if mark.kind == "sent"],
        [mark.number for mark in later if mark.kind == "acknowledged"],
    )
    after.tell_files(bench.round)
    return [*_kept(before, after, facts), *judgement.same(facts, bench.undisturbed)]


def _kept(before: Ledger, after: Ledger, facts: Facts) -> list[str]:
    return [
        *judgement.kept(before, facts.drained, "when the disk was well again"),
        *judgement.kept(after, facts.closed, "after the recovery"),
        *judgement.sound(facts),
    ]


def cases(kinds: list[str], every: bool) -> list[Case]:
    """Name the cases: each operation fails in one of its ways, which take turns, or in `every`."""
    turns: Counter[str] = Counter()
    planned = []
    for at, kind in enumerate(kinds):
        ways = [way for way in WAYS if way[0] == IO or kind in TAKE_SPACE]
        if not every:
            ways = [ways[turns[kind] % len(ways)]]
        planned += [Case(at, *way) for way in ways]
        turns[kind] += 1
    return planned


def main() -> int:
    """Run the harness as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.disk_faults")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--every", action="store_true", help="each operation in each way")
    parser.add_argument("--recovery", action="store_true", help="of a damaged store")
    parser.add_argument("--broken", action="store_true", help="the control: errors are swallowed")
    asked = parser.parse_args()
    begin = time.process_time()
    met: Counter[str] = Counter()
    ended: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="neighbor-disk-", dir=harness.memory()) as folder:
        bench = Bench(asked.seed, Path(folder), recovers=asked.recovery)
        planned = cases(bench.kinds, asked.every)
        print(f"seed {asked.seed}: {len(planned)} faults at {len(bench.kinds)} operations")
        with swallowed() if asked.broken else nullcontext():
            for case in planned:
                played, problems = judge(bench, case)
                if problems:
                    print(f"{case}, {played.met}, {played.error}", *problems, sep="\n  ")
                    return 1
                met[played.met.kind if played.met else "nothing"] += 1
                ended[type(played.error).__name__ if played.error else "no error"] += 1
    print("met:", ", ".join(f"{count} {kind}" for kind, count in met.most_common()))
    print("ended in:", ", ".join(f"{count} {kind}" for kind, count in ended.most_common()))
    print(f"nothing lost, all readable; {time.process_time() - begin:.1f} s of processor time")
    return 0


def swallowed() -> AbstractContextManager[None]:
    """Break our own files: a write that the disk refuses is taken for one that it took."""
    write = WatchedDisk.write

    def careless(disk: WatchedDisk, descriptor: int, data: bytes | memoryview) -> int:
        try:
            return write(disk, descriptor, data)
        except OSError:
            return len(data)

    return breakage.swapped(operations.WatchedDisk, "write", careless)


if __name__ == "__main__":
    sys.exit(main())
