"""Take a worktree away: save what is nowhere else, move it into the trash, let go of its branch.

    locked:   claimed, so that nobody else takes it away at once
    outside:  deltas into the log -> unsaved work saved under a ref
    locked:   commits that no other ref has, saved -> the record says that it goes -> tree into
              the trash -> git's folder into the trash -> branch deleted -> record away
    later:    the trash is emptied

The fact not to miss: each step looks at what is there, so doing it again after a kill at any of
them ends the same. git's own `worktree remove` deletes ignored files and unpushed commits without a
word; ours never deletes what it has not saved, unless it was told to, and then it says what went.
"""

import time
from dataclasses import dataclass
from pathlib import Path

from ..kernel import Rules
from ..kernel.errors import RulesInvalid
from ..store.step import reached
from . import (
    copy_in,
    intent,
    refs,
    rescue,
    trash,
    unsaved,
    worktree,
    worktree_deltas,
    worktree_register,
)
from .errors import GitFailed, WorktreeHeld
from .git import Git
from .place import Place
from .worktree import Claim, Worktree
from .worktree_lock import WorktreeLock
from .worktree_settings import of_table, settings

# Locks that a git of ours leaves when it is killed while it makes or deletes a branch.
_SHARED_LOCKS = ("packed-refs", "config")


@dataclass(frozen=True)
class Removed:
    """What became of a worktree that was taken away."""

    worktree: Worktree
    is_branch_gone: bool  # no: somebody has it checked out elsewhere
    rescued: tuple[str, ...]  # refs
    discarded: tuple[str, ...]  # paths and commits that went with it, where that was asked for
    deltas: int  # events that its delta files became


def remove(
    where: Place, each: Worktree, *, discard: bool = False, is_dead: bool = False
) -> Removed:
    """Take a worktree away; the caller has ended its processes, and may because nobody holds it.

    `is_dead` says that a process of ours may have died in it, and left locks of git's.

    Raises:
        WorktreeHeld: another process makes it, or takes it away.
        WorktreeRefused, GitFailed: its work cannot be saved. It stays as it is.
    """
    with WorktreeLock(where.store):
        claim = Claim(each.record)
        if not claim.take():
            raise WorktreeHeld(each.path, "another process that makes it or takes it away")
    try:
        reached("remove: claimed")
        collected = worktree_deltas.collect(where, each)
        events = 0 if collected is None else collected.events
        reached("remove: deltas collected")
        return _remove(where, each, events, discard=discard, is_dead=is_dead)
    finally:
        claim.release()


def undo(where: Place, made: Worktree) -> None:
    """Take away what `add` could not finish; its claim is held, and nobody has worked in it."""
    with WorktreeLock(where.store) as lock:
        undo_locked(Git(Path(where.common), (lock.descriptor,)), where, made)
    trash.empty(where.store)


def undo_locked(git: Git, where: Place, made: Worktree) -> None:
    """Do the same under the lock that is held already."""
    try:
        _take_away(git, where, made)
    except (GitFailed, OSError):  # such as a full disk, which has no room for fewer refs either
        trash.empty(where.store)
        _take_away(git, where, made)


def _remove(where: Place, each: Worktree, events: int, *, discard: bool, is_dead: bool) -> Removed:
    common = Path(where.common)
    ref = rescue.name_for(each.stream, time.time())
    found = unsaved.look(common, each, _patterns(where), is_refused=not discard)
    try:
        saved = []
        if found.has_files and not discard:
            rescue.save(found.git, found.edited, ref, found.head)
            refs.flush(common, [ref])
            saved.append(ref)
            reached("remove: files rescued")
    finally:
        unsaved.forget(found)
    with WorktreeLock(where.store) as lock:
        git = Git(common, (lock.descriptor,))
        alone = [tip for tip in found.tips if unsaved.alone(common, tip, each.branch)]
        if not discard:
            saved += _save_tips(git, alone, ref)
        is_branch_gone = _take_away(git, where, each, is_dead=is_dead)
    trash.empty_later(where.store)
    lost = sorted({*found.edited, *found.staged}) if discard else []
    gone = (*lost, *(f"commit {tip}" for tip in alone)) if discard else ()
    return Removed(each, is_branch_gone, tuple(saved), gone, events)


def _patterns(where: Place) -> list[str]:
    """Return which ignored files are work: those that would be copied in.

    While a person is at work on neighbor.toml, the rules in force say it.
    """
    try:
        told = settings(where)
    except RulesInvalid:
        in_force = Rules.parse(where.open_store().rules_text())
        told = of_table(where.main_tree(), in_force.worktree)
    return copy_in.patterns_of(told.main, told.copy)


def _save_tips(git: Git, tips: list[str], ref: str) -> list[str]:
    """Keep commits under refs of their own; the first has the name of the files' with an end."""
    saved = []
    for number, tip in enumerate(tips, start=1):
        name = f"{ref}-{number}"
        assert git.move_refs({name: (None, tip)}, "rescue"), f"{name} is a name nobody else has"
        saved.append(name)
    if saved:
        refs.flush(git.folder, saved)
        reached("remove: commits rescued")
    return saved


def _take_away(git: Git, where: Place, each: Worktree, *, is_dead: bool = False) -> bool:
    """Do the admin steps; the lock is held, and what must be saved is saved.

    Returns whether the branch is gone, too.
    """
    store, common = where.store, Path(where.common)
    each = worktree.going(each)
    reached("remove: going")
    admin = worktree.admin_folder(common, each)
    tree = worktree.tree_of(admin, each)
    if is_dead:
        _free_locks(common, each)
    worktree_register.undo(store, each)
    moved = None
    if worktree.is_ours(common, admin, tree):
        moved = trash.put(store, tree, f"{each.nonce}-tree")
    reached("remove: tree moved")
    if admin is not None:
        trash.put(store, admin, f"{each.nonce}-git")
    _sweep_empty_admin(common, each)
    reached("remove: git's folder moved")
    is_branch_gone = _delete_branch(git, common, each)
    reached("remove: branch deleted")
    for file in {moved, trash.beside(tree, f"{each.nonce}-tree")}:
        if file is not None and file.parent == tree.parent:
            trash.delete(file)
    _sweep_empty_folder(tree.parent, where)
    intent.remove(each.record)
    reached("remove: record away")
    return is_branch_gone


def _free_locks(common: Path, each: Worktree) -> None:
    """Take away the locks of refs and configuration that a dead git of ours may have left.

    A living one of ours would hold the worktree lock; of the shared ones, somebody else's living
    git may hold one, and it goes only when it stays the same for seconds.
    """
    _unlink(common / f"refs/heads/{each.branch}.lock")
    for name in _SHARED_LOCKS:
        refs.free(common, name)


def _delete_branch(git: Git, common: Path, each: Worktree) -> bool:
    """Delete the branch, unless it is checked out elsewhere; return whether it is gone."""
    if git.tip(each.branch) is None:
        _unlink(common / f"logs/refs/heads/{each.branch}")
        return True
    try:
        git.call("branch", "--quiet", "-D", "--", each.branch)
    except GitFailed as failed:
        if "checked out at" not in failed.stderr and "used by worktree at" not in failed.stderr:
            raise
        return False
    refs.flush(common, [f"refs/heads/{each.branch}"])
    return True


def _sweep_empty_admin(common: Path, each: Worktree) -> None:
    """Remove the folder that a git left which was killed before it wrote a word into it."""
    folder = common / "worktrees"
    if not folder.is_dir():
        return
    for made in folder.glob(f"{each.path.name}*"):
        number = made.name.removeprefix(each.path.name)
        if not number or number.isdigit():
            _remove_if_empty(made)
    _remove_if_empty(folder)


def _sweep_empty_folder(folder: Path, where: Place) -> None:
    """Remove `<repo>.worktrees` with the last worktree in it."""
    if folder.name.endswith(".worktrees") and not Path(where.common).is_relative_to(folder):
        _remove_if_empty(folder)


def _unlink(file: Path) -> None:
    """Delete a file that may not be there, nor its folder (a branch `dc` keeps that from being)."""
    try:
        file.unlink(missing_ok=True)
    except NotADirectoryError:
        return


def _remove_if_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:  # it is not empty, or not there
        return
