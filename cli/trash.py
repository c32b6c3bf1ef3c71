"""Where worktrees go that are taken away: a rename now, the deleting later.

    <store>/trash/<nonce>-<what>       on the store's own file system
    <beside>/.<name>.neighbor-trash-<nonce>     on another one, where no rename goes, or a full one

A tree of 50,000 files takes a second to delete and no time to rename, and what is in the trash is
in nobody's way. What a killed deletion leaves is deleted by the next.
"""

import errno
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

from ..store.disk import DISK
from . import move

FOLDER = "trash"
_NICE = 10
_NOT_THERE = (errno.EXDEV, errno.ENOSPC, errno.EDQUOT)


def put(store: Path, path: Path, name: str) -> Path | None:
    """Move what lies at a path into the trash, in one step; None where nothing lies there."""
    target = store / FOLDER / name
    try:
        if not move.into_folder(path, target, mode=0o700):
            return None
    except OSError as error:
        if error.errno not in _NOT_THERE:
            raise
        target = beside(path, name)
        path.rename(target)
    DISK.flush_folder(str(path.parent))
    return target


def beside(path: Path, name: str) -> Path:
    """Return where a path goes whose file system is not the store's."""
    return path.with_name(f".{path.name}.neighbor-trash-{name}")


def look(store: Path) -> list[Path]:
    """Return what lies in the store's trash."""
    try:
        return sorted((store / FOLDER).iterdir())
    except FileNotFoundError:
        return []


def delete(path: Path) -> bool:
    """Delete a file or a folder with all in it; False where something of it stays.

    Another process may delete the same at once.
    """
    if path.is_symlink() or path.is_file():
        path.unlink(missing_ok=True)
        return True
    shutil.rmtree(path, ignore_errors=True)
    if not path.exists():
        return True
    for folder, _folders, _files in os.walk(path):  # such as a cache of modules, kept read-only
        os.chmod(folder, stat.S_IRWXU)
    shutil.rmtree(path, ignore_errors=True)
    return not path.exists()


def empty(store: Path) -> list[Path]:
    """Delete what lies in the trash; return what stays."""
    left = [path for path in look(store) if not delete(path)]
    if not left and (store / FOLDER).is_dir():
        try:
            (store / FOLDER).rmdir()
        except OSError:  # somebody has just put something there
            return []
    return left


def empty_later(store: Path) -> None:
    """Have the trash emptied by a process of its own, which outlives us and takes its time."""
    if not look(store):
        return
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith("NEIGHBOR")
    }
    subprocess.run(
        ["/bin/sh", "-c", '"$0" "$@" &', sys.executable, "-c", _EMPTY, str(store)],
        cwd="/",
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        check=True,
    )


_EMPTY = f"""if True:
    import os, sys
    from pathlib import Path
    from goodneighbor.cli.trash import empty
    os.nice({_NICE})
    empty(Path(sys.argv[1]))
"""
