"""The doctor's look at worktrees: do they have the uncommitted files that streams need (rule 4)?"""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from .doctor_git import trees
from .finding import Finding
from .git import Git

INCLUDE_FILE = ".worktreeinclude"
FILES_MAX = 10_000


def look(git: Git, tree: Path, patterns: Sequence[str]) -> Iterator[Finding]:
    """Yield the listed files of the main tree that no commit holds and a worktree lacks."""
    listed = _listed(tree, [*patterns, *_included(tree)])
    if not listed:
        return
    changed = {each.path for each in git.changes(listed)}
    uncommitted = sorted(changed | set(git.ignored(listed)))
    for linked in trees(git)[1:]:
        if linked.is_gone:
            continue
        for path in uncommitted:
            if not (linked.folder / path).exists():
                source, target = tree / path, linked.folder / path
                yield Finding(
                    4,
                    f"worktree {linked.folder} lacks {path}, which is in no commit",
                    f"cp {source} {target}",
                    lambda source=source, target=target: _copy(source, target),  # type: ignore[misc]
                )


def _listed(tree: Path, patterns: Sequence[str]) -> list[str]:
    """Return the regular files that patterns name, inside the tree and outside .git."""
    found = set()
    for pattern in patterns:
        relative = pattern.strip("/")
        if relative and ".." not in Path(relative).parts:
            found |= {each for each in tree.glob(relative) if each.is_file()}
    inside = [
        each.relative_to(tree).as_posix()
        for each in found
        if not each.is_symlink() and each.resolve().is_relative_to(tree.resolve())
    ]
    return sorted(path for path in inside if not path.startswith(".git/"))[:FILES_MAX]


def _included(tree: Path) -> list[str]:
    file = tree / INCLUDE_FILE
    if not file.is_file():
        return []
    lines = file.read_text("utf-8", "replace").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def _copy(source: Path, target: Path) -> None:
    """Copy a file that is not there; one that came meanwhile stays."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with source.open("rb") as opened, target.open("xb") as made:
        shutil.copyfileobj(opened, made)
    shutil.copymode(source, target)
