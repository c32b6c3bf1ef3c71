"""A frame's events fold by (time, stream in lower case, seq, id), whatever their times are like.

Whole seconds are sorted by fewer digits than their microseconds; streams are held against each
other some bytes at once, and only at equal times.
"""

import random
from collections.abc import Callable

import orjson
import pytest
from goodneighbor.kernel import DeltaRejected, Event, Fold, Rules

from ..effort import examples

RULES = Rules.parse("""
[documents.st]
path = "state/st.json"
kind = "record"
[[items]]
each = "."
apply = ["push /st/log {@id}"]
""")
DAY_US = 86_400_000_000
YEAR_1_US, YEAR_9999_US = -62_135_596_800_000_000, 253_402_300_799_999_999
SPANS: dict[str, Callable[[random.Random], int | None]] = {
    "one second": lambda chance: 5_000_000,
    "seconds of a day": lambda chance: chance.randrange(DAY_US // 1_000_000) * 1_000_000,
    "few seconds": lambda chance: chance.randrange(-3, 4) * 1_000_000,
    "seconds of all years": lambda chance: (
        chance.randrange(-62_135_596_800, 253_402_300_800) * 1_000_000
    ),
    "microseconds": lambda chance: chance.randrange(-300, 300),
    "microseconds of an hour": lambda chance: chance.randrange(3_600_000_000),
    "all": lambda chance: chance.choice(
        (None, YEAR_1_US, YEAR_9999_US, 0, chance.randrange(YEAR_1_US, YEAR_9999_US))
    ),
}
STREAMS = ("s", "S", "s1", "stream-1", "Stream-1", "stream-10", "stream-2", "a-longer-stream-17",
           "a-longer-strEam-17", "a-longer-stream-17b", "a-longer-stream-1")  # fmt: skip
COUNTS = (1, 2, 3, 17, 300)


def drawn(chance: random.Random, span: str, count: int) -> list[Event]:
    events = []
    for number in range(count):
        body: dict[str, object] = {"text": chance.choice(("", "q", "qq ".rjust(80, "q")))}
        if chance.random() < 0.3:
            body["seq"] = chance.choice((0, 1, -1, 2**64 - 1, "x", None))
        text = orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
        digest = chance.randbytes(8) + number.to_bytes(8, "big")
        utc_us = SPANS[span](chance)
        events.append(Event(digest, 1, utc_us, chance.choice(STREAMS), False, text))
    return events


def place(event: Event) -> tuple[object, ...]:
    seq = orjson.loads(event.body).get("seq")
    time = (0, 0) if event.utc_us is None else (1, event.utc_us)
    return (*time, event.stream.lower(), seq if type(seq) is int else 0, event.id)


@pytest.mark.parametrize("span", SPANS)
@pytest.mark.parametrize("count", COUNTS)
def test_events_fold_in_their_order(span: str, count: int) -> None:
    chance = random.Random(f"{span} {count}")
    for _ in range(examples(10)):
        events = drawn(chance, span, count)
        with Fold(RULES, seed=bytes(16)) as fold:
            fold.run(events)
            log = orjson.loads(fold.document("st"))["log"]
        assert log == [event.id.hex() for event in sorted(events, key=place)]


def tied(*bodies: bytes) -> list[Event]:
    return [Event(bytes([at] * 16), 1, 0, "s", False, body) for at, body in enumerate(bodies)]


def test_a_body_that_is_looked_into_for_its_seq_is_checked_first() -> None:
    with Fold(RULES, seed=bytes(16)) as fold:
        with pytest.raises(DeltaRejected):
            fold.run(tied(b"{}", b'{"seq":1,"text":tru}', b'{"seq":2}'))
        assert fold.document("st") == b"{}\n"
        fold.run(tied(b'{"seq":1}', b'{"a":"seq"}'))
        assert orjson.loads(fold.document("st")) == {"log": ["01" * 16, "00" * 16]}
