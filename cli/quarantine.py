"""`neighbor quarantine`: look at what could not become an event, and try it again."""

from datetime import UTC, datetime

import click

from . import place
from .answer import print_bytes, print_json, print_rows, warn
from .command import Noun, command, json_option
from .exits import DONE, FOUND, REFUSED

number_argument = click.argument("number", type=click.IntRange(1))


@click.group("quarantine", cls=Noun)
def COMMAND() -> None:
    """Look at what could not become an event, and try it again.

    Nothing leaves quarantine but by a retry that made an event of it.
    """


@command("list", "neighbor quarantine list")
@json_option
def list_command(as_json: bool) -> int:
    """List what is in quarantine, oldest first."""
    kept = place.here().open_store().quarantine_list()
    if as_json:
        print_json({"quarantine": [each._asdict() for each in kept]})
        return DONE
    rows = [
        (each.id, each.reason, each.size, moment(each.received_us), each.source) for each in kept
    ]
    if rows:
        print_rows(("id", "reason", "bytes", "received", "source"), rows)
        print("\n`neighbor quarantine show ID` prints the bytes.")
    else:
        print("Nothing is in quarantine.")
    return DONE


@command("show", "neighbor quarantine show 1")
@number_argument
@json_option
def show_command(number: int, as_json: bool) -> int:
    """Print the bytes of NUMBER as they came."""
    found = place.here().open_store().quarantine_get(number)
    if found is None:
        return _absent(number)
    kept, body = found
    if as_json:
        print_json({**kept._asdict(), "body": body.decode("utf-8", "backslashreplace")})
    else:
        print_bytes(body)
    return DONE


@command("retry", "neighbor quarantine retry 1")
@number_argument
@json_option
def retry_command(number: int, as_json: bool) -> int:
    """Try to make an event of NUMBER again, such as after a rule or a newer version allows it.

    Exit code 3 says that it cannot become one now either; it stays in quarantine.
    """
    store = place.here().open_store()
    if store.quarantine_get(number) is None:
        return _absent(number)
    taken = store.quarantine_retry(number)
    if as_json:
        print_json({"id": number, "event": taken})
    elif taken:
        print(f"{number} is an event now: {taken}")
    else:
        warn(f"{number} cannot become an event; it stays in quarantine.")
    return DONE if taken else REFUSED


COMMAND.add_all(list_command, show_command, retry_command)


def moment(time_us: int) -> str:
    """Say an instant to the second, in UTC."""
    return datetime.fromtimestamp(time_us / 1e6, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _absent(number: int) -> int:
    warn(f"Nothing in quarantine has the number {number}.\n`neighbor quarantine list` lists them.")
    return FOUND
