"""Run git, and read its answers into values; the only file of goodneighbor that starts it.

What a caller's environment says to git must not reach our calls: inside a hook, GIT_DIR and
GIT_INDEX_FILE point at a commit in the making. So every GIT_* is scrubbed, but those in `KEPT`.
Our own calls run no hooks and no fsmonitor, never ask on the terminal, never take an optional
lock, and end in bounded time. What a caller names goes after `--end-of-options` or `--`.
"""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import GitFailed, GitMissing, GitTooSlow

VERSION_MIN = (2, 39)
TIMEOUT_S = 60.0
PATHS_PER_CALL_MAX = 500  # far below the kernel's limit for arguments
# Who commits, and where the user's configuration lies: facts about the person, not the call.
KEPT = (
    "GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL",
    "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM",
)  # fmt: skip
QUIET = ("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "gc.auto=0")
# Files in the git directory that stand for an operation a person has not finished.
UNFINISHED = {
    "MERGE_HEAD": "merge",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
    "rebase-merge": "rebase",
    "rebase-apply": "rebase",
    "BISECT_LOG": "bisect",
}


@dataclass(frozen=True)
class Answer:
    """What one git command printed, and how it ended."""

    exit_code: int
    stdout: bytes
    stderr: str

    def line(self) -> str:
        """Return the output as text without its final newline."""
        return os.fsdecode(self.stdout).removesuffix("\n")

    def fields(self) -> list[str]:
        """Split the output of a command run with `-z`."""
        return [os.fsdecode(field) for field in self.stdout.split(b"\0") if field]


@dataclass(frozen=True)
class Change:
    """One path that differs from HEAD, as `git status` sees it."""

    path: str
    staged: bool
    modified: bool
    untracked: bool


@dataclass(frozen=True)
class Git:
    """A working tree (or a git directory) in which git runs."""

    folder: Path

    def call(
        self,
        *arguments: str,
        stdin: bytes = b"",
        ends: Sequence[int] = (0,),
        timeout_s: float = TIMEOUT_S,
    ) -> Answer:
        """Run one git command and return its answer.

        Raises:
            GitFailed: its exit code is not one of `ends`.
            GitMissing: there is no git.
            GitTooSlow: it ran longer than `timeout_s`; it and its children were killed.
        """
        command = ("git", *QUIET, *arguments)
        answer = run(command, self.folder, stdin, timeout_s)
        if answer.exit_code not in ends:
            raise GitFailed(command, answer.exit_code, answer.stderr, self.folder)
        return answer

    def version(self) -> tuple[int, ...]:
        """Return git's version as numbers, such as (2, 39, 5)."""
        words = self.call("version").line().split()
        numbers = [part for part in words[2].split(".") if part.isdigit()]
        return tuple(int(number) for number in numbers)

    def is_bare(self) -> bool:
        """Tell whether the repository has no working tree of its own."""
        return self.call("rev-parse", "--is-bare-repository").line() == "true"

    def head(self) -> str | None:
        """Return the commit HEAD stands on, or None before the first."""
        answer = self.call("rev-parse", "--verify", "--quiet", "HEAD^{commit}", ends=(0, 1))
        return answer.line() if answer.exit_code == 0 else None

    def branch(self) -> str | None:
        """Return the branch HEAD is on (also one without a commit), or None if it is detached."""
        answer = self.call("symbolic-ref", "--quiet", "--short", "HEAD", ends=(0, 1))
        return answer.line() if answer.exit_code == 0 else None

    def tip(self, branch: str) -> str | None:
        """Return the commit a local branch points at, or None if there is no such branch."""
        reference = f"refs/heads/{branch}^{{commit}}"
        answer = self.call(
            "rev-parse", "--verify", "--quiet", "--end-of-options", reference, ends=(0, 1)
        )
        return answer.line() if answer.exit_code == 0 else None

    def blob(self, commit: str, path: str) -> bytes | None:
        """Return a file's bytes in a commit (`/` between folders), or None if it is not there."""
        listed = self.call("ls-tree", "-z", "--end-of-options", commit, path).fields()
        for entry in listed:
            kind, name = entry.split("\t", 1)
            _mode, type_, object_id = kind.split()
            if name == path and type_ == "blob":
                return self.call("cat-file", "blob", object_id).stdout
        return None

    def changes(self, paths: Sequence[str]) -> list[Change]:
        """Return those of `paths` that are staged, modified or untracked (ignored ones are not)."""
        found: list[Change] = []
        for part in _parts(paths):
            answer = self.call(
                "status",
                "--porcelain=v1",
                "-z",
                "--untracked-files=all",
                "--no-renames",
                "--",
                *part,
            )
            found += [_change(field) for field in answer.fields()]
        return found

    def ignored(self, paths: Sequence[str]) -> list[str]:
        """Return those of `paths` that .gitignore keeps out and git does not track."""
        listing = ("ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--")
        return [path for part in _parts(paths) for path in self.call(*listing, *part).fields()]

    def tracked(self, paths: Sequence[str]) -> list[str]:
        """Return those of `paths` that the index knows."""
        listing = ("ls-files", "-z", "--")
        return [path for part in _parts(paths) for path in self.call(*listing, *part).fields()]

    def identity(self) -> str:
        """Return who commits, as `Name <address>`; GitFailed tells what to configure."""
        return self.call("var", "GIT_COMMITTER_IDENT").line().rsplit(" ", 2)[0]

    def unfinished(self) -> str | None:
        """Name the merge, rebase or pick that somebody has begun here, or None."""
        names = tuple(UNFINISHED)
        asked = [word for name in names for word in ("--git-path", name)]
        places = self.call("rev-parse", *asked).line().splitlines()
        for name, place in zip(names, places, strict=True):
            if (self.folder / place).exists():
                return UNFINISHED[name]
        return None

    def commit_only(self, paths: Sequence[str], message: str) -> str:
        """Commit the given paths as they lie on disk, whatever else is staged; return the commit.

        What is staged of other paths stays staged. Nothing is signed: a key's passphrase would
        have to be asked for.
        """
        self.call("add", "--", *paths)
        self.call(
            "commit", "--quiet", "--no-verify", "--no-gpg-sign", "--only", "--message", message,
            "--", *paths,
        )  # fmt: skip
        return self.call("rev-parse", "--verify", "HEAD").line()


def run(command: Sequence[str], folder: Path, stdin: bytes, timeout_s: float) -> Answer:
    """Run one command in its own process group, and kill the whole group when time is up."""
    try:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment(os.environ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise GitMissing(command, folder) from error
    with process:
        try:
            stdout, stderr = process.communicate(stdin, timeout_s)
        except subprocess.TimeoutExpired as error:
            raise GitTooSlow(command, timeout_s, folder) from error
        finally:
            if process.poll() is None:  # out of time, or Ctrl-C: nothing of it is left running
                os.killpg(process.pid, signal.SIGKILL)
    return Answer(process.returncode, stdout, stderr.decode("utf-8", "replace"))


def environment(outer: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for our git calls: no GIT_* but `KEPT`, and no prompts."""
    kept = {name: value for name, value in outer.items() if not name.startswith("GIT_")}
    kept |= {name: outer[name] for name in KEPT if name in outer}
    # ssh and askpass programs ask on the terminal by themselves; LC_ALL so that errors read alike.
    kept |= {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    kept |= {"GIT_ASKPASS": "false", "SSH_ASKPASS": "false", "GIT_LITERAL_PATHSPECS": "1"}
    return kept


def _parts(paths: Sequence[str]) -> list[Sequence[str]]:
    """Cut a list of paths so that each part fits on one command line."""
    step = PATHS_PER_CALL_MAX
    return [paths[start : start + step] for start in range(0, len(paths), step)]


def _change(field: str) -> Change:
    """Read one `XY path` of `git status --porcelain=v1 -z`."""
    staged, modified, path = field[0], field[1], field[3:]
    untracked = staged == "?"
    return Change(path, staged not in " ?", modified not in " ?", untracked)
