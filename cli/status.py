"""`neighbor status`: the store at a glance."""

from ..store import Status
from . import place
from .answer import counted, print_json, print_rows
from .command import command, json_option
from .exits import DONE
from .frame_lines import print_unapplied

EMPTY_FRAMES_WARN = 10  # so many closes in a row that merged nothing


@command("status", "neighbor status")
@json_option
def COMMAND(as_json: bool) -> int:
    """Show the store at a glance.

    Documents, open frames, what did not apply in the last one, what waits and what is kept aside.
    """
    status = place.here().open_store().status()
    if as_json:
        print_json(_shape(status))
    else:
        _print(status)
    return DONE


def _print(status: Status) -> None:
    print(f"store {status.folder}")
    print(f"log   {counted(status.events, 'event')}, {counted(status.copies, 'copy', 'copies')}")
    print(f"state {status.state_digest}")
    if status.mailbox_size:
        print(f"mail  {status.mailbox_size:,} bytes of segments in the mailbox")
    print()
    if status.documents:
        print_rows(
            ("document", "entities", "removed"),
            [(each.document, each.entities, each.removed) for each in status.documents],
        )
        print()
    for frame in status.open:
        lacking = f", {', '.join(frame.expected)} not yet" if frame.expected else ""
        print(f"frame {frame.frame} is open: {counted(frame.deltas, 'delta')}{lacking}")
    _print_last(status)
    _print_kept_aside(status)


def _print_last(status: Status) -> None:
    """Say what the last frame came to, and name what did not apply (law 4)."""
    if status.sums is None:
        print("No frame has closed yet.")
        return
    sums = status.sums
    print(
        f"frame {sums.frame} closed last: {counted(sums.units_in, 'unit')} in = {sums.applied:,}"
        f" applied + {sums.duplicate:,} duplicate + {sums.skipped:,} skipped"
    )
    if status.unapplied:
        print_unapplied(status.unapplied)
    if status.empty_frames >= EMPTY_FRAMES_WARN:
        print(f"The last {status.empty_frames} closes merged nothing: do the streams still write?")


def _print_kept_aside(status: Status) -> None:
    if status.waiting:
        print(f"{status.waiting:,} bytes wait in the mailbox (`neighbor drain`)")
    if status.quarantined:
        count = counted(status.quarantined, "thing")
        print(f"{count} in quarantine (`neighbor quarantine list`)")


def _shape(status: Status) -> dict[str, object]:
    return {
        "store_id": status.store_id,
        "folder": str(status.folder),
        "state_digest": status.state_digest,
        "events": status.events,
        "copies": status.copies,
        "documents": [each._asdict() for each in status.documents],
        "open": [each._asdict() for each in status.open],
        "closed": status.closed,
        "last": None if status.sums is None else status.sums._asdict(),
        "unapplied": [each._asdict() for each in status.unapplied],
        "empty_frames": status.empty_frames,
        "quarantined": status.quarantined,
        "waiting_bytes": status.waiting,
        "mailbox_bytes": status.mailbox_size,
    }
