"""What a worktree holds that is nowhere else: the work to save before it is taken away (law 7).

Looked at through a copy of its index, so that a lock a dead git left is in nobody's way, and by
git's folder for it, so that a `.git` file that an agent deleted hides nothing. Not work are: files
copied in and unchanged since, ignored files that no pattern names, what a killed checkout left, and
deltas, which go into the log instead.
"""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from . import copy_in, worktree
from .errors import WorktreeRefused
from .git import Git
from .place import DELTAS_FOLDER
from .worktree import OWN_FOLDER, Worktree

INDEX_BESIDE = "index.neighbor-rescue"
# Commits that git keeps for an operation in progress, and that no ref may reach.
_IN_PROGRESS = (
    "rebase-merge/autostash",
    "rebase-merge/orig-head",
    "rebase-apply/autostash",
    "rebase-apply/orig-head",
    "MERGE_AUTOSTASH",
    "MERGE_HEAD",
    "CHERRY_PICK_HEAD",
)


@dataclass(frozen=True)
class Unsaved:
    """Unsaved work in a worktree. `git` stands in it, on a copy of its index."""

    git: Git
    head: str
    edited: tuple[str, ...]  # paths, of files and of nothing where one was deleted
    staged: tuple[str, ...]  # paths at which the index differs from the commit
    tips: tuple[str, ...]  # commits to keep, if no ref reaches them

    @property
    def has_files(self) -> bool:
        return bool(self.edited) or bool(self.staged)


def look(
    common: Path,
    each: Worktree,
    patterns: Sequence[str],
    *,
    is_refused: bool = True,
    index: Path | None = None,
) -> Unsaved:
    """Find the unsaved work; `patterns` name the ignored files that are work.

    With `is_refused` false, repositories of their own inside it are among the paths. The copy of
    the index goes to `index`; without that beside the index itself, where only the holder of the
    worktree's claim may put it.

    Raises:
        WorktreeRefused: it holds a repository of its own with work that is nowhere else.
        GitFailed: git cannot tell.
    """
    admin = worktree.admin_folder(common, each)
    tree = worktree.tree_of(admin, each)
    git, has_index = _git(common, admin, each, tree, index)
    branch_tip = Git(common).tip(each.branch)
    is_ours = tree.is_dir() and worktree.is_ours(common, admin, tree)
    head = (_head(git, common) if is_ours else None) or branch_tip or each.start
    told = _in_progress(git, admin) if is_ours else []
    tips = tuple(sorted({tip for tip in (branch_tip, head, *told) if tip}))
    found = Unsaved(git, head, (), (), tips)
    if not is_ours:
        return found
    try:
        return _look_at_files(found, admin, patterns, has_index=has_index, is_refused=is_refused)
    except BaseException:
        forget(found)
        raise


def _look_at_files(
    found: Unsaved,
    admin: Path | None,
    patterns: Sequence[str],
    *,
    has_index: bool,
    is_refused: bool,
) -> Unsaved:
    """Find the files with work; see `look`."""
    git, tree = found.git, found.git.folder
    if not has_index:
        git.call("read-tree", "--end-of-options", found.head)
    git.call("update-index", "-q", "--refresh", ends=(0, 1))
    edited = _edited(git, admin, patterns, is_whole=has_index)
    differs = ("diff-index", "-z", "--cached", "--name-only", found.head)
    staged = tuple(git.call(*differs).fields()) if has_index else ()
    if is_refused:
        own = [""] if (tree / ".git").is_dir() else []  # somebody ran `git init` there
        for path in [*own, *(path for path in edited if _is_repository(tree / path))]:
            _refuse_work_in(git, tree, path)
        edited = [path for path in edited if not _is_repository(tree / path)]
    return replace(found, edited=tuple(edited), staged=staged)


def forget(found: Unsaved) -> None:
    """Take the copy of the index away."""
    if found.git.index is not None:
        for name in (found.git.index.name, f"{found.git.index.name}.lock"):
            found.git.index.with_name(name).unlink(missing_ok=True)


def alone(common: Path, commit: str, branch: str) -> bool:
    """Tell whether a commit is reached by no ref but a branch; the worktree lock is held.

    A ref of another worktree's own does not count: it goes with that.
    """
    reached = (
        "rev-list", "--max-count=1", "--single-worktree", commit, "--not",
        f"--exclude=refs/heads/{branch}", "--all",
    )  # fmt: skip
    return bool(Git(common).call(*reached).stdout)


def sweep_copies(admin: Path) -> list[Path]:
    """Delete what a process left that was killed while it looked; the claim is held."""
    found = sorted(admin.glob(f"{INDEX_BESIDE}*"))
    for file in found:
        file.unlink()
    return found


def _git(
    common: Path, admin: Path | None, each: Worktree, tree: Path, index: Path | None
) -> tuple[Git, bool]:
    """Return git in the worktree on a copy of its index, and whether there was one to copy."""
    is_usable = admin is not None and worktree.is_usable(common, admin)
    folder = admin if admin is not None and is_usable else common
    beside = index or folder / (INDEX_BESIDE if is_usable else f"{INDEX_BESIDE}-{each.nonce}")
    for name in (beside.name, f"{beside.name}.lock"):
        beside.with_name(name).unlink(missing_ok=True)
    has_index = admin is not None and (admin / "index").is_file()
    if admin is not None and has_index:
        shutil.copy2(admin / "index", beside)
    return Git(tree, index=beside, git_folder=folder, lease=each.nonce), has_index


def _head(git: Git, common: Path) -> str | None:
    """Return the commit the worktree stands on; None where git was killed before it wrote one."""
    if git.git_folder == common:
        return None
    answer = git.call("rev-parse", "--verify", "--quiet", "HEAD^{commit}", ends=(0, 1, 128))
    return answer.line() if answer.exit_code == 0 else None


def _in_progress(git: Git, admin: Path | None) -> list[str]:
    if admin is None:
        return []
    found = []
    for name in _IN_PROGRESS:
        file = admin / name
        words = file.read_text("ascii", "replace").split() if file.is_file() else []
        found += [commit for word in words if (commit := git.resolve(word)) is not None]
    return found


def _edited(git: Git, admin: Path | None, patterns: Sequence[str], *, is_whole: bool) -> list[str]:
    """Return the paths that differ from the index, or that it does not know.

    In a tree whose checkout was killed (there is no index then), missing files are none, nor are
    those that hold the beginning of what git was writing.
    """
    modified = git.call("diff-files", "-z", "--name-only").fields()
    if not is_whole:
        modified = [path for path in modified if _is_more_than_begun(git, path)]
    others = set(git.call("ls-files", "-z", "--others", "--exclude-standard").fields())
    named = [f"--exclude={line}" for line in patterns if line.strip()]
    if named:
        others |= set(git.call("ls-files", "-z", "--others", "--ignored", *named).fields())
    candidates = [path for path in {*modified, *others} if not _is_known(path)]
    changed = candidates if admin is None else copy_in.changed_since(admin, git.folder, candidates)
    return sorted(changed)


def _is_known(path: str) -> bool:
    """Tell whether a path is ours, or a delta's file: deltas are taken into the log before."""
    folder, _, name = path.rpartition("/")
    is_delta = folder == DELTAS_FOLDER and name.endswith(".json")
    return is_delta or path.startswith(f"{OWN_FOLDER}/") or copy_in.is_beside(path)


def _is_more_than_begun(git: Git, path: str) -> bool:
    file = git.folder / path
    if not os.path.lexists(file):
        return False
    if file.is_symlink() or not file.is_file():
        return True
    entry = git.staged([path]).get(path)
    return entry is None or not git.smudged(path, entry).startswith(file.read_bytes())


def _is_repository(folder: Path) -> bool:
    return folder.is_dir() and not folder.is_symlink() and os.path.lexists(folder / ".git")


def _refuse_work_in(git: Git, tree: Path, path: str) -> None:
    """Refuse where a submodule, or a clone that somebody made there, holds work of its own.

    Raises:
        WorktreeRefused: it has changed files, or commits that it has from no remote.
    """
    inside = Git(tree / path, lease=git.lease)
    unpushed = ("rev-list", "--max-count=1", "HEAD", "--branches", "--not", "--remotes")
    has_commits = inside.head() is None or bool(inside.call(*unpushed).stdout)
    if has_commits or inside.call("status", "--porcelain").stdout:
        raise WorktreeRefused(
            f"Not removed: {tree / path} is a repository of its own, with work that it has from "
            "no remote.\nPush it or move it away; or `neighbor worktree remove --discard`."
        )
