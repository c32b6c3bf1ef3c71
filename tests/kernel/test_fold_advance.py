"""A frame packed batch by batch and folded without receipts is the same frame, or same error."""

import pytest
from goodneighbor.kernel import DeltaRejected, Event, Fold, Packer
from goodneighbor.kernel.packing import BATCH

from .test_fold_input import event, fold

__all__ = ["fold"]  # the fixture


def packed(events: list[Event], size: int) -> Packer:
    packer = Packer()
    for first in range(0, len(events), size):
        packer.add(events[first : first + size])
    return packer


@pytest.mark.parametrize("size", [1, BATCH - 1, BATCH, BATCH + 1])
def test_advancing_changes_what_a_run_changes(fold: Fold, size: int) -> None:
    events = [
        Event(
            number.to_bytes(16, "big"), 1, None if number % 3 else number, f"s{number % 5}",
            False, b'{"frame":1,"n":%d}' % number,
        )
        for number in range(2 * BATCH + 7)
    ]  # fmt: skip
    with Fold(fold.rules, seed=bytes(16)) as other:
        changed = other.run(events).changed
        whole = other.document("stats")
    fold.advance(packed(events, size))
    assert fold.changed() == changed
    assert fold.document("stats") == whole
    assert b'"deltas": 263' in whole


def test_an_event_that_is_refused_is_named_as_by_a_run(fold: Fold) -> None:
    events = [event(), Event(b"i" * 16, 7, None, "sent", False, b'{"frame": 1}')]
    with pytest.raises(DeltaRejected) as caught:
        fold.run(events)
    with pytest.raises(DeltaRejected) as again:
        fold.advance(packed(events, BATCH))
    assert again.value.position == caught.value.position == 9
    assert again.value.__notes__ == caught.value.__notes__
    assert fold.document("stats") == b"{}\n"
