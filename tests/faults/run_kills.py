"""Kills a run while its streams work: `python -m tests.faults.run_kills --kills 300`.

    life: copy the template -> run three streams, KILL -> one `gc` -> judge -> the next frame

Killed are the supervisor, at each of its named steps, at any call between them or at any moment; a
stream's command; its keeper; keeper and supervisor at once. What its git does when it dies is in
`worktree_kills.py`.
"""

import argparse
import ast
import os
import secrets
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import NamedTuple

from . import processes
from . import run_world as worlds
from .journal import Journal, lines
from .kill import AtCall, AtStep, arm, count_calls
from .run_world import World

CLI = Path(__file__).resolve().parents[2] / "cli"
BETWEEN, MOMENT = "(between steps)", "(at any moment)"
AGENT, KEEPER, BOTH = "(a stream's command)", "(a keeper)", "(keeper and supervisor)"
OTHERS = (BETWEEN, MOMENT, AGENT, KEEPER, BOTH)
UP_S_MAX = 60.0


class Usual(NamedTuple):
    """What a run is when nobody is killed."""

    steps: Counter[str]
    calls: int
    length_s: float


class Kill(NamedTuple):
    """One life: who dies where. `chance` from 0 to 1 says which call, or which moment."""

    place: str
    nth: int
    chance: float


def steps() -> list[str]:
    """Return every step of a run that the source names."""
    found = set()
    for path in CLI.glob("run*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "reached":
                found.add(ast.literal_eval(node.args[0]))
    return sorted(found)


def kills(seed: str, count: int, usual: Usual) -> Iterator[Kill]:
    """Choose lives: every place once, then at random."""
    random = Random(f"run kills {seed}")
    first = [*steps(), *OTHERS]
    for number in range(count):
        place = first[number] if number < len(first) else random.choice(first)
        yield Kill(place, random.randint(1, usual.steps[place] or 1), random.random())


def usual(world: World, folder: Path) -> Usual:
    """Play a life undisturbed; nothing may be left over or lost then."""
    world.fresh()
    journal = Journal(folder / "usual", "usual")

    def work() -> None:
        _silence()
        with count_calls(journal):
            assert world.run() == 1, "s3 crashes"

    begin_s = time.monotonic()
    assert processes.end(processes.start(work, journal)) == 0, lines(folder / "usual")[-1].words[0]
    journal.close()
    length_s = time.monotonic() - begin_s
    said = lines(folder / "usual")
    found = worlds.left_over(world) + worlds.lost(world)
    assert found == [], found
    (calls,) = (int(each.words[0]) for each in said if each.kind == "calls")
    return Usual(Counter(each.words[0] for each in said if each.kind == "step"), calls, length_s)


def play(
    world: World, kill: Kill, usual: Usual, folder: Path, *, is_broken: bool
) -> tuple[bool, list[str]]:
    """Play one life; return whether somebody was killed, and what is not as it must be."""
    world.fresh()
    (folder / "run").unlink(missing_ok=True)
    journal = Journal(folder / "run", "run")
    process = processes.start(lambda: _supervise(world, kill, usual.calls, journal), journal)
    _kill_from_outside(world, kill, process, usual.length_s)
    ended = processes.end(process)
    journal.close()
    found = []
    if ended not in (0, -signal.SIGKILL):
        found.append(f"the run ended in {ended}: {lines(folder / 'run', 'raised')}")
    if is_broken:
        shutil.rmtree(world.store / "intents", ignore_errors=True)
        shutil.rmtree(world.store / "leases", ignore_errors=True)
    found += _apart(folder, world.gc)
    found += [f"left over: {each}" for each in worlds.left_over(world)]
    found += worlds.lost(world)
    if not is_broken:
        found += _apart(folder, lambda: worlds.judge_next(world))
    for pid in worlds.running(world):
        processes.kill(pid)
    was_killed = kill.place in (AGENT, KEEPER) or ended == -signal.SIGKILL
    return was_killed, [f"{kill}: {each}" for each in found]


def _supervise(world: World, kill: Kill, calls: int, journal: Journal) -> None:
    """Be the supervisor, until it is killed."""
    _silence()
    os.setsid()
    if kill.place == BETWEEN:
        arm(AtCall(1 + int(kill.chance * calls)), journal)
    elif kill.place not in OTHERS:
        arm(AtStep(kill.place, kill.nth), journal)
    assert world.run() == 1, "s3 crashes"


def _kill_from_outside(world: World, kill: Kill, process: int, length_s: float) -> None:
    """Kill whom the place names, if that is not for the supervisor itself to do."""
    if kill.place == MOMENT:
        time.sleep(kill.chance * length_s)
        processes.kill(process)
    elif kill.place in (AGENT, KEEPER, BOTH):
        deadline_s = time.monotonic() + UP_S_MAX
        while not (world.notes / "up").exists():
            assert time.monotonic() < deadline_s, "s2 does not come up"
            time.sleep(0.02)
        agent, keeper = map(int, (world.notes / "up").read_text("utf-8").split())
        if kill.place == BOTH:
            processes.kill(process)
        processes.kill(agent if kill.place == AGENT else keeper)


def _apart(folder: Path, work: "Callable[[], object]") -> list[str]:
    """Do something in a process of its own; return what it found, or raised."""
    (folder / "apart").unlink(missing_ok=True)
    journal = Journal(folder / "apart", "apart")

    def told() -> None:
        _silence()
        answer = work()
        assert isinstance(answer, list)
        for each in answer:
            journal.say("found", each)

    processes.end(processes.start(told, journal))
    journal.close()
    return [each.words[0] for each in lines(folder / "apart")]


def _silence() -> None:
    """Let nobody hear what this process prints."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)


def main() -> int:
    """Kill as often as the command line says; print the hits by place, and what broke."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.run_kills")
    parser.add_argument("--kills", type=int, default=len(steps()) + len(OTHERS))
    parser.add_argument("--seed", default="")
    parser.add_argument("--only", type=int, help="only this one of the seed's lives")
    parser.add_argument("--broken", action="store_true", help="a control: no intent, no lease")
    asked = parser.parse_args()
    seed = asked.seed or secrets.token_hex(4)
    print(f"seed {seed}", flush=True)
    memory = Path("/dev/shm")
    root = memory if memory.is_dir() else None
    folder = Path(tempfile.mkdtemp(prefix="run-kills-", dir=root))
    world = worlds.make(folder)
    norm = usual(world, folder)
    hits: Counter[str] = Counter()
    problems = []
    for number, kill in enumerate(kills(seed, asked.kills, norm)):
        if asked.only in (None, number):
            was_killed, found = play(world, kill, norm, folder, is_broken=asked.broken)
            problems += [f"life {number}: {each}" for each in found]
            hits[kill.place] += was_killed
    print(f"seed {seed}: {hits.total()} kills")
    for place in [*steps(), *OTHERS]:
        print(f"{place:32} {hits[place]:>6}")
        problems += [] if hits[place] else [f"nobody was killed at {place!r}"]
    print("\n".join(problems))
    shutil.rmtree(folder)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
