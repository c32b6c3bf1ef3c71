"""A repository in the middle of a day: an export is due, and a person is at work in its tree.

Every life is a copy at the same place, so that absolute paths in it hold. What is looked at after
a kill and the next command is here too: nothing of the person's may be gone, and index, tree, refs,
log branch and remote must agree.
"""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from goodneighbor.cli import log_branch, manifest
from goodneighbor.cli.commit import Committed, Order, commit
from goodneighbor.cli.git import Git
from goodneighbor.cli.place import find
from goodneighbor.cli.push import push
from goodneighbor.store import Store

from .. import fleet

DOCUMENTS = ("agents", "channels", "stats")
EDIT = b'{"agents": {"ada": {"name": "a person wrote this"}}}\n'
_WHO = {"NAME": "Ada", "EMAIL": "ada@example.org"}


class World(NamedTuple):
    """The template, and the place where each life of it is played."""

    template: Path
    folder: Path

    @property
    def tree(self) -> Path:
        return self.folder / "site"

    @property
    def other(self) -> Path:
        """Another person's clone, one commit ahead of what is on the remote."""
        return self.folder / "other"

    def fresh(self) -> None:
        """Begin a life."""
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self.template, self.folder, symlinks=True)

    def store(self) -> Store:
        return Store.open(self.tree / ".git" / "goodneighbor")

    def commit(self, *, rescue: bool = False) -> Committed:
        """Do what `neighbor export --commit` does."""
        return commit(find(str(self.tree)), self.store(), "main", Order(rescue=rescue))

    def push(self) -> Committed:
        """Do what `neighbor export --push` does."""
        return push(find(str(self.tree)), self.store(), "main", Order(), "origin")


def make(folder: Path) -> World:
    """Make the repository: frame 1 is on the remote, frame 2 has folded, a person is at work."""
    world = World(folder / "template", folder / "life")
    identify()
    world.folder.mkdir(parents=True)
    git(folder, "init", "--quiet", "--bare", "--initial-branch=main", str(world.folder / "origin"))
    git(folder, "init", "--quiet", "--initial-branch=main", str(world.tree))
    git(world.tree, "remote", "add", "origin", str(world.folder / "origin"))
    _fill(world)
    world.push()
    git(folder, "clone", "--quiet", str(world.folder / "origin"), str(world.other))
    (world.other / "other.txt").write_text("somebody else's work\n", encoding="utf-8")
    git(world.other, "add", "other.txt")
    git(world.other, "commit", "--quiet", "--message", "Somebody else's work")
    _frame(world.store(), 2)
    _work(world.tree)
    world.folder.rename(world.template)
    return world


def identify() -> None:
    """Be somebody for git, whatever this machine's own configuration says."""
    os.environ.update({f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER")
                       for key, value in _WHO.items()})  # fmt: skip
    os.environ.update({"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"})


def _fill(world: World) -> None:
    (world.tree / "state").mkdir()
    for name in DOCUMENTS:
        (world.tree / "state" / f"{name}.json").write_bytes(fleet.BASE[name])
    for name in ("staged", "unstaged", "both"):
        (world.tree / f"{name}.txt").write_text("as committed\n", encoding="utf-8")
    (world.tree / "neighbor.toml").write_text(fleet.RULES, encoding="utf-8")
    git(world.tree, "add", ".")
    git(world.tree, "commit", "--quiet", "--message", "A site with four agents")
    store = Store.create(world.tree / ".git" / "goodneighbor", fleet.RULES, fleet.BASE)
    _frame(store, 1)


def _frame(store: Store, frame: int) -> None:
    store.append(fleet.delta(frame, "s1", fleet.post(frame, "ada")))
    store.close_frame(frame)
    store.close()


def _work(tree: Path) -> None:
    """Be a person at work: staged, unstaged, both in one file, and a new file."""
    for name in ("staged", "both"):
        (tree / f"{name}.txt").write_text("staged by a person\n", encoding="utf-8")
        git(tree, "add", f"{name}.txt")
    for name in ("unstaged", "both", "new"):
        (tree / f"{name}.txt").write_text("a person's, not staged\n", encoding="utf-8")


def work_of(tree: Path) -> dict[str, str]:
    """Return all that a person has in a tree that is in no commit."""
    names = ("staged", "unstaged", "both", "new")
    found = {f"{name}.txt": (tree / f"{name}.txt").read_text("utf-8") for name in names}
    found["status"] = git(tree, "status", "--porcelain=v1", "--untracked-files=all")
    found["staged"] = git(tree, "diff", "--cached")
    return found


def problems_of(world: World, work: dict[str, str], *, pushed: bool) -> list[str]:
    """Say what is not as it must be, after whatever was killed and the command that came next."""
    tree, git_ = world.tree, Git(world.tree)
    found = []
    if work_of(tree) != work:
        found.append(f"the person's work changed: {work_of(tree)}, not {work}")
    left = [path.name for path in (tree / ".git").iterdir() if "index." in path.name]
    left += [path.name for path in (world.store().folder / "intents").iterdir()]
    if left:
        found.append(f"left behind: {left}")
    fsck = git(tree, "fsck", "--full", "--no-dangling")
    if fsck.strip():
        found.append(f"git fsck: {fsck}")
    found += _documents(world, git_)
    found += _history(world, git_, pushed=pushed)
    found += [f"verify: {fault}" for fault in world.store().verify()]
    return found


def _documents(world: World, git_: Git) -> list[str]:
    head = git_.head()
    assert head is not None
    found = []
    told = manifest.newest(git_, head)
    if told is None or told.commit != head or told.manifest.frame != 2:
        found.append(f"the tip's manifest is {told}")
    for name in DOCUMENTS:
        wanted = world.store().document(name)
        path = f"state/{name}.json"
        if git_.blob(head, path) != wanted:
            found.append(f"{path} at the tip is not what the store holds")
        if (world.tree / path).read_bytes() != wanted:
            found.append(f"{path} on disk is not what the store holds")
    return found


def _history(world: World, git_: Git, *, pushed: bool) -> list[str]:
    found = []
    listed = git(world.tree, "log", "--format=%s", "main").splitlines()
    merges = git(world.tree, "rev-list", "--merges", "main").split()
    if len([line for line in listed if line.startswith("frame 2:")]) != 1 or merges:
        found.append(f"history: {listed}, merges {merges}")
    ends = sorted(int(name.removesuffix(".jsonl")) for name in
                  git(world.tree, "ls-tree", "--name-only", log_branch.REF).split())  # fmt: skip
    if ends != [4, 6]:
        found.append(f"log segments end at {ends}")
    if pushed:
        origin = git(world.tree, "ls-remote", "origin", "refs/heads/main").split()[:1]
        if origin != [git_.head()]:
            found.append(f"the remote has {origin}, and we are at {git_.head()}")
    return found


def somebody_pushes(world: World) -> None:
    """Have the other person push, so that the remote is ahead of what was fetched."""
    git(world.other, "push", "--quiet", "origin", "main")


def git(folder: Path, *words: str, ends: Sequence[int] = (0,)) -> str:
    """Run git as a person would, hooks and all."""
    done = subprocess.run(
        ["git", *words], cwd=folder, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert done.returncode in ends, f"git {' '.join(words)}: {done.stderr}"
    return done.stdout
