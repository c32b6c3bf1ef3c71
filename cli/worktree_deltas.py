"""The deltas that a stream left as files in its worktree.

In its private folder, where `append` puts them when it cannot write the mailbox, and in
`state/stream_deltas/`; there the files that its commit brought are the repository's, and no deltas
of the stream.
"""

import os
from pathlib import Path

from ..store import Collected
from . import worktree
from .delta_files import delta_files
from .git import Git
from .place import Place
from .worktree import OWN_FOLDER, Worktree


def lying(each: Worktree) -> list[Path]:
    """Return all delta files in a worktree, those too that its commit brought."""
    return [*_private(each.path), *delta_files(each.path)]


def left(common: Path, each: Worktree) -> list[Path]:
    """Return the delta files of a stream, sorted."""
    admin = worktree.admin_folder(common, each)
    tree = worktree.tree_of(admin, each)
    files = _private(tree)
    shared = delta_files(tree)
    if shared:
        git = Git(tree, git_folder=admin or common, lease=each.nonce)
        files += _not_brought(git, tree, each.start, shared)
    return sorted(files)


def collect(where: Place, each: Worktree, *, is_over: bool = True) -> Collected | None:
    """Take a stream's delta files into the log; None where there are none.

    `is_over` says that nobody writes there any more: half a file goes to quarantine, and a file
    that git does not track is deleted once its delta is in the log. It is no unsaved work then.
    """
    files = left(Path(where.common), each)
    if not files:
        return None
    store = where.open_store()
    try:
        collected = store.collect(
            files, frame=each.frame, stream=each.stream, tree=f"{each.nonce} ", is_over=is_over
        )
    finally:
        store.close()
    if is_over:
        _delete(where, each, collected.taken)
    return collected


def _private(tree: Path) -> list[Path]:
    """Return the files of the folder that only this stream is given."""
    folder = tree / OWN_FOLDER / "deltas"
    if folder.is_symlink() or folder.parent.is_symlink() or not folder.is_dir():
        return []
    return [file for file in folder.glob("*.json") if not file.is_symlink()]


def _not_brought(git: Git, tree: Path, start: str, files: list[Path]) -> list[Path]:
    """Return those that are not as the commit `start` has them."""
    paths = {file.relative_to(tree).as_posix(): file for file in files if "\n" not in file.name}
    brought = git.entries(start, list(paths))
    asked = "".join(f"{path}\n" for path in brought)
    said = (
        git.call("hash-object", "--stdin-paths", stdin=os.fsencode(asked)).stdout if asked else b""
    )
    now = dict(zip(brought, said.decode("ascii").split(), strict=True))
    same = {paths[path] for path, entry in brought.items() if now[path] == entry.blob}
    return [file for file in files if file not in same]


def _delete(where: Place, each: Worktree, files: list[Path]) -> None:
    """Delete delta files that are in the log, but those that git tracks."""
    common = Path(where.common)
    admin = worktree.admin_folder(common, each)
    tree = worktree.tree_of(admin, each)
    paths = {file.relative_to(tree).as_posix(): file for file in files}
    git = Git(tree, git_folder=admin or common, lease=each.nonce)
    for path in paths.keys() - set(git.tracked(list(paths))):
        paths[path].unlink(missing_ok=True)
