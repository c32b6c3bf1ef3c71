"""What a commit of ours says about itself, and finding it again by that.

    frame 405: 4 streams, 31 units in

    Changed: agents, channels, stats

    Neighbor-Frame: 405
    Neighbor-Streams: stream-1, stream-2
    Neighbor-Units: 31 in = 29 applied + 1 duplicate + 1 skipped
    Neighbor-State: <state digest>
    Neighbor-Store: <store id>
    Neighbor-CI: [skip ci]

The last is a trailer as well: a line that is none would make git take none of them for one.
"""

from collections.abc import Sequence

from ..store import Store
from ..store.publication import Publication
from .answer import counted
from .git import Git
from .manifest import Manifest

FRAME = "Neighbor-Frame"
STORE = "Neighbor-Store"
SKIP_CI = "Neighbor-CI: [skip ci]\n"
LISTED_MAX = 64


def compose(
    store: Store, now: Publication, before: Manifest | None, changed: Sequence[str], asked_by: str
) -> str:
    """Write the message of an export that follows the manifest `before`."""
    after = -1 if before is None else min(before.frame, now.frame - 1)
    folded = store.folded(after, now.frame)
    units = f"{counted(folded.units_in, 'unit')} in"
    subject = f"{reason(now)}: {counted(len(folded.streams), 'stream')}, {units}"
    lines = [subject, "", f"Changed: {_some(changed) or 'no document'}", ""]
    first = folded.frames[0] if folded.frames else now.frame
    if first < now.frame:
        lines += [f"Neighbor-Frames: {first} to {now.frame}"]
    lines += [
        f"{FRAME}: {now.frame}",
        f"Neighbor-Streams: {_some(folded.streams) or 'none'}",
        f"Neighbor-Units: {folded.units_in} in = {folded.applied} applied"
        f" + {folded.duplicate} duplicate + {folded.skipped} skipped",
        f"Neighbor-State: {now.state_digest}",
        f"Neighbor-Position: {now.position}",
        f"{STORE}: {now.store_id}",
    ]
    lines += [
        f"Neighbor-Loss: {loss.document} {loss.lost} of {loss.entities}, allowed by {asked_by}"
        for loss in now.losses
    ]
    return "\n".join(lines) + "\n" + skip_ci(now)


def reason(now: Publication) -> str:
    """Say in two words which export this is."""
    return f"frame {now.frame}" if now.frame >= 0 else "base state"


def skip_ci(now: Publication) -> str:
    """Return the last line of a message: what keeps a host from running its checks on it."""
    return SKIP_CI if now.rules.export.skip_ci else ""


def commit_of(git: Git, branch: str, frame: int) -> str | None:
    """Return the commit that brought a frame to a branch; None where none did yet."""
    tip = git.tip(branch)
    if tip is None:
        return None
    shown = f"--format=%H %(trailers:key={FRAME},valueonly,separator=%x20)"
    listing = ("log", shown, f"--grep=^{FRAME}: ", "--end-of-options", tip)
    found = None
    for line in git.call(*listing).line().splitlines():  # newest first
        commit, *frames = line.split()
        if not frames or not frames[0].lstrip("-").isdigit():
            continue
        if int(frames[0]) < frame:
            break
        found = commit
    return found


def _some(names: Sequence[str]) -> str:
    more = [f"{len(names) - LISTED_MAX} more"] if len(names) > LISTED_MAX else []
    return ", ".join([*names[:LISTED_MAX], *more])
