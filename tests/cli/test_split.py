"""What a stream hands over is cut into deltas; a piece that is broken costs only itself."""

import json

import pytest
from goodneighbor.cli.split import split
from hypothesis import given
from hypothesis import strategies as st

OBJECTS = st.lists(
    st.dictionaries(
        st.text(max_size=5), st.integers() | st.text(max_size=9) | st.none(), max_size=4
    ),
    max_size=6,
)


def test_one_object_is_one_piece_however_it_is_laid_out() -> None:
    assert split(b'{"a": 1}') == [b'{"a": 1}']
    assert split(b'\n {\n  "a": {\n  }\n}\n') == [b'{\n  "a": {\n  }\n}']


def test_nothing_is_no_piece() -> None:
    assert split(b"") == []
    assert split(b" \n\t\r\n") == []
    assert split(b"[]") == []
    assert split(b" [ \n ] ") == []


@given(OBJECTS)
def test_an_array_is_cut_into_its_elements(objects: list[dict[str, object]]) -> None:
    pieces = split(json.dumps(objects, indent=1, ensure_ascii=False).encode())
    assert [json.loads(piece) for piece in pieces] == objects


@given(OBJECTS)
def test_lines_are_cut_where_they_end(objects: list[dict[str, object]]) -> None:
    lines = "".join(json.dumps(each) + "\r\n" for each in objects)
    assert [json.loads(piece) for piece in split(lines.encode())] == objects


def test_a_broken_line_is_a_piece_of_its_own() -> None:
    assert split(b'{"a": 1}\n{"b": \n{"c": 3}\n') == [b'{"a": 1}', b'{"b":', b'{"c": 3}']
    assert split(b'{"a": 1}\nnot json\n{"c": 3}') == [b'{"a": 1}', b"not json", b'{"c": 3}']
    assert split(b'{"a": \n{"b": 2}') == [b'{"a":', b'{"b": 2}']


@pytest.mark.parametrize(
    "whole",
    [
        b"<<<<<<< Updated upstream\n{}\n=======\n{}\n>>>>>>> Stashed changes",
        b'{\n"a": 1,\n}',
        b"[{},",
        b"[{}] x",
        b"[{} {}]",
        b"[",
        b"[}",
        b"[" * 100_000,
        b"[\xff]",
        b"null",
    ],
)
def test_what_cannot_be_cut_stays_whole(whole: bytes) -> None:
    assert split(whole) == [whole]


def test_the_bytes_of_an_element_stay_as_they_were() -> None:
    assert split(b'[{"a": 1e400, "a": NaN}, {"b":1.0}]') == [
        b'{"a": 1e400, "a": NaN}',
        b'{"b":1.0}',
    ]
