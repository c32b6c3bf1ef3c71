"""Canonical JSON: orjson's bytes, whatever the order, the escapes and the depth of the input.

Each test runs on the installed kernel and on the build for older toolchains.
"""

import json
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson
import pytest
from goodneighbor.kernel import JsonRejected
from goodneighbor.kernel import canonical as installed
from hypothesis import example, given
from hypothesis import strategies as st

from . import portable

Canonical = Callable[..., bytes]
BUILDS: dict[str, Canonical] = {"installed": installed, "portable": portable.canonical}
PRETTY = orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE

integers = st.integers(-(2**63), 2**64 - 1)
doubles = st.floats(allow_nan=False, allow_infinity=False)
strings = st.text() | st.text(alphabet='ab"\\/\b\f\n\r\t\x00\x1f\x7fé\u2028\ue000😀', max_size=40)
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | integers | doubles | strings,
    lambda inner: st.lists(inner) | st.dictionaries(strings, inner),
    max_leaves=60,
)


@pytest.fixture(scope="module", params=BUILDS)
def canonical(request: pytest.FixtureRequest) -> Canonical:
    """The installed kernel's, and the portable build's."""
    return BUILDS[request.param]


@given(value=values, ascii_only=st.booleans(), indent=st.sampled_from([None, 0, 1, 9, "\t"]))
@example(value={"b": [], "a": {}, "": [[], {}, [{}]]}, ascii_only=False, indent=None)
@example(value={"aaaaaaaab": 1, "aaaaaaaa": 2, "aaaaaaaa\x00": 3}, ascii_only=True, indent=1)
def test_pretty_equals_orjsons_bytes(
    canonical: Canonical, value: Any, ascii_only: bool, indent: Any
) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()
    assert canonical(text) == orjson.dumps(value, option=PRETTY)


@given(value=values)
def test_compact_is_pretty_without_white_space_and_both_are_stable(
    canonical: Canonical, value: Any
) -> None:
    pretty = canonical(json.dumps(value).encode())
    compact = canonical(pretty, "compact")
    assert compact == orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    assert canonical(compact, "compact") == compact
    assert canonical(compact) == canonical(pretty) == pretty


def test_every_escape_comes_out_as_orjson_writes_it(canonical: Canonical) -> None:
    for point in [*range(0x3000), 0xD7FF, 0xE000, 0xFFFF, 0x10000, 0x10FFFF]:
        character = chr(point)
        expected = orjson.dumps(character)
        assert canonical(json.dumps(character).encode(), "compact") == expected
        assert canonical(expected, "compact") == expected
    assert canonical(rb'"\/\u002F\u0022\u005C\b\f\n\r\t"', "compact") == rb'"//\"\\\b\f\n\r\t"'


@pytest.mark.parametrize("size", [*range(70), 4095, 4096, 1_000_000])
def test_strings_of_every_length_and_with_a_stop_anywhere_survive(
    canonical: Canonical, size: int
) -> None:
    for stop in ("", "é", "\n", "\\", '"', "😀"):
        for value in ("x" * size + stop, stop + "x" * size, "x" * (size // 2) + stop + "y" * size):
            expected = orjson.dumps({value: value})
            assert canonical(json.dumps({value: value}).encode(), "compact") == expected
            assert canonical(expected, "compact") == expected


def test_keys_sort_by_code_point_whatever_their_escapes(canonical: Canonical) -> None:
    keys = ["", "\x00", "\x00\x00", "\t", "\n", " ", '"', "\\", "a", "aa", "é", "\ue000", "\uffff"]
    keys += ["😀", "a" * 8, "a" * 8 + "\x00", "a" * 8 + "\x01", "a" * 9, "a" * 8 + '"', "b\\" * 9]
    generator = random.Random(8)
    for _ in range(200):
        generator.shuffle(keys)
        text = "{" + ",".join(f"{json.dumps(key)}:1" for key in keys) + "}"
        assert canonical(text.encode(), "compact") == orjson.dumps(dict.fromkeys(sorted(keys), 1))


def test_objects_out_of_order_inside_each_other_are_each_put_in_order(
    canonical: Canonical,
) -> None:
    generator = random.Random(9)

    def tree(depth: int) -> Any:
        if depth == 0:
            return generator.choice([1, "x", [], {}, [{"b": 1, "a": [{"d": 0, "c": 1}]}]])
        keys = [str(generator.randrange(40)) for _ in range(generator.randrange(24))]
        return {key: tree(generator.randrange(depth)) for key in keys}

    for _ in range(200):
        value = tree(4)
        assert canonical(json.dumps(value).encode(), "compact") == orjson.dumps(
            value, option=orjson.OPT_SORT_KEYS
        )


def test_a_hundred_thousand_keys_in_the_worst_order_are_sorted(canonical: Canonical) -> None:
    value = {f"{'k' * 20}{number:06}": number for number in reversed(range(100_000))}
    expected = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    assert canonical(json.dumps(value).encode(), "compact") == expected


def test_depth_costs_no_stack_and_is_copied_once(canonical: Canonical) -> None:
    depth = 1_000_000
    arrays = b"[" * depth + b"]" * depth
    assert canonical(arrays, "compact", depth_max=0) == arrays
    unsorted = b'{"b":' * depth + b"1" + b',"a":2}' * depth
    expected = b'{"a":2,"b":' * depth + b"1" + b"}" * depth
    assert canonical(unsorted, "compact", depth_max=0) == expected


@given(value=values, place=st.integers(0), byte=st.integers(0, 255))
def test_a_changed_byte_gives_what_orjson_gives_or_a_position(
    canonical: Canonical, value: Any, place: int, byte: int
) -> None:
    text = bytearray(json.dumps(value).encode())
    text[place % len(text)] = byte
    try:
        ours = canonical(bytes(text), "compact")
    except (JsonRejected, portable.Refused):
        return
    assert ours == orjson.dumps(orjson.loads(text), option=orjson.OPT_SORT_KEYS)


def test_threads_do_not_share_working_memory() -> None:
    numbers = [list(range(size, 0, -1)) for size in range(400)]
    texts = [json.dumps({"b": each, "a": each}, indent=1).encode() for each in numbers]
    expected = [installed(text) for text in texts]
    with ThreadPoolExecutor(max_workers=8) as pool:
        for _ in range(20):
            assert list(pool.map(installed, texts)) == expected
