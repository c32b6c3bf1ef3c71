"""Events as the kernel reads them: their bytes in one buffer, and a table of where each lies.

The fact not to miss: this runs for every event of a replay, beside a fold of a microsecond. So it
goes by columns, each a loop in C, and a batch at a time: what was just read is still in the
processor's cache, and its memory is used again for the next batch.

    text     body body body ... stream ...  body body ... slack   a stream's name stands once
"""

from collections.abc import Iterable, Sequence
from itertools import accumulate, chain
from struct import Struct

Row = tuple[bytes, int, int | None, str, bool, bytes]  # as fold.Event: id, frame, utc_us, ...

NO_TIME = -(1 << 63)
BATCH = 128
SLACK = bytes(64)  # the kernel reads past the end of a text, if not far: GN_TEXT_SLACK in abi.h
_FIELDS = "QIIQqiI16s"
EVENT = Struct("<" + _FIELDS)  # gn_event in abi.h
_EVENTS = Struct("<" + _FIELDS * BATCH)
assert _EVENTS.size == EVENT.size * BATCH, "no field is padded"


class Packer:
    """Takes the events of one frame, best in batches of BATCH."""

    def __init__(self) -> None:
        self.count = 0
        self._texts: list[bytes] = []
        self._tables: list[bytes] = []
        self._size = 0  # of all texts
        self._at: dict[str, int] = {}  # where each stream's name begins
        self._name_sizes: dict[str, int] = {}

    def add(self, events: Sequence[Row]) -> None:
        """Take some events; one at least."""
        ids, frames, times, streams, owns, bodies = zip(*events, strict=True)
        sizes = list(map(len, bodies))
        starts = list(accumulate(sizes, initial=self._size))
        names = self._new_names(streams, starts.pop())
        if None in times:
            times = tuple(NO_TIME if time is None else time for time in times)
        name_sizes = map(self._name_sizes.__getitem__, streams)
        ats = map(self._at.__getitem__, streams)
        rows = zip(starts, sizes, name_sizes, ats, times, frames, owns, ids, strict=True)
        self._texts.append(b"".join((*bodies, *names)))
        self._tables.append(_table(len(events), rows))
        self._size += len(self._texts[-1])
        self.count += len(events)

    def packed(self) -> tuple[bytes, bytes]:
        """Return the events' bytes, and their table."""
        return b"".join((*self._texts, SLACK)), b"".join(self._tables)

    def _new_names(self, streams: Iterable[str], at: int) -> list[bytes]:
        """Place names not met before behind the bodies, from `at` on."""
        names = []
        for name in set(streams) - self._at.keys():
            names.append(name.encode())
            self._at[name], self._name_sizes[name] = at, len(names[-1])
            at += len(names[-1])
        return names


def _table(count: int, rows: Iterable[tuple[object, ...]]) -> bytes:
    if count == BATCH:
        return _EVENTS.pack(*chain.from_iterable(rows))
    return b"".join(EVENT.pack(*row) for row in rows)
