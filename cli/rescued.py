"""What was rescued: refs under `refs/goodneighbor/rescue`, and putting one back into a worktree.

rescue of files     tree: what lay there; parent 1: the commit it stood on; parent 2: the index
rescue of commits   the branch's tip itself, under a name that ends in -1, -2, ...
"""

from typing import NamedTuple

from . import rescue
from .git import Git

FILES_SUBJECT = "rescue: what lay in the working tree"
STAGED_SUBJECT = "rescue: what was staged"


class Rescued(NamedTuple):
    """Work that was saved under a ref."""

    name: str  # of the ref behind the prefix: <stream>/<time>-<nonce>
    commit: str
    base: str | None  # the commit that the files lay on; for commits, the tip itself
    staged: str | None  # the commit that holds the index, where it was saved
    has_files: bool
    saved_s: int
    subject: str  # of the base

    @property
    def stream(self) -> str:
        return self.name.rpartition("/")[0]

    @property
    def ref(self) -> str:
        return f"{rescue.PREFIX}/{self.name}"


def all_of(git: Git) -> list[Rescued]:
    """Return all that was rescued and not dropped, oldest first."""
    wanted = "%(refname)%00%(objectname)%00%(parent)%00%(committerdate:unix)%00%(subject)"
    listed = git.call("for-each-ref", f"--format={wanted}", "--sort=committerdate", rescue.PREFIX)
    return [_read(git, line.split("\0")) for line in listed.line().splitlines()]


def find(git: Git, named: str) -> Rescued | None:
    """Return what a name, or a full ref, stands for."""
    name = named.removeprefix(f"{rescue.PREFIX}/")
    return next((each for each in all_of(git) if each.name == name), None)


def paths_of(git: Git, each: Rescued) -> list[str]:
    """Return the paths at which the files differ from the commit that they lay on."""
    if not each.has_files:
        return []
    return git.changed_paths(each.base or git.empty_tree(), each.commit)


def put_back(tree: Git, each: Rescued) -> None:
    """Bring a fresh worktree on the base to what lay there, staged and unstaged as it was."""
    if not each.has_files:
        return
    tree.call("read-tree", "--reset", "-u", "--end-of-options", each.commit)
    tree.call("read-tree", "--end-of-options", each.staged or "HEAD")
    tree.call("update-index", "-q", "--refresh", ends=(0, 1))


def drop(git: Git, each: Rescued) -> bool:
    """Delete the ref; False where it was another commit's meanwhile."""
    answer = git.call("update-ref", "-d", each.ref, each.commit, ends=(0, 1, 128))
    return answer.exit_code == 0


def _read(git: Git, fields: list[str]) -> Rescued:
    ref, commit, parents, saved_s, subject = fields
    name = ref.removeprefix(f"{rescue.PREFIX}/")
    if subject != FILES_SUBJECT:
        return Rescued(name, commit, commit, None, False, int(saved_s), subject)
    base, staged = _parents(git, parents.split())
    shown = "" if base is None else git.call("log", "-1", "--format=%s", base).line()
    return Rescued(name, commit, base, staged, True, int(saved_s), shown)


def _parents(git: Git, parents: list[str]) -> tuple[str | None, str | None]:
    """Tell the base from the commit of the index; before the first commit there is no base."""
    base = staged = None
    for parent in parents:
        if git.call("log", "-1", "--format=%s", parent).line() == STAGED_SUBJECT:
            staged = parent
        else:
            base = parent
    return base, staged
