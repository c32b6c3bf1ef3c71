"""The kernel as the benchmarks drive it: events packed once, then one call a frame.

Packing is left out of the timed region because orjson's lines are a list of bytes already: what is
compared is reading and applying, not how Python hands a list over. `fold.py` shows the whole call
on a line of its own.
"""

from dataclasses import dataclass
from typing import Any

from goodneighbor.kernel import Event, Fold, Rules
from goodneighbor.kernel import fold as fold_module
from goodneighbor.kernel._kernel import ffi, lib
from workload import RULES, Delta, Workload

SEED = bytes(16)


@dataclass(frozen=True)
class Packed:
    """A frame's events as the kernel reads them."""

    text: bytes
    events: Any
    count: int


def events_of(frame: list[Delta]) -> list[Event]:
    """Return a frame as the store hands it to the fold."""
    return [
        Event(each.id, each.frame, each.utc_us, each.stream, False, each.body) for each in frame
    ]


def pack(frames: list[list[Delta]]) -> list[Packed]:
    """Pack every frame."""
    return [Packed(*fold_module._packed(events_of(frame)), len(frame)) for frame in frames]


def opened(workload: Workload) -> Fold:
    """Return a handle with the state before the first frame."""
    fold = Fold(Rules.parse(RULES), seed=SEED)
    fold.load("agents", workload.agents)
    fold.load("channels", workload.channels)
    return fold


def run(fold: Fold, frames: list[Packed]) -> None:
    """Fold packed frames, one call each; receipts and lines are made, and left with the kernel."""
    out = (
        ffi.new("const gn_receipt **"),
        ffi.new("const gn_line **"),
        ffi.new("uint64_t *"),
        ffi.new("const uint8_t **"),
        ffi.new("uint64_t *"),
        ffi.new("uint64_t *"),
    )
    handle = fold._handle
    for frame in frames:
        status = lib.gn_fold_run(handle, frame.text, frame.events, frame.count, *out)
        if status != lib.GN_OK:
            raise RuntimeError(f"the fold ended with status {status}")
