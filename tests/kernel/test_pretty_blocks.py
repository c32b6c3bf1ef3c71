"""The pretty form is made in blocks of 64 bytes: whatever stands across an edge comes out right.

Each test runs on the installed kernel and on the build for older toolchains.
"""

from typing import Any

import orjson
import pytest

from .test_json_canonical import BUILDS, PRETTY

BLOCK = 64
# What a mark, an escape or an empty value looks like to the block before and the block behind.
ACROSS: list[Any] = [
    '"',
    "\\",
    '\\"',
    "\\\\" * 3 + '"',
    "[{,:}]",
    "é😀",
    [],
    {},
    [[], {}],
    {"": {}},
    {'"': '"', "\\": ["\\"]},
    [1, [2, [3]]],
]


@pytest.mark.parametrize("build", BUILDS)
def test_whatever_stands_across_the_edge_of_a_block(build: str) -> None:
    for value in ACROSS:
        for size in range(2 * BLOCK + 1):
            whole = ["x" * size, value, value, "behind"]
            compact = orjson.dumps(whole)
            assert BUILDS[build](compact) == orjson.dumps(whole, option=PRETTY)


@pytest.mark.parametrize("build", BUILDS)
def test_text_of_every_size_around_a_block(build: str) -> None:
    for size in range(3 * BLOCK):
        for value in ("x" * size, [0] * size, "\\" * size):
            assert BUILDS[build](orjson.dumps(value)) == orjson.dumps(value, option=PRETTY)


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("depth", [1, 14, 15, 16, 17, BLOCK - 1, BLOCK, 128])
def test_a_block_of_nothing_but_opening_or_closing(build: str, depth: int) -> None:
    nested: Any = [1, 2]
    for _ in range(depth - 1):
        nested = [nested]
    assert BUILDS[build](orjson.dumps(nested)) == orjson.dumps(nested, option=PRETTY)
