"""Values are read right whatever size their key's values had before: reading foretells sizes.

The handle is warmed up first, with values of one size; then comes the one that is looked at.
"""

from collections.abc import Sequence

import orjson
import pytest
from goodneighbor.kernel import Event, Fold, Rules
from hypothesis import given, settings
from hypothesis import strategies as st

from ..effort import examples

Row = tuple[object, object]  # a text, a number
RULES = """
[documents.kept]
[[items]]
each = "rows"
into = "kept"
key = ["{key}"]
apply = ["set? /kept/{key}/copy {text}", "set? /kept/{key}/count {number}"]
"""
WIDTHS = pytest.mark.parametrize("is_narrow", [True, False], ids=["narrow", "wide"])
WARM = 20  # deltas; more than it takes to give up foretelling
NUMBERS: list[object] = [
    0,
    7,
    1_234,
    12_345,
    123_456,
    -12_345,
    1.5,
    10**15,
    10**16,
    10**17,
    10**19,
    True,
    None,
]


def folded(rows: Sequence[Row], *, is_narrow: bool) -> dict[str, dict[str, object]]:
    """Fold one delta a row, in one handle, and return the entities made of them."""
    with Fold(Rules.parse(RULES), seed=bytes(16)) as fold:
        if is_narrow:
            fold.read_narrow()
        for at, (text, number) in enumerate(rows):
            row = {"key": f"k{at}", "number": number, "text": text}
            body = orjson.dumps({"frame": 1, "rows": [row, {**row, "key": f"l{at}"}]})
            fold.run([Event(bytes(16), 1, at, "s", False, body)])
        found: dict[str, dict[str, object]] = orjson.loads(fold.document("kept"))
        return found


def expected(rows: Sequence[Row]) -> dict[str, dict[str, object]]:
    """Nothing is copied of a field that counts as missing."""
    made = {}
    for at, (text, number) in enumerate(rows):
        copied = {"copy": text, "count": number}
        copied = {name: value for name, value in copied.items() if value not in (None, "")}
        for key in (f"k{at}", f"l{at}"):
            made[key] = {"key": key, "number": number, "text": text, **copied}
    return made


@WIDTHS
@pytest.mark.parametrize("usual", [0, 5, 15, 16, 20, 31, 32])
def test_a_text_that_is_no_longer_as_long(is_narrow: bool, usual: int) -> None:
    sizes = [size for near in (0, usual, 16, 32) for size in range(max(near - 2, 0), near + 3)]
    others = ["x" * size for size in (*sizes, 100)]
    for before in ("x" * size for size in range(max(usual - 2, 0), usual + 1)):
        others += [before + each + "y" * 9 for each in ('"', "\\", "\n", "\xe9", '",')]
    for other in others:
        rows = [("x" * usual, 1)] * WARM + [(other, 1), ("x" * usual, 1)]
        assert folded(rows, is_narrow=is_narrow) == expected(rows)


@WIDTHS
@pytest.mark.parametrize("usual", [1, 12_345, 1_234_567_890_123_456])
def test_a_number_that_has_no_longer_as_many_digits(is_narrow: bool, usual: int) -> None:
    for other in NUMBERS:
        rows: list[Row] = [("x", usual)] * WARM + [("x", other), ("x", usual)]
        assert folded(rows, is_narrow=is_narrow) == expected(rows)


@WIDTHS
@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from(["x" * 5, "x" * 20]) | st.text(max_size=40),
            st.sampled_from(NUMBERS) | st.integers(10_000, 99_999),
        ),
        min_size=WARM,
        max_size=3 * WARM,
    )
)
@settings(max_examples=examples(100))
def test_sizes_in_any_order(is_narrow: bool, rows: Sequence[Row]) -> None:
    assert folded(rows, is_narrow=is_narrow) == expected(rows)
