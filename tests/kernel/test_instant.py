"""Instants: what RFC 3339 times parse to, held against Python's datetime, and the way back."""

import random
from datetime import UTC, date, datetime, timedelta, timezone

import orjson
import pytest
from goodneighbor.kernel import Event, Fold, Rules, format_instant, instant
from hypothesis import example, given
from hypothesis import strategies as st

from . import model_json

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
FIRST_US = (datetime(1, 1, 1, tzinfo=UTC) - EPOCH) // MICROSECOND
LAST_US = (datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC) - EPOCH) // MICROSECOND

offsets = st.integers(-(24 * 60 - 1), 24 * 60 - 1).map(lambda m: timezone(timedelta(minutes=m)))
moments = st.datetimes(
    min_value=datetime(1, 1, 3), max_value=datetime(9999, 12, 29), timezones=offsets
)


@given(moment=moments, digits=st.text("0123456789", max_size=12), small=st.booleans())
def test_every_valid_time_parses_to_its_instant(moment: datetime, digits: str, small: bool) -> None:
    fraction = f".{digits}" if digits else ""
    whole = moment.replace(microsecond=0)
    offset = whole.isoformat()[19:]
    text = f"{whole.isoformat()[:19]}{fraction}{offset}"
    text = text.lower() if small else text
    cut = int(digits[:6].ljust(6, "0"))
    assert instant(text.encode()) == (whole - EPOCH) // MICROSECOND + cut


@given(us=st.integers(FIRST_US, LAST_US))
@example(us=0)
@example(us=-1)
@example(us=FIRST_US)
@example(us=LAST_US)
def test_an_instant_is_written_in_utc_and_reads_back(us: int) -> None:
    expected = (EPOCH + us * MICROSECOND).isoformat().replace("+00:00", "Z")
    assert format_instant(us) == expected
    assert instant(expected.encode()) == us


@pytest.mark.parametrize("years", [(1, 9), (1890, 2110), (9990, 9999)])
def test_every_day_of_the_calendar_reads_and_writes(years: tuple[int, int]) -> None:
    first, last = date(years[0], 1, 1), date(years[1], 12, 31)
    for ordinal in range(first.toordinal(), last.toordinal() + 1):
        text = f"{date.fromordinal(ordinal).isoformat()}T00:00:00Z"
        us = (ordinal - EPOCH.toordinal()) * 86_400_000_000
        assert instant(text.encode()) == us
        assert format_instant(us) == text


@pytest.mark.parametrize(
    "text",
    ["", "2026", "2026-03-28", "2026-03-28T03:00Z", "2026-03-28T03:00:00", "2026-03-28 03:00:00Z",
     "2026-03-28T03:00:00.Z", "2026-03-28T03:00:00,5Z", "2026-03-28T03:00:00+0100",
     "2026-03-28T03:00:00+01", "2026-03-28T03:00:00+24:00", "2026-03-28T03:00:00+01:60",
     "2026-03-28T03:00:60Z", "2026-03-28T24:00:00Z", "2026-03-28T03:60:00Z", "0000-03-28T03:00:00Z",
     "2026-00-28T03:00:00Z", "2026-13-28T03:00:00Z", "2026-03-00T03:00:00Z", "2026-02-29T03:00:00Z",
     "1900-02-29T03:00:00Z", "2026-04-31T03:00:00Z", " 2026-03-28T03:00:00Z",
     "2026-03-28T03:00:00Z ", "2026-03-28T03:00:00Z\n", "2026-03-28T03:00:00ZZ", "yesterday",
     "٢026-03-28T03:00:00Z", "+2026-03-28T03:00:00Z", "12026-03-28T03:00:00Z",
     "2026-3-28T03:00:00Z", "2026-03-28T3:00:00Z", "2026-03-28T03:00:00-01:-5",
     # their instants lie outside the years 1 to 9999, so they could not be written in UTC
     "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01"],
)  # fmt: skip
def test_what_is_no_time_of_section_6_does_not_parse(text: str) -> None:
    assert instant(text.encode()) is None


def test_changed_bytes_are_judged_as_the_model_judges_them() -> None:
    generator = random.Random(6)
    seeds = ["2026-03-28T03:00:00Z", "2024-02-29T23:59:59.123456789+23:59", "0001-01-01t00:00:00z"]
    for _ in range(30_000):
        text = list(generator.choice(seeds))
        for _ in range(generator.randrange(1, 4)):
            text[generator.randrange(len(text))] = generator.choice("0123456789-+:.TtZz ")
        written = "".join(text)
        assert instant(written.encode()) == model_json.instant(written), written


def test_the_greatest_time_of_events_is_written_as_they_have_it() -> None:
    rules = Rules.parse("""
[documents.times]
path = "times.json"
kind = "record"
[[items]]
each = "."
apply = ["max /times/last {@utc}"]
""")
    chance = random.Random(405)
    steps = (1_000_000, 59_000_000, 3_599_000_000, 7_261_000_000, 86_399_000_000, 10**13, 10**15)
    whole_us = -(10**15)
    with Fold(rules, seed=bytes(16)) as fold:
        for number in range(2_000):
            whole_us += chance.choice(steps[: chance.randrange(1, 8)])
            us = whole_us + chance.choice((0, 0, 0, 1))
            fold.run([Event(number.to_bytes(16, "big"), 1, us, "s", False, b"{}")])
            assert orjson.loads(fold.document("times")) == {"last": model_json.format_instant(us)}
