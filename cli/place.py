"""Find where the store lies: `<git common dir>/goodneighbor`, one for all worktrees of a clone.

No git is started for it: `append` runs for every delta, and a git call costs as much as everything
else it does (so does much of the standard library: neither pathlib nor typing here). git's own
layout is read instead: `.git` is a folder, or a file that names one; a linked worktree's folder
holds `commondir`.
"""

import os

from ..store.store import Store
from .errors import NoMainTree, NotARepository

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

STORE_FOLDER = "goodneighbor"
RULES_FILE = "neighbor.toml"
DELTAS_FOLDER = "state/stream_deltas"


class Place:
    """A repository as seen from one folder in it; all paths are absolute and without symlinks."""

    __slots__ = ("common", "git_folder", "tree")

    def __init__(self, common: str, git_folder: str, tree: str | None) -> None:
        self.common = common  # the git directory that all worktrees share
        self.git_folder = git_folder  # this worktree's own part of it
        self.tree = tree  # the working tree the caller stands in; None inside a git directory

    @property
    def store_folder(self) -> str:
        """The store's folder, there or not."""
        return os.path.join(self.common, STORE_FOLDER)

    @property
    def store(self) -> "Path":
        """The same as a Path."""
        from pathlib import Path

        return Path(self.store_folder)

    def open_store(self) -> Store:
        """Open the store of this repository; a URL in NEIGHBOR_STORE goes before the rules' own.

        Raises:
            StoreMissing, NotAStore: there is none, or something else.
        """
        return Store.open(self.store_folder, os.environ.get("NEIGHBOR_STORE") or None)

    def any_store(self) -> Store:
        """Hand out the store without a look at it: it may be damaged beyond opening, or lost."""
        return Store(self.store_folder, url=os.environ.get("NEIGHBOR_STORE") or None)

    def main_tree(self) -> "Path":
        """Return the main working tree: where documents lie, and rules before they are committed.

        Raises:
            NoMainTree: the repository is bare, or keeps its git directory elsewhere and the
                caller stands in a linked worktree.
        """
        from pathlib import Path

        if self.tree is not None and self.git_folder == self.common:
            return Path(self.tree)
        beside, name = os.path.split(self.common)
        if name == ".git" and beside != self.tree:
            return Path(beside)
        raise NoMainTree(self.common)


def find(start: str) -> Place:
    """Find the repository that holds a folder.

    Raises:
        NotARepository: neither the folder nor any above it is one.
    """
    start = folder = os.path.realpath(start)
    while True:
        git_folder = _git_folder(os.path.join(folder, ".git"))
        if git_folder is not None:
            return Place(_common(git_folder), git_folder, folder)
        if _is_git_folder(folder):
            return Place(_common(folder), folder, None)
        above = os.path.dirname(folder)
        if above == folder:
            raise NotARepository(start)
        folder = above


def here() -> Place:
    """Find the repository that holds the current folder."""
    return find(os.getcwd())


def _git_folder(dot_git: str) -> str | None:
    """Return the git directory that `.git` is or names, or None if it is neither."""
    if os.path.isdir(dot_git):
        return os.path.realpath(dot_git) if _is_git_folder(dot_git) else None
    text = _read(dot_git)
    if text is None or not text.startswith("gitdir: "):
        return None
    named = os.path.join(os.path.dirname(dot_git), text.removeprefix("gitdir: "))
    return os.path.realpath(named) if _is_git_folder(named) else None


def _is_git_folder(folder: str) -> bool:
    """Tell what git tells: a HEAD, and objects of its own or a `commondir` naming whose."""
    if not os.path.lexists(os.path.join(folder, "HEAD")):
        return False
    has_objects = os.path.isdir(os.path.join(folder, "objects"))
    return has_objects or os.path.isfile(os.path.join(folder, "commondir"))


def _common(git_folder: str) -> str:
    named = _read(os.path.join(git_folder, "commondir"))
    return git_folder if named is None else os.path.realpath(os.path.join(git_folder, named))


def _read(file: str) -> str | None:
    """Return a small file's text without its final newline, or None if it is not there."""
    try:
        with open(file, "rb") as opened:
            return os.fsdecode(opened.read()).rstrip("\n")
    except FileNotFoundError:
        return None
