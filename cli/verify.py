"""`neighbor verify`: hold the store against itself, and say what is damaged."""

from ..store.verify import NEXT_EXPORT
from . import place
from .answer import counted, print_json, progress
from .command import command, json_option
from .exits import DAMAGE, DONE, FOUND


@command("verify", "neighbor verify")
@json_option
def COMMAND(as_json: bool) -> int:
    """Look for damage: log, snapshots, mailbox, exported files.

    Exit code 4 says that something is damaged: what, where, and what comes next. An exported file
    that somebody changed is no damage of the store's: exit code 1.
    """
    store = place.here().open_store()
    with progress("verifying"):
        faults = store.verify()
    if as_json:
        found = [{"place": each.place, "what": each.what, "next": each.next} for each in faults]
        print_json({"faults": found})
    elif faults:
        for fault in faults:
            print(f"{fault.place}: {fault.what}.\n  next: {fault.next}")
        print(counted(len(faults), "fault"))
    else:
        print("No damage found.")
    if any(fault.next != NEXT_EXPORT for fault in faults):
        return DAMAGE
    return FOUND if faults else DONE
