"""What the fold takes from write.c and pretty.c: strings with and without quotes, deeper lines."""

import json
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from . import portable
from .test_json_canonical import strings, values


@given(value=strings | st.text("aé😀", max_size=200))
def test_a_quoted_string_is_orjsons_and_unescapes_to_itself(value: str) -> None:
    quoted = portable.text("quote", value.encode())
    assert quoted == orjson.dumps(value)
    assert portable.text("unescape", quoted[1:-1]) == value.encode()


def test_every_byte_that_needs_an_escape_goes_both_ways() -> None:
    for size in (0, 7, 8, 15, 16, 17):
        for point in range(0x80):
            value = "x" * size + chr(point) + "y" * size
            quoted = portable.text("quote", value.encode())
            assert quoted == orjson.dumps(value)
            assert portable.text("unescape", quoted[1:-1]) == value.encode()


@given(value=values, indent=st.integers(0, 40))
def test_a_text_printed_deeper_has_the_lines_that_it_has_inside(value: Any, indent: int) -> None:
    compact = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    flat = orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2)
    deeper = flat.replace(b"\n", b"\n" + b"  " * indent)
    assert portable.text("pretty", compact, indent) == deeper
    assert json.loads(deeper) == json.loads(compact)
