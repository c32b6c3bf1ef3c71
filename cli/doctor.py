"""`neighbor doctor`: the eight rules, held against the repository as it stands."""

from collections.abc import Iterator
from pathlib import Path

import click

from ..kernel import Rules
from ..kernel.errors import RulesInvalid
from ..store import Store, StoreMissing
from ..store.filesystem import network_kind
from . import (
    doctor_copy,
    doctor_frames,
    doctor_git,
    doctor_shell,
    doctor_state,
    guard,
    lease,
    place,
    worktree,
)
from .answer import counted, print_json, warn
from .command import command, json_option
from .exits import DONE, FOUND
from .finding import RULES, Finding
from .git import Git
from .sweep import sweep
from .worktree_settings import of_table


@command("doctor", "neighbor doctor", "neighbor doctor --fix")
@click.option("--fix", is_flag=True, help="Mend what can be mended without touching anyone's work.")
@json_option
def COMMAND(fix: bool, as_json: bool) -> int:
    """Check the eight rules in this repository as it stands.

    One line for each finding: the rule's number, what was found, and the command that mends it.
    Scripts are those that [doctor] scripts in neighbor.toml names. With --fix, what is safe is
    done: settings, gone worktrees, merged branches of streams, missing copies, the guard. Exit
    code 1 says that something is left.
    """
    where = place.here()
    found = list(look(where))
    mended = []
    if fix:
        for each in found:
            if each.fix is not None:
                each.fix()
                mended.append(each)
        found = list(look(where)) if mended else found
    if as_json:
        print_json({"findings": [_shape(each) for each in found],
                    "mended": [_shape(each) for each in mended]})  # fmt: skip
    else:
        _print(found, mended)
    return FOUND if found else DONE


def look(where: place.Place) -> Iterator[Finding]:
    """Yield all that breaks a rule, in the rules' order."""
    found = list(_look(where))
    yield from sorted(found, key=lambda each: each.rule)


def _look(where: place.Place) -> Iterator[Finding]:
    tree = where.main_tree()
    git = Git(tree)
    yield from doctor_git.old_git(git.version())
    yield from _file_system(where.store)
    try:
        store = where.open_store()
    except StoreMissing:
        yield Finding(0, "there is no store: nothing folds what streams write", "neighbor init")
        yield from doctor_git.look(git, git.branch() or "main", None, frozenset())
        return
    rules = Rules.parse(store.rules_text())
    yield from doctor_state.uncommitted_rules(git)
    try:
        rules = _rules_as_they_stand(tree) or rules
    except RulesInvalid as error:
        yield Finding(0, str(error).splitlines()[0], f"mend {place.RULES_FILE}")
    yield from _guard(where)
    yield from _with_store(where, git, store, rules)


def _rules_as_they_stand(tree: Path) -> Rules | None:
    """Return the rules in the main working tree, committed or not; None where there are none."""
    file = tree / place.RULES_FILE
    return Rules.parse(file.read_text("utf-8", "surrogateescape")) if file.is_file() else None


def _with_store(where: place.Place, git: Git, store: Store, rules: Rules) -> Iterator[Finding]:
    tree = where.main_tree()
    held = _held(store.folder)
    yield from doctor_git.look(git, rules.export.branch, store.status().closed, held)
    yield from _left_by_the_dead(where)
    yield from doctor_copy.look(git, of_table(tree, rules.worktree))
    yield from doctor_state.look(git, store, rules, tree)
    yield from doctor_frames.look(store)
    documents = [each.path for each in rules.documents if each.path is not None]
    yield from doctor_shell.look(tree, rules.doctor.get("scripts", ()), documents)


def _held(store: Path) -> frozenset[str]:
    """Return the folders and branches of the worktrees that a person or a living process holds."""
    living = {held.file.name for held in lease.living(store / lease.FOLDER)}
    held = [each for each in worktree.all_of(store) if each.is_pinned or each.lease in living]
    return frozenset(name for each in held for name in (str(each.path), each.branch))


def _left_by_the_dead(where: place.Place) -> Iterator[Finding]:
    swept = sweep(where, dry_run=True)
    for each, name in swept.ended:
        yield Finding(2, f"process {each.pid} ({name}) runs on without its run", "neighbor gc")
    for tree in swept.removed:
        yield Finding(2, f"worktree {tree.path} is left by a process that died", "neighbor gc")


def _file_system(folder: Path) -> Iterator[Finding]:
    kind = network_kind(folder)
    if kind:
        yield Finding(
            0, f"the store is on {kind}, where locks do not hold", "clone to a local disk"
        )


def _guard(where: place.Place) -> Iterator[Finding]:
    for what in guard.standing(where).findings:
        if what.partition(":")[0] in doctor_git.AUTOSTASH:
            continue  # found there, by what is in force
        yield Finding(3, what, "neighbor guard install", lambda: guard.install(where))


def _print(found: list[Finding], mended: list[Finding]) -> None:
    for each in mended:
        print(f"{each.rule}  mended: {each.what}")
    for each in found:
        print(f"{each.rule}  {each.what}: {each.mend}")
    if not found:
        print("Nothing found: the eight rules hold here.")
    else:
        print(f"{counted(len(found), 'finding')}.")
    if doctor_shell.shellcheck() is None:
        warn("ShellCheck is not here (`pip install 'goodneighbor[doctor]'`): less of rule 8.")


def _shape(finding: Finding) -> dict[str, object]:
    return {
        "rule": finding.rule,
        "title": RULES[finding.rule],
        "what": finding.what,
        "mend": finding.mend,
        "can_fix": finding.fix is not None,
    }
