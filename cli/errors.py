"""Errors of the command line, one class per decision a caller can make.

GoodneighborError
├── UsageInvalid         type the command again
├── DemoFailed           report it: the demo did not go as it must
└── Refused              a person decides
    ├── NotARepository   change into one
    ├── NoMainTree       go where the documents lie
    ├── InitRefused      settle what is named, then `neighbor init` again
    └── GitFailed        git said no: command, exit code and its own words
        ├── GitMissing   install git
        └── GitTooSlow   git did not end in time, and was ended
"""

from ..kernel.errors import GoodneighborError
from ..store.errors import Refused

TYPE_CHECKING = False  # `append` imports this file, and pathlib costs more than it
if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class UsageInvalid(GoodneighborError):
    """The command line does not say something that can be done."""


class DemoFailed(GoodneighborError):
    """A step of `neighbor demo` did not end as it must; the scratch repository shows why."""

    def __init__(self, what: str, tree: "Path") -> None:
        self.tree = tree
        super().__init__(f"The demo failed: {what}.\nThe scratch repository is left at {tree}.")


class NotARepository(Refused):
    """No git repository at the folder nor above it."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        super().__init__(
            f"Not in a git repository: {folder}, nor any folder above it.\n"
            "Change into the repository, or make one with `git init`."
        )


class NoMainTree(Refused):
    """The repository has no main working tree that can be found from here."""

    def __init__(self, common: str) -> None:
        self.common = common
        super().__init__(
            f"No main working tree: {common} is bare, or its tree cannot be told from here.\n"
            "Run the command in the main working tree (`git worktree list` names it first)."
        )


class InitRefused(Refused):
    """Something must be settled before the repository can be taken in."""


class GitFailed(Refused):
    """A git command ended with an exit code that was not expected."""

    def __init__(
        self, command: "Sequence[str]", exit_code: int, stderr: str, folder: "Path"
    ) -> None:
        self.command = tuple(command)
        self.exit_code = exit_code
        self.stderr = stderr
        self.folder = folder
        said = stderr.strip() or "it said nothing on stderr"
        super().__init__(
            f"git ended with exit code {exit_code} in {folder}:\n"
            f"  $ {' '.join(command)}\n" + "\n".join(f"  {line}" for line in said.splitlines())
        )


class GitMissing(GitFailed):
    """There is no git to run."""

    def __init__(self, command: "Sequence[str]", folder: "Path") -> None:
        super().__init__(command, 127, "git is not on PATH; install git 2.39 or newer", folder)


class GitTooSlow(GitFailed):
    """git was ended because it did not end by itself."""

    def __init__(self, command: "Sequence[str]", timeout_s: float, folder: "Path") -> None:
        self.timeout_s = timeout_s
        super().__init__(command, 124, f"not done after {timeout_s:g} s, so it was ended", folder)
