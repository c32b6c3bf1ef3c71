"""Bodies of documents whose members no rule names lie packed: out comes what went in."""

import orjson
import pytest
from goodneighbor.kernel import Event, Fold, Rules
from hypothesis import example, given
from hypothesis import strategies as st

RULES = """
[documents.posts]
path = "state/posts.json"
[[items]]
each = "items"
into = "posts"
key = ["{@index}"]
[ops]
allow = ["set /posts/*/**", "merge /posts/*", "remove /posts/*/*", "test /posts/*"]
"""
SORTED = orjson.OPT_SORT_KEYS
PRETTY = SORTED | orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
PACKED_KEYS_MAX = 30  # kernel/state.h, and the comma

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=40)
)
values = st.recursive(
    scalars,
    lambda below: (
        st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=4), below, max_size=3)
    ),
    max_leaves=6,
)
keys = st.sampled_from(
    ["author", "n", "", "title", 'a"b', "é", "k" * 40, "k" * 27, "k" * 28]
) | st.text(max_size=35)
bodies = st.dictionaries(keys, values, max_size=8)


def opened() -> Fold:
    return Fold(Rules.parse(RULES.replace("/**", "/*")), seed=bytes(16))


def event(body: dict[str, object], number: int = 0) -> Event:
    return Event(bytes([number] * 16), 1, None, "s", False, orjson.dumps(body, option=SORTED))


def posts(items: list[dict[str, object]]) -> bytes:
    return orjson.dumps({str(at): item for at, item in enumerate(items)}, option=PRETTY)


@given(st.lists(bodies, min_size=1, max_size=8))
@example([{"a": ""}, {"a": "", "b": ""}, {"a": "", "b": 0}, {"k" * 40: "", "z": ""}])
def test_bodies_come_out_as_they_came_in(items: list[dict[str, object]]) -> None:
    with opened() as fold:
        rows = {row.key: row.body for row in fold.run([event({"items": items})]).changed}
        assert fold.document("posts") == posts(items)
        assert rows == {
            str(at).encode(): orjson.dumps(item, option=SORTED) for at, item in enumerate(items)
        }
    with opened() as fold:
        fold.load("posts", sorted((key, body) for key, body in rows.items() if body is not None))
        assert fold.document("posts") == posts(items)


@given(bodies, bodies, keys, scalars)
def test_a_packed_body_is_written_to_like_any_other(
    first: dict[str, object], second: dict[str, object], key: str, value: object
) -> None:
    pointer = key.replace("~", "~0").replace("/", "~1")
    ops = [
        {"op": "test", "path": "/posts/0", "value": first},
        {"op": "set", "path": f"/posts/0/{pointer}", "value": value},
        {"op": "merge", "path": "/posts/1", "value": {key: value}},
    ]
    with opened() as fold:
        fold.run([event({"items": [first, second]})])
        (receipt,) = fold.run([event({"ops": ops}, 1)]).receipts
        assert (receipt.applied, receipt.unapplied) == (1, ()), receipt
        assert fold.document("posts") == posts([first | {key: value}, second | {key: value}])


@pytest.mark.parametrize("count", [PACKED_KEYS_MAX - 1, PACKED_KEYS_MAX, PACKED_KEYS_MAX + 1, 200])
def test_more_keys_than_have_a_byte_stay_as_they_are(count: int) -> None:
    items: list[dict[str, object]] = [{f"key{at:03}": at, "x": str(at)} for at in range(count)]
    items += [{f"key{at:03}": at for at in range(count)}, {}, {"x": {}}, {"": "\x01\x1f\x7f"}]
    with opened() as fold:
        fold.run([event({"items": items})])
        assert fold.document("posts") == posts(items)


def test_packing_saves_what_the_keys_take() -> None:
    def state_size(items: list[dict[str, object]]) -> int:
        with opened() as fold:
            fold.run([event({"items": items})])
            return fold.memory()[0]

    count = 20_000
    usual = state_size([{"a_rather_long_key": at, "another_long_key": "x"} for at in range(count)])
    short = state_size([{"a": at, "b": "x"} for at in range(count)])
    assert abs(usual - short) < count  # less than a byte an entity
