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
from dataclasses import dataclass, replace
from pathlib import Path

from .errors import GitFailed, GitMissing, GitTooSlow
from .lease import LEASE_VARIABLE

VERSION_MIN = (2, 39)
TIMEOUT_S = 60.0
PATHS_PER_CALL_MAX = 500  # far below the kernel's limit for arguments
# Who commits, and where the user's configuration lies: facts about the person, not the call.
KEPT = (
    "GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL",
    "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM",
)  # fmt: skip
QUIET = (
    "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "gc.auto=0",
    "-c", "core.fsync=all", "-c", "advice.detachedHead=false",
)  # fmt: skip
# From git 2.54 on the guard's hooks are named in the configuration; core.hooksPath is beside them.
GUARDED = (
    "pre-commit", "pre-merge-commit", "pre-push", "pre-rebase", "reference-transaction",
    "post-merge",
)  # fmt: skip
FILE_MODES = ("100644", "100755")
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
class Entry:
    """What a tree or an index holds at a path."""

    mode: str
    blob: str

    @property
    def is_file(self) -> bool:
        return self.mode in FILE_MODES


@dataclass(frozen=True)
class Git:
    """A working tree (or a git directory) in which git runs.

    `held` are descriptors of locks: a git that outlives us, because we were killed, still holds
    them until it ends. `index` is another index file than the tree's own. With `git_folder` git
    takes that for the tree's git directory, whatever `.git` says. `lease` is told to git and all
    that it starts, so that they are found when we were killed.
    """

    folder: Path
    held: tuple[int, ...] = ()
    index: Path | None = None
    git_folder: Path | None = None
    lease: str = ""

    def within(self, folder: Path, index: Path | None = None) -> "Git":
        """Return the same git in another folder, on its index or the one given."""
        git_folder = self.git_folder if folder == self.folder else None
        return replace(self, folder=folder, index=index, git_folder=git_folder)

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
        answer = run(
            command, self.folder, stdin, timeout_s, held=self.held, settings=self._settings()
        )
        if answer.exit_code not in ends:
            raise GitFailed(command, answer.exit_code, answer.stderr, self.folder)
        return answer

    def _settings(self) -> dict[str, str]:
        """Return what git is told by its environment about where it is."""
        settings = {} if self.index is None else {"GIT_INDEX_FILE": str(self.index)}
        if self.git_folder is not None:
            settings |= {"GIT_DIR": str(self.git_folder), "GIT_WORK_TREE": str(self.folder)}
        if self.lease:
            settings[LEASE_VARIABLE] = self.lease
        return settings

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
        return self.resolve(f"refs/heads/{branch}")

    def blob(self, commit: str, path: str) -> bytes | None:
        """Return a file's bytes in a commit (`/` between folders), or None if it is not there."""
        entry = self.entries(commit, [path]).get(path)
        return None if entry is None else self.bytes_of(entry.blob)

    def bytes_of(self, blob: str) -> bytes:
        """Return a blob's bytes."""
        return self.call("cat-file", "blob", blob).stdout

    def smudged(self, path: str, entry: "Entry") -> bytes:
        """Return a blob's bytes as git would write them at a path, filters applied."""
        return self.call("cat-file", "--filters", f"--path={path}", entry.blob).stdout

    def entries(self, tree: str, paths: Sequence[str]) -> dict[str, Entry]:
        """Return what a commit or a tree holds at those of `paths` that are files or links."""
        found = {}
        for part in _parts(paths):
            listed = self.call("ls-tree", "-z", "--full-tree", "--end-of-options", tree, *part)
            for field in listed.fields():
                kind, name = field.split("\t", 1)
                mode, type_, object_id = kind.split()
                if type_ == "blob":
                    found[name] = Entry(mode, object_id)
        return found

    def staged(self, paths: Sequence[str]) -> dict[str, Entry]:
        """Return what the index holds at `paths`; a path that is unmerged has mode "unmerged"."""
        found = {}
        for part in _parts(paths):
            for field in self.call("ls-files", "-z", "--stage", "--", *part).fields():
                kind, name = field.split("\t", 1)
                mode, object_id, stage = kind.split()
                found[name] = Entry(mode if stage == "0" else "unmerged", object_id)
        return found

    def stage(self, entries: Mapping[str, Entry | None]) -> None:
        """Put entries into the index, or take out those that are None; no file is touched."""
        nothing = "0" * len(self.empty_tree())
        lines = [
            f"0 {nothing}\t{path}" if entry is None else f"{entry.mode} {entry.blob}\t{path}"
            for path, entry in entries.items()
        ]
        stdin = b"".join(os.fsencode(line) + b"\0" for line in lines)
        self.call("update-index", "-z", "--add", "--replace", "--index-info", stdin=stdin)

    def write_blob(self, data: bytes) -> str:
        """Keep bytes as a blob, without any filter; return its id."""
        return self.call("hash-object", "-w", "--no-filters", "--stdin", stdin=data).line()

    def blob_id(self, data: bytes) -> str:
        """Return the id that bytes would have as a blob; nothing is kept."""
        return self.call("hash-object", "--no-filters", "--stdin", stdin=data).line()

    def empty_tree(self) -> str:
        """Return the id of the tree that holds nothing; git knows it without an object.

        `mktree` would keep one and never flush it: a power cut leaves an empty file.
        """
        return self.call("hash-object", "-t", "tree", "--stdin").line()

    def changed_paths(self, old: str, new: str) -> list[str]:
        """Return the paths at which two commits or trees differ."""
        options = ("-r", "-z", "--no-renames", "--name-only", "--end-of-options")
        return self.call("diff-tree", *options, old, new).fields()

    def is_ancestor(self, older: str, newer: str) -> bool:
        """Tell whether a commit is another one or among those before it."""
        answer = self.call("merge-base", "--is-ancestor", older, newer, ends=(0, 1))
        return answer.exit_code == 0

    def resolve(self, name: str) -> str | None:
        """Return the commit that a full ref name points at, or None."""
        commit = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        answer = self.call(*commit, ends=(0, 1))
        return answer.line() if answer.exit_code == 0 else None

    def trailer(self, commit: str, name: str) -> str:
        """Return a trailer's value in a commit's message; "" where it has none."""
        shown = f"--format=%(trailers:key={name},valueonly)"
        return self.call("log", "-1", shown, "--end-of-options", commit).line().strip()

    def move_refs(self, moves: Mapping[str, tuple[str | None, str]], why: str) -> bool:
        """Move refs from what they must be (None: not there) to new commits, all or none.

        Returns False where one of them was something else, or another git held it.
        """
        nothing = "0" * len(self.empty_tree())
        lines = [f"update {name} {new} {old or nothing}" for name, (old, new) in moves.items()]
        script = "\n".join(["start", *lines, "prepare", "commit", ""]).encode()
        command = ("update-ref", "--create-reflog", "-m", why, "--stdin")
        answer = self.call(*command, stdin=script, ends=(0, 128))
        if answer.exit_code == 0:
            return True
        if "cannot lock ref" not in answer.stderr:
            raise GitFailed(("git", *command), answer.exit_code, answer.stderr, self.folder)
        return False

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


def run(
    command: Sequence[str],
    folder: Path,
    stdin: bytes,
    timeout_s: float,
    *,
    held: Sequence[int] = (),
    settings: Mapping[str, str] | None = None,
) -> Answer:
    """Run one command in its own process group, and kill the whole group when time is up.

    It inherits the descriptors in `held`, and sees `settings` beside its environment.
    """
    try:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**environment(os.environ), **(settings or {})},
            pass_fds=held,
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
    kept["GIT_CONFIG_COUNT"] = str(len(GUARDED))
    for index, event in enumerate(GUARDED):
        kept[f"GIT_CONFIG_KEY_{index}"] = f"hook.goodneighbor-{event}.enabled"
        kept[f"GIT_CONFIG_VALUE_{index}"] = "false"
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
