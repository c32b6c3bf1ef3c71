"""`neighbor drain`: move what lies in the mailbox into the log."""

from ..store import Drained
from . import place
from .answer import counted, print_json
from .command import command, json_option
from .exits import DONE, FOUND
from .gather import refusal_shape, warn_quarantined


@command("drain", "neighbor drain")
@json_option
def COMMAND(as_json: bool) -> int:
    """Move what lies in the mailbox into the log.

    A close does it by itself; this is for looking sooner. Exit code 1 says that something went to
    quarantine.
    """
    drained = place.here().open_store().drain()
    if as_json:
        print_json(_shape(drained))
    else:
        print(_said(drained))
        warn_quarantined(drained.quarantined)
    return FOUND if drained.quarantined else DONE


def _said(drained: Drained) -> str:
    """Say in one line what a drain did."""
    parts = [counted(drained.events, "event")]
    if drained.copies:
        parts.append(counted(drained.copies, "copy", "copies"))
    if drained.quarantined:
        parts.append(f"{len(drained.quarantined):,} to quarantine")
    return ", ".join(parts)


def _shape(drained: Drained) -> dict[str, object]:
    return {
        "events": drained.events,
        "copies": drained.copies,
        "quarantined": [refusal_shape(each) for each in drained.quarantined],
    }
