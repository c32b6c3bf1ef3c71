"""A repository on an image: its commands in processes that can be stopped, what they acknowledged.

A command is `neighbor` itself in a fork. What it printed goes to a file outside of the image, so a
power cut takes nothing of it; it counts as acknowledged once the command has returned 0.
"""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from goodneighbor.cli import log_branch
from goodneighbor.cli.__main__ import main as neighbor
from goodneighbor.store import Store

from .. import fleet
from . import processes
from .commit_world import git
from .journal import Journal

DOCUMENTS = ("agents", "channels", "stats")
PLACES = ("checked out", "linked", "elsewhere")  # where the export's branch stands
WAYS = ("close", "export")  # which command commits
BRANCH = "refs/heads/main"
_WAIT_S = 30.0


class Layout(NamedTuple):
    """How a repository stands, and which command commits its exports."""

    place: str
    way: str


class Room(NamedTuple):
    """Where things are: the mounted image, and beside it what survives a power cut."""

    mounted: Path
    notes: Path

    @property
    def tree(self) -> Path:
        return self.mounted / "site"

    @property
    def linked(self) -> Path:
        return self.mounted / "linked"

    @property
    def store(self) -> Path:
        return self.tree / ".git" / "goodneighbor"


@dataclass
class Acknowledged:
    """What commands that returned 0 have said."""

    appends: list[str] = field(default_factory=list)
    frames: list[int] = field(default_factory=list)
    exports: list[str] = field(default_factory=list)
    logs: list[str] = field(default_factory=list)

    def note(self, words: list[str], told: dict[str, Any]) -> None:
        """Note what a command printed as JSON."""
        if words[0] == "append":
            self.appends += [each["id"] for each in told["appended"]]
            return
        if words[0] == "frame":
            self.frames.append(told["frame"])
            told = told["export"]
        if told.get("tip"):
            self.exports.append(told["tip"])
            self.logs.append(told["log_tip"])


def fill(room: Room, layout: Layout) -> None:
    """Make the repository on a fresh image."""
    tree = room.tree
    git(room.mounted, "init", "--quiet", "--initial-branch=main", str(tree))
    (tree / "state").mkdir()
    for name in DOCUMENTS:
        (tree / "state" / f"{name}.json").write_bytes(fleet.BASE[name])
    commits = "true" if layout.way == "close" else "false"
    rules = f'{fleet.RULES}\n[export]\nbranch = "main"\ncommit = {commits}\n'
    (tree / "neighbor.toml").write_text(rules, encoding="utf-8")
    git(tree, "add", ".")
    git(tree, "commit", "--quiet", "--message", "A site with four agents")
    _, status = run(room, ["init", "--json"])
    assert status == 0, said(room)
    if layout.place != "checked out":
        git(tree, "switch", "--quiet", "--create", "work")
    if layout.place == "linked":
        git(tree, "worktree", "add", "--quiet", str(room.linked), "main")


def commands(layout: Layout, frame: int, posts: int) -> list[list[str]]:
    """Return the commands of a round: appends, a close, and the export where that is apart."""
    found = [
        ["append", "--frame", str(frame), "--stream", f"s{number}", "--json", f"post {number}"]
        for number in range(posts)
    ]
    found.append(["frame", "close", str(frame), "--json"])
    if layout.way == "export":
        found.append(["export", "--commit", "--json"])
    return found


def start(room: Room, words: list[str], prepare: Callable[[], None] = lambda: None) -> int:
    """Begin a command in a process of its own; `prepare` runs in it before. Returns its id."""
    journal = Journal(room.notes / "raised", words[0])
    delta = _delta(room, words)

    def work() -> None:
        os.chdir(room.tree)
        # A vfork whose child is stopped before its exec holds the parent: no more to be killed.
        subprocess._USE_VFORK = False  # type: ignore[misc]
        for descriptor, name in ((1, "said"), (2, "complained")):
            opened = os.open(room.notes / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(opened, descriptor)
        prepare()
        status = neighbor([*words[:-1], str(delta)] if delta else words)
        os._exit(status)

    process = processes.start(work, journal)
    journal.close()
    return process


def run(room: Room, words: list[str]) -> tuple[dict[str, Any], int]:
    """Run a command to its end; return what it printed as JSON, and its exit code."""
    status = processes.end(start(room, words))
    return (printed(room) if status == 0 and "--json" in words else {}), status


def printed(room: Room) -> dict[str, Any]:
    """Return what the last command printed as JSON."""
    told = json.loads((room.notes / "said").read_text("utf-8"))
    assert isinstance(told, dict), told
    return told


def said(room: Room) -> str:
    """Return all that the last command said."""
    return "".join((room.notes / name).read_text("utf-8") for name in ("said", "complained"))


def stop(process: int) -> None:
    """Stop a process with all its children, in whatever sessions; return when all stand still."""
    stopped: list[int] = []
    while new := [each for each in _family(process) if each not in stopped]:
        for each in new:
            with contextlib.suppress(ProcessLookupError):
                os.kill(each, signal.SIGSTOP)
        stopped += new
    _wait(stopped, "TtZX")


def kill(process: int) -> None:
    """End a process with all its children, and wait for it."""
    family = _family(process)
    for each in family:
        with contextlib.suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)
    processes.end(process)
    _wait(family[1:], "ZX")


def problems_of(room: Room, layout: Layout, noted: Acknowledged, frame: int) -> list[str]:
    """Say what is lost or wrong after a power cut, before the next commands and after them."""
    found = _fsck(room, "after the cut") + _lost(room, noted)
    _, status = run(room, ["drain"])
    if status:
        return [*found, f"drain ended with {status}: {said(room)}"]
    found += _gone(room, noted)
    for command in commands(layout, frame, posts=1):
        words = [word for word in command if word != "--json"]
        _, status = run(room, words)
        if status:
            return [*found, f"{' '.join(words)} ended with {status}: {said(room)}"]
    _, status = run(room, ["verify"])
    if status:
        found.append(f"verify ended with {status}: {said(room)}")
    found += _fsck(room, "after the next command") + _lost(room, noted) + _left(room, layout)
    return list(dict.fromkeys(found))


def _delta(room: Room, words: list[str]) -> Path | None:
    """Write the delta that an append sends."""
    if words[0] != "append":
        return None
    file = room.notes / "delta.json"
    frame, number = int(words[2]), int(words[-1].split()[1])
    post = fleet.post(100 * frame + number, "ada")
    file.write_bytes(fleet.delta(frame, f"s{number}", post))
    return file


def _family(process: int) -> list[int]:
    """Return a process and all that it started, itself first."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (folder / "stat").read_text("ascii", "replace").rpartition(")")[2].split()
            parents[int(folder.name)] = int(words[1])
    found = [process]
    for each in found:
        found += [child for child, parent in parents.items() if parent == each]
    return found


def _wait(family: list[int], states: str) -> None:
    """Wait until each process is in one of the states, or gone."""
    deadline_s = time.monotonic() + _WAIT_S
    while family:
        assert time.monotonic() < deadline_s, f"these do not come to rest: {family}"
        family = [each for each in family if _state(each) not in states]
        time.sleep(0.001)


def _state(process: int) -> str:
    try:
        stat = Path(f"/proc/{process}/stat").read_text("ascii", "replace")
    except OSError:
        return "X"
    return stat.rpartition(")")[2].split()[0]


def _fsck(room: Room, when: str) -> list[str]:
    command = ["git", "fsck", "--full", "--no-dangling"]
    done = subprocess.run(command, cwd=room.tree, capture_output=True, text=True, check=False)
    if done.returncode or done.stdout.strip():
        return [f"git fsck {when} ({done.returncode}): {done.stdout}{done.stderr}"]
    return []


def _lost(room: Room, noted: Acknowledged) -> list[str]:
    """Say which acknowledged commits their branch does not reach."""
    wanted = [("export", each, BRANCH) for each in noted.exports]
    wanted += [("log segment", each, log_branch.REF) for each in noted.logs]
    return [
        f"lost {kind} {commit[:10]}: {ref} does not reach it"
        for kind, commit, ref in dict.fromkeys(wanted)
        if not _reaches(room.tree, commit, ref)
    ]


def _reaches(tree: Path, commit: str, ref: str) -> bool:
    command = ["git", "merge-base", "--is-ancestor", commit, ref]
    return subprocess.run(command, cwd=tree, capture_output=True, check=False).returncode == 0


def _gone(room: Room, noted: Acknowledged) -> list[str]:
    """Say which acknowledged deltas and closes the log does not hold."""
    database = f"{(room.store / 'store.sqlite3').as_uri()}?mode=ro"
    with closing(sqlite3.connect(database, uri=True)) as connection:
        ids = {identity.hex() for (identity,) in connection.execute("SELECT id FROM event")}
        query = "SELECT frame FROM event WHERE kind = 'close'"
        frames = {frame for (frame,) in connection.execute(query)}
    found = [f"lost append {each}" for each in noted.appends if each not in ids]
    return found + [f"lost close of frame {each}" for each in noted.frames if each not in frames]


def _left(room: Room, layout: Layout) -> list[str]:
    """Say where tip, tree, index and store do not agree, and what was left behind."""
    found = []
    store = Store.open(room.store)
    for name in DOCUMENTS:
        committed = git(room.tree, "show", f"{BRANCH}:state/{name}.json").encode()
        if committed != store.document(name):
            found.append(f"state/{name}.json at the tip is not what the store holds")
    store.close()
    tree = {"checked out": room.tree, "linked": room.linked}.get(layout.place)
    status = git(tree, "status", "--porcelain=v1", "--untracked-files=all") if tree else ""
    if status:
        found.append(f"tree and index differ from the tip: {status}")
    everything = [path.relative_to(room.tree) for path in (room.tree / ".git").rglob("*")]
    left = [
        str(path)
        for path in everything
        if "index." in path.name
        or path.parent.name == "intents"
        or (path.suffix == ".lock" and path.parent.name != room.store.name)
    ]
    return found + ([f"left behind: {sorted(left)}"] if left else [])
