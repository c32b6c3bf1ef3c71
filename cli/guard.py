"""`neighbor guard`: stand between git and the accidents that hurt the state (rules 3 and 6).

The hooks themselves are in `cli/hooks/`. Here they are put in force and taken out again; what was
there before is recorded in `<store>/guard.json` first, so that `remove` also undoes an install that
died half way.
"""

from dataclasses import dataclass
from pathlib import Path

import orjson

from ..kernel import Rules
from . import guard_attributes, guard_config, guard_hooks, place
from .answer import print_json, warn
from .command import Noun, command, json_option
from .errors import GuardRefused
from .exits import DONE, FOUND
from .git import Git
from .guard_config import HOOKS_PATH, Kept, Record

RECORD_FILE = "guard.json"
COMMAND = Noun("guard", help="Hooks that refuse what would hurt the state.")


@dataclass(frozen=True)
class Before:
    """What the guard found, to be put back."""

    config: Record
    chained: str
    attributes: bool  # whether there was a file of attributes


@dataclass(frozen=True)
class Standing:
    """The guard as it stands: what it chains, and what keeps it from its work."""

    installed: bool
    chained: str
    findings: tuple[str, ...]


@command("install", "neighbor guard install")
@json_option
def _install(as_json: bool) -> int:
    """Put the guard in force, or in order again.

    Refused from then on: a stash on the main tree while the fleet runs, a rebase on main over
    uncommitted changes, and new commits with conflict markers, broken JSON or a direct write to a
    document. `rebase.autoStash` and `merge.autoStash` are set to false in this repository, and
    the documents get a merge driver that joins edits by meaning.

    Hooks that are there already still run, those of pre-commit and lefthook in .git/hooks too.
    To add one of these two later, take the guard away meanwhile: they will not install while
    core.hooksPath is set. husky sets core.hooksPath itself: run this command again after it.
    """
    where = place.here()
    install(where)
    return _answer(where, as_json, "The guard is in force.")


@command("status", "neighbor guard install && neighbor guard status")
@json_option
def _status(as_json: bool) -> int:
    """Say whether the guard is in force, in every worktree; exit code 1 if something is wrong."""
    return _answer(place.here(), as_json, "The guard is in force.")


@command("remove", "neighbor guard remove")
@json_option
def _remove(as_json: bool) -> int:
    """Take the guard away, and put back exactly what was there before."""
    left = remove(place.here())
    if as_json:
        print_json({"installed": False, "left": left})
        return DONE
    for name in left:
        warn(f"{name}: left as it is, somebody has set it since")
    print("The guard is gone.")
    return DONE


COMMAND.add_all(_install, _status, _remove)


def install(where: place.Place, version: tuple[int, ...] | None = None) -> None:
    """Put the guard in force for all worktrees of a clone; again, it is put in order.

    `version` is git's; without it, git is asked.

    Raises:
        StoreMissing: there is nothing to guard.
        GuardRefused: no hook could start `neighbor`.
    """
    git, store = _git(where), where.store
    rules = Rules.parse(where.open_store().rules_text())
    folder = store / guard_hooks.FOLDER
    wanted = guard_config.wanted(folder, git.version() if version is None else version)
    recorded = _recorded(where)
    planned = guard_config.plan(git, recorded.config if recorded else {}, wanted)
    attributes = guard_attributes.file_in(Path(where.common)).exists()
    before = Before(
        planned,
        _chained(where, git, recorded) if HOOKS_PATH in wanted else "",
        recorded.attributes if recorded else attributes,
    )
    _record(store, before)
    if recorded is not None:  # another git than then: what is not wanted any more goes back
        gone = recorded.config.keys() - wanted.keys()
        guard_config.put_back(git, {name: recorded.config[name] for name in gone})
    put = guard_hooks.settings(rules, before.chained)
    guard_hooks.write(folder, put)
    guard_hooks.write_known(folder, git)
    guard_attributes.put(Path(where.common), put.paths)
    guard_config.put(git, planned)


def refresh(where: place.Place, rules: Rules) -> None:
    """Tell the hooks of changed rules, where the guard is installed."""
    before = _recorded(where)
    if before is not None:
        put = guard_hooks.settings(rules, before.chained)
        guard_hooks.write(where.store / guard_hooks.FOLDER, put)
        guard_attributes.put(Path(where.common), put.paths)


def remove(where: place.Place) -> list[str]:
    """Take the guard away; return the names of settings that somebody has changed since."""
    before = _recorded(where)
    if before is None:
        return []
    git, folder = _git(where), where.store / guard_hooks.FOLDER
    left = guard_config.put_back(git, before.config)
    guard_attributes.put_back(Path(where.common), was_there=before.attributes)
    for file in sorted(folder.iterdir()) if folder.is_dir() else []:
        file.unlink()
    if folder.is_dir():
        folder.rmdir()
    (where.store / RECORD_FILE).unlink()
    return left


def standing(where: place.Place) -> Standing:
    """Look at the guard in every worktree."""
    before = _recorded(where)
    if before is None:
        return Standing(False, "", ("the guard is not installed",))
    git, folder = _git(where), where.store / guard_hooks.FOLDER
    rules = Rules.parse(where.open_store().rules_text())
    put = guard_hooks.settings(rules, before.chained)
    findings = [f"{name}: not as installed" for name in guard_hooks.missing(folder, put)]
    findings += _unset(git, before)
    if HOOKS_PATH in before.config:
        findings += _not_in_force(git, folder)
    if not guard_attributes.is_put(Path(where.common), put.paths):
        findings.append("info/attributes: a document has no merge driver")
    return Standing(True, before.chained, tuple(findings))


def _answer(where: place.Place, as_json: bool, good: str) -> int:
    found = standing(where)
    if as_json:
        print_json(
            {
                "installed": found.installed,
                "chained": found.chained,
                "findings": list(found.findings),
            }
        )
    else:
        for finding in found.findings:
            print(finding)
        print("Run `neighbor guard install`." if found.findings else good)
        if found.installed and found.chained:
            print(f"Hooks in {found.chained} run too.")
    return FOUND if found.findings else DONE


def _unset(git: Git, before: Before) -> list[str]:
    """Name the settings that are not ours any more; a hook manager sets the hooks' folder."""
    found = []
    for name, kept in before.config.items():
        now = guard_config.values(git, name)
        if now != (kept.ours,):
            found.append(f"{name}: somebody has set {', '.join(now) or 'nothing'}")
    return found


def _not_in_force(git: Git, folder: Path) -> list[str]:
    """Name the worktrees whose own configuration names another folder of hooks."""
    found = []
    for tree in _trees(git):
        used = guard_config.hooks_in_force(Git(tree))
        ours = guard_config.values(git, HOOKS_PATH) == (str(folder),)
        if ours and used != str(folder):
            found.append(f"{tree}: its own config.worktree sets {HOOKS_PATH} to {used}")
    return found


def _trees(git: Git) -> list[Path]:
    listed = git.call("worktree", "list", "--porcelain", "-z").fields()
    trees = [Path(field[9:]) for field in listed if field.startswith("worktree ")]
    return [tree for tree in trees if tree.is_dir()]


def _chained(where: place.Place, git: Git, recorded: Before | None) -> str:
    """Return the folder of the hooks that are in force without the guard.

    A relative one is relative to where git runs a hook, and so it stays.
    """
    used = guard_config.hooks_in_force(git)
    if used is None:
        return str(Path(where.common) / "hooks")
    if used == str(where.store / guard_hooks.FOLDER):
        if recorded is None:
            raise GuardRefused(
                f"{HOOKS_PATH} names the guard's folder, but nothing says what stood there "
                f"before.\nRun `git config --unset {HOOKS_PATH}`, then this command again."
            )
        return recorded.chained
    return used


def _git(where: place.Place) -> Git:
    return Git(Path(where.tree or where.common))


def _recorded(where: place.Place) -> Before | None:
    file = where.store / RECORD_FILE
    if not file.exists():
        return None
    read = orjson.loads(file.read_bytes())
    config = {
        name: Kept(tuple(each["before"]), each["ours"]) for name, each in read["config"].items()
    }
    return Before(config, read["chained"], read["attributes"])


def _record(store: Path, before: Before) -> None:
    config = {name: kept.__dict__ for name, kept in before.config.items()}
    shape = {"config": config, "chained": before.chained, "attributes": before.attributes}
    beside = store / f"{RECORD_FILE}.new"
    beside.write_bytes(orjson.dumps(shape, option=orjson.OPT_INDENT_2))
    beside.replace(store / RECORD_FILE)
