"""`neighbor replay`: fold the log again."""

import click

from . import place
from .answer import counted, print_json, progress
from .command import command, json_option
from .exits import DONE, FOUND


@command("replay", "neighbor replay --check", "neighbor replay --documents", "neighbor replay")
@click.option("--check", is_flag=True, help="Fold beside, compare, change nothing.")
@click.option("--documents", is_flag=True, help="Check the documents alone: much faster.")
@json_option
def COMMAND(check: bool, documents: bool, as_json: bool) -> int:
    """Fold the log again and put snapshots and receipts right.

    With --check or --documents nothing changes, and exit code 1 says that something differs.
    """
    store = place.here().open_store()
    check = check or documents
    with progress("replaying the log"):
        replayed = store.replay(check=check, documents=documents)
    differs = [f"{each.table} {each.row}: {each.what}" for each in replayed.differs]
    if as_json:
        print_json(
            {
                "frames": replayed.frames,
                "state_digest": replayed.state_digest,
                "differs": differs,
                "changed": not check,
            }
        )
    else:
        print(f"{counted(replayed.frames, 'frame')} replayed, state {replayed.state_digest}")
        for each in differs:
            print(f"differs: {each}")
        if differs and check:
            print("Run `neighbor replay` to fold it again from the log.")
    return FOUND if check and differs else DONE
