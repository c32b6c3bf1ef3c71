"""Finish or undo an export that was killed while it moved a branch and its trees.

The fact not to miss: where a tree's HEAD stands now decides. If the branch had moved, the tree is
brought after it, otherwise back. Bytes that are missing, the old version, the new one or the
beginning of one are ours; any others are a person's, and saved under a ref before the new version
goes there (law 7). Doing it twice does nothing more.
"""

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..store.disk import DISK
from ..store.step import reached
from . import checked_out, intent, refs, rescue
from .checked_out import Tree
from .git import Entry, Git
from .intent import Intent

KIND = "export"


def begin(
    store: Path,
    branch: str,
    move: tuple[str, str],
    locks: Sequence[tuple[Tree, int]],
    token: str,
    new_paths: Sequence[str],
) -> Intent:
    """Say durably which branch and which trees are about to move, before any of it does.

    Of the paths that come new with the move it is kept where a file lay there already: going back
    leaves one there.
    """
    trees = [
        {
            "folder": str(tree.folder),
            "git_folder": str(tree.git_folder),
            "inode": inode,
            "lay": [path for path in new_paths if os.path.lexists(tree.folder / path)],
        }
        for tree, inode in locks
    ]
    facts = {"branch": branch, "old": move[0], "new": move[1], "token": token, "trees": trees}
    return intent.write(store, KIND, facts)


def settle(git: Git, store: Path) -> list[str]:
    """Finish or undo what dead exports left; the caller holds the commit lock.

    Returns the refs under which a person's bytes were saved.

    Raises:
        TreeBusy: another git holds a tree's index; the intent stays.
    """
    saved = []
    for each in intent.pending(store, KIND):
        for ref in refs.moved_with(str(each.facts["branch"])):
            refs.free(git.folder, ref, [str(each.facts["new"])])
        saved += settle_one(git, each)
    return saved


def settle_one(git: Git, begun: Intent, only: Sequence[Tree] | None = None) -> list[str]:
    """Finish or undo one export, and take its intent away; `only` names the trees it touched."""
    facts = begun.facts
    trees = facts["trees"]
    assert isinstance(trees, list), begun.file
    saved = []
    for told in trees:
        tree = Tree(Path(told["folder"]), Path(told["git_folder"]))
        is_there = os.path.lexists(tree.folder / ".git") and tree.git_folder.is_dir()
        if is_there and (only is None or tree in only):
            saved += _settle_tree(git, tree, facts, told)
        elif is_there:
            (tree.git_folder / checked_out.LOCK_BESIDE).unlink(missing_ok=True)
    refs.flush(git.folder, refs.moved_with(str(facts["branch"])))
    intent.remove(begun)
    reached("settle: intent away")
    return saved


def end(begun: Intent) -> None:
    """Take the intent of an export away that came to its end."""
    intent.remove(begun)
    reached("commit: intent away")


def _settle_tree(
    git: Git, tree: Tree, facts: Mapping[str, object], told: Mapping[str, Any]
) -> list[str]:
    token, old, new = (str(facts[name]) for name in ("token", "old", "new"))
    if not checked_out.holds_lock(tree, token, int(told["inode"])):
        checked_out.prepare_lock(tree, token)
        checked_out.take_lock(tree)
    try:
        paths = git.changed_paths(old, new)
        return _bring(git, tree, (old, new), paths, (str(facts["branch"]), set(told["lay"])))
    finally:
        checked_out.free_lock(tree)
        reached("settle: index unlocked")


def _bring(
    git: Git, tree: Tree, versions: tuple[str, str], paths: list[str], told: tuple[str, set[str]]
) -> list[str]:
    """Make the changed paths, in index and files, those of the commit the tree stands on."""
    branch, lay = told
    checked_out.copy_index(tree)
    inside = git.within(tree.folder, tree.index_beside)
    target = inside.head() or git.empty_tree()
    old, new = (git.entries(each, paths) for each in versions)
    wanted = git.entries(target, paths)
    staged = inside.staged(paths)
    ours = [path for path in paths if staged.get(path) in (old.get(path), new.get(path))]
    files, theirs = _sort(git, tree, ours, (old, new, wanted), staged)
    saved = []
    if theirs:
        saved = [rescue.name_for(branch, time.time())]
        rescue.save(inside, theirs, saved[0])
    inside.stage({path: wanted.get(path) for path in ours})
    for path in [*files, *theirs]:
        # What lay there before git knew of it stays, in the version it was about to get.
        checked_out.put(git, tree, path, wanted.get(path) or (new if path in lay else {}).get(path))
    inside.call("update-index", "-q", "--refresh", ends=(0, 1))
    if tree.index_beside.exists():
        checked_out.flush_files(tree, tuple(paths))
        checked_out.replace_index(tree)
    DISK.flush_folder(str(tree.git_folder))
    return saved


def _sort(
    git: Git,
    tree: Tree,
    paths: list[str],
    versions: tuple[dict[str, Entry], dict[str, Entry], dict[str, Entry]],
    staged: dict[str, Entry],
) -> tuple[list[str], list[str]]:
    """Tell which files are ours to write, and which hold a person's bytes to be saved first."""
    old, new, wanted = versions
    files, theirs = [], []
    for path in paths:
        data = _disk(tree.folder / path)
        known = [_bytes(git, path, each.get(path)) for each in (old, new)]
        if data is None and not os.path.lexists(tree.folder / path):
            files.append(path)
        elif data is not None and any(each is not None and each.startswith(data) for each in known):
            if data != _bytes(git, path, wanted.get(path)):
                files.append(path)
        elif staged.get(path) != wanted.get(path):
            theirs.append(path)
    return files, theirs


def _disk(file: Path) -> bytes | None:
    return file.read_bytes() if file.is_file() and not file.is_symlink() else None


def _bytes(git: Git, path: str, entry: Entry | None) -> bytes | None:
    return None if entry is None else git.smudged(path, entry)
