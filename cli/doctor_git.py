"""The doctor's look at git: worktrees, branches (rules 1 and 2), stashes and autostash (rule 3)."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from .finding import Finding
from .git import VERSION_MIN, Git

STREAM_BRANCH = re.compile(r"dc/.+/frame-([0-9]+)")
AUTOSTASH = ("rebase.autoStash", "merge.autoStash")
_FALSE = ("", "false", "no", "off", "0")


class Tree(NamedTuple):
    """A worktree as git lists it; the main one is first."""

    folder: Path
    branch: str | None  # None: detached, or bare
    is_gone: bool
    is_locked: bool


def trees(git: Git) -> list[Tree]:
    """Return the repository's worktrees, the main one first."""
    found = []
    listed = git.call("worktree", "list", "--porcelain", "-z").stdout
    for record in listed.split(b"\0\0"):
        fields = [field.decode("utf-8", "surrogateescape") for field in record.split(b"\0")]
        facts = {name: value for name, _, value in (field.partition(" ") for field in fields)}
        if "worktree" in facts:
            folder = Path(facts["worktree"])
            branch = facts.get("branch", "").removeprefix("refs/heads/") or None
            found.append(Tree(folder, branch, "prunable" in facts, "locked" in facts))
    return found


def look(git: Git, branch: str, closed: int | None, held: frozenset[str]) -> Iterator[Finding]:
    """Yield what git holds against rules 1 to 3.

    `branch` is the export's, `closed` the last closed frame, `held` the streams' worktrees and
    branches that a living process has a lease on.
    """
    all_trees = trees(git)
    yield from _main_tree(all_trees[0], branch)
    yield from _stale_trees(git, all_trees[1:], closed, held)
    yield from _stale_branches(git, all_trees, branch, closed, held)
    yield from _stashes(git)
    yield from _autostash(git)


def old_git(version: tuple[int, ...]) -> Iterator[Finding]:
    """Yield a finding where git is older than what everything here was measured with."""
    if version < VERSION_MIN:
        found, least = (".".join(map(str, each)) for each in (version, VERSION_MIN))
        yield Finding(0, f"git {found} is older than {least}", f"install git {least} or newer")


def _main_tree(main: Tree, branch: str) -> Iterator[Finding]:
    if main.branch is not None and STREAM_BRANCH.fullmatch(main.branch):
        yield Finding(
            1,
            f"the main working tree is on a stream's branch, {main.branch}",
            f"git switch {branch} && git worktree add ../{main.folder.name}-stream {main.branch}"
            " (`neighbor worktree add` makes the next ones)",
        )


def _stale_trees(
    git: Git, linked: list[Tree], closed: int | None, held: frozenset[str]
) -> Iterator[Finding]:
    for tree in linked:
        if tree.is_gone:
            yield Finding(
                2,
                f"worktree {tree.folder} is registered, and gone",
                "git worktree prune",
                lambda: _prune(git),
            )
        elif _is_over(tree.branch, closed, held) and str(tree.folder) not in held:
            yield Finding(
                2,
                f"worktree {tree.folder} is left from a closed frame ({tree.branch})",
                f"git worktree remove {tree.folder}",
            )


def _stale_branches(
    git: Git, all_trees: list[Tree], branch: str, closed: int | None, held: frozenset[str]
) -> Iterator[Finding]:
    listed = git.call("for-each-ref", "--format=%(refname)", "refs/heads/dc/").line().split("\n")
    in_use = {tree.branch for tree in all_trees if not tree.is_gone}
    tip = git.tip(branch)
    for name in [ref.removeprefix("refs/heads/") for ref in listed if ref]:
        if name in in_use or not _is_over(name, closed, held):
            continue
        is_merged = tip is not None and git.is_ancestor(f"refs/heads/{name}", tip)
        yield Finding(
            2,
            f"branch {name} is left from a closed frame"
            + ("" if is_merged else f", with commits that {branch} does not have"),
            "neighbor gc" if is_merged else "neighbor gc (it saves them under a ref first)",
            (lambda name=name: _delete(git, name)) if is_merged else None,  # type: ignore[misc]
        )


def _is_over(branch: str | None, closed: int | None, held: frozenset[str]) -> bool:
    if branch is None or branch in held or closed is None:
        return False
    found = STREAM_BRANCH.fullmatch(branch)
    return found is not None and int(found[1]) <= closed


def _stashes(git: Git) -> Iterator[Finding]:
    listed = git.call("stash", "list", "--format=%gd %gs").line().splitlines()
    for entry in listed:
        name, _, subject = entry.partition(" ")
        yield Finding(
            3,
            f"{name} is kept ({subject})",
            f"git branch saved-{name[7:-1]} {name} && git stash drop {name}",
        )


def _autostash(git: Git) -> Iterator[Finding]:
    for setting in AUTOSTASH:
        value = git.call("config", "--get", setting, ends=(0, 1)).line().lower()
        if value not in _FALSE:
            yield Finding(
                3,
                f"{setting} is {value}: a pull stashes behind your back",
                f"git config {setting} false",
                lambda setting=setting: _set_false(git, setting),  # type: ignore[misc]
            )


def _prune(git: Git) -> None:
    git.call("worktree", "prune")


def _delete(git: Git, branch: str) -> None:
    """Delete a branch whose commits the export's branch has; `-d` would ask HEAD instead."""
    git.call("branch", "-D", "--", branch)


def _set_false(git: Git, setting: str) -> None:
    git.call("config", "--local", "--replace-all", setting, "false")
