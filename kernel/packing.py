"""Events as the kernel reads them: their bytes in one buffer, and a table of where each lies.

The fact not to miss: this runs for every event of a replay, beside a fold of a microsecond. So it
goes by columns, each a loop in C, and packs a batch of rows with one call.

    text     body body body ... stream stream ...      a stream's name stands there once
"""

from collections.abc import Iterable, Sequence
from itertools import accumulate, chain, islice
from struct import Struct

Row = tuple[bytes, int, int | None, str, bool, bytes]  # as fold.Event: id, frame, utc_us, ...

NO_TIME = -(1 << 63)
EVENT_SIZE = 56
_FIELDS = "QIIQqiI16s"  # gn_event in abi.h
_FIELD_COUNT = 8
_BATCH = 128
_ONE, _MANY = Struct("<" + _FIELDS), Struct("<" + _FIELDS * _BATCH)
assert _ONE.size == EVENT_SIZE and _MANY.size == EVENT_SIZE * _BATCH


def pack(events: Sequence[Row]) -> tuple[bytes, bytearray]:
    """Return the events' bytes, and their table."""
    if not events:
        return b"", bytearray()
    ids, frames, times, streams, owns, bodies = zip(*events, strict=True)
    starts = list(accumulate(map(len, bodies), initial=0))
    names = {name: name.encode() for name in dict.fromkeys(streams)}
    at = dict(zip(names, accumulate(map(len, names.values()), initial=starts[-1]), strict=False))
    sizes = {name: len(encoded) for name, encoded in names.items()}
    if None in times:
        times = tuple(NO_TIME if time is None else time for time in times)
    rows = zip(
        starts,
        map(len, bodies),
        map(sizes.__getitem__, streams),
        map(at.__getitem__, streams),
        times,
        frames,
        owns,
        ids,
        strict=False,  # `starts` has one more: where the bodies end
    )
    return b"".join((*bodies, *names.values())), _table(len(events), rows)


def _table(count: int, rows: Iterable[tuple[object, ...]]) -> bytearray:
    table = bytearray(count * EVENT_SIZE)
    fields = chain.from_iterable(rows)
    whole = count - count % _BATCH
    for first in range(0, whole, _BATCH):
        batch = islice(fields, _BATCH * _FIELD_COUNT)
        _MANY.pack_into(table, first * EVENT_SIZE, *batch)
    for index in range(whole, count):
        _ONE.pack_into(table, index * EVENT_SIZE, *islice(fields, _FIELD_COUNT))
    return table
