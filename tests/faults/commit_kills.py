"""Kills exports with commit and push at each of their steps: `python -m tests.faults.commit_kills`.

    life: copy the template -> play a role, KILL at a step -> the next command -> judge

Roles: a commit; one that saves edits in its way; a push; a push that somebody else outruns; and
the settling of a commit that was killed before. Some kills also leave a file torn, as a git that
dies in the middle of writing it does, or find that a person wrote into it meanwhile.
"""

import argparse
import ast
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import NamedTuple

from goodneighbor.cli import checked_out, settle
from goodneighbor.store import step

from . import commit_world as worlds
from . import processes
from .commit_world import EDIT, World
from .journal import Journal, lines
from .kill import AtStep, Steps

CLI = Path(__file__).resolve().parents[2] / "cli"
PREFIXES = ("commit: ", "push: ", "settle: ")
AGENTS = "state/agents.json"
# While these are behind us and the rest is not, git may be writing the tree's files.
MOVING = ("commit: index copied", "commit: tree moved", "commit: branch moved")


class Kill(NamedTuple):
    """One life: who is killed where, and what else happens to a file."""

    role: str
    step: str
    harm: str  # "", "torn" or "edited"


def steps() -> list[str]:
    """Return every step of commit, push and settling that the source names."""
    found = set()
    for path in CLI.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "reached":
                name = ast.literal_eval(node.args[0])
                found |= {name} if name.startswith(PREFIXES) else set()
    return sorted(found)


def kills(seed: str, count: int) -> Iterator[Kill]:
    """Choose lives: every step once, then steps at random, some with harm to a file."""
    random = Random(f"commit kills {seed}")
    names = steps()
    for number in range(count):
        name = names[number] if number < len(names) else random.choice(names)
        yield Kill(_role(name, random), name, random.choice(("", "torn", "edited")))


def _role(name: str, random: Random) -> str:
    if name == "commit: edits rescued":
        return "rescue"
    if name == "push: others were faster":
        return "raced"
    if name.startswith("settle: "):
        return "settle"
    return "push" if name.startswith("push: ") else random.choice(("commit", "push", "raced"))


def play(world: World, kill: Kill, journal: Path) -> list[str]:
    """Play one life; return what is not as it must be."""
    world.fresh()
    if kill.role == "rescue":
        (world.tree / AGENTS).write_bytes(EDIT)
    if kill.role == "settle":
        _die(world, Kill("commit", "commit: branch moved", ""), journal)
    work = worlds.work_of(world.tree) if kill.role == "commit" else _work_alone(world)
    if not _die(world, kill, journal):
        return [f"{kill}: the step was not reached"]
    harmed = _harm(world, kill)
    pushes = kill.role in ("push", "raced")
    ended = _next(world, journal.with_suffix(".next"), pushes=pushes, rescues=kill.role == "rescue")
    if ended:
        return [f"{kill}: the next command ended so:\n{ended}"]
    found = worlds.problems_of(world, work, pushed=pushes)
    if harmed or kill.role == "rescue":
        found += _rescued(world)
    return [f"{kill}: {each}" for each in found]


def _work_alone(world: World) -> dict[str, str]:
    """Return the person's work without what was harmed on purpose, for it is saved under a ref."""
    work = worlds.work_of(world.tree)
    kept = [line for line in work["status"].splitlines() if "state/" not in line]
    parts = work["staged"].split("diff --git ")
    staged = "diff --git ".join(part for part in parts if not part.startswith("a/state/"))
    return {**work, "status": "".join(f"{line}\n" for line in kept), "staged": staged}


def _die(world: World, kill: Kill, path: Path) -> bool:
    """Have a process play a role until it is killed at a step; tell whether it was."""
    journal = Journal(path, kill.role)

    def work() -> None:
        step.watch(_Races(world, kill.role, Steps(journal, AtStep(kill.step, 1))))
        roles: dict[str, Callable[[], object]] = {
            "commit": world.commit,
            "settle": world.commit,
            "rescue": lambda: world.commit(rescue=True),
            "push": world.push,
            "raced": world.push,
        }
        roles[kill.role]()

    ended = processes.end(processes.start(work, journal))
    journal.close()
    return ended == -9


class _Races:
    """Lets somebody else push right after the first fetch, where the role is to be outrun."""

    def __init__(self, world: World, role: str, then: Callable[[str], None]) -> None:
        self._world = world
        self._is_due = role == "raced"
        self._then = then

    def __call__(self, name: str) -> None:
        if name == "push: fetched" and self._is_due:
            self._is_due = False
            worlds.somebody_pushes(self._world)
        self._then(name)


def _harm(world: World, kill: Kill) -> bool:
    """Leave a document torn or edited, where the kill came while files were moving.

    Returns whether a person's bytes are there that must be saved.
    """
    file = world.tree / AGENTS
    if kill.step not in MOVING or kill.role == "rescue" or not kill.harm:
        return False
    if kill.harm == "torn":
        wanted = world.store().document("agents")
        file.write_bytes(wanted[: len(wanted) // 2])
        return False
    if kill.step != "commit: branch moved":
        return False  # nothing had moved: it is an edit as any other, and stops the next export
    file.write_bytes(EDIT)
    return True


def _next(world: World, path: Path, *, pushes: bool, rescues: bool) -> str:
    """Run the command that comes next in a process of its own; return what it raised."""
    journal = Journal(path, "next")

    def work() -> None:
        if pushes:
            world.push()
        else:
            world.commit(rescue=rescues)

    ended = processes.end(processes.start(work, journal))
    journal.close()
    raised = [line.words[0] for line in lines(path, "raised")]
    return "" if ended == 0 else f"{ended} {raised}"


def _rescued(world: World) -> list[str]:
    refs = worlds.git(world.tree, "for-each-ref", "--format=%(refname)", "refs/goodneighbor/rescue")
    shown = [worlds.git(world.tree, "show", f"{ref}:{AGENTS}") for ref in refs.split()]
    return [] if EDIT.decode() in shown else [f"the person's bytes are under no ref: {refs}"]


def main() -> int:
    """Kill as often as the command line says; print the hits by step, and what broke."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.commit_kills")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--broken", action="store_true", help="a control: nothing is settled")
    arguments = parser.parse_args()
    if arguments.broken:
        settle.settle = lambda git, store: []
        checked_out.WAIT_S = 0.1  # for the locks that stay then
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="commit-kills-", dir=memory if memory.is_dir() else None))
    world = worlds.make(folder)
    hits: Counter[str] = Counter()
    problems = []
    for number, kill in enumerate(kills(arguments.seed, arguments.kills)):
        problems += play(world, kill, folder / f"{number}.journal")
        hits[kill.step] += 1
    print(f"seed {arguments.seed}: {arguments.kills} kills")
    for name in steps():
        print(f"{name:34} {hits[name]:>6}")
    problems += [f"nobody was killed at {name!r}" for name in steps() if not hits[name]]
    print("\n".join(problems))
    shutil.rmtree(folder)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
