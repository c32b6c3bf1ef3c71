"""Commit the documents in canonical form, once, so that later commits show only what changed.

Two commits: the documents (values equal, layout canonical) with neighbor.toml, then
`.git-blame-ignore-revs` naming the first, so that `git blame` looks through it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import kernel
from .documents import Document
from .errors import InitRefused
from .git import Git
from .place import RULES_FILE

BLAME_FILE = ".git-blame-ignore-revs"
COMMIT_SUBJECT = "goodneighbor: take the repository in"
COMMIT_BODY = """
The state documents are written in canonical form: keys sorted, two spaces, final newline.
Every value is what it was. neighbor.toml holds the rules from here on. [skip ci]"""
BLAME_SUBJECT = "goodneighbor: let git blame look through the layout"
BLAME_BODY = """
Use it with: git config blame.ignoreRevsFile .git-blame-ignore-revs [skip ci]"""


@dataclass(frozen=True)
class FirstCommit:
    """The commits made, and which documents changed their layout."""

    commit: str
    blame_commit: str | None  # None where no layout changed: there is nothing to look through
    rewritten: tuple[str, ...]


def check_committable(git: Git, documents: Sequence[Document]) -> None:
    """Refuse before anything is written: nobody's unsaved work becomes part of our commit.

    Raises:
        InitRefused: one of the paths is staged, modified or ignored, or a merge is unfinished.
        GitFailed: git does not know who commits.
    """
    unfinished = git.unfinished()
    if unfinished is not None:
        raise InitRefused(
            f"Not committed: a {unfinished} is unfinished in {git.folder}.\n"
            f"Finish or abort it, then run `neighbor init --commit` again."
        )
    git.identity()
    paths = [document.path for document in documents]
    ignored = git.ignored([*paths, RULES_FILE, BLAME_FILE])
    if ignored:
        raise InitRefused(
            f"Not committed: git ignores {', '.join(ignored)}.\n"
            "Change .gitignore, or run `neighbor init` without --commit."
        )
    changes = [each for each in git.changes([*paths, BLAME_FILE]) if not each.untracked]
    if changes:
        names = "\n".join(f"  {each.path}: {_how(each.staged)}" for each in changes)
        raise InitRefused(
            f"Not committed: files that `init --commit` writes hold changes of yours:\n{names}\n"
            "Commit them first, then run `neighbor init --commit` again."
        )


def commit_canonical(git: Git, documents: Sequence[Document]) -> FirstCommit:
    """Write the documents in canonical form and commit them, then name the commit for blame."""
    rewritten = [each.path for each in documents if _rewrite(git.folder / each.path)]
    paths = [*(document.path for document in documents), RULES_FILE]
    if not git.changes(paths):
        return FirstCommit(git.head() or "", None, ())
    commit = git.commit_only(paths, f"{COMMIT_SUBJECT}\n{COMMIT_BODY}")
    if not rewritten:
        return FirstCommit(commit, None, ())
    _name_for_blame(git.folder / BLAME_FILE, commit)
    blame_commit = git.commit_only([BLAME_FILE], f"{BLAME_SUBJECT}\n{BLAME_BODY}")
    return FirstCommit(commit, blame_commit, tuple(rewritten))


def _name_for_blame(file: Path, commit: str) -> None:
    """Add the commit at the end of a file that may be there, with or without a final newline."""
    before = file.read_text(encoding="utf-8") if file.exists() else ""
    gap = "" if before == "" or before.endswith("\n") else "\n"
    text = f"{before}{gap}# {COMMIT_SUBJECT}: layout only\n{commit}\n"
    file.write_text(text, encoding="utf-8")


def canonical_form(data: bytes) -> bytes:
    """Return a document's bytes in canonical form, whatever its size."""
    return kernel.canonical(data, "pretty", depth_max=0, size_max=0)


def _rewrite(file: Path) -> bool:
    """Bring a file into canonical form by a rename; return whether its bytes changed."""
    data = file.read_bytes()
    canonical = canonical_form(data)
    if canonical == data:
        return False
    beside = file.with_name(f".{file.name}.goodneighbor")
    beside.write_bytes(canonical)
    beside.chmod(file.stat().st_mode & 0o7777)
    beside.replace(file)
    return True


def _how(staged: bool) -> str:
    return "staged" if staged else "modified"
