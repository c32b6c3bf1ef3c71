"""A repository, a frame of three streams that work in it, and what must be there after any kill.

    s1   leaves a thought and a commit, appends a delta, ends
    s2   leaves a thought and a delta as a file, lets a child out of its session, goes on for ever
    s3   crashes at once

Each notes outside of its worktree what it left and what was acknowledged, after it was.
"""

import json
import os
import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from goodneighbor.cli import place, trash
from goodneighbor.cli.__main__ import main
from goodneighbor.cli.demo_site import make_program
from goodneighbor.cli.run import Run
from goodneighbor.cli.run_plan import plan
from goodneighbor.store import Store

from .. import fleet
from .commit_world import git, identify

FRAME = 1
STREAMS = ("s1", "s2", "s3")
RULES = f"{fleet.RULES}\n[export]\ncommit = true\n"
_LEAVE = (
    'thought="$NEIGHBOR_STREAM: a thought"\n'
    'echo "$thought" >thought.txt; echo "$thought" >>$NOTES/wrote\n'
)
AGENTS = {
    "s1": _LEAVE
    + "echo 's1: a commit' >commit.txt; git add commit.txt; git commit --quiet --message commit\n"
    "echo 's1: a commit' >>$NOTES/wrote\n"
    'echo \'{"posts_created": [{"number": 1}]}\' | neighbor append && echo 1 >>$NOTES/acked\n',
    "s2": _LEAVE + 'echo \'{"posts_created": [{"number": 2}]}\' >$NEIGHBOR_DELTAS/new\n'
    "mv $NEIGHBOR_DELTAS/new $NEIGHBOR_DELTAS/2.json; echo 2 >>$NOTES/acked\n"
    "setsid sh -c 'trap \"\" TERM; sleep 300' &\n"
    "echo $$ $PPID >$NOTES/new; mv $NOTES/new $NOTES/up\n"
    "sleep 300\n",
    "s3": "exit 1\n",
}


class World(NamedTuple):
    """The template, and the place where each life of it is played."""

    template: Path
    folder: Path

    @property
    def tree(self) -> Path:
        return self.folder / "site"

    @property
    def store(self) -> Path:
        return self.tree / ".git" / "goodneighbor"

    @property
    def notes(self) -> Path:
        return self.folder / "notes"

    def fresh(self) -> None:
        """Begin a life."""
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self.template, self.folder, symlinks=True)

    def run(self) -> int:
        """Do what `neighbor run` does, in this process, with the three streams."""
        streams = {name: f". {self.folder}/{name}.sh" for name in STREAMS}
        return self._run({"stream": streams, "timeout": "1500ms"}, FRAME)

    def run_next(self) -> int:
        """Run a frame in which one stream reports."""
        return self._run({"stream": {"s1": "echo '{}' | neighbor append"}}, FRAME + 1)

    def _run(self, said: dict[str, object], frame: int) -> int:
        where = place.find(str(self.tree))
        with where.open_store() as store:
            asked = plan({}, "run", {"stagger": "0s", "grace": "200ms", **said})
            return Run(where, store, asked, as_json=False).run(frame)

    def gc(self) -> list[str]:
        """Type `neighbor gc`; return what it could not do."""
        os.chdir(self.tree)
        code = main(["gc"])
        return [f"`neighbor gc` ended in {code}"] if code else []


def make(folder: Path) -> World:
    """Make the repository, with `neighbor` on the PATH of this process."""
    world = World(folder / "template", folder / "life")
    identify()
    world.folder.mkdir(parents=True)
    program = make_program(folder)
    os.environ["PATH"] = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    os.environ["NOTES"] = str(world.notes)
    git(folder, "init", "--quiet", "--initial-branch=main", str(world.tree))
    (world.tree / "state").mkdir()
    for name, data in fleet.BASE.items():
        (world.tree / "state" / f"{name}.json").write_bytes(data)
    (world.tree / "neighbor.toml").write_text(RULES, "utf-8")
    git(world.tree, "add", "--all")
    git(world.tree, "commit", "--quiet", "--message", "A site")
    Store.create(world.store, RULES, fleet.BASE).close()
    world.notes.mkdir()
    for name, script in AGENTS.items():
        (world.folder / f"{name}.sh").write_text(script, "utf-8")
    world.folder.rename(world.template)
    return world


def left_over(world: World) -> list[str]:
    """Return what must be gone after one gc."""
    common = world.tree / ".git"
    found = [f"worktree {line}" for line in git(world.tree, "worktree", "list").splitlines()[1:]]
    found += [f"git's folder {path.name}" for path in (common / "worktrees").glob("*")]
    found += [f"tree {path}" for path in world.folder.glob("site.worktrees*")]
    found += [f"branch {name}" for name in git(world.tree, "branch", "--list", "dc/*").split()]
    found += [f"intent {path.name}" for path in (world.store / "intents").glob("*")]
    found += [f"lease {path.name}" for path in (world.store / "leases").glob("*")]
    found += [f"trash {path}" for path in trash.look(world.store)]
    found += [f"lock {path}" for path in common.rglob("*.lock") if path.parent != world.store]
    return found + [f"process {pid}" for pid in running(world)]


def running(world: World) -> list[int]:
    """Return the processes that carry the notes' folder in their environment and a lease."""
    mark = f"NOTES={world.notes}".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            told = (entry / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if mark in told and any(each.startswith(b"NEIGHBOR_LEASE=") for each in told):
            found.append(int(entry.name))
    return found


def lost(world: World) -> list[str]:
    """Return what the streams noted and is lost: work under no ref, deltas not once in the log."""
    refs = git(world.tree, "for-each-ref", "--format=%(refname)", "refs/goodneighbor/rescue")
    kept = "".join(
        git(world.tree, "show", f"{ref}:{name}")
        for ref in refs.split()
        for name in git(world.tree, "ls-tree", "--name-only", ref).split()
        if name in ("thought.txt", "commit.txt")
    )
    found = [f"lost: {line!r}" for line in _noted(world, "wrote") if line not in kept]
    with Store.open(world.store) as store:
        store.drain()
    counts = _posts(world)
    found += [
        f"delta {number} is {counts[number]} times in the log"
        for number in _noted(world, "acked")
        if counts[number] != 1
    ]
    return found


def judge_next(world: World) -> list[str]:
    """Run the next frame; return what is not as after any frame, the one before included."""
    found = [] if world.run_next() == 0 else ["the next frame did not end well"]
    found += [f"after the next frame: {each}" for each in left_over(world)]
    with Store.open(world.store) as store:
        for frame, expected in ((FRAME, STREAMS), (FRAME + 1, ("s1",))):
            detail = store.frame(frame)
            if detail is None:  # killed before it was opened
                continue
            names = [each.stream for each in detail.streams]
            statuses = {each.status for each in detail.streams}
            if detail.state != "closed" or not set(names) <= set(expected):
                found.append(f"frame {frame} is {detail.state}, of {names}")
            if len(names) != len(set(names)) or not statuses <= {"reported", "fallback"}:
                found.append(f"frame {frame} has {detail.streams}")
            if names and set(names) != set(expected):
                found.append(f"frame {frame} lacks streams: {names}")
            sums = detail.sums
            if sums.units_in != sums.applied + sums.duplicate + sums.skipped:
                found.append(f"frame {frame} does not balance: {sums}")
        found += [f"verify: {fault}" for fault in store.verify()]
    return found


def _noted(world: World, name: str) -> list[str]:
    file = world.notes / name
    return file.read_text("utf-8").splitlines() if file.exists() else []


def _posts(world: World) -> Counter[str]:
    """Count the posts of the log's events, by their number."""
    with closing(sqlite3.connect(f"file:{world.store}/store.sqlite3?mode=ro", uri=True)) as read:
        rows = read.execute("SELECT body FROM event WHERE kind = 'delta'").fetchall()
    deltas = [json.loads(row[0]) for row in rows]
    return Counter(str(post["number"]) for each in deltas for post in each.get("posts_created", []))
