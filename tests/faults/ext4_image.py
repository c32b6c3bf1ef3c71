"""A file system in a file: what of it is in the file would be left by a power cut.

ext4 on a loop device writes to the file what was flushed, and keeps the rest in memory: it commits
by itself only after COMMIT_S. So a copy of the file, taken while nobody writes, is what the medium
holds at that moment. (A drive may still lose what no flush followed; that is not played here.)
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SIZE = 64 * 2**20
COMMIT_S = 600  # far beyond a life: nothing reaches the file because time went by
JOURNAL_MIB = 4
TOOLS = ("mkfs.ext4", "mount", "umount", "losetup", "unshare", "cp")
_BUSY_TRIES = 50


class NoImages(Exception):
    """This machine, or this user, cannot mount a file; says what is missing."""


def make(file: Path) -> None:
    """Make an empty ext4 in a file that takes little room."""
    with file.open("xb") as made:
        made.truncate(SIZE)
    at_once = "lazy_itable_init=0,lazy_journal_init=0"  # no kernel thread writes later
    _run("mkfs.ext4", "-q", "-F", "-J", f"size={JOURNAL_MIB}", "-E", at_once, str(file))


@contextmanager
def mounted(file: Path, at: Path) -> Iterator[None]:
    """Mount a file at a folder, and always take it down again; mounting replays its journal."""
    _run("mount", "-t", "ext4", "-o", f"loop,commit={COMMIT_S}", str(file), str(at))
    try:
        yield
    finally:
        _unmount(at)


def copy(file: Path, to: Path) -> None:
    """Copy the file as it is, which cuts the power for the copy."""
    to.unlink(missing_ok=True)
    _run("cp", "--reflink=auto", "--sparse=always", str(file), str(to))


def check(folder: Path) -> None:
    """Return when a file can be mounted here, having tried it.

    Raises:
        NoImages: it cannot.
    """
    if sys.platform != "linux":
        raise NoImages("a loop device and ext4 are Linux's")
    lacking = [tool for tool in TOOLS if shutil.which(tool) is None]
    if lacking:
        raise NoImages(f"there is no {', no '.join(lacking)}")
    if os.geteuid() != 0:
        raise NoImages("mounting needs root")
    with tempfile.TemporaryDirectory(dir=folder) as tried:
        file, at = Path(tried, "image"), Path(tried, "mounted")
        at.mkdir()
        try:
            make(file)
            with mounted(file, at):
                pass
        except subprocess.CalledProcessError as error:
            raise NoImages(f"`{' '.join(error.cmd)}` says: {error.stderr.strip()}") from error


def _unmount(at: Path) -> None:
    """Unmount; a process that was killed may hold the folder for a moment longer."""
    for _ in range(_BUSY_TRIES):
        if subprocess.run(["umount", str(at)], capture_output=True, check=False).returncode == 0:
            return
        time.sleep(0.1)
    _run("umount", "--lazy", str(at))
    raise AssertionError(f"somebody is still at work in {at}")


def _run(*command: str) -> None:
    subprocess.run(command, capture_output=True, text=True, check=True)
