"""Trees that have a branch checked out: they come along when the branch moves.

The fact not to miss: moving a branch underneath a tree makes the next `commit -a` there revert
what the branch gained, silently. So the tree's index is locked as git locks it, and `read-tree`
alone moves its files, which refuses what a person has edited.

    index.lock made, by a link to a file that is known from its token and inode, never another's
    index copied beside, refreshed; `read-tree -m -u OLD NEW` on the copy
    (the caller moves the ref)
    files flushed, copy renamed over the index, index.lock removed

What dies in between is settled by `settle.py`.
"""

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..store.disk import DISK, replace_file, write_all
from ..store.step import reached
from . import place, rescue
from .errors import EditsInTheWay, ExportWaits, NoMainTree, TreeBusy
from .git import Entry, Git

LOCK = "index.lock"
LOCK_BESIDE = "index.lock.goodneighbor"
INDEX_BESIDE = "index.goodneighbor"
WAIT_S = 10.0
_POLL_S = 0.05
_UNFINISHED = {
    "MERGE_HEAD": "merge",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
    "rebase-apply": "rebase or am",
    "rebase-merge": "rebase",
}


@dataclass(frozen=True)
class Tree:
    """A working tree with the git directory that is its own."""

    folder: Path
    git_folder: Path

    @property
    def index(self) -> Path:
        return self.git_folder / "index"

    @property
    def index_beside(self) -> Path:
        return self.git_folder / INDEX_BESIDE

    @property
    def lock(self) -> Path:
        return self.git_folder / LOCK


@dataclass(frozen=True)
class Move:
    """From which commit (or the empty tree) a tree goes to which, and at what paths they differ."""

    old: str
    new: str
    paths: tuple[str, ...]


def trees_of(git: Git, branch: str, here: Path | None = None) -> list[Tree]:
    """Return the trees that have a branch checked out; `here` is the one the caller stands in.

    Raises:
        ExportWaits: a person's rebase of it, or a merge or pick in it, is unfinished.
        NoMainTree: the main tree has it, keeps its git directory elsewhere, and is not `here`.
    """
    found = []
    for tree, checked_out in _trees(git, branch, here):
        is_on = checked_out == f"refs/heads/{branch}"
        unfinished = _unfinished(tree, branch, is_on)
        if unfinished is not None:
            raise ExportWaits(unfinished, branch, tree.folder)
        if is_on:
            found.append(tree)
    return found


def _trees(git: Git, branch: str, here: Path | None) -> list[tuple[Tree, str]]:
    """Return every tree that is there, each with the branch it is on ("" for none)."""
    found = []
    listed = git.call("worktree", "list", "--porcelain", "-z").stdout
    for position, record in enumerate(listed.split(b"\0\0")):
        fields = [os.fsdecode(field) for field in record.split(b"\0") if field]
        facts = {name: value for name, _, value in (field.partition(" ") for field in fields)}
        folder = facts.get("worktree")
        if folder is None or "bare" in facts:
            continue
        if position == 0 and not os.path.lexists(os.path.join(folder, ".git")):
            # git does not know where the tree of a git directory elsewhere is (nor of a submodule)
            folder = _main_tree(git, here)
            if folder is None and facts.get("branch") == f"refs/heads/{branch}":
                raise NoMainTree(str(git.folder))
        if folder is not None and os.path.lexists(os.path.join(folder, ".git")):
            git_folder = Path(place.find(folder).git_folder)
            found.append((Tree(Path(folder), git_folder), facts.get("branch", "")))
    return found


def _main_tree(git: Git, here: Path | None) -> str | None:
    """Return the tree the caller stands in, where it is the main one."""
    is_main = here is not None and place.find(str(here)).git_folder == str(git.folder)
    return str(here) if is_main else None


def _unfinished(tree: Tree, branch: str, is_on: bool) -> str | None:
    for name in ("rebase-merge", "rebase-apply"):
        for file in ("head-name", "update-refs"):
            told = tree.git_folder / name / file
            if told.is_file() and f"refs/heads/{branch}" in told.read_text("utf-8").splitlines():
                return "rebase"
    if is_on:
        for name, unfinished in _UNFINISHED.items():
            if (tree.git_folder / name).exists():
                return unfinished
    return None


def prepare_lock(tree: Tree, token: str) -> int:
    """Write the file that will become the index's lock; return its inode."""
    beside = tree.git_folder / LOCK_BESIDE
    beside.unlink(missing_ok=True)
    descriptor = DISK.create(str(beside), 0o644)
    try:
        write_all(DISK, descriptor, token.encode())
        DISK.flush(descriptor)
        return os.fstat(descriptor).st_ino
    finally:
        os.close(descriptor)


def take_lock(tree: Tree) -> None:
    """Make the prepared file the index's lock.

    Raises:
        TreeBusy: another git held it for all of WAIT_S.
    """
    deadline_s = time.monotonic() + WAIT_S
    while True:
        try:
            os.link(tree.git_folder / LOCK_BESIDE, tree.lock)
            return
        except FileExistsError:
            if time.monotonic() >= deadline_s:
                raise TreeBusy(tree.lock, WAIT_S) from None
            time.sleep(_POLL_S)


def holds_lock(tree: Tree, token: str, inode: int) -> bool:
    """Tell whether the index's lock is the file that was prepared with this token."""
    try:
        is_same = tree.lock.lstat().st_ino == inode
        return is_same and tree.lock.read_bytes() == token.encode()
    except FileNotFoundError:
        return False


def free_lock(tree: Tree) -> None:
    """Take our lock and what lies beside the index away; the index itself stays."""
    for name in (INDEX_BESIDE, f"{INDEX_BESIDE}.lock", LOCK_BESIDE, LOCK):
        (tree.git_folder / name).unlink(missing_ok=True)
    DISK.flush_folder(str(tree.git_folder))


def copy_index(tree: Tree) -> None:
    """Copy the index beside itself, with the times that tell git which files are unchanged."""
    (tree.git_folder / f"{INDEX_BESIDE}.lock").unlink(missing_ok=True)
    if tree.index.exists():
        shutil.copy2(tree.index, tree.index_beside)
    else:
        tree.index_beside.unlink(missing_ok=True)


def move_files(
    git: Git, tree: Tree, move: Move, wrote: Callable[[Path, str, bytes], bool], rescued: str | None
) -> bool:
    """Bring a locked tree's files and the copy of its index from one commit to another.

    `wrote` tells whether bytes at a path are an earlier export's to files. With `rescued`, a ref's
    name, edits in the way are saved there first; returns whether there were any.

    Raises:
        EditsInTheWay: a person's edits are at the paths that change; nothing was moved.
    """
    copy_index(tree)
    reached("commit: index copied")
    inside = git.within(tree.folder, tree.index_beside)
    inside.call("update-index", "-q", "--refresh", ends=(0, 1))
    staged = inside.staged(move.paths)
    new = git.entries(move.new, move.paths)
    in_the_way, written = _look(inside, tree, move, (staged, new), wrote)
    unmerged = [path for path in _unmerged(inside) if path not in in_the_way]
    if unmerged or (in_the_way and rescued is None):
        raise EditsInTheWay(tree.folder, sorted([*in_the_way, *unmerged]))
    if in_the_way:
        assert rescued is not None, "looked at above"
        rescue.save(inside, in_the_way, rescued)
        reached("commit: edits rescued")
    for path in [*written, *in_the_way]:
        put(git, tree, path, new.get(path))
    inside.stage({path: new.get(path) for path in [*written, *in_the_way]})
    inside.call("update-index", "-q", "--refresh", ends=(0, 1))
    inside.call("read-tree", "-m", "-u", "--end-of-options", move.old, move.new)
    reached("commit: tree moved")
    return bool(in_the_way)


def finish(tree: Tree, paths: tuple[str, ...]) -> None:
    """Flush the files that moved, put the copy of the index in the index's place, unlock."""
    flush_files(tree, paths)
    reached("commit: files flushed")
    replace_index(tree)
    reached("commit: index replaced")
    free_lock(tree)
    reached("commit: index unlocked")


def replace_index(tree: Tree) -> None:
    """Put the copy of the index in the index's place, durably."""
    _flush(tree.index_beside)
    DISK.rename(str(tree.index_beside), str(tree.index))
    DISK.flush_folder(str(tree.git_folder))


def flush_files(tree: Tree, paths: tuple[str, ...]) -> None:
    """Return once files and the names of them are on the medium."""
    folders = set()
    for path in paths:
        file = tree.folder / path
        folders.add(file.parent)
        if file.is_file() and not file.is_symlink():
            _flush(file)
    for folder in folders:
        if folder.is_dir():
            DISK.flush_folder(str(folder))


def put(git: Git, tree: Tree, path: str, entry: Entry | None) -> None:
    """Put a blob's bytes at a path in one step, whatever lies there."""
    file = tree.folder / path
    if entry is None:
        file.unlink(missing_ok=True)
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    data = git.smudged(path, entry)
    beside = file.with_name(f".{file.name}.neighbor-new")
    beside.unlink(missing_ok=True)
    mode = 0o755 if entry.mode == "100755" else 0o644
    replace_file(DISK, str(file), data, beside=str(beside), mode=mode)


def _look(
    inside: Git,
    tree: Tree,
    move: Move,
    entries: tuple[dict[str, Entry], dict[str, Entry]],
    wrote: Callable[[Path, str, bytes], bool],
) -> tuple[list[str], list[str]]:
    """Tell which of the paths hold a person's edits, and at which our own files lie already."""
    staged, new = entries
    old = inside.entries(move.old, move.paths)
    modified = set(inside.call("diff-files", "-z", "--name-only").fields())
    in_the_way, written = [], []
    for path in move.paths:
        at = staged.get(path)
        file = tree.folder / path
        if at is not None and at == new.get(path):
            continue  # staged as it is to be: read-tree keeps it, and the file as it is
        if at != old.get(path):
            in_the_way.append(path)
        elif os.path.lexists(file) and (at is None or path in modified):
            is_plain = file.is_file() and not file.is_symlink()
            is_new = is_plain and _blob(inside, path) == getattr(new.get(path), "blob", None)
            if is_new or (is_plain and wrote(tree.folder, path, file.read_bytes())):
                written.append(path)
            else:
                in_the_way.append(path)
    return in_the_way, written


def _blob(inside: Git, path: str) -> str:
    """Return the id that a file in the tree would have as a blob, filters applied."""
    return inside.call("hash-object", "--", path).line()


def _unmerged(inside: Git) -> list[str]:
    fields = inside.call("ls-files", "-z", "--unmerged").fields()
    return sorted({field.split("\t", 1)[1] for field in fields})


def _flush(file: Path) -> None:
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
