"""Power cuts at every operation of a trace, and what the store makes of what they leave.

    trace -> for each prefix and way: the files a power cut leaves -> the next commands -> judge

The promise (law 1) is judged as after a kill, and the recovered store must hold what the
undisturbed one does: `python -m tests.faults.crash_states --states 20000`. With `--recovery` it is
the trace of a recovery, which throws nothing away on its way either.
"""

import argparse
import secrets
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from random import Random
from typing import NamedTuple

from . import breakage, harness, judgement, trace
from .facts import Facts
from .judgement import Ledger
from .medium import ORDERED, WAYS, Medium
from .operations import Operation
from .recovery import create_again, recover
from .roles import Place
from .trace import CREATION, Mark, Pen, Trace

BROKEN = ("close without a transaction", "offsets in their own transaction")


class State(NamedTuple):
    """One power cut: so many lines of the trace were done, the next was under way."""

    done: int
    turn: int
    way: str


class Tally(NamedTuple):
    """A run: how many states of which kind, and the first problem."""

    ways: Counter[str]
    kinds: Counter[str]  # of the operation under way
    acknowledged: int  # at the end of the trace
    problem: str


def run(
    seed: str,
    count: int,
    folder: Path,
    *,
    without: str | None = None,
    broken: AbstractContextManager[None] | None = None,
    recovers: bool = False,
) -> Tally:
    """Judge `count` states of a seed's trace; stop at the first that shows a problem."""
    life = folder / "life"
    if recovers:
        undisturbed = _undisturbed(trace.record_recovery(seed, life))
        taken = trace.record_recovery(seed, life, without=without)
    else:
        undisturbed = _undisturbed(trace.record(seed, life))
        taken = trace.record(seed, life, without=without, broken=broken)
    told = sum(isinstance(line, Mark) and line.kind == "acknowledged" for line in taken.lines)
    tally = Tally(Counter(), Counter(), told, "")
    medium = Medium(taken.found)
    planned = states(taken, count, seed)
    for at, line in enumerate(taken.lines):
        if isinstance(line, Mark):
            continue
        for state in planned.get(at, []):
            tally.ways[state.way] += 1
            tally.kinds[line.kind] += 1
            random = Random(f"{seed} {state}")
            _lay(taken.folder, medium.files(random, state.way, line))
            if problems := judge(taken, state, undisturbed):
                lines = "\n  ".join(problems)
                return tally._replace(problem=f"{state}, {line.kind} of {line.path}:\n  {lines}")
        medium.done(line)
    return tally


def states(taken: Trace, count: int, seed: str) -> dict[int, list[State]]:
    """Share `count` states out over the prefixes: each in turn, every time in another way."""
    prefixes = [at for at, line in enumerate(taken.lines) if isinstance(line, Operation)]
    Random(f"prefixes {seed}").shuffle(prefixes)
    planned: dict[int, list[State]] = {}
    for number in range(count):
        turn, index = divmod(number, len(prefixes))
        way = WAYS[(index + turn) % len(WAYS)]
        planned.setdefault(prefixes[index], []).append(State(prefixes[index], turn, way))
    return planned


def judge(taken: Trace, state: State, undisturbed: list[Facts]) -> list[str]:
    """Recover what lies in the trace's folder; say what is wrong with what is then there."""
    said = [line for line in taken.lines[: state.done] if isinstance(line, Mark)]
    index = [line.number for line in said if line.kind == "round"][-1]
    place = Place(taken.folder)
    damaged = taken.found.get(str(place.database))
    if damaged is not None and not place.keeps(damaged):
        return ["the damaged database is thrown away"]
    again: list[Operation | Mark] = []
    try:
        if index == CREATION:
            create_again(place, taken.rounds[0], Pen(again))
            return []
        facts = recover(place, taken.rounds[index], _told(said), Pen(again))
    except Exception:  # told to whoever runs the harness, with the state it happened in
        return [traceback.format_exc()]
    before = _ledger(taken, said)
    after = _ledger(taken, [*said, *(line for line in again if isinstance(line, Mark))])
    after.tell_files(taken.rounds[index])
    return [
        *judgement.kept(before, facts.drained, "after the power cut"),
        *judgement.kept(after, facts.closed, "after the recovery"),
        *judgement.sound(facts),
        *judgement.same(facts, undisturbed[index]),
    ]


def _undisturbed(taken: Trace) -> list[Facts]:
    """Return what each round leaves when no power goes."""
    found: list[Facts] = []
    medium = Medium(taken.found)
    ends = [at for at, line in enumerate(taken.lines) if line[0] == "round"][2:]
    for at, line in enumerate([*taken.lines, Mark("round", len(taken.rounds))]):
        if at in (*ends, len(taken.lines)):
            _lay(taken.folder, medium.files(Random(0), ORDERED, None))
            each = taken.rounds[len(found)]
            found.append(recover(Place(taken.folder), each, range(len(each.sendings)), Pen([])))
        elif isinstance(line, Operation):
            medium.done(line)
    shutil.rmtree(taken.folder)
    return found


def _lay(folder: Path, files: dict[str, bytes]) -> None:
    """Lay out what a power cut left; folders are there, as those of a machine that was set up."""
    place = Place(folder)
    shutil.rmtree(folder, ignore_errors=True)
    for each in (place.tree / "state", place.deltas, place.kept, place.store / "mailbox"):
        each.mkdir(parents=True)
    for path, data in files.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)  # such as of what is set aside
        Path(path).write_bytes(data)


def _told(said: list[Mark]) -> set[int]:
    """Return the sendings of the last round that were acknowledged."""
    begin = max(at for at, line in enumerate(said) if line.kind == "round")
    return {line.number for line in said[begin:] if line.kind == "acknowledged"}


def _ledger(taken: Trace, said: list[Mark]) -> Ledger:
    """Return what was sent and acknowledged, over all rounds that had begun."""
    ledger = Ledger()
    for index, marks in _by_round(said):
        if index == CREATION:
            continue
        each = taken.rounds[index]
        ledger.count_files(each)
        sent = [line.number for line in marks if line.kind == "sent"]
        ledger.count(each, sent, [line.number for line in marks if line.kind == "acknowledged"])
    return ledger


def _by_round(said: list[Mark]) -> Iterator[tuple[int, list[Mark]]]:
    begins = [at for at, line in enumerate(said) if line.kind == "round"]
    for begin, end in zip(begins, [*begins[1:], len(said)], strict=True):
        yield said[begin].number, said[begin + 1 : end]


def main() -> int:
    """Run the harness as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.crash_states")
    parser.add_argument("--states", type=int, default=2_000)
    parser.add_argument("--seed", default="", help="plays the same states again; random without")
    parser.add_argument("--recovery", action="store_true", help="of a damaged store")
    parser.add_argument("--without", choices=sorted(trace.UNFLUSHED), help="a control")
    parser.add_argument("--broken", choices=BROKEN, help="a control")
    asked = parser.parse_args()
    seed = asked.seed or secrets.token_hex(4)
    print(f"seed {seed}", flush=True)
    begin = time.process_time()
    broken = breakage.WAYS[asked.broken].breaks() if asked.broken else None
    with tempfile.TemporaryDirectory(prefix="neighbor-crash-", dir=harness.memory()) as folder:
        tally = run(
            *(seed, asked.states, Path(folder)),
            without=asked.without,
            broken=broken,
            recovers=asked.recovery,
        )
    ways = ", ".join(f"{count} {way}" for way, count in sorted(tally.ways.items()))
    kinds = ", ".join(f"{count} in a {kind}" for kind, count in sorted(tally.kinds.items()))
    print(f"{tally.ways.total()} states ({ways}); {kinds}")
    print(f"{tally.acknowledged} sendings acknowledged by the end of the trace")
    print(f"{time.process_time() - begin:.1f} s of processor time")
    print(tally.problem or "all recover")
    return 1 if tally.problem else 0


if __name__ == "__main__":
    sys.exit(main())
