"""A rename into a folder that somebody else takes away whenever it is empty.

Whoever empties our trash does, and git does it to `.git/worktrees`: also between two steps of ours.
"""

import errno
import os
from contextlib import suppress
from pathlib import Path

from ..store.disk import DISK

TRIES_MAX = 100


def into_folder(path: Path, target: Path, mode: int = 0o777) -> bool:
    """Move a path to a target in a folder, made with `mode`; False where nothing lies at the path.

    Raises:
        FileNotFoundError: the folder was taken away each time.
        OSError: the system refuses.
    """
    for _try in range(TRIES_MAX):
        with suppress(FileExistsError):  # Path.mkdir would look again, and find nothing
            os.mkdir(target.parent, mode)
        try:
            DISK.rename(str(path), str(target))
        except FileNotFoundError:
            if not os.path.lexists(path):
                return False
        else:
            return True
    raise FileNotFoundError(errno.ENOENT, "its folder is taken away each time", str(target))
