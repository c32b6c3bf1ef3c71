"""The line of a key or an array's element, whatever TOML lets stand around it."""

import tomllib
from typing import Any

from goodneighbor.kernel.lines import Scanner, line_of
from hypothesis import given
from hypothesis import strategies as st

TEXT = (
    """\
# [not.a.table]
top = "a # no comment" # a comment with "quotes" and [brackets]
a.b."c.d" = 1

[documents."x.y"]  # line 5
path = 'it"""
    + "'''"
    + '''
fields = { k = "sum", 'q r' = "max", deep = { z = [1, 2] } }

[[items]]
each = "one"
apply = [  # line 11
  "first", """second
  goes on [here] \\""" and = on""",
  "third",
  2026-03-28 03:00:00, 1.5,
  [ "inner", { x = 1 } ],
]
[items.more]
k = 1
[[items]]  # line 20
each = """
two"""
after = true
'''
)


def test_every_key_and_element_has_its_line() -> None:
    text = TEXT.replace("path = 'it'''", "path = 'it'")
    lines = Scanner(text).lines
    assert lines[("top",)] == 2
    assert lines[("a",)] == lines[("a", "b", "c.d")] == 3
    assert lines[("documents", "x.y")] == 5
    assert lines[("documents", "x.y", "path")] == 6
    assert lines[("documents", "x.y", "fields", "q r")] == 7
    assert lines[("documents", "x.y", "fields", "deep", "z", 1)] == 7
    assert lines[("items", 0)] == 9
    assert lines[("items", 0, "apply")] == 11
    assert [lines[("items", 0, "apply", index)] for index in range(6)] == [12, 12, 14, 15, 15, 16]
    assert lines[("items", 0, "apply", 5, 1, "x")] == 16
    assert lines[("items", 0, "more", "k")] == 19
    assert lines[("items", 1)] == 20
    assert lines[("items", 1, "after")] == 23


def test_a_place_that_is_not_written_has_the_line_of_what_should_hold_it() -> None:
    assert line_of("\n[[items]]\n[[items]]\nx = 1", ("items", 1, "each")) == 3
    assert line_of("x = 1", ("documents", "a")) is None


VALUES = st.recursive(
    st.sampled_from(["1", "-1.5e3", "true", '"a]#"', "'}='", '"""\n"]"""', "07:32:00", "''"]),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda each: "[" + ",\n".join(each) + "]")
        | st.lists(inner, max_size=3).map(
            lambda each: "{" + ", ".join(f"k{n}.'x y' = {one}" for n, one in enumerate(each)) + "}"
        )
    ),
    max_leaves=6,
)


@given(st.lists(st.tuples(st.sampled_from(["", "[t{n}]", "[[list]]"]), VALUES), max_size=8))
def test_every_value_that_tomllib_finds_has_a_line(entries: list[tuple[str, str]]) -> None:
    text, expected = "", {}
    for number, (header, value) in enumerate(entries):
        text += header.format(n=number) + "  # [x]\n"
        expected[f"key{number}"] = text.count("\n") + 1
        text += f"key{number} = {value} # =\n"
    lines = Scanner(text).lines
    places = list(places_in(tomllib.loads(text), ()))
    assert set(places) <= set(lines)
    assert {place[-1]: lines[place] for place in places if place[-1] in expected} == expected


def places_in(value: Any, place: tuple[str | int, ...]) -> Any:
    if place:
        yield place
    if isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in pairs:
            yield from places_in(inner, (*place, key))
