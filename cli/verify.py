"""`neighbor verify`: hold the store against itself, and say what is damaged."""

from pathlib import Path

from ..store.rebuild import Told
from ..store.store import Store
from ..store.verify import NEXT_EXPORT, NEXT_MAILBOX, NEXT_RECOVER, NEXT_SNAPSHOTS, Fault
from . import damaged_files, place
from .answer import counted, print_json, progress
from .command import command, json_option
from .exits import DAMAGE, DONE, FOUND
from .git import Git
from .recover import main_tree, told


@command("verify", "neighbor verify")
@json_option
def COMMAND(as_json: bool) -> int:
    """Look for damage: log, snapshots, mailbox, exported files.

    Each fault is printed with its place and the command that puts it right. Exit code 1 says that
    something is damaged, 4 that something of it cannot be brought back.
    """
    where = place.here()
    store = where.any_store()
    tree = main_tree(where)
    known = told(Git(tree or Path(where.common)), tree)
    with progress("verifying"):
        faults = store.verify(known.copies)
        lost = _lost(store, known, faults)
    if tree is not None and all(each.next in (NEXT_EXPORT, NEXT_SNAPSHOTS) for each in faults):
        named = {each.place for each in faults}
        faults += [
            Fault(str(each.file), each.what, NEXT_RECOVER)
            for each in damaged_files.find(store, tree)
            if str(each.file) not in named
        ]
    if as_json:
        found = [{"place": each.place, "what": each.what, "next": each.next} for each in faults]
        print_json({"faults": found, "lost": lost})
    elif faults:
        for fault in faults:
            print(f"{fault.place}: {fault.what}.\n  next: {fault.next}")
        for place_ in lost:
            print(f"{place_}: nothing holds another copy of it.")
        print(counted(len(faults), "fault"))
    else:
        print("No damage found.")
    if lost:
        return DAMAGE
    return FOUND if faults else DONE


def _lost(store: Store, known: Told, faults: list[Fault]) -> list[str]:
    """Name the places that no recovery brings back, as a dry run of it finds them."""
    lost = [each.place for each in faults if each.next == NEXT_MAILBOX]
    if any(each.next not in (NEXT_EXPORT, NEXT_SNAPSHOTS, NEXT_MAILBOX) for each in faults):
        planned = store.recover(known, dry_run=True)
        lost += [each.place for each in planned.lost if each.place not in lost]
    return lost
