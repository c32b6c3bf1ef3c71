"""The doctor's look at worktrees: do they have the uncommitted files that streams need (rule 4)?"""

import shutil
from collections.abc import Iterator
from pathlib import Path

from . import copy_in
from .doctor_git import trees
from .errors import WorktreeRefused
from .finding import Finding
from .git import Git
from .place import RULES_FILE
from .worktree_settings import Settings


def look(git: Git, told: Settings) -> Iterator[Finding]:
    """Yield the listed files of the main tree that no commit holds and a worktree lacks."""
    tree = told.main
    linked = [each for each in trees(git)[1:] if not each.is_gone]
    if not linked or git.head() is None:
        return
    try:
        patterns = copy_in.patterns_of(tree, told.copy)
        paths = copy_in.listed(git, patterns, told.files_max, told.bytes_max).paths
    except WorktreeRefused as refused:
        yield Finding(4, str(refused).splitlines()[0], f"narrow them in {RULES_FILE}")
        return
    for each in linked:
        for path in paths:
            source, target = tree / path, each.folder / path
            if not target.exists():
                yield Finding(
                    4,
                    f"worktree {each.folder} lacks {path}, which is in no commit",
                    f"cp {source} {target}",
                    lambda source=source, target=target: _copy(source, target),  # type: ignore[misc]
                )


def _copy(source: Path, target: Path) -> None:
    """Copy a file that is not there; one that came meanwhile stays."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with source.open("rb") as opened, target.open("xb") as made:
        shutil.copyfileobj(opened, made)
    shutil.copymode(source, target)
