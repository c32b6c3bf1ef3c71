"""The folder of the guard's hooks: scripts as they are shipped, and the settings they read.

`<store>/hooks/`: our own hooks, `guard.sh` that they share, for every other hook of git a script
that hands over to the one in force before, `settings`, and `known`: the commits that stood in the
repository when the guard came, which a push does not judge. Where there was no hook, a link to its
place stands: git sees none and starts no shell, and one that is added later runs. A file is
replaced by a rename, so that a hook that runs meanwhile is whole.
"""

import os
import shlex
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..kernel import Rules
from .errors import GuardRefused
from .git import GUARDED as EVENTS
from .git import Git
from .place import RULES_FILE

FOLDER = "hooks"
SOURCES = Path(__file__).parent / "hooks"
SETTINGS = "settings"
KNOWN = "known"
KNOWN_MAX = 500  # tips; they go on a command line
# Hooks of git in which the guard has nothing to say. They are chained whether there is one now or
# not: one that is added later runs too.
CHAINED = (
    "applypatch-msg", "pre-applypatch", "post-applypatch", "prepare-commit-msg", "commit-msg",
    "post-commit", "post-checkout", "pre-receive", "update", "post-receive",
    "post-update", "pre-auto-gc", "post-rewrite", "sendemail-validate",
)  # fmt: skip
# Chained only if there is one: that there is a hook changes what git does, or costs every command.
CHAINED_IF_THERE = (
    "push-to-checkout", "proc-receive", "post-index-change", "p4-changelist",
    "p4-prepare-changelist", "p4-post-changelist", "p4-pre-submit",
)  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """What the hooks need to know."""

    neighbor: str  # the program's absolute path
    chained: str  # the folder of the hooks in force before; "" when git runs those itself
    branch: str  # the branch that exports go to
    paths: tuple[str, ...]  # of the documents

    def text(self) -> str:
        """Write the settings as the shell reads them."""
        words = " ".join(shlex.quote(word) for word in _pathspecs(self.paths))
        return (
            "# Written by `neighbor guard install`; read by the hooks beside it.\n"
            "# shellcheck shell=sh disable=SC2034\n"
            f"neighbor={shlex.quote(self.neighbor)}\n"
            f"chained={shlex.quote(self.chained)}\n"
            f"branch={shlex.quote(self.branch)}\n"
            "on_documents() {\n"
            f'    exec "$@" -- {words}\n'
            "}\n"
        )


def settings(rules: Rules, chained: str) -> Settings:
    """Return the settings that the rules ask for."""
    paths = tuple(each.path for each in rules.documents if each.path is not None)
    return Settings(program(), chained, rules.export.branch, paths)


def write(folder: Path, put: Settings) -> None:
    """Write the folder; what is as it should be stays."""
    folder.mkdir(mode=0o700, exist_ok=True)
    _write(folder / SETTINGS, put.text().encode(), 0o600)
    _write(folder / "guard.sh", (SOURCES / "guard.sh").read_bytes(), 0o600)
    for name, source in _scripts(put.chained).items():
        _write(folder / name, (SOURCES / source).read_bytes(), 0o700)
    for name in {*CHAINED, *CHAINED_IF_THERE} - _scripts(put.chained).keys():
        (folder / name).unlink(missing_ok=True)
    for name, target in _links(put.chained).items():
        (folder / name).symlink_to(target)


def write_known(folder: Path, git: Git) -> None:
    """Note which commits stand here now, unless that was done."""
    file = folder / KNOWN
    if not file.exists():
        listing = ("for-each-ref", f"--count={KNOWN_MAX}", "--sort=-committerdate")
        tips = git.call(*listing, "--format=%(objectname)", "refs/heads", "refs/remotes")
        _write(file, tips.stdout, 0o600)


def missing(folder: Path, put: Settings) -> list[str]:
    """Return the names of files that are not as `write` would leave them."""
    as_text = {SETTINGS: put.text().encode(), "guard.sh": (SOURCES / "guard.sh").read_bytes()}
    for name, source in _scripts(put.chained).items():
        as_text[name] = (SOURCES / source).read_bytes()
    links = _links(put.chained)
    wrong = [name for name, data in as_text.items() if _bytes(folder / name) != data]
    wrong += [name for name, target in links.items() if _target(folder / name) != target]
    # A hook that was added later runs through its link until the next `write`.
    return sorted(name for name in wrong if _target(folder / name) != _place(put.chained, name))


def program() -> str:
    """Return the absolute path of `neighbor`.

    Raises:
        GuardRefused: it is not installed as a program, so that no hook could start it.
    """
    beside = Path(sys.executable).with_name("neighbor")
    if os.access(beside, os.X_OK):
        return str(beside)
    found = shutil.which("neighbor")
    if found is None:
        raise GuardRefused(
            f"The program `neighbor` is neither beside {sys.executable} nor on PATH, so no hook "
            "could start it.\nInstall goodneighbor (`pip install .`), then run the command again."
        )
    return os.path.abspath(found)


def _scripts(chained: str) -> dict[str, str]:
    """Return which source each script is made from, by name."""
    scripts = {event: f"{event}.sh" for event in EVENTS} | {"merge-file": "merge-file.sh"}
    scripts["pre-merge-commit"] = "pre-commit.sh"  # it judges the same
    if chained:
        names = [name for name in (*CHAINED, *CHAINED_IF_THERE) if name not in _links(chained)]
        there = [name for name in names if name in CHAINED or _is_there(chained, name)]
        scripts |= dict.fromkeys(there, "chain.sh")
    return scripts


def _links(chained: str) -> dict[str, str]:
    """Say where hooks would be that are not there; a relative folder is one in each tree."""
    if not os.path.isabs(chained):
        return {}
    return {name: _place(chained, name) for name in CHAINED if not _is_there(chained, name)}


def _is_there(chained: str, name: str) -> bool:
    return os.access(_place(chained, name), os.X_OK)


def _place(chained: str, name: str) -> str:
    return os.path.join(chained, name)


def _target(file: Path) -> str | None:
    return os.readlink(file) if file.is_symlink() else None


def _pathspecs(paths: Iterable[str]) -> Sequence[str]:
    """Name everything under the documents' folders, and the rules."""
    folders = {str(PurePosixPath(path).parent) for path in paths}
    specs = [f":(top,literal){folder}" for folder in sorted(folders - {"."})]
    if "." in folders:
        specs.append(":(top,glob)*.json")  # documents at the root: not all that lies below it
    return [*specs, f":(top,literal){RULES_FILE}"]


def _write(file: Path, data: bytes, mode: int) -> None:
    if _target(file) is None and _bytes(file) == data and file.stat().st_mode & 0o777 == mode:
        return
    beside = file.with_name(f"{file.name}.new")
    beside.write_bytes(data)
    beside.chmod(mode)
    beside.replace(file)


def _bytes(file: Path) -> bytes | None:
    return file.read_bytes() if file.is_file() else None
