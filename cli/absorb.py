"""`neighbor absorb`: take edits of documents made outside the store into the log."""

import getpass
import os
from pathlib import Path

import click

from ..kernel import Rules
from ..store import Store
from . import export, manifest, place, settle, tip_edits
from .answer import counted, print_json, progress, warn
from .checked_out import Tree
from .command import command, json_option
from .commit import Committed, Order, Tip, commit
from .commit_lines import committed_shape, print_committed
from .commit_lock import CommitLock
from .errors import UsageInvalid
from .exits import DONE, REFUSED
from .git import Git
from .tip_edits import TipEdits
from .tree_edit import Taken, take_in


@command("absorb", "neighbor absorb state/agents.json")
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option(
    "--revert", is_flag=True, help="The export's branch was put back: so should the state."
)
@click.option("--allow-loss", is_flag=True, help="Also where more entities go than max_loss lets.")
@json_option
def COMMAND(paths: tuple[str, ...], revert: bool, allow_loss: bool, as_json: bool) -> int:
    """Take edits of the documents at PATH in the working tree into the log.

    An edit becomes a delta for the last closed frame, sorted last in it; file and index entry are
    as committed again, and the next export brings the edit. What does not parse, holds conflict
    markers or lost too many entities is refused.

    With --revert, what the tip of the export's branch holds since somebody reverted or reset it is
    taken in, and exported on top.
    """
    if revert == bool(paths):
        raise UsageInvalid("Name the files that were edited, or say --revert.")
    where = place.here()
    store = where.open_store()
    if revert:
        return _revert(where, store, allow_loss=allow_loss, as_json=as_json)
    taken, edits = _take_in(where, store, paths, allow_loss)
    if any(not each.is_put_back for each in taken):
        export.write(store, where.main_tree())
    if as_json:
        print_json({"absorbed": [_shape(each) for each in taken], "edits": tip_edits.shape(edits)})
    else:
        tip_edits.print_edits(edits)
        for each in taken:
            _print(each)
    return DONE


def _take_in(
    where: place.Place, store: Store, names: tuple[str, ...], allow_loss: bool
) -> tuple[list[Taken], TipEdits]:
    """Take the edits in, after those that the tree's own commit holds."""
    folder = Path(where.tree) if where.tree is not None else where.main_tree()
    tree = Tree(folder, Path(where.git_folder))
    rules = Rules.parse(store.rules_text())
    by_path = {each.path: each for each in rules.documents if each.path is not None}
    documents = []
    for name in names:
        path = os.path.relpath(os.path.realpath(name), folder)
        if path not in by_path:
            known = ", ".join(sorted(by_path))
            raise UsageInvalid(f"{name} is no document's file. The documents are: {known}.")
        documents.append(by_path[path])
    edits = TipEdits()
    with CommitLock(store.folder) as lock, progress("taking in"):
        git = Git(Path(where.common), (lock.descriptor,))
        settle.settle(git, store.folder)
        inside = git.within(folder)
        head = inside.head()
        if head is not None and inside.branch() == rules.export.branch:
            edits(store, Tip(inside, rules.export.branch, head, manifest.newest(inside, head)))
        taken = [take_in(git, store, tree, each, allow_loss=allow_loss) for each in documents]
    return taken, edits


def _revert(where: place.Place, store: Store, *, allow_loss: bool, as_json: bool) -> int:
    rules = Rules.parse(store.rules_text())
    names = [each.name for each in rules.documents] if allow_loss else []
    edits = TipEdits(names, revert=True)
    order = Order(names, getpass.getuser(), forward=True, absorb=edits)
    with progress("taking in"):
        committed: Committed = commit(where, store, rules.export.branch, order)
    if as_json:
        print_json(committed_shape(store, committed) | {"edits": tip_edits.shape(edits)})
    else:
        tip_edits.print_edits(edits)
        print_committed(store, committed)
    return REFUSED if edits.refused or committed.refused else DONE


def _print(taken: Taken) -> None:
    path = taken.document.path
    if taken.absorbed.frame is None:
        print(f"{path}: nothing in it is new to the log")
    else:
        operations = counted(taken.absorbed.operations, "operation")
        print(f"{path}: taken in ({operations} in frame {taken.absorbed.frame})")
    if taken.is_put_back:
        print(f"{path}: as committed again; the next export brings the edit")
    if taken.saved is not None:
        warn(f"{path}: something else of it was staged; it is saved as {taken.saved}")


def _shape(taken: Taken) -> dict[str, object]:
    return {
        "document": taken.document.name,
        "path": taken.document.path,
        "frame": taken.absorbed.frame,
        "operations": taken.absorbed.operations,
        "put_back": taken.is_put_back,
        "saved": taken.saved,
    }
