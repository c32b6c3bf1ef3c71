"""The kernel reads JSON and times as the reference model does, also where both refuse them."""

from datetime import UTC, datetime
from typing import Any

from goodneighbor.kernel import canonical, format_instant, instant
from goodneighbor.kernel.errors import JsonRejected
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ..effort import examples
from . import model_json
from .strategies import TIMES, deltas, spelled

two_digits = st.sampled_from(
    ("00", "01", "02", "12", "23", "24", "28", "29", "30", "31", "59", "60")
)
years = st.sampled_from(("0000", "0001", "1900", "1969", "2000", "2024", "2026", "9999", "10000"))
zones = st.sampled_from(("Z", "z", "+00:00", "-00:00", "+23:59", "-23:59", "+24:00", "+0100", ""))
times = st.one_of(
    st.sampled_from(TIMES),
    st.builds(
        "{}-{}-{}{}{}:{}:{}{}{}".format,
        *(years, two_digits, two_digits, st.sampled_from("Tt ")),
        *(two_digits, two_digits, two_digits),
        st.sampled_from(("", ".", ".0", ".5", ".123456", ".1234567", ".0000009", ".٣")),
        zones,
    ),
    st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat),
    st.text(max_size=30),
)


@settings(max_examples=examples(2000))
@given(times)
@example("0001-01-01T00:00:00+00:01")
@example("9999-12-31T23:59:59-00:01")
def test_a_time_is_the_same_instant_to_both(text: str) -> None:
    mine = model_json.instant(text)
    assert instant(text.encode()) == mine
    if mine is not None:
        assert format_instant(mine) == model_json.format_instant(mine)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Draw a delta's bytes with some of them replaced, taken out, or repeated."""
    raw = draw(deltas().flatmap(spelled))
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(raw)))
        size = draw(st.integers(0, 3))
        put = draw(st.sampled_from((b"", b'"', b",", b"0", b"-", b"e9", b"\\u", b"\xff", raw[at:])))
        raw = raw[:at] + put + raw[at + size :]
    return raw


@settings(max_examples=examples(1000), deadline=None)
@given(damaged())
def test_bytes_are_the_same_json_to_both_or_refused_by_both(raw: bytes) -> None:
    value: Any = None
    try:
        value = model_json.loads(raw)
    except model_json.NotStrict:
        value = model_json.ABSENT
    try:
        texts = canonical(raw, "compact"), canonical(raw, "pretty")
    except JsonRejected:
        assert value is model_json.ABSENT
        return
    assert texts == (model_json.compact(value), model_json.pretty(value))
