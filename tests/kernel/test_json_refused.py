"""What is no strict JSON is refused, each cause with its own error and the byte it was seen at."""

import json
from typing import Any

import pytest
from goodneighbor.kernel import JsonRejected, canonical, errors
from hypothesis import given, settings
from hypothesis import strategies as st

from ..effort import examples
from . import portable
from .test_json_canonical import values

# `^` stands before the byte that the error names.
REFUSALS = [
    ("JsonEndsEarly", '^'), ("JsonEndsEarly", "  ^"), ("JsonEndsEarly", '{"a":1^'),
    ("JsonEndsEarly", '"abc^'), ("JsonEndsEarly", '"\\^'), ("JsonEndsEarly", '"\\u12^'),
    ("JsonEndsEarly", '"\\ud83d^'), ("JsonEndsEarly", '"\\ud83d\\^'), ("JsonEndsEarly", "-^"),
    ("JsonEndsEarly", "1.^"), ("JsonEndsEarly", "1e+^"), ("JsonEndsEarly", "tru^"),
    ("JsonUnexpectedByte", "^<<<<<<< HEAD"), ("JsonUnexpectedByte", "[1 ^2]"),
    ("JsonUnexpectedByte", "[^,1]"), ("JsonUnexpectedByte", "[1,^]"),
    ("JsonUnexpectedByte", '{"a":1,^}'), ("JsonUnexpectedByte", "{^a:1}"),
    ("JsonUnexpectedByte", '{"a" ^1}'), ("JsonUnexpectedByte", "[1^}"),
    ("JsonUnexpectedByte", "tr^ee"), ("JsonUnexpectedByte", "-^a"), ("JsonUnexpectedByte", "^.5"),
    ("JsonUnexpectedByte", "1.^e5"), ("JsonUnexpectedByte", "^+1"), ("JsonUnexpectedByte", "^é"),
    ("JsonUnexpectedByte", "[^\x0c1]"), ("JsonUnexpectedByte", "^'a'"),
    ("JsonTrailingBytes", "1 ^2"), ("JsonTrailingBytes", "{} ^}"), ("JsonTrailingBytes", "0^1"),
    ("JsonTrailingBytes", '{"a":1}\n^=======\n{"a":2}'),
    ("JsonByteOrderMark", "^\ufeff{}"),
    ("JsonLoneSurrogate", r'["^\ud800"]'), ("JsonLoneSurrogate", r'["^\udc00"]'),
    ("JsonLoneSurrogate", r'["^\ud800\ud800"]'), ("JsonLoneSurrogate", r'["^\ud800\n"]'),
    ("JsonLoneSurrogate", r'{"^\udfff\ud800":1}'),
    ("JsonBadEscape", r'["a^\x"]'), ("JsonBadEscape", r'["^\u12g4"]'),
    ("JsonBadEscape", r'["\ud800^\u12g4"]'), ("JsonBadEscape", r'["^\U0041"]'),
    ("JsonControlCharacter", '["a^\n"]'), ("JsonControlCharacter", '["^\x00"]'),
    ("JsonDuplicateKey", '{"a":1,^"a":2}'), ("JsonDuplicateKey", r'{"a":1,^"\u0061":2}'),
    ("JsonDuplicateKey", r'{"\n":1,"b":1,^"\u000a":2}'), ("JsonDuplicateKey", '{"":1,^"":2}'),
    ("JsonDuplicateKey", '{"b":1,"a":1,^"b":2,"a":3}'),
    ("JsonDuplicateKey", '[{"a":{"c":0,"b":1,^"c":2}}]'),
    ("JsonNotFinite", "[^NaN]"), ("JsonNotFinite", "[^Infinity]"), ("JsonNotFinite", "^-Infinity"),
    ("JsonNotFinite", "[^1e400]"), ("JsonNotFinite", "^-1.8e308"),
    ("JsonNotFinite", "^1" + "0" * 400 + ".0"),
    ("JsonIntegerRange", "[^18446744073709551616]"), ("JsonIntegerRange", "^-9223372036854775809"),
    ("JsonIntegerRange", "^1" + "0" * 5000),
    ("JsonTooDeep", "[" * 128 + "^[" + "]" * 129),
    ("JsonTooDeep", '{"a":' * 128 + "^{}" + "}" * 128),
]  # fmt: skip


@pytest.mark.parametrize(("name", "marked"), REFUSALS)
def test_a_refusal_names_the_cause_and_the_byte(name: str, marked: str) -> None:
    before, _, after = marked.partition("^")
    with pytest.raises(JsonRejected) as refused:
        canonical((before + after).encode())
    assert type(refused.value) is getattr(errors, name)
    assert refused.value.position == len(before.encode())


@pytest.mark.parametrize("refusal", sorted({name for name, _ in REFUSALS}))
def test_both_builds_refuse_alike(refusal: str) -> None:
    for name, marked in REFUSALS:
        before, _, after = marked.partition("^")
        if name == refusal:
            with pytest.raises(portable.Refused) as refused:
                portable.canonical((before + after).encode())
            assert refused.value.args[1] == len(before.encode())


@pytest.mark.parametrize(
    "bad",
    [b"\x80", b"\xc0\xaf", b"\xc1\x81", b"\xe0\x9f\xbf", b"\xed\xa0\x80", b"\xed\xbf\xbf",
     b"\xf0\x8f\xbf\xbf", b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\xff", b"\xc3(",
     b"\xe2\x82(", b"\xf0\x9f\x98("],
)  # fmt: skip
def test_bytes_that_are_not_utf8_are_refused_where_their_sequence_begins(bad: bytes) -> None:
    for before in (b'["', b'["' + b"x" * 30, '["é😀'.encode(), b'{"'):
        with pytest.raises(errors.JsonNotUtf8) as refused:
            canonical(before + bad + b'"]')
        assert refused.value.position == len(before)
    with pytest.raises(errors.JsonNotUtf8) as refused:
        canonical(b"[" + bad + b"]")
    assert refused.value.position == 1


def test_a_text_of_more_bytes_than_allowed_is_refused_unread() -> None:
    assert canonical(b"[1]", "compact", size_max=3) == b"[1]"
    with pytest.raises(errors.JsonTooLarge) as refused:
        canonical(b"[1] ", "compact", size_max=3)
    assert refused.value.position == 3


def test_the_depth_allowed_is_allowed() -> None:
    nested = b"[" * 128 + b"]" * 128
    assert canonical(nested, "compact") == nested


@given(value=values, ascii_only=st.booleans())
@settings(max_examples=examples(60))
def test_the_beginning_of_a_text_is_a_text_or_ends_early(value: Any, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only).encode()
    positions = []
    for size in range(len(text)):
        try:
            canonical(text[:size])
        except errors.JsonEndsEarly as refused:
            positions.append((size, refused.position))
    assert all(size == position for size, position in positions)
