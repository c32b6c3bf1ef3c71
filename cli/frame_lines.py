"""Say what became of a frame: who took part, and where every unit went.

frame 405   4 streams: 3 reported, 1 fallback (timeout)
            31 units in = 29 applied + 1 duplicate + 1 skipped (no rule: observations)
"""

from collections import Counter
from collections.abc import Sequence

from ..store import FrameDetail, Unapplied
from .answer import counted, print_rows

NAMED_MAX = 4


def frame_lines(detail: FrameDetail) -> list[str]:
    """Return a frame's summary: one line for the streams, one for the units."""
    head = f"frame {detail.frame}   "
    lines = [head + _streams(detail)]
    indent = " " * len(head)
    if detail.state == "closed":
        lines.append(indent + _units(detail))
    if detail.sums.late:
        lines.append(indent + f"{counted(detail.sums.late, 'event')} came late")
    if detail.sums.optional_skipped:
        skipped = counted(detail.sums.optional_skipped, "optional operation")
        lines.append(indent + f"{skipped} found nothing to change")
    if detail.ahead:
        ahead = counted(detail.ahead, "event")
        lines.append(indent + f"{ahead} with a time more than 5 minutes ahead of their arrival")
    return lines


def print_unapplied(unapplied: Sequence[Unapplied]) -> None:
    """Print the units that did not apply, and why, as a table."""
    headings = ("units", "status", "reason", "source", "operation")
    rows = [
        (each.units, each.status, each.reason, each.source, each.operation) for each in unapplied
    ]
    print_rows(headings, rows)


def shape(detail: FrameDetail) -> dict[str, object]:
    """Give a frame as JSON."""
    sums = detail.sums._asdict()
    del sums["frame"]
    return {
        "frame": detail.frame,
        "state": detail.state,
        "rules": detail.rules,
        "state_digest": detail.state_digest,
        "streams": [each._asdict() for each in detail.streams],
        **sums,
        "unapplied": [each._asdict() for each in detail.unapplied],
        "ahead": detail.ahead,
    }


def _streams(detail: FrameDetail) -> str:
    if not detail.streams:
        return "no stream took part"
    statuses = Counter(
        f"{each.status} ({each.reason})" if each.reason else each.status for each in detail.streams
    )
    told = ", ".join(
        f"{count} {status}" for status, count in sorted(statuses.items(), reverse=True)
    )
    return f"{counted(len(detail.streams), 'stream')}: {told}"


def _units(detail: FrameDetail) -> str:
    sums = detail.sums
    return (
        f"{counted(sums.units_in, 'unit')} in = {sums.applied:,} applied"
        f" + {sums.duplicate:,} duplicate + {sums.skipped:,} skipped{_reasons(detail)}"
    )


def _reasons(detail: FrameDetail) -> str:
    """Name the reasons of skipped units, each with where the units came from."""
    sources: dict[str, list[str]] = {}
    for each in detail.unapplied:
        if each.status == "skipped" and each.source not in sources.setdefault(each.reason, []):
            sources[each.reason].append(each.source)
    told = [f"{reason}: {_some(names)}" for reason, names in sources.items()]
    return f" ({'; '.join(told)})" if told else ""


def _some(names: list[str]) -> str:
    more = [f"{len(names) - NAMED_MAX} more"] * (len(names) > NAMED_MAX)
    return ", ".join(names[:NAMED_MAX] + more)
