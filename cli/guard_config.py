"""What the guard sets in the repository's git configuration, and how all of it goes back.

The record holds, for each name, the values that stood there and ours. A name is put back only while
it still holds ours: what somebody has set since is theirs. Only the repository's own file is
touched, never the user's nor a worktree's.
"""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .git import GUARDED, Git

HOOKS_PATH = "core.hooksPath"
CONFIG_HOOKS_FROM = (2, 54)  # the first git that runs hooks named in the configuration
DRIVER = "goodneighbor"
_NOT_SET = (0, 1, 5)  # how `git config` ends where a name, or a section, is not there


@dataclass(frozen=True)
class Kept:
    """The values of one name: before the guard, and the guard's."""

    before: tuple[str, ...]
    ours: str


Record = dict[str, Kept]


def wanted(hooks: Path, version: tuple[int, ...]) -> dict[str, str]:
    """Return what the guard sets, by name.

    From git 2.54 on each hook is named in the configuration, beside whatever hooks there are;
    before, one folder holds all hooks, and ours chain the others.
    """
    merge = shlex.quote(str(hooks / "merge-file"))
    settings = {
        "rebase.autoStash": "false",
        "merge.autoStash": "false",
        f"merge.{DRIVER}.name": "state documents, merged by the rules in neighbor.toml",
        f"merge.{DRIVER}.driver": f"{merge} %O %A %B %P",
    }
    if version < CONFIG_HOOKS_FROM:
        return settings | {HOOKS_PATH: str(hooks)}
    for event in GUARDED:
        settings[f"hook.{DRIVER}-{event}.command"] = shlex.quote(str(hooks / event))
        settings[f"hook.{DRIVER}-{event}.event"] = event
    return settings


def values(git: Git, name: str) -> tuple[str, ...]:
    """Return what the repository's own configuration holds under a name."""
    listed = git.call("config", "--local", "-z", "--get-all", name, ends=_NOT_SET)
    return tuple(listed.fields())


def hooks_in_force(git: Git) -> str | None:
    """Return the folder of hooks that git uses in this tree, wherever it is set; None: its own."""
    asked = ("--type=path", "--show-scope", "-z", "--get-all", HOOKS_PATH)
    fields = git.call("config", *asked, ends=_NOT_SET).fields()
    set_in = list(zip(fields[::2], fields[1::2], strict=True))
    # The scope "command" is our own git call, which runs no hooks.
    folders = [folder for scope, folder in set_in if scope != "command"]
    return folders[-1] if folders else None


def plan(git: Git, record: Mapping[str, Kept], settings: Mapping[str, str]) -> Record:
    """Return the record as it will be; a value that is ours already is not what stood before."""
    planned: Record = {}
    for name, ours in settings.items():
        now = values(git, name)
        known = record.get(name)
        before = known.before if known is not None and now == (known.ours,) else now
        planned[name] = Kept(before, ours)
    return planned


def put(git: Git, record: Mapping[str, Kept]) -> None:
    """Set every name to the guard's value."""
    for name, kept in record.items():
        if values(git, name) != (kept.ours,):
            git.call("config", "--local", "--replace-all", name, kept.ours)


def put_back(git: Git, record: Mapping[str, Kept]) -> list[str]:
    """Put every name back; return those left alone, because somebody has set them since."""
    left = []
    for name, kept in record.items():
        if values(git, name) != (kept.ours,):
            left.append(name)
        elif len(kept.before) == 1:
            git.call("config", "--local", "--replace-all", name, kept.before[0])
        else:
            git.call("config", "--local", "--unset-all", name)
            for value in kept.before:
                git.call("config", "--local", "--add", name, value)
    return left
