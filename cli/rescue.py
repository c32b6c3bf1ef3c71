"""Save a person's unsaved work under a ref, before anything is put in its place.

A rescue looks like a stash: the commit's tree is what lay on disk, its second parent (where
something was staged) what stood in the index. Nothing in the working tree changes.
"""

import secrets
import shutil
import time
from collections.abc import Sequence

from .git import Git

PREFIX = "refs/goodneighbor/rescue"


def name_for(stream: str, now_s: float) -> str:
    """Return a ref's name for what is rescued of a stream (or a branch) now."""
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now_s))
    return f"{PREFIX}/{stream}/{moment}-{secrets.token_hex(2)}"


def save(git: Git, paths: Sequence[str], ref: str, head: str | None = None) -> str:
    """Save what lies at `paths` in git's folder, and what its index holds, as the ref `ref`.

    `git.index` is the index that counts; it stays as it is. `head` is the commit that the tree
    stands on, where that is not git's own. Returns the commit.
    """
    assert git.index is not None, "a rescue reads an index that nobody else writes"
    head = head or git.head()
    parents = [] if head is None else ["-p", head]
    if not git.call("ls-files", "-z", "--unmerged").stdout:
        index_tree = git.call("write-tree").line()
        parents += ["-p", _commit(git, index_tree, parents, "what was staged")]
    beside = git.index.with_name(f"{git.index.name}.rescue")
    beside.with_name(f"{beside.name}.lock").unlink(missing_ok=True)  # of a git that died
    shutil.copy2(git.index, beside)
    try:
        with_files = git.within(git.folder, beside)
        stdin = b"".join(path.encode("utf-8", "surrogateescape") + b"\0" for path in paths)
        with_files.call(
            "update-index", "-z", "--add", "--remove", "--replace", "--stdin", stdin=stdin
        )
        for path in _still_unmerged(with_files):
            with_files.call("update-index", "--force-remove", "--", path)
        tree = with_files.call("write-tree").line()
    finally:
        beside.unlink()
    commit = _commit(git, tree, parents, "what lay in the working tree")
    moved = git.move_refs({ref: (None, commit)}, "rescue")
    assert moved, f"{ref} is a name nobody else has"
    return commit


def _commit(git: Git, tree: str, parents: Sequence[str], what: str) -> str:
    message = f"rescue: {what}".encode()
    return git.call("commit-tree", *parents, "-F", "-", tree, stdin=message).line()


def _still_unmerged(git: Git) -> set[str]:
    return {field.split("\t", 1)[1] for field in git.call("ls-files", "-z", "--unmerged").fields()}
