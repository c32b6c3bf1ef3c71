"""Errors of the command line, one class per decision a caller can make.

GoodneighborError
├── UsageInvalid         type the command again
├── DemoFailed           report it: the demo did not go as it must
├── StoreBusy            wait (store/errors.py)
│   ├── TreeBusy         another git holds a tree's index
│   ├── ExportWaits      a person's rebase, merge or pick is unfinished
│   ├── BranchMoves      others were faster, each time
│   └── WorktreeHeld     a living process holds the worktree
└── Refused              a person decides
    ├── NotARepository   change into one
    ├── NoMainTree       go where the documents lie
    ├── FileUnreadable   name a file that is there, or send the delta by standard input
    ├── NothingToStartFrom  commit something first
    ├── InitRefused      settle what is named, then `neighbor init` again
    ├── GuardRefused     settle what is named, then `neighbor guard install` again
    ├── EditsInTheWay    edits of the files an export writes: absorb, commit or rescue them
    ├── OtherStore       the documents are another store's
    ├── ExportReverted   the branch went behind its last export
    ├── PushRefused      the remote said no, or its commits conflict with ours
    ├── WorktreeRefused  a worktree cannot be made, or taken away, as things stand
    └── GitFailed        git said no: command, exit code and its own words
        ├── GitMissing   install git
        └── GitTooSlow   git did not end in time, and was ended
"""

from ..kernel.errors import GoodneighborError
from ..store.errors import Refused, StoreBusy

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


class FileUnreadable(Refused):
    """The file with the deltas cannot be read; an argument that is a delta itself is told so."""

    def __init__(self, file: str, why: str) -> None:
        self.file = file
        said = f"{file} cannot be read: {why}."
        if file.lstrip()[:1] in ("{", "["):
            said += "\nA delta comes by standard input: echo '{...}' | neighbor append"
        super().__init__(said)


class NoMainTree(Refused):
    """The repository has no main working tree that can be found from here."""

    def __init__(self, common: str) -> None:
        self.common = common
        super().__init__(
            f"No main working tree: {common} is bare, or its tree cannot be told from here.\n"
            "Run the command in the main working tree (`git worktree list` names it first)."
        )


class NothingToStartFrom(Refused):
    """The repository has no commit that a worktree could begin at."""

    def __init__(self, tree: "Path") -> None:
        self.tree = tree
        super().__init__(
            f"No stream was started: {tree} has no commit yet that worktrees could begin at.\n"
            "Make one with `git commit`, or `neighbor init --commit`."
        )


class InitRefused(Refused):
    """Something must be settled before the repository can be taken in."""


class TreeBusy(StoreBusy):
    """Another git holds the index of a tree that an export must move."""

    def __init__(self, lock: "Path", waited_s: float) -> None:
        self.lock = lock
        self.path = str(lock)
        self.waited_s = waited_s
        GoodneighborError.__init__(
            self,
            f"Another git is at work there: {lock} was not free within {waited_s:g} s.\n"
            "Nothing was moved. Run `neighbor export --commit` when it is done; if no git runs, "
            "that file is left from one that died, and may be deleted.",
        )


class ExportWaits(StoreBusy):
    """Somebody has begun something in the branch that a moved tip would spoil."""

    def __init__(self, unfinished: str, branch: str, tree: "Path") -> None:
        self.unfinished = unfinished
        self.branch = branch
        self.tree = tree
        GoodneighborError.__init__(
            self,
            f"The export waits: a {unfinished} of {branch} is unfinished in {tree}.\n"
            "What has folded stays folded. When it is finished or aborted, run "
            "`neighbor export --commit`.",
        )


class BranchMoves(StoreBusy):
    """The branch moved each time we were about to move it."""

    def __init__(self, branch: str, attempts: int) -> None:
        self.branch = branch
        self.attempts = attempts
        GoodneighborError.__init__(
            self,
            f"Not done: {branch} was moved by others {attempts} times while we were at it.\n"
            "Nothing is lost; run the command again.",
        )


class WorktreeHeld(StoreBusy):
    """A living process makes the worktree, works in it or takes it away."""

    def __init__(self, path: "Path", by: str) -> None:
        self.path = str(path)
        self.waited_s = 0.0
        self.holder = by
        GoodneighborError.__init__(
            self,
            f"Not removed: worktree {path} is held by {by}.\n"
            "Nothing was touched. End that first, or wait; then run the command again.",
        )


class RunBusy(StoreBusy):
    """Another `neighbor run` is at work in the repository."""

    def __init__(self, pids: "Sequence[int]") -> None:
        self.pids = tuple(pids)
        who = f" (process {', '.join(map(str, pids))})" if pids else ""
        GoodneighborError.__init__(
            self,
            f"Another `neighbor run` is at work in this repository{who}.\n"
            "Its frames close in their order; run again when it is done.",
        )


class EditsInTheWay(Refused):
    """A tree holds edits of files that the export writes."""

    def __init__(self, tree: "Path", paths: "Sequence[str]") -> None:
        self.tree = tree
        self.paths = tuple(paths)
        names = "\n".join(f"  {path}" for path in paths)
        super().__init__(
            f"Not committed: {tree} holds edits of files that the export writes:\n{names}\n"
            "Take an edit in with `neighbor absorb PATH`, or save the edits under a ref and go on "
            "with `neighbor export --commit --rescue`."
        )


class OtherStore(Refused):
    """The manifest at the tip names another store."""

    def __init__(self, branch: str, theirs: str, ours: str) -> None:
        self.branch = branch
        self.theirs = theirs
        self.ours = ours
        super().__init__(
            f"Not committed: the documents on {branch} are store {theirs}'s, and this is store "
            f"{ours}.\n"
            "Export in the clone that holds that store. Where it is gone for good, "
            "`neighbor export --commit --take-over` takes its documents in as edits, and goes on."
        )


class ExportReverted(Refused):
    """The tip's manifest is older than our last export there."""

    def __init__(self, branch: str, found: int, exported: int, commit: str) -> None:
        self.branch = branch
        self.found = found
        self.exported = exported
        self.commit = commit
        super().__init__(
            f"Not committed: {branch} stands at the export of position {found}, and we had "
            f"exported up to {exported} there ({commit[:10]}): somebody reverted or reset it.\n"
            "If the state should go back: `neighbor absorb --revert`. If it should not: "
            "`neighbor export --commit --forward`."
        )


class PushRefused(Refused):
    """The remote took nothing of what was pushed."""

    def __init__(self, remote: str, said: str, next_step: str) -> None:
        self.remote = remote
        self.said = said
        super().__init__(f"Not pushed to {remote}: {said}\n{next_step}")


class WorktreeRefused(Refused):
    """Something must be settled before a worktree can be made, or taken away."""


class GuardRefused(Refused):
    """The guard cannot be put in force as things stand."""


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
