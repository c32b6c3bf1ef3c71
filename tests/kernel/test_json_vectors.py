"""The published JSON cases: what must be read, what must be refused, and at which byte."""

from pathlib import Path

import orjson
import pytest
from goodneighbor.kernel import JsonRejected, canonical

# Refused on purpose: no value of a key that is there twice can be trusted.
DUPLICATED = {"y_object_duplicated_key.json", "y_object_duplicated_key_and_value.json"}
PRETTY = orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE


def read(path: Path) -> bytes | JsonRejected:
    try:
        return canonical(path.read_bytes(), depth_max=0)
    except JsonRejected as refused:
        return refused


@pytest.fixture
def parsing(shared_data: Path) -> list[Path]:
    """The 318 cases."""
    cases = sorted((shared_data / "json-vectors" / "parsing").iterdir())
    assert len(cases) == 318
    return cases


def test_what_must_be_accepted_is_and_equals_orjsons(parsing: list[Path]) -> None:
    for path in parsing:
        if path.name.startswith("y_") and path.name not in DUPLICATED:
            data = path.read_bytes()
            assert read(path) == orjson.dumps(orjson.loads(data), option=PRETTY), path.name


def test_what_must_be_refused_is_with_a_position(parsing: list[Path]) -> None:
    for path in parsing:
        if path.name.startswith("n_") or path.name in DUPLICATED:
            refused = read(path)
            assert isinstance(refused, JsonRejected), path.name
            assert refused.position is not None, path.name
            assert 0 <= refused.position <= path.stat().st_size, path.name
            assert f"at byte {refused.position}" in str(refused)


def test_what_may_go_either_way_is_refused_or_equals_orjsons(parsing: list[Path]) -> None:
    either = {path.name: read(path) for path in parsing if path.name.startswith("i_")}
    for path in parsing:
        result = either.get(path.name)
        if isinstance(result, bytes) and "500_nested" not in path.name:
            assert result == orjson.dumps(orjson.loads(path.read_bytes()), option=PRETTY)
    accepted = {name for name, result in either.items() if isinstance(result, bytes)}
    assert accepted == {
        "i_number_double_huge_neg_exp.json",  # 123.456e-789 is 0.0
        "i_number_real_underflow.json",
        "i_structure_500_nested_arrays.json",  # without a limit on depth
    }


@pytest.mark.parametrize("name", ["arrays", "french", "structures", "unicode", "values", "weird"])
def test_the_cases_of_rfc_8785_come_out_where_they_can_be_compared(
    shared_data: Path, name: str
) -> None:
    folder = shared_data / "json-vectors" / "jcs"
    ours = canonical((folder / "input" / f"{name}.json").read_bytes(), "compact")
    theirs = (folder / "output" / f"{name}.json").read_bytes()
    if name == "structures":  # whole doubles keep their point here
        ours = ours.replace(b"56.0", b"56")
    if name == "weird":  # the same members, code points beyond U+FFFF last
        assert ours != theirs
        assert list(orjson.loads(ours)) == sorted(orjson.loads(theirs))
        assert orjson.loads(ours) == orjson.loads(theirs)
    else:
        assert ours == theirs
