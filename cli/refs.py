"""Refs as files: flushed with their folders, and freed of the locks of the dead.

The fact not to miss: git flushes a ref's lock, then renames it over the ref. A power cut between
the two leaves the lock for good, and no git moves that ref ever again ("cannot lock ref"). Ours
inherit the commit lock, so whoever holds it knows that none of ours lives.
"""

import time
from collections.abc import Sequence
from pathlib import Path

from ..store.disk import DISK

EXPORTED = "refs/goodneighbor/exported"  # by branch: the last export that this clone made there
WAIT_S = 3.0  # git holds the lock of a ref while a hook looks at it; ours end within 10 ms
_POLL_S = 0.05


def moved_with(branch: str) -> tuple[str, ...]:
    """Return the refs that git locks when an export moves a branch."""
    return ("HEAD", f"refs/heads/{branch}", f"{EXPORTED}/{branch}")


def flush(common: Path, refs: Sequence[str]) -> None:
    """Return once the folders that hold loose refs are on the medium."""
    folders = {common}
    for ref in refs:
        folder = (common / ref).parent
        while folder != common:
            folders.add(folder)
            folder = folder.parent
    for folder in sorted(folders):
        if folder.is_dir():
            DISK.flush_folder(str(folder))


def free(common: Path, ref: str, ours: Sequence[str] | None = None) -> None:
    """Take a ref's lock away where a dead git of ours left it; the caller holds the commit lock.

    It is ours when it holds one of the commits `ours` (None: whatever it holds). An empty one may
    be anybody's who is at work: it goes when it stays the same for WAIT_S.
    """
    lock = common / f"{ref}.lock"
    begin_s = time.monotonic()
    first = seen = _look(lock)
    while seen is not None and seen == first:
        holds = seen[1]
        is_old = time.monotonic() >= begin_s + WAIT_S
        if holds in (ours or ()) or (is_old and (ours is None or not holds)):
            lock.unlink(missing_ok=True)
            DISK.flush_folder(str(lock.parent))
            return
        if holds and ours is not None:
            return  # somebody else's
        time.sleep(_POLL_S)
        seen = _look(lock)


def _look(lock: Path) -> tuple[tuple[int, int], str] | None:
    """Return which file it is, and what it holds; None where there is none."""
    try:
        status = lock.lstat()
        return (status.st_ino, status.st_mtime_ns), lock.read_text("ascii", "replace").strip("\n\0")
    except FileNotFoundError:
        return None
