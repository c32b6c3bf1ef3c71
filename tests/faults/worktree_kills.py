"""Kills whoever works with worktrees: `python -m tests.faults.worktree_kills --kills 300`.

    life: copy the template -> play a role, KILL -> one `gc` -> judge

Killed are the process of a role at one of its named steps, or at any call between them; agents
that it started; and git itself, at any of its changes to files, with its supervisor or without.
Roles are a table, steps are found in the source: what starts work elsewhere adds its own to both.
"""

import argparse
import ast
import os
import secrets
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from random import Random
from typing import NamedTuple

from goodneighbor.cli.lease import FOLDER, Lease
from goodneighbor.kernel.errors import GoodneighborError
from goodneighbor.store import step

from . import fatal_git, processes, worktree_judge
from . import worktree_world as worlds
from .journal import Journal, lines
from .kill import AtCall, AtStep, Calls, arm
from .worktree_world import World

CLI = Path(__file__).resolve().parents[2] / "cli"
AT_WORK = "supervise: at work"
STREAMS = ("s1", "s2")
BETWEEN = "(between steps)"
SHARE_BETWEEN, SHARE_GIT = 0.25, 0.35


class Kill(NamedTuple):
    """One life: which role dies where."""

    role: str
    place: str  # a step, "git <subcommand>", or BETWEEN
    nth: int
    with_git: bool  # where git dies: the supervisor as well
    agent_dies: bool


class Usual(NamedTuple):
    """What a role does when nobody is killed."""

    steps: Counter[str]
    calls: int
    git: Counter[str]


def add(world: World, journal: Journal) -> None:
    """Make a worktree by hand."""
    world.add("new")


def supervise(world: World, journal: Journal) -> None:
    """Do what a run does with worktrees: a lease, streams that work, and all taken away again."""
    with Lease(world.store / FOLDER, "run-1") as lease:
        agents = []
        for stream in STREAMS:
            made = world.add(stream, lease).worktree
            for text in worlds.work_in(made.path, stream):
                journal.say("wrote", text)
            journal.say("delta", stream)
            agents.append(worlds.start_agent(made.path, lease.nonce))
            journal.say("agent", agents[-1].pid)
        step.reached(AT_WORK)
        for agent in agents:
            os.killpg(agent.pid, 9)
            agent.wait()
        for stream in STREAMS:
            world.remove(stream)


def remove(world: World, journal: Journal) -> None:
    """Take worktrees with work in them away by hand."""
    for stream in ("busy", "tips"):
        world.remove(stream)


def sweep(world: World, journal: Journal) -> None:
    """Sweep what a supervisor left that was killed while its agents were at work."""
    world.gc()


ROLES: dict[str, Callable[[World, Journal], None]] = {
    "add": add,
    "supervise": supervise,
    "remove": remove,
    "sweep": sweep,
}
PREFIXES = ("worktree: ", "copy: ", "remove: ", "sweep: ", "supervise: ")


@cache
def steps() -> list[str]:
    """Return every step that the source names, of those that roles go through."""
    found = {AT_WORK}
    for path in CLI.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "reached":
                name = ast.literal_eval(node.args[0])
                found |= {name} if name.startswith(PREFIXES) else set()
    return sorted(found)


def kills(seed: str, count: int, usual: dict[str, Usual]) -> Iterator[Kill]:
    """Choose lives: every step and every subcommand of git once, then at random."""
    random = Random(f"worktree kills {seed}")
    subcommands = sorted({name for each in usual.values() for name in each.git})
    first = [*steps(), *(f"git {name}" for name in subcommands), BETWEEN]
    for number in range(count):
        place = first[number] if number < len(first) else _place(random, subcommands)
        yield _kill(random, place, usual)


def _place(random: Random, subcommands: list[str]) -> str:
    chance = random.random()
    if chance < SHARE_BETWEEN:
        return BETWEEN
    if chance < SHARE_BETWEEN + SHARE_GIT:
        return f"git {random.choice(subcommands)}"
    return random.choice(steps())


def _kill(random: Random, place: str, usual: dict[str, Usual]) -> Kill:
    """Choose a role that comes to a place, and how often it comes there before it dies."""
    times = {name: _times(each, place) for name, each in usual.items()}
    role = random.choice(sorted(name for name, count in times.items() if count))
    nth = random.randint(1, times[role])
    return Kill(role, place, nth, random.random() < 0.5, random.random() < 0.3)


def _times(usual: Usual, place: str) -> int:
    if place == BETWEEN:
        return usual.calls
    if place.startswith("git "):
        return usual.git[place.removeprefix("git ")]
    return usual.steps[place]


def usual(world: World, library: Path, folder: Path) -> dict[str, Usual]:
    """Play each role undisturbed; return what it takes. Nothing may be left behind."""
    found = {}
    for role in ROLES:
        journal = folder / f"usual-{role}"
        told = folder / f"git-{role}"
        _begin(world, role, folder)
        with fatal_git.counting(library, told):
            _run(world, role, journal, None)
        said = lines(journal)
        assert [each.words for each in said if each.kind == "raised"] == [], said[-1]
        counted = Counter(each.words[0] for each in said if each.kind == "step")
        (calls,) = (int(each.words[0]) for each in said if each.kind == "calls")
        found[role] = Usual(counted, calls, fatal_git.changes(told))
    missing = set(steps()) - set().union(*(each.steps for each in found.values()))
    assert not missing, f"no role comes to {missing}"
    return found


def play(world: World, kill: Kill, library: Path, folder: Path, *, is_broken: bool) -> list[str]:
    """Play one life; return what is not as it must be."""
    people = _begin(world, kill.role, folder)
    journal = folder / "role"
    _run(world, kill.role, journal, kill, library)
    said = lines(folder / "before") + lines(journal)
    if kill.agent_dies:
        for each in said:
            if each.kind == "agent":
                processes.kill_if_running(int(each.words[0]))
                break
    if is_broken:
        worlds.forget_intents(world)
    raised = _gc(world, folder / "gc")
    found = [f"gc ended so: {raised}"] if raised else []
    try:
        found += worktree_judge.judge(world, said, people)
    except (GoodneighborError, OSError, AssertionError) as error:
        found.append(f"judging ended so: {error}")
    for pid in worlds.running_in(world):
        processes.kill_if_running(pid)
    return [f"{kill}: {each}" for each in found]


def _begin(world: World, role: str, folder: Path) -> dict[str, str]:
    """Begin a life, up to where the role starts; return what people have."""
    world.fresh()
    for name in ("before", "role", "gc"):
        (folder / name).unlink(missing_ok=True)
    people = worlds.people_of(world)
    if role == "sweep":
        _run(world, "supervise", folder / "before", Kill("supervise", AT_WORK, 1, False, False))
    return people


def _run(
    world: World, role: str, path: Path, kill: Kill | None, library: Path | None = None
) -> None:
    """Have a process play a role until it ends, or is killed."""
    journal = Journal(path, role)

    def work() -> None:
        os.setsid()  # a git that dies takes its process group along
        if kill is None:
            _counted(world, role, journal)
        elif kill.place.startswith("git "):
            assert library is not None, "git dies by what is loaded into it"
            subcommand = kill.place.removeprefix("git ")
            also = os.getpid() if kill.with_git else None
            with fatal_git.fatal(library, subcommand, kill.nth, also=also):
                ROLES[role](world, journal)
        else:
            is_between = kill.place == BETWEEN
            arm(AtCall(kill.nth) if is_between else AtStep(kill.place, kill.nth), journal)
            ROLES[role](world, journal)

    processes.end(processes.start(work, journal))
    journal.close()


def _counted(world: World, role: str, journal: Journal) -> None:
    calls = Calls()
    arm(None, journal)
    sys.setprofile(calls)
    try:
        ROLES[role](world, journal)
    finally:
        sys.setprofile(None)
    journal.say("calls", calls.count)


def _gc(world: World, path: Path) -> str:
    """Sweep in a process of its own; return what it raised, or what it says had to stay."""
    journal = Journal(path, "gc")

    def work() -> None:
        for what, why in world.gc().stayed:
            journal.say("raised", f"{what} stays: {why}")

    ended = processes.end(processes.start(work, journal))
    journal.close()
    raised = [each.words[0] for each in lines(path, "raised")]
    return "" if ended == 0 and not raised else f"{ended} {raised}"


def main() -> int:
    """Kill as often as the command line says; print the hits by place, and what broke."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.worktree_kills")
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", default="")
    parser.add_argument("--only", type=int, help="only this one of the seed's lives")
    parser.add_argument("--broken", action="store_true", help="a control: no intent is kept")
    asked = parser.parse_args()
    seed = asked.seed or secrets.token_hex(4)
    print(f"seed {seed}", flush=True)
    memory = Path("/dev/shm")
    root = memory if memory.is_dir() else None
    folder = Path(tempfile.mkdtemp(prefix="worktree-kills-", dir=root))
    world, library = worlds.make(folder), fatal_git.build(folder)
    norm = usual(world, library, folder)
    hits: Counter[str] = Counter()
    problems = []
    for number, kill in enumerate(kills(seed, asked.kills, norm)):
        if asked.only in (None, number):
            found = play(world, kill, library, folder, is_broken=asked.broken)
            problems += [f"life {number}: {each}" for each in found]
            hits[kill.place] += 1
    _print(seed, hits, norm, problems)
    shutil.rmtree(folder)
    return 1 if problems else 0


def _print(seed: str, hits: Counter[str], norm: dict[str, Usual], problems: list[str]) -> None:
    print(f"seed {seed}: {hits.total()} kills")
    subcommands = sorted({name for each in norm.values() for name in each.git})
    for place in [*steps(), *(f"git {name}" for name in subcommands), BETWEEN]:
        print(f"{place:32} {hits[place]:>6}")
        if not hits[place]:
            problems.append(f"nobody was killed at {place!r}")
    print("\n".join(problems))


if __name__ == "__main__":
    sys.exit(main())
