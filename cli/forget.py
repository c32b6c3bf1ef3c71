"""`neighbor forget`: drop older versions of the entities; the log stays."""

import click

from . import place
from .answer import counted, print_json
from .command import command, json_option
from .exits import DONE


@command("forget", "neighbor forget --keep 500")
@click.option(
    "--keep",
    type=click.IntRange(1),
    required=True,
    metavar="FRAMES",
    help="How many of the frames that closed last can still be shown.",
)
@json_option
def COMMAND(keep: int, as_json: bool) -> int:
    """Drop the versions that only frames before the last FRAMES need.

    `neighbor show --at` then ends there. The frames that late deltas may still change ([frames]
    reopen) and one more are always kept. The log stays, and `neighbor replay` brings everything
    back from it.
    """
    done = place.here().open_store().forget(keep)
    if as_json:
        print_json({"oldest": done.oldest, "versions": done.versions})
    elif done.versions:
        count = counted(done.versions, "version")
        print(f"{count} dropped; frame {done.oldest} is the oldest shown")
    else:
        print("Nothing to drop.")
    return DONE
