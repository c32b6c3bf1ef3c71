"""What `[worktree]` in neighbor.toml says: where worktrees go, and what comes into them.

Read from the main tree's neighbor.toml as it lies, committed or not, because a person who has just
written `copy = [...]` means the next worktree. Templates know `{repo}`, `{stream}` and `{frame}`.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..kernel import Rules
from ..kernel.errors import RulesInvalid
from ..kernel.malformed import Malformed
from ..kernel.settings import branch as checked_branch
from .place import RULES_FILE, Place

PATH = "../{repo}.worktrees/{stream}"
BRANCH = "dc/{stream}/frame-{frame}"
PART_BYTES_MAX = 255  # of a name, on every file system
PATH_BYTES_MAX = 1024
_FIELD = re.compile(r"\{([^{}]*)\}")
_FIELDS = ("repo", "stream", "frame")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True)
class Settings:
    """The table, checked. `main` is the main working tree that the path starts from."""

    main: Path
    copy: tuple[str, ...] = ()
    path: str = PATH
    branch: str = BRANCH
    sparse: tuple[str, ...] = ()
    setup: str | None = None
    files_max: int = 10_000
    bytes_max: int = 2**30

    def path_of(self, stream: str, frame: int) -> Path:
        """Return where a stream's worktree goes: inside the folder that holds the main tree.

        Raises:
            RulesInvalid: the template leads elsewhere, or through a symlink elsewhere.
        """
        named = Path(os.path.normpath(self.main / self._filled(self.path, stream, frame)))
        beside = self.main.parent
        real = Path(os.path.realpath(named.parent)) / named.name
        if not real.is_relative_to(beside) or self.main.is_relative_to(real):
            raise _invalid("path", f"`{self.path}` leads out of {beside}")
        if any(part.lower() in (".git", "git~1") for part in real.relative_to(beside).parts):
            raise _invalid("path", f"`{self.path}` leads into .git")
        return real

    def branch_of(self, stream: str, frame: int) -> str:
        """Return the name of a stream's branch in a frame. Raises: RulesInvalid."""
        name = self._filled(self.branch, stream, frame)
        try:
            return checked_branch(name)
        except Malformed as malformed:
            raise _invalid("branch", malformed.reason) from malformed

    def _filled(self, template: str, stream: str, frame: int) -> str:
        values = {"repo": self.main.name, "stream": stream, "frame": str(frame)}
        filled = _FIELD.sub(lambda field: values[field[1]], template)
        if any(len(os.fsencode(part)) > PART_BYTES_MAX for part in filled.split("/")):
            raise _invalid("path", f"a part of `{filled[:40]}...` is longer than a name may be")
        return filled


def settings(where: Place) -> Settings:
    """Return what `[worktree]` says in the main tree, or by default.

    Raises:
        NoMainTree: the repository has none.
        RulesInvalid: neighbor.toml, or a value in the table, cannot be used.
    """
    main = where.main_tree()
    file = main / RULES_FILE
    text = file.read_bytes().decode("utf-8", "surrogateescape") if file.is_file() else ""
    return of_table(main, Rules.parse(text).worktree)


def of_table(main: Path, table: dict[str, Any]) -> Settings:
    """Check the values of the table. Raises: RulesInvalid."""
    path, branch = table["path"] or PATH, table["branch"] or BRANCH
    for name, template in (("path", path), ("branch", branch)):
        _check_template(name, template)
    for name in ("max_files", "max_bytes"):
        if table[name] < 1:
            raise _invalid(name, "it is at least 1")
    for name in ("copy", "sparse"):
        for text in table[name]:
            if not text or _CONTROL.search(text):
                raise _invalid(name, f"{text!r} is empty or holds a control character")
    if table["setup"] is not None and "\0" in table["setup"]:
        raise _invalid("setup", "it holds a NUL")
    return Settings(
        main, tuple(table["copy"]), path, branch, tuple(table["sparse"]), table["setup"],
        table["max_files"], table["max_bytes"],
    )  # fmt: skip


def _check_template(name: str, template: str) -> None:
    if _CONTROL.search(template):
        raise _invalid(name, f"{template!r} holds a control character")
    unknown = [field for field in _FIELD.findall(template) if field not in _FIELDS]
    if unknown or "{" in _FIELD.sub("", template):
        fields = ", ".join(f"{{{field}}}" for field in _FIELDS)
        raise _invalid(name, f"`{template}`: a template knows {fields}")
    if "{stream}" not in template:
        raise _invalid(name, f"`{template}` lacks {{stream}}: all streams would share one")
    if template.startswith(("/", "-", "~")) or len(template) > PATH_BYTES_MAX:
        raise _invalid(name, f"`{template[:40]}` must be relative, and of a sane length")


def _invalid(name: str, reason: str) -> RulesInvalid:
    return RulesInvalid(None, f"[worktree] {name}: {reason}")
