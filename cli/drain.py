"""`neighbor drain`: move what lies in the mailbox into the log."""

from ..store import Drained
from . import place
from .answer import counted, print_json, warn
from .command import command, json_option
from .exits import DONE, FOUND


@command("drain", "neighbor drain")
@json_option
def COMMAND(as_json: bool) -> int:
    """Move what lies in the mailbox into the log.

    Every command that needs the log does it by itself; this one is for looking sooner. Exit code 1
    says that something went to quarantine.
    """
    drained = place.here().open_store().drain()
    if as_json:
        print_json(shape(drained))
    else:
        print(said(drained))
        warn_quarantined(drained)
    return FOUND if drained.quarantined else DONE


def said(drained: Drained) -> str:
    """Say in one line what a drain did."""
    parts = [counted(drained.events, "event")]
    if drained.copies:
        parts.append(counted(drained.copies, "copy", "copies"))
    if drained.quarantined:
        parts.append(f"{len(drained.quarantined):,} to quarantine")
    return ", ".join(parts)


def warn_quarantined(drained: Drained) -> None:
    """Name on stderr what went to quarantine, and the command that shows it."""
    for refusal in drained.quarantined:
        warn(
            f"quarantined {refusal.id}: {refusal.reason} (`neighbor quarantine show {refusal.id}`)"
        )


def shape(drained: Drained) -> dict[str, object]:
    """Give a drain as JSON."""
    return {
        "events": drained.events,
        "copies": drained.copies,
        "quarantined": [
            {"id": each.id, "source": each.source, "reason": each.reason}
            for each in drained.quarantined
        ],
    }
