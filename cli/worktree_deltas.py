"""The deltas that a stream left as files in its worktree.

In its private folder, where `append` puts them when it cannot write the mailbox, and in
`state/stream_deltas/`; there the files that its commit brought are the repository's, and no deltas
of the stream.
"""

from pathlib import Path

from ..store import Collected
from . import worktree
from .delta_files import delta_files
from .git import Git
from .place import Place
from .worktree import OWN_FOLDER, Worktree


def left(common: Path, each: Worktree) -> list[Path]:
    """Return the delta files of a stream, sorted."""
    admin = worktree.admin_folder(common, each)
    tree = worktree.tree_of(admin, each)
    private = tree / OWN_FOLDER / "deltas"
    files = []
    if private.is_dir() and not private.is_symlink() and not private.parent.is_symlink():
        files = [file for file in private.glob("*.json") if not file.is_symlink()]
    shared = delta_files(tree)
    if shared:
        git = Git(tree, git_folder=admin or common, lease=each.nonce)
        paths = [file.relative_to(tree).as_posix() for file in shared]
        brought = git.entries(each.start, paths)
        for file, path in zip(shared, paths, strict=True):
            entry = brought.get(path)
            if entry is None or git.call("hash-object", "--", path).line() != entry.blob:
                files.append(file)
    return sorted(files)


def collect(where: Place, each: Worktree) -> Collected | None:
    """Take a stream's delta files into the log; None where there are none.

    What ends inside a value stays a file: it is unsaved work like any other.
    """
    files = left(Path(where.common), each)
    if not files:
        return None
    store = where.open_store()
    try:
        return store.collect(files, frame=each.frame, stream=each.stream)
    finally:
        store.close()
