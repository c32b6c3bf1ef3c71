"""The reference model reads and writes JSON as section 6 and 8 of the design say."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from .conformance import CASES
from .model_json import NotStrict, compact, format_instant, instant, loads

VECTORS = CASES.parents[1] / "json-vectors" / "parsing"
needs_vectors = pytest.mark.skipif(
    not VECTORS.is_dir(), reason=f"the JSON vectors are not here: no folder {VECTORS}"
)


numbers = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)


def accepts(path: Path) -> bool:
    try:
        loads(path.read_bytes())
    except NotStrict:
        return False
    return True


@needs_vectors
def test_what_json_is_and_is_not_is_told_apart() -> None:
    names = {path.name: accepts(path) for path in VECTORS.glob("*.json")}
    refused = {name for name, accepted in names.items() if name[0] == "y" and not accepted}
    assert refused == {"y_object_duplicated_key.json", "y_object_duplicated_key_and_value.json"}
    assert not {name for name, accepted in names.items() if name[0] == "n" and accepted}


@given(st.dictionaries(st.text(), numbers))
def test_keys_stand_in_code_point_order_and_numbers_read_back(
    value: dict[str, int | float],
) -> None:
    back = loads(compact(value))
    assert list(back) == sorted(value)
    assert back == value


@given(st.integers(-62135596800 * 10**6, 253402300799 * 10**6 + 999999))
def test_an_instant_reads_back(micros: int) -> None:
    assert instant(format_instant(micros)) == micros
