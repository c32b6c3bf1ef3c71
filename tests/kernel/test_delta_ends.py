"""A delta ends where its bytes end, whatever lies behind them in the buffer.

Reading looks past the end; what it sees there must not count.
"""

import orjson
import pytest
from goodneighbor.kernel import DeltaRejected, Event, Fold, Rules

RULES = """
[documents.stats]
path = "state/stats.json"
kind = "record"
[documents.kept]
[[items]]
each = "rows"
into = "kept"
key = ["{name}"]
apply = ["inc /stats/rows 1"]
[[items]]
each = "."
apply = ["inc /stats/deltas 1", "set? /stats/kind {meta.kind}", "set? /stats/zeal {zeal}"]
"""
# Members of every sort, last: plain ones, an object of which something is wanted, items.
BODIES: list[object] = [
    {"frame": 12, "meta": {"kind": "a"}, "rows": [{"name": "x", "size": 7}], "zeal": "much"},
    {"frame": 12, "meta": {"kind": "a"}, "rows": [{"name": "x", "size": 7}]},
    {"frame": 12, "meta": {"kind": "a"}, "rows": [{"name": "x"}, {"name": "y"}]},
    {"frame": 12, "meta": {"kind": "a"}},
    {"frame": 12},
    {"frame": 12, "rows": []},
    {"rows": [{}]},
    {"rows": {"k": {"name": "x"}}},
    {"meta": {}},
    {},
]
WIDTHS = pytest.mark.parametrize("is_narrow", [True, False], ids=["narrow", "wide"])


def opened(*, is_narrow: bool) -> Fold:
    """Open a handle that has met all of these deltas, and so expects what they hold."""
    fold = Fold(Rules.parse(RULES), seed=bytes(16))
    if is_narrow:
        fold.read_narrow()
    for _ in range(3):
        fold.run([event(orjson.dumps(body)) for body in BODIES])
    return fold


def event(body: bytes, number: int = 0) -> Event:
    return Event(bytes([number]) * 16, 1, 0, "s", False, body)


def refused(fold: Fold, first: bytes, second: bytes) -> tuple[int, int | None]:
    """Fold two deltas, the second right behind the first; return which is refused, and where."""
    with pytest.raises(DeltaRejected) as caught:
        fold.run([event(first, 0x11), event(second, 0x22)])
    (note,) = caught.value.__notes__
    return (2 if "22" * 16 in note else 1), caught.value.position


@WIDTHS
def test_no_delta_goes_on_in_the_one_behind_it(is_narrow: bool) -> None:
    texts = [orjson.dumps(body) for body in BODIES]
    tails = {text[at:] for text in texts for at in range(1, len(text))}
    for text in texts:
        for tail in tails:
            with opened(is_narrow=is_narrow) as fold:
                assert refused(fold, text, tail)[0] == 2


@WIDTHS
def test_no_delta_that_is_cut_off_is_completed_by_the_one_behind_it(is_narrow: bool) -> None:
    for text in (orjson.dumps(body) for body in BODIES):
        for at in range(1, len(text)):
            with opened(is_narrow=is_narrow) as fold:
                before = fold.document("stats")
                assert refused(fold, text[:at], text[at:]) == (1, at)
                assert fold.document("stats") == before


@WIDTHS
@pytest.mark.parametrize("filler", [b"\x00", b" ", b"{", b'"', b"\xff"])
def test_no_run_of_bytes_is_a_member(is_narrow: bool, filler: bytes) -> None:
    for text in (orjson.dumps(body) for body in BODIES):
        starts = [text[: at + 1] for at in range(len(text)) if text[at : at + 1] in b"{,"]
        for start in (*starts, text[:-1] + b","):
            with opened(is_narrow=is_narrow) as fold, pytest.raises(DeltaRejected) as caught:
                fold.run([event(start + filler * 70)])
            assert caught.value.position in range(len(start) - 1, len(start) + 71)
