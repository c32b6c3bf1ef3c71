"""What folds where: a pure function over the headers of events, and nothing else.

The fact not to miss: closes stand in the log in increasing order of frame (the last one may be
closed again), so "the first close at or above a frame" is one search, and "closes with different
frames between two closes" are the different frames between theirs.

    log      d1(f1)  C1  d2(f2)  C2  d3(f3)  C3  z(f1)  C4        reopen = 4
    first close at or above f1: C1     next close after z: C4     C1 C2 C3 C4: 4 <= 4, z folds in f1

Law 2: the place of an event follows from the log alone, and is final once a close stands behind it.
"""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple


class Close(NamedTuple):
    """One close event: its own position and frame, the window it grants, the rules it names."""

    position: int
    frame: int
    reopen: int
    rules: bytes


class Header(NamedTuple):
    """What the schedule asks of a delta in the log."""

    position: int
    frame: int


class Place(NamedTuple):
    """The frame an event folds in, and whether it came after a close had passed its own."""

    frame: int
    late: bool


class Schedule:
    """The closes of a log, or its tail from the lowest frame asked about, in their order."""

    def __init__(self, closes: Sequence[Close]) -> None:
        assert all(
            earlier.position < later.position and earlier.frame <= later.frame
            for earlier, later in pairwise(closes)
        ), "closes in the log are in order"
        self._closes = closes
        self._positions = [close.position for close in closes]
        self._frames = [close.frame for close in closes]
        # distinct[i]: how many different frames closes[0..i] name
        self._distinct: list[int] = []
        for index, frame in enumerate(self._frames):
            again = index > 0 and self._frames[index - 1] == frame
            before = self._distinct[-1] if index else 0
            self._distinct.append(before if again else before + 1)

    def place(self, event: Header) -> Place | None:
        """Say where a delta folds; None while no close has taken it."""
        first = bisect_left(self._frames, event.frame)
        if first == len(self._closes):
            return None
        if self._positions[first] > event.position:
            return Place(event.frame, late=False)
        following = bisect_left(self._positions, event.position)
        if following == len(self._closes):
            return None
        taker = self._closes[following]
        closes_count = self._distinct[following] - self._distinct[first] + 1
        within = closes_count <= taker.reopen
        return Place(event.frame if within else taker.frame, late=True)

    def rules(self, frame: int) -> bytes:
        """Give the digest of the rules a frame folds under: its first close's, or the one above."""
        first = bisect_left(self._frames, frame)
        assert first < len(self._closes), "only a frame that a close has passed folds"
        return self._closes[first].rules
