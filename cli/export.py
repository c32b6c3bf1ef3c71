"""`neighbor export`: the documents as canonical JSON, as files or as a commit."""

import getpass
from pathlib import Path

import click

from ..kernel import Rules
from ..store import Exported, Store
from . import commit as commits
from . import file_manifest, place
from .answer import print_json, progress, warn
from .command import command, json_option
from .commit import Order
from .commit_lines import committed_shape, print_committed
from .errors import UsageInvalid
from .exits import DONE, FOUND, REFUSED
from .git import Git
from .push import push
from .tip_edits import TipEdits, print_edits
from .tip_edits import shape as edits_shape


@command("export", "neighbor export", "neighbor export --check", "neighbor export --commit")
@click.option("--check", is_flag=True, help="Write nothing; exit code 1 if a file differs.")
@click.option(
    "--allow-loss",
    multiple=True,
    metavar="DOCUMENT",
    help="Export this document although it lost more entities than max_loss allows.",
)
@click.option("--commit", is_flag=True, help="Commit the documents on [export] branch instead.")
@click.option(
    "--push",
    "remote",
    is_flag=False,
    flag_value="origin",
    metavar="[REMOTE]",
    help="Commit, and push the branch and the log to REMOTE (origin); never forced.",
)
@click.option(
    "--rescue", is_flag=True, help="With --commit: save edits in the way under a ref, and go on."
)
@click.option(
    "--forward", is_flag=True, help="With --commit: go on although the branch was put back."
)
@click.option(
    "--take-over",
    is_flag=True,
    help="With --commit: the store that exported there is gone for good.",
)
@json_option
def COMMAND(
    check: bool,
    allow_loss: tuple[str, ...],
    commit: bool,
    remote: str | None,
    rescue: bool,
    forward: bool,
    take_over: bool,
    as_json: bool,
) -> int:
    """Write the documents into the main working tree, or commit them.

    They are written as of the last close, and only where the bytes differ. Bytes found on disk
    that are neither the last export's nor the new ones go to quarantine first. A document that
    lost more of its entities than `max_loss` allows is refused.

    With --commit they go into a commit on the export's branch, with state/manifest.json; where
    that branch is checked out its tree comes along, and nobody's edits are touched.
    """
    where = place.here()
    store = where.open_store()
    commits.settle_dead(where, store)
    if commit or remote is not None:
        if check:
            raise UsageInvalid("--check compares files; it does not go with --commit or --push.")
        edits = TipEdits(allow_loss)
        order = Order(allow_loss, getpass.getuser(), rescue, forward, take_over, edits)
        return _commit(where, store, order, edits, remote, as_json=as_json)
    if rescue or forward or take_over:
        raise UsageInvalid("--rescue, --forward and --take-over go with --commit or --push.")
    exported = write(store, where.main_tree(), check=check, allow_loss=allow_loss)
    if as_json:
        print_json(shape(store, exported))
    else:
        print_exported(store, exported, check=check)
    return code_of(exported, check=check)


def _commit(
    where: place.Place,
    store: Store,
    order: Order,
    edits: TipEdits,
    remote: str | None,
    *,
    as_json: bool,
) -> int:
    branch = Rules.parse(store.rules_text()).export.branch
    with progress("committing"):
        if remote is None:
            committed = commits.commit(where, store, branch, order)
        else:
            committed = push(where, store, branch, order, remote)
    if as_json:
        told = committed_shape(store, committed) | {"edits": edits_shape(edits)}
        print_json(told | ({"pushed": remote} if remote else {}))
    else:
        print_edits(edits)
        print_committed(store, committed)
        if remote is not None:
            print(f"pushed to {remote}")
    if committed.refused:
        return REFUSED
    return FOUND if edits.refused else DONE


def write(
    store: Store, tree: Path, *, check: bool = False, allow_loss: tuple[str, ...] = ()
) -> Exported:
    """Export to files with their manifest, under a terminal's progress, saying who asked.

    Raises:
        OtherStore: the manifest that lies there is another store's.
    """
    with progress("exporting"):
        asked_by = getpass.getuser()
        if check:
            return store.export(tree, allow_loss=allow_loss, asked_by=asked_by, check=True)
        file_manifest.check_owner(store, tree)
        exported = store.export(tree, allow_loss=allow_loss, asked_by=asked_by)
        file_manifest.write(Git(tree), store, tree)
        return exported


def code_of(exported: Exported, *, check: bool = False) -> int:
    """Give the exit code of an export: a refusal goes before a difference that a check found."""
    if exported.refused:
        return REFUSED
    return FOUND if check and exported.written else DONE


def print_exported(store: Store, exported: Exported, *, check: bool = False) -> None:
    """Say what was (or would be) written, saved and refused."""
    paths = _paths(store)
    for name in exported.written:
        print(f"{paths[name]}: {'differs' if check else 'written'}")
    for saved in exported.saved:
        if not check:
            warn(
                f"{saved.path}: what lay there was nowhere else; "
                f"`neighbor quarantine show {saved.quarantine}` prints it"
            )
    for withheld in exported.refused:
        warn(f"Not written: {withheld.path}: {withheld.reason}.")
        if withheld.lost:
            warn(f"If that is meant: `neighbor export --allow-loss {withheld.document}`")
    if not exported.written and not exported.refused:
        print("Every document is as it should be.")
    elif check and exported.written:
        print("Run `neighbor export` to write them.")


def shape(store: Store, exported: Exported) -> dict[str, object]:
    """Give an export as JSON; documents by name and path."""
    paths = _paths(store)
    return {
        "written": [{"document": name, "path": paths[name]} for name in exported.written],
        "unchanged": [{"document": name, "path": paths[name]} for name in exported.unchanged],
        "refused": [each._asdict() for each in exported.refused],
        "saved": [each._asdict() for each in exported.saved],
    }


def _paths(store: Store) -> dict[str, str]:
    documents = Rules.parse(store.rules_text()).documents
    return {each.name: each.path for each in documents if each.path is not None}
