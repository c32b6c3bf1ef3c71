"""A repository in which streams and people work in worktrees, and what must be there after a kill.

Every life is a copy at the same place, for worktrees name each other by absolute paths. In it:

    main tree   a person's edits, staged and not, and files to be copied into worktrees
    hand        a person's own worktree, made with plain git, with edits
    kept        a worktree of ours that is pinned and stays
    busy, tips  pinned ones with work of every kind, to be removed
"""

import os
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from goodneighbor.cli import branch_sweep, lease, sweep, trash, worktree
from goodneighbor.cli.place import Place, find
from goodneighbor.cli.sweep import Swept
from goodneighbor.cli.worktree_add import Added, add
from goodneighbor.cli.worktree_remove import remove
from goodneighbor.cli.worktree_settings import Settings, settings
from goodneighbor.store import Store

from .. import fleet
from .commit_world import git, identify

FILES = 40
KEPT = "kept"
RULES = f'{fleet.RULES}\n[worktree]\ncopy = ["*.env", "state/**"]\nsetup = "true"\n'
_SHARED = ("main.env", "state/assignments.json")  # written, and in no commit


class World(NamedTuple):
    """The template, and the place where each life of it is played."""

    template: Path
    folder: Path

    @property
    def tree(self) -> Path:
        return self.folder / "site"

    @property
    def common(self) -> Path:
        return self.tree / ".git"

    @property
    def store(self) -> Path:
        return self.common / "goodneighbor"

    @property
    def trees(self) -> Path:
        return self.folder / "site.worktrees"

    @property
    def where(self) -> Place:
        return find(str(self.tree))

    def fresh(self) -> None:
        """Begin a life."""
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self.template, self.folder, symlinks=True)

    def settings(self) -> Settings:
        return settings(self.where)

    def add(self, stream: str, held: lease.Lease | None = None) -> Added:
        """Do what `neighbor worktree add` and `neighbor run` do."""
        head = git(self.tree, "rev-parse", "HEAD").strip()
        return add(self.where, stream, 1, head, self.settings(), lease=held)

    def remove(self, stream: str) -> None:
        """Do what `neighbor worktree remove` does."""
        each = worktree.of_stream(self.store, stream)
        if each is not None:
            remove(self.where, each)

    def gc(self) -> Swept:
        """Do what `neighbor gc` does."""
        swept = sweep.sweep(self.where, is_thorough=True)
        store = Store.open(self.store)
        branch_sweep.sweep(self.common, store, swept, dry_run=False)
        store.close()
        return swept


def make(folder: Path) -> World:
    """Make the repository, and what is in its worktrees."""
    world = World(folder / "template", folder / "life")
    identify()
    world.folder.mkdir(parents=True)
    git(folder, "init", "--quiet", "--initial-branch=main", str(world.tree))
    git(world.tree, "config", "maintenance.auto", "false")  # its locks are the agents' own
    (world.tree / "files").mkdir()
    for number in range(FILES):
        (world.tree / "files" / f"{number}.txt").write_text(f"file {number}\n" * 50, "utf-8")
    (world.tree / "neighbor.toml").write_text(RULES, "utf-8")
    (world.tree / ".gitignore").write_text("*.env\n", "utf-8")
    git(world.tree, "add", "--all")
    git(world.tree, "commit", "--quiet", "--message", "A site")
    Store.create(world.store, RULES, {}).close()
    _people(world)
    for stream in (KEPT, "busy", "tips"):
        world.add(stream)
    work_in(world.trees / "busy", "busy")
    commit_in(world.trees / "tips", "tips")
    world.folder.rename(world.template)
    return world


def _people(world: World) -> None:
    (world.tree / "state").mkdir()
    for path in _SHARED:
        (world.tree / path).write_text("written before the run\n", "utf-8")
    (world.tree / "files" / "0.txt").write_text("a person's, not staged\n", "utf-8")
    (world.tree / "files" / "1.txt").write_text("a person's, staged\n", "utf-8")
    git(world.tree, "add", "files/1.txt")
    git(world.tree, "worktree", "add", "--quiet", "-b", "feature", str(world.folder / "hand"))
    (world.folder / "hand" / "files" / "2.txt").write_text("a person's, by hand\n", "utf-8")


def work_in(tree: Path, stream: str) -> list[str]:
    """Work as an agent does; return what must be found again: texts, one a place."""
    commit_in(tree, stream)
    (tree / "untracked.txt").write_text(f"{stream}: untracked\n", "utf-8")
    (tree / "files" / "3.txt").write_text(f"{stream}: edited\n", "utf-8")
    (tree / "own.env").write_text(f"{stream}: ignored, and listed\n", "utf-8")
    (tree / ".goodneighbor" / "deltas" / "1.json").write_bytes(
        fleet.delta(1, stream, fleet.post(len(stream), "ada"))
    )
    return [f"{stream}: {what}" for what in ("committed", "untracked", "edited", "ignored")]


def commit_in(tree: Path, stream: str) -> list[str]:
    """Commit as an agent does; return the text to be found again."""
    (tree / "committed.txt").write_text(f"{stream}: committed\n", "utf-8")
    git(tree, "add", "committed.txt")
    git(tree, "commit", "--quiet", "--message", f"{stream}: committed")
    return [f"{stream}: committed"]


def forget_intents(world: World) -> None:
    """Take away what was written down in this life: the control."""
    store = world.store.relative_to(world.folder)
    before = {file.name for file in (world.template / store / "intents").glob("*")}
    for file in (world.store / "intents").glob("*"):
        if file.name not in before:
            file.unlink()


def people_of(world: World) -> dict[str, str]:
    """Return what people have; no kill and no gc may change any of it."""
    found = {}
    for tree in (world.tree, world.folder / "hand"):
        found[f"{tree.name} status"] = git(tree, "status", "--porcelain=v1")
        found[f"{tree.name} diff"] = git(tree, "diff", "HEAD")
    found["branches"] = git(world.tree, "rev-parse", "main", "feature")
    return found


def texts_saved(world: World) -> str:
    """Return all texts under rescue refs and in pinned worktrees, in one piece."""
    refs = git(world.tree, "for-each-ref", "--format=%(refname)", "refs/goodneighbor/rescue")
    saved = []
    for ref in refs.split():
        named = git(world.tree, "ls-tree", "-r", "--name-only", ref).split()
        paths = [path for path in named if not path.startswith("files/") or path == "files/3.txt"]
        saved += [git(world.tree, "show", f"{ref}:{path}") for path in paths]
    for each in worktree.all_of(world.store):
        saved += [file.read_text("utf-8") for file in each.path.glob("*.*") if file.is_file()]
        edited = each.path / "files" / "3.txt"
        saved.append(edited.read_text("utf-8") if edited.is_file() else "")
    return "".join(saved)


def deltas_of(world: World, stream: str) -> int:
    """Return how many deltas of a stream are in the log, or still lie in its worktree."""
    store = Store.open(world.store)
    store.drain()
    try:
        detail = store.frame(1)
        count = (
            sum(each.events for each in detail.streams if each.stream == stream) if detail else 0
        )
    finally:
        store.close()
    return count + len(list((world.trees / stream / ".goodneighbor" / "deltas").glob("*.json")))


def left_over(world: World) -> list[str]:
    """Return what the dead left: all that is ours and belongs to no pinned worktree."""
    pinned = [each for each in worktree.all_of(world.store) if each.is_pinned]
    records = {each.record.file for each in pinned}
    admins = {worktree.admin_folder(world.common, each) for each in pinned}
    branches = {each.branch for each in pinned}
    found = [f"intent {file.name}" for file in (world.store / "intents").glob("*")
             if file not in records]  # fmt: skip
    found += [f"lease {file.name}" for file in (world.store / "leases").glob("*")]
    found += [f"trash {path.name}" for path in trash.look(world.store)]
    found += [f"git's folder {path.name}" for path in (world.common / "worktrees").glob("*")
              if path not in admins and path.name != "hand"]  # fmt: skip
    found += [f"tree {path.name}" for path in world.trees.glob("*")
              if path not in {each.path for each in pinned}]  # fmt: skip
    found += [f"tree {path.name}" for path in world.folder.glob(".*")]
    listed = git(world.tree, "branch", "--list", "dc/*", "--format=%(refname:short)").split()
    found += [f"branch {name}" for name in listed if name not in branches]
    found += [f"lock {path.relative_to(world.common)}" for path in world.common.rglob("*.lock")
              if path.parent != world.store]  # fmt: skip
    return sorted(found)


def running_in(world: World) -> list[int]:
    """Return the processes that carry a nonce of ours and stand in the world's folder."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            told = b"NEIGHBOR_LEASE=" in (entry / "environ").read_bytes()
            stands = Path(os.readlink(entry / "cwd")).is_relative_to(world.folder)
        except (OSError, ValueError):
            continue
        if entry.name.isdigit() and told and stands:
            found.append(int(entry.name))
    return found


def start_agent(tree: Path, nonce: str) -> "subprocess.Popen[bytes]":
    """Start an agent that goes on for ever, with a child of its own."""
    return subprocess.Popen(
        ["sh", "-c", "sleep 300 & wait"],
        cwd=tree,
        env={**os.environ, lease.LEASE_VARIABLE: nonce},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
