"""Make a worktree for a stream: all of it, or nothing.

    locked:   what is in the way -> record -> branch and git's folder
    outside:  files checked out -> uncommitted ones copied in -> setup
    locked:   the record says that it is whole

The fact not to miss: under the lock goes only what git cannot do twice at once, some 10 ms of it.
Whatever fails afterwards is undone; what a kill leaves is the record, and the next command that
starts work sweeps by it.
"""

import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

from ..kernel.errors import DeltaRejected
from ..store.delta import STREAM_SIZE_MAX, check, fallback
from ..store.errors import StoreMissing
from ..store.step import reached
from . import copy_in, intent, worktree, worktree_remove
from .copy_in import Listed
from .errors import WorktreeRefused
from .git import Git
from .lease import Lease
from .place import Place
from .setup import run_setup
from .worktree import PINNED, Claim, Worktree
from .worktree_lock import WorktreeLock
from .worktree_register import register
from .worktree_settings import Settings

CHECKOUT_S = 3600.0  # a large tree through slow filters; a git that hangs is ended all the same
_TREE_IGNORE = "*\n"


@dataclass(frozen=True)
class Added:
    """A worktree that was made, and what was copied into it or left."""

    worktree: Worktree
    copied: Listed
    lock_s: float  # how long the lock was held


def add(
    where: Place,
    stream: str,
    frame: int,
    start: str,
    settings: Settings,
    *,
    lease: Lease | None = None,
    path: Path | None = None,
) -> Added:
    """Make a worktree on a new branch at the commit `start`.

    It is held by `lease`, which the caller holds; without one it is pinned until it is removed.
    `path` goes before the settings' template.

    Raises:
        WorktreeRefused: a name no stream can have, or something is in the way.
        RulesInvalid: a template leads where no worktree may be.
        GitFailed, OSError: git or the disk refused. Nothing of it is left.
    """
    _check_stream(stream)
    wanted = (path or settings.path_of(stream, frame), settings.branch_of(stream, frame))
    if not where.store.is_dir():
        raise StoreMissing(where.store_folder)
    patterns = copy_in.patterns_of(settings.main, settings.copy)
    main = Git(settings.main)
    listed = copy_in.listed(main, patterns, settings.files_max, settings.bytes_max)
    record = {
        "stream": stream, "frame": frame, "path": str(wanted[0]), "branch": wanted[1],
        "start": start, "since_s": time.time(), "is_made": False,
        "lease": PINNED if lease is None else lease.file.name,
    }  # fmt: skip
    made, claim, lock_s = _admin_step(where, record, settings)
    try:
        try:
            return _fill(where, made, settings, listed, lock_s)
        except BaseException:
            worktree_remove.undo(where, made)
            raise
    finally:
        claim.release()


def _check_stream(stream: str) -> None:
    try:
        check(fallback(0, stream, "missing", 0))
    except DeltaRejected as rejected:
        raise WorktreeRefused(
            f"Not made: {stream[:80]!r} is a name no stream can have. It is 1 to {STREAM_SIZE_MAX} "
            "of A-Z a-z 0-9 . _ -,\nstarts with a letter or digit, holds no `..`, does not end in "
            "`.` or `.lock`, and is neither `git` nor `store`."
        ) from rejected


def _admin_step(
    where: Place, record: dict[str, object], settings: Settings
) -> tuple[Worktree, Claim, float]:
    """Do what must not be done twice at once; return also how long the lock was held."""
    common = Path(where.common)
    with WorktreeLock(where.store) as lock:
        begin_s = time.monotonic()
        git = Git(common, (lock.descriptor,))
        _refuse_taken(git, where.store, record)
        made = worktree.of_record(intent.write(where.store, worktree.KIND, record))
        claim = Claim(made.record)
        assert claim.take(), "nobody else sees a record before the lock is free"
        reached("worktree: record written")
        try:
            register(git, where.store, made)
            if settings.sparse:
                # It writes the configuration that all worktrees share, so it is done here.
                inside = replace(worktree.git_of(_admin(common, made), made), held=git.held)
                named = "".join(f"{each}\n" for each in settings.sparse)
                inside.call("sparse-checkout", "set", "--stdin", stdin=os.fsencode(named))
        except BaseException:
            worktree_remove.undo_locked(git, where, made)
            claim.release()
            raise
        return made, claim, time.monotonic() - begin_s


def _refuse_taken(git: Git, store: Path, record: dict[str, object]) -> None:
    """Refuse what another worktree, a branch or a file has already; the lock is held."""
    stream, path, branch = str(record["stream"]), Path(str(record["path"])), str(record["branch"])
    others = worktree.all_of(store)
    for each in others:
        if each.stream.lower() == stream.lower():
            raise WorktreeRefused(
                f"Not made: stream {each.stream!r} has the worktree {each.path} (frame "
                f"{each.frame}).\nGo on in it, or run `neighbor worktree remove {each.stream}`."
            )
        if each.path == path or path.is_relative_to(each.path) or each.path.is_relative_to(path):
            raise WorktreeRefused(
                f"Not made: {path} and {each.path}, the worktree of {each.stream}, overlap.\n"
                "Let `path` under [worktree] give each stream a folder of its own."
            )
    if os.path.lexists(path):
        raise WorktreeRefused(
            f"Not made: {path} exists, and is no worktree of ours.\n"
            "Move it away, or name another place with `--path`."
        )
    if git.tip(branch) is not None:
        raise WorktreeRefused(
            f"Not made: there is a branch {branch} already, and no worktree of ours on it.\n"
            f"`git log {branch}` shows it; `neighbor gc` sweeps it once its frame has closed."
        )


def _fill(where: Place, made: Worktree, settings: Settings, listed: Listed, lock_s: float) -> Added:
    """Check out, copy in, set up; then say that the worktree is whole."""
    common = Path(where.common)
    admin = _admin(common, made)
    inside = worktree.git_of(admin, made)
    inside.call("reset", "--quiet", "--hard", "--no-recurse-submodules", timeout_s=CHECKOUT_S)
    reached("worktree: checked out")
    made.deltas.mkdir(parents=True)
    (made.path / worktree.OWN_FOLDER / ".gitignore").write_text(_TREE_IGNORE, encoding="ascii")
    copy_in.copy(settings.main, made.path, listed, admin)
    reached("worktree: copied in")
    if settings.setup is not None:
        run_setup(settings.setup, made)
        reached("worktree: set up")
    with WorktreeLock(where.store):
        begin_s = time.monotonic()
        whole = worktree.change(made, is_made=True)
        reached("worktree: made")
        return Added(whole, listed, lock_s + time.monotonic() - begin_s)


def _admin(common: Path, made: Worktree) -> Path:
    admin = worktree.admin_folder(common, made)
    assert admin is not None, f"git has just made a folder for {made.path}"
    return admin
