"""Register a worktree with git: a branch, and git's folder for it, which nobody sees half made.

`git worktree add` writes a HEAD of zeros for a moment, and a `git fetch` or `git log --all` that
looks then fails ("bad object worktrees/<id>/HEAD": in 2 of 5 runs of twenty adds beside fetches).
So the folder is written beside, flushed and renamed into place; gitrepository-layout(5) says what
is in it. Where refs are kept otherwise, or worktrees have settings of their own, git does it.
"""

import errno
from pathlib import Path

from ..store.disk import DISK, write_all
from ..store.step import reached
from . import move, refs, trash
from .git import Git
from .worktree import Worktree

BESIDE = "worktree-"  # how the folder's name begins while it is written, in the store's folder


def register(git: Git, store: Path, made: Worktree) -> None:
    """Make branch, git's folder and an empty tree; the worktree lock is held.

    Raises:
        GitFailed, OSError: git or the disk refused; what there is of it is the caller's to undo.
    """
    if not _is_plain(git):
        git.call(
            "worktree", "add", "--quiet", "--no-checkout", "--no-track", "--lock",
            "--reason", made.reason, "-b", made.branch, "--", str(made.path), made.start,
        )  # fmt: skip
        reached("worktree: registered")
        return
    ref = f"refs/heads/{made.branch}"
    git.call("branch", "--quiet", "--no-track", "--", made.branch, made.start)
    refs.flush(git.folder, [ref])
    reached("worktree: branch made")
    admin = _free_name(git.folder / "worktrees", made.stream)
    beside = beside_of(store, made)
    beside.mkdir()
    for name, text in {
        "HEAD": f"ref: {ref}",
        "commondir": "../..",
        "gitdir": str(made.path / ".git"),
        "locked": made.reason,
    }.items():
        _write(beside / name, text)
    if not move.into_folder(beside, admin):
        raise FileNotFoundError(errno.ENOENT, "it was taken away while it was written", str(beside))
    DISK.flush_folder(str(admin.parent))
    reached("worktree: registered")
    made.path.mkdir(parents=True)
    _write(made.path / ".git", f"gitdir: {admin}")


def beside_of(store: Path, made: Worktree) -> Path:
    """Return where git's folder for a worktree is written before it is in place."""
    return store / f"{BESIDE}{made.nonce}"


def undo(store: Path, made: Worktree) -> None:
    """Take away what was not put in place."""
    trash.delete(beside_of(store, made))


def _is_plain(git: Git) -> bool:
    """Tell whether refs are files, and worktrees have no settings of their own to be copied."""
    own = ("config.worktree", "info/sparse-checkout", "reftable")
    return not any((git.folder / name).exists() for name in own)


def _free_name(folder: Path, stream: str) -> Path:
    """Return a folder that is not there; a stream's name is one that git takes."""
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    number = 0
    while (name := f"{stream}{number or ''}") in names:
        number += 1
    return folder / name


def _write(file: Path, text: str) -> None:
    descriptor = DISK.create(str(file), 0o644)
    with open(descriptor, "wb", buffering=0, closefd=True):
        write_all(DISK, descriptor, text.encode() + b"\n")
        DISK.flush(descriptor)
