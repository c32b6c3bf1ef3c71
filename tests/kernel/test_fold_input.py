"""What a handle refuses to take in, and what it says of it: nothing of it changes anything."""

from itertools import combinations, permutations

import orjson
import pytest
from goodneighbor.kernel import DeltaRejected, Event, Fold, JsonRejected, Rules
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ..effort import examples

RULES = """
[documents.agents]
path = "state/agents.json"
root = "agents"
[documents.stats]
path = "state/stats.json"
kind = "record"
[[items]]
each = "."
apply = ["set /stats/time {@utc|@frame}", "inc /stats/deltas 1"]
"""
PRETTY = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
BODY = b'{"frame":1,"stream_id":"s"}'


@pytest.fixture(params=["narrow", "as wide as the machine is"])
def fold(request: pytest.FixtureRequest) -> Fold:
    return opened(is_narrow=request.param == "narrow")


def opened(*, is_narrow: bool) -> Fold:
    fold = Fold(Rules.parse(RULES), seed=bytes(16))
    if is_narrow:
        fold.read_narrow()
    return fold


def event(body: bytes = BODY, utc_us: int | None = None) -> Event:
    return Event(bytes(16), 1, utc_us, "s", False, body)


def test_a_body_that_is_not_canonical_is_refused_with_its_event_and_position(fold: Fold) -> None:
    with pytest.raises(DeltaRejected) as caught:
        fold.run([event(), event(b'{"frame": 1}')])
    assert caught.value.position == 9
    assert any("frame 1" in note for note in caught.value.__notes__)
    assert fold.document("stats") == b"{}\n"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"a":1,"a":2}',
        b'{"b":1,"a":2}',
        b'{"a":1e2}',
        b'{"a":1e+}',
        b'{"a":1.e5}',
        b'{"a":1.5.5}',
        b'{"a":1.5e}',
        b'{"a":1.5-2}',
        b'{"a":-0}',
        b'{"a":01}',
        b'{"a":"\\u0041"}',
        b'{"a":"\xff"}',
        b'{"a":18446744073709551616}',
        b'{"a":1}x',
        b'{"a":1',
        b'{"a":"\n"}',
    ],
)
def test_no_damaged_body_folds(fold: Fold, body: bytes) -> None:
    with pytest.raises(DeltaRejected):
        fold.run([event(body)])
    assert fold.document("stats") == b"{}\n"


VALUES_DAMAGED = (
    b"",
    b"01",
    b"-",
    b"-0",
    b"+1",
    b"1.",
    b".1",
    b"1e2",
    b"1x",
    b"1:",
    b'"x',
    b'"x\ny"',
    b"nul",
    b"{",
    b"[1,",
    b"]",
)


@pytest.mark.parametrize("value", VALUES_DAMAGED)
@pytest.mark.parametrize("usual", [b"7", b'"x"', b"[1]"])
def test_no_damaged_value_folds_behind_a_key_that_came_before(
    fold: Fold, value: bytes, usual: bytes
) -> None:
    form = b'{"a":%b,"b":%b,"c":%b}'
    fold.run([event(form % (usual, usual, usual))] * 2)
    before = fold.document("stats")
    for place in range(3):
        values = [value if index == place else usual for index in range(3)]
        with pytest.raises(DeltaRejected):
            fold.run([event(form % tuple(values))])
    assert fold.document("stats") == before


def test_a_key_whose_items_are_wanted_is_followed_by_no_string_without_its_quote(
    fold: Fold,
) -> None:
    fold.run([event(b'{"a":"x","ops":[],"z":1}')] * 2)
    with pytest.raises(DeltaRejected) as caught:
        fold.run([event(b'{"a":"x","ops":\0abc","z":1}')])
    assert caught.value.position == 15


@pytest.mark.parametrize("order", list(permutations("abcd")))
def test_keys_that_came_in_any_order_are_still_checked_for_theirs(
    fold: Fold, order: tuple[str, ...]
) -> None:
    for key in order:
        fold.run([event(orjson.dumps({key: 1}))])
    for first, second in combinations("abcd", 2):
        fold.run([event(orjson.dumps({first: 1, second: 2}))])
        for body in (
            {second: 1, first: 2},
            {first: 1, "m": 2, second: 3},
            {first: 1, first * 2: 2},
        ):
            keys = list(body)
            if keys == sorted(keys):
                fold.run([event(orjson.dumps(body))])
            else:
                with pytest.raises(DeltaRejected):
                    fold.run([event(orjson.dumps(body))])


KEYS = ("a", "b" * 40, "c", "d" * 29, "d" * 30, "e", "f" * 28, "g\u00e9", 'h"')
VALUES = (
    *(1, 0, "x", "", "\u00e9", None, [1], {"k": 1}, 12345678901, 1.5, -7),
    *(int("9" * size) for size in (7, 8, 9, 15, 16, 17, 18)),
    *("y" * size for size in (14, 15, 16, 17, 30, 31, 32, 33, 47, 64, 65)),
    *("z" * size + "\\" for size in (15, 16, 31, 32)),
)


@settings(max_examples=examples(500), deadline=None)
@given(
    st.lists(st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from(VALUES)), max_size=5)),
    st.booleans(),
)
@example(
    [[("e", 1)], [("b" * 40, 1), ("a", 1)], [("a", "x"), ("e", 1)], [("d" * 30, 1), ("c", 1)]],
    False,
)
def test_keys_of_any_length_are_checked_whatever_came_before(
    bodies: list[list[tuple[str, object]]], is_narrow: bool
) -> None:
    with opened(is_narrow=is_narrow) as fold:
        for members in bodies:
            keys = [key for key, _ in members]
            parts = (orjson.dumps(key) + b":" + orjson.dumps(value) for key, value in members)
            body = b"{" + b",".join(parts) + b"}"
            if sorted(set(keys)) == keys:
                fold.run([event(body)])
            else:
                with pytest.raises(DeltaRejected):
                    fold.run([event(body)])


FORM = b'{"a":"%b","b":%b,"c":"%b"}'


@settings(max_examples=examples(500), deadline=None)
@given(
    st.integers(0, 70),
    st.integers(1, 10**19),
    st.lists(
        st.tuples(st.integers(0, 120), st.sampled_from(b'"\\,:}{x0e.-\0\x1f\x80\xff')), max_size=2
    ),
)
def test_wide_and_narrow_refuse_the_same_at_the_same_place(
    size: int, number: int, damages: list[tuple[int, int]]
) -> None:
    usual = FORM % (b"y" * size, b"%d" % number, b"y" * (70 - size))
    body = bytearray(usual)
    for at, byte in damages:
        body[at % len(body)] = byte
    said: list[tuple[int | None, str]] = []
    for is_narrow in (False, True):
        with opened(is_narrow=is_narrow) as fold:
            try:
                fold.run([event(FORM % (b"", b"1", b""))])  # the keys are expected now
                fold.run([event(bytes(body))])
                said.append((-1, ""))
            except DeltaRejected as rejected:
                said.append((rejected.position, str(rejected)))
            assert fold.document("stats", "compact").startswith(b'{"deltas":')
    assert said[0] == said[1]


STRINGS_DAMAGED = (
    b"\x80", b"\xc1\xbf", b"\xc3", b"\xc3x", b"\xe2\x82", b"\xe2x\xac", b"\xe2\x82x",
    b"\xe0\x9f\xbf",
    b"\xed\xa0\x80", b"\xf0\x9f\x98", b"\xf0x\x98\x80", b"\xf0\x9fx\x80", b"\xf0\x9f\x98x",
    b"\xf0\x8f\xbf\xbf", b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\x1f", b"\\", b"\\x", b"\\/",
    b"\\u", b"\\u00", b"\\u0108", b"\\u1000", b"\\u0020", b"\\u001F", b"\\u001/", b"\\u001g",
    b"\\u0008", b"\\u000a",
)  # fmt: skip
STRINGS = (
    "\u00e9\u0080\u07ff", "\u0800\u20ac\ud7ff\ue000\uffff", "\U00010000\U0001f600\U0010ffff",
    '"\\/\b\t\n\f\r\0\x01\x0b\x1f\x7f', "", "a" * 70 + "\u00e9" * 40,
)  # fmt: skip


@pytest.mark.parametrize("text", STRINGS_DAMAGED)
def test_no_damaged_string_folds_as_a_value_or_as_a_key(fold: Fold, text: bytes) -> None:
    for body in (b'{"a":"' + text + b'"}', b'{"' + text + b'":1}', b'{"a":"' + text):
        with pytest.raises(DeltaRejected):
            fold.run([event(body)])
        with pytest.raises(DeltaRejected):
            fold.load("agents", [(b"ann", body)])
    assert fold.document("stats") == b"{}\n"


@pytest.mark.parametrize("text", STRINGS)
def test_every_string_comes_through(fold: Fold, text: str) -> None:
    body = orjson.dumps({text: {"b": text}})
    fold.run([event(body)])
    fold.load("agents", [(text.encode(), body)])
    agents = {"agents": {text: {text: {"b": text}}}}
    assert fold.document("agents") == orjson.dumps(agents, option=PRETTY)
    assert fold.document("agents", "compact") == orjson.dumps(agents)


@pytest.mark.parametrize("utc_us", [-(1 << 63) + 1, (1 << 63) - 1, 253_402_300_800_000_000])
def test_a_time_beyond_the_years_1_to_9999_is_no_time(fold: Fold, utc_us: int) -> None:
    fold.run([event(utc_us=utc_us)])
    assert fold.document("stats", "compact") == b'{"deltas":1,"time":1}'


def test_a_record_and_the_members_beside_a_root_are_objects(fold: Fold) -> None:
    for document, row in [
        ("stats", (b"", b"[]")),
        ("agents", (b"@", b"5")),
        ("stats", (b"x", b"{}")),
    ]:
        with pytest.raises(DeltaRejected):
            fold.load(document, [row])
    with pytest.raises(DeltaRejected):
        fold.load("agents", [(b"@", b'{"agents":{}}')])
    with pytest.raises(JsonRejected):
        fold.load("agents", [(b"ann", b"{}"), (b"bob", b'{"a":}')])
    assert fold.document("agents", "compact") == b'{"agents":{}}'


def test_rows_are_asked_for_before_the_next_call(fold: Fold) -> None:
    first = fold.run([event()])
    fold.run([event()])
    with pytest.raises(AssertionError):
        _ = first.changed


def test_a_removed_row_keeps_its_key_taken(fold: Fold) -> None:
    fold.load("agents", [(b"ann", None)])
    own = b'{"frame":1,"ops":[{"op":"init","path":"/agents/ann","value":{}}],"stream_id":"store"}'
    receipt = fold.run([Event(bytes(16), 1, None, "store", True, own)]).receipts[0]
    assert [line.reason for line in receipt.unapplied] == ["unknown entity"]


def test_a_seed_of_another_size_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        Fold(Rules.parse(RULES), seed=b"short")


def test_the_state_does_not_depend_on_the_seed() -> None:
    texts = set()
    for seed in (bytes(16), bytes(range(16)), b"\xff" * 16):
        with Fold(Rules.parse(RULES), seed=seed) as fold:
            fold.load("agents", [(f"a{n}".encode(), b"{}") for n in range(1000, 0, -1)])
            fold.run([event()])
            texts.add(fold.document("agents"))
    assert len(texts) == 1
