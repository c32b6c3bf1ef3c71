"""Copy uncommitted files into a worktree (rule 4): staged, unstaged, untracked and ignored alike.

A worktree has what its commit has, and nothing that was written since. Which files come along say
`[worktree] copy` and `.worktreeinclude`, in the syntax of .gitignore, matched by git itself.

The fact not to miss: what was copied, by content, is kept in git's folder of the worktree before
the first byte is copied. A copy that is still as it came is nobody's work, and is not rescued.
Regular files only, through no symlink on either side, never out of the tree. Nothing is deleted.
"""

import hashlib
import os
import secrets
import shutil
import stat
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

import orjson

from ..store.step import reached
from .errors import WorktreeRefused
from .git import Git
from .place import DELTAS_FOLDER
from .worktree import OWN_FOLDER

INCLUDE_FILE = ".worktreeinclude"
COPIED_FILE = "goodneighbor-copied.json"  # in git's folder of the worktree
BESIDE = ".neighbor-copy-"  # how names start under which a copy is written
READ_BYTES = 2**20
_FICLONE = 0x40049409  # linux/fs.h: share the blocks


@dataclass(frozen=True)
class Listed:
    """What the patterns name and no commit holds: files to copy, and what is left, with why."""

    paths: tuple[str, ...]
    left: tuple[tuple[str, str], ...]
    size: int


def patterns_of(main: Path, patterns: Sequence[str]) -> list[str]:
    """Return the patterns in force in a tree, those of `.worktreeinclude` behind the settings'."""
    include = main / INCLUDE_FILE
    lines = []
    if include.is_file() and not include.is_symlink():
        lines = include.read_bytes().decode("utf-8", "surrogateescape").splitlines()
    return [*patterns, *lines]


def listed(git: Git, patterns: Sequence[str], files_max: int, bytes_max: int) -> Listed:
    """Return what is to be copied from the tree that git stands in.

    Raises:
        WorktreeRefused: more files, or bytes, than the caps allow.
    """
    files, left, size = [], [], 0
    for path in uncommitted(git, patterns):
        reason = _refusal(git.folder, path)
        if reason:
            left.append((path, reason))
            continue
        files.append(path)
        size += (git.folder / path).lstat().st_size
        if len(files) > files_max or size > bytes_max:
            raise WorktreeRefused(
                f"Not made: [worktree] copy and {INCLUDE_FILE} name more than {files_max:,} files "
                f"or {bytes_max:,} bytes (at {path}).\n"
                "Narrow the patterns, or raise max_files or max_bytes under [worktree]."
            )
    return Listed(tuple(files), tuple(left), size)


def uncommitted(git: Git, patterns: Sequence[str]) -> list[str]:
    """Return the paths that patterns name and that are not as in HEAD, deleted ones left out.

    Deltas are not among them: each would come back as one of the stream's own.
    """
    if not any(line.strip() and not line.startswith("#") for line in patterns):
        return []
    options = [f"--exclude={line}" for line in patterns if line.strip()]
    found = set(git.call("ls-files", "-z", "--others", "--ignored", *options).fields())
    changed = set(git.call("diff-index", "-z", "--name-only", "--diff-filter=d", "HEAD").fields())
    if changed:
        named = git.call("ls-files", "-z", "--cached", "--ignored", *options).fields()
        found |= changed.intersection(named)
    ours = (f"{DELTAS_FOLDER}/", f"{OWN_FOLDER}/")
    return sorted(path for path in found if not path.startswith(ours))


def copy(source: Path, target: Path, what: Listed, admin: Path) -> None:
    """Copy files from one tree into another, and note in git's folder what came.

    Raises:
        OSError: the disk is full, or a file cannot be read; some may have been copied.
    """
    came = {path: _digest(source / path) for path in what.paths}
    if not came:
        return
    (admin / COPIED_FILE).write_bytes(orjson.dumps({_json(path): came[path] for path in came}))
    reached("copy: noted")
    for path in what.paths:
        _copy_file(source / path, target, path)
        reached("copy: file copied")


def changed_since(admin: Path, tree: Path, paths: Sequence[str]) -> list[str]:
    """Return those of the paths that are not there as they were copied in."""
    noted = _noted(admin)
    return [path for path in paths if not _is_as_noted(tree / path, noted.get(path))]


def is_beside(path: str) -> bool:
    """Tell whether a path is a copy that was being written when its process died."""
    return path.rpartition("/")[2].startswith(BESIDE)


def _refusal(tree: Path, path: str) -> str:
    """Return why a file is not copied; "" where it is."""
    place = tree
    for part in path.split("/")[:-1]:
        place = place / part
        if place.is_symlink():
            return "behind a symbolic link"
    try:
        mode = (tree / path).lstat().st_mode
    except FileNotFoundError:
        return "gone meanwhile"
    if stat.S_ISLNK(mode):
        return "a symbolic link"
    return "" if stat.S_ISREG(mode) else "not a regular file"


def _copy_file(source: Path, tree: Path, path: str) -> None:
    """Copy one file to the same path in a tree, in one step, whatever a commit has there."""
    target = tree / path
    _make_folders(tree, path)
    if target.is_dir() and not target.is_symlink():
        raise WorktreeRefused(f"Not copied: {path} is a file here and a folder in the commit.")
    beside = target.with_name(f"{BESIDE}{secrets.token_hex(8)}")
    try:
        with _opened(source) as read, beside.open("xb") as made:
            if not _share_blocks(read.fileno(), made.fileno()):
                shutil.copyfileobj(read, made, READ_BYTES)
            os.fchmod(made.fileno(), stat.S_IMODE(os.fstat(read.fileno()).st_mode) & 0o777)
        beside.rename(target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _make_folders(tree: Path, path: str) -> None:
    """Make the folders above a path, through no symlink that the commit may hold."""
    place = tree
    for part in path.split("/")[:-1]:
        place = place / part
        if place.is_symlink():
            raise WorktreeRefused(f"Not copied: {path} lies behind a symbolic link in the commit.")
        place.mkdir(exist_ok=True)


def _share_blocks(read: int, made: int) -> bool:
    """Let the copy share the file's blocks, where the file system can (reflink)."""
    if not sys.platform.startswith("linux"):
        return False
    import fcntl

    try:
        fcntl.ioctl(made, _FICLONE, read)
    except OSError:
        return False
    return True


def _digest(file: Path) -> str:
    with _opened(file) as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _opened(file: Path) -> BufferedReader:
    """Open a regular file through no symlink; a fifo put there meanwhile does not hold us up."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    return os.fdopen(os.open(file, flags), "rb")


def _is_as_noted(file: Path, digest: str | None) -> bool:
    if digest is None or file.is_symlink() or not file.is_file():
        return False
    return _digest(file) == digest


def _noted(admin: Path) -> dict[str, str]:
    try:
        noted = orjson.loads((admin / COPIED_FILE).read_bytes())
    except (FileNotFoundError, orjson.JSONDecodeError):
        return {}  # nothing came, or a kill tore the note: then nothing had been copied yet
    return {_path(name): digest for name, digest in noted.items()}


def _json(path: str) -> str:
    """Write a path, whose bytes may be no UTF-8, as a JSON string."""
    return os.fsencode(path).decode("latin-1")


def _path(name: str) -> str:
    return os.fsdecode(name.encode("latin-1"))
