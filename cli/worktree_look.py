"""What `worktree list` shows of a worktree: read, never written, and never refused.

A worktree in the making, or broken by hand, is listed as well, with what can be told.
"""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ..kernel.errors import GoodneighborError
from . import lease, stray, unsaved, worktree
from .git import Git
from .place import Place
from .worktree import Worktree

BLOCK_BYTES = 512  # of st_blocks, on every system


class Look(NamedTuple):
    """A worktree as it stands. None: it cannot be told."""

    stream: str
    frame: int
    branch: str
    path: str
    age_s: float
    size: int  # bytes on disk
    changed: int | None  # paths with work that no commit holds
    ahead: int | None  # commits that the export's branch does not have
    behind: int | None
    unpushed: int | None  # commits since its start that no remote has
    processes: list[int]  # that stand in it, or were started for it
    held: str  # "pin", "lease NAME of process PID", "being made", "nobody"


def look(where: Place, each: Worktree, branch: str, patterns: Sequence[str], now_s: float) -> Look:
    """Look at a worktree; `branch` is the one it is ahead of or behind."""
    common = Path(where.common)
    tree = worktree.tree_of(worktree.admin_folder(common, each), each)
    git = Git(common)
    tip = git.tip(each.branch)
    behind, ahead = _apart(git, branch, tip)
    started = {found.pid for found in stray.find([each.nonce])}
    return Look(
        each.stream,
        each.frame,
        each.branch,
        str(tree),
        max(0.0, now_s - each.since_s),
        _size(tree),
        _changed(common, each, patterns),
        ahead,
        behind,
        None if tip is None else _count(git, tip, "--not", "--remotes", each.start),
        sorted(started | {found.pid for found in stray.inside(tree)}),
        held_by(where.store, each),
    )


def held_by(store: Path, each: Worktree) -> str:
    """Say who holds a worktree."""
    if each.is_pinned:
        return "pin"
    for held in lease.living(store / lease.FOLDER):
        if held.file.name == each.lease:
            return f"lease {held.name} of process {held.owner.pid}"
    return "nobody" if each.is_made else "being made, or its maker died"


def _apart(git: Git, branch: str, tip: str | None) -> tuple[int | None, int | None]:
    """Return how many commits only the branch has, and how many only the tip."""
    other = git.tip(branch)
    if tip is None or other is None:
        return None, None
    counts = git.call("rev-list", "--left-right", "--count", f"{other}...{tip}").line().split()
    return int(counts[0]), int(counts[1])


def _count(git: Git, *revisions: str) -> int:
    return int(git.call("rev-list", "--count", *revisions).line())


def _changed(common: Path, each: Worktree, patterns: Sequence[str]) -> int | None:
    try:
        with tempfile.TemporaryDirectory(prefix="neighbor-") as folder:
            index = Path(folder) / "index"
            found = unsaved.look(common, each, patterns, is_refused=False, index=index)
    except (GoodneighborError, OSError):
        return None
    return len({*found.edited, *found.staged})


def _size(tree: Path) -> int:
    """Return what a tree takes on disk; what goes away meanwhile counts nothing."""
    total = 0
    for folder, _folders, files in os.walk(tree):
        for name in files:
            try:
                total += os.lstat(os.path.join(folder, name)).st_blocks * BLOCK_BYTES
            except OSError:
                continue
    return total
