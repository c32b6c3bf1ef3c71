"""A delta is checked the same way wherever it comes from, and its content is its identity."""

import hashlib
import json
from typing import Any

import pytest
from goodneighbor.kernel import canonical
from goodneighbor.store.delta import FRAME_MAX, STREAM_SIZE_MAX, check, complete, fallback
from goodneighbor.store.errors import DeltaRejected
from goodneighbor.store.ingest import fill
from goodneighbor.store.members import members, text
from hypothesis import example, given
from hypothesis import strategies as st

NOON_US = 1_774_699_200_000_000  # 2026-03-28T12:00:00Z


def written(**fields: Any) -> bytes:
    return json.dumps({"frame": 405, "stream_id": "stream-1"} | fields).encode()


def rejected(raw: bytes) -> DeltaRejected:
    with pytest.raises(DeltaRejected) as caught:
        check(raw)
    return caught.value


def test_identity_is_the_digest_of_the_canonical_bytes() -> None:
    delta = check(b'{ "stream_id":"s1", "x":1.50, "frame":1 }')
    assert delta.body == b'{"frame":1,"stream_id":"s1","x":1.5}'
    assert delta.digest == hashlib.sha256(delta.body).digest()
    assert delta.id == delta.digest[:16]


def test_spelling_is_no_identity_and_content_is() -> None:
    spelled = [b'{"frame":1,"stream_id":"s1"}', b'{"stream_id":"\\u00731",\n"frame":1}']
    assert len({check(raw).id for raw in spelled}) == 1
    contents: list[dict[str, object]] = [
        {"n": 1},
        {"n": 1.0},
        {"n": True},
        {"n": "1"},
        {"m": 1},
        {},
        {"stream_id": "S1"},
    ]
    assert len({check(written(**content)).id for content in contents}) == len(contents)


def test_what_is_said_beside_a_delta_is_no_part_of_its_identity() -> None:
    raw = b'{"action":"heartbeat"}'
    one, other = check(raw, frame=1, stream="a"), check(raw, frame=2, stream="b")
    assert (one.frame, one.stream, other.frame, other.stream) == (1, "a", 2, "b")
    assert one.id == other.id
    assert check(written(), frame=7, stream="beside").frame == 405


@pytest.mark.parametrize("frame", [0, 1, FRAME_MAX])
def test_frames_reach_from_0_to_two_to_the_31_less_one(frame: int) -> None:
    assert check(written(frame=frame)).frame == frame


@pytest.mark.parametrize(
    "frame",
    [-1, FRAME_MAX + 1, 2**64 - 1, -(2**63), 405.0, "405", True, None, [], {}],
)
def test_another_frame_is_refused(frame: object) -> None:
    error = rejected(written(frame=frame))
    assert error.reason == "frame invalid"
    assert json.dumps(frame) in str(error)


def test_a_delta_without_frame_or_stream_is_refused() -> None:
    assert rejected(b'{"stream_id":"s1"}').reason == "frame missing"
    assert rejected(b'{"frame":1}').reason == "stream missing"


@pytest.mark.parametrize(
    "name", ["a", "7", "A.b_c-d", "x" * STREAM_SIZE_MAX, "git2", "lock", "a.locks", "stores"]
)
def test_stream_names_are_kept_as_written(name: str) -> None:
    assert check(written(stream_id=name)).stream == name


@pytest.mark.parametrize(
    "name",
    [
        *["", "x" * 65, ".a", "-a", "_a", "a..b", "a.", "a.lock", "A.LOCK", "a/b", "../a", "a b"],
        *["\u00e9", "\u212a", "a\0", "a\n", 5, None, True, ["a"]],  # U+212A is a K in lower case
    ],
)
def test_another_stream_name_is_refused(name: object) -> None:
    assert rejected(written(stream_id=name)).reason == "stream invalid"


@pytest.mark.parametrize("name", ["git", "GIT", "Store", "store"])
def test_the_stores_own_stream_names_are_refused(name: str) -> None:
    assert rejected(written(stream_id=name)).reason == "stream reserved"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"not json",
        b"\xff\xfe",
        b'<<<<<<< Updated upstream\n{"frame":1}\n=======\n',
        b'{"frame":1,"frame":2,"stream_id":"s1"}',
        b'{"frame":1,"stream_id":"s1","x":NaN}',
        b'{"frame":1,"stream_id":"s1","x":18446744073709551616}',
        b'{"frame":1,"stream_id":"s1"',
        b'{"frame":1,"stream_id":"s1"}}',
        b'{"frame":1,"stream_id":"s1","x":' + b"[" * 128 + b"]" * 128 + b"}",
        b'{"frame":1,"stream_id":"s1","x":"' + b"x" * 16 * 2**20 + b'"}',
    ],
    ids=lambda raw: raw[:40].decode(errors="replace"),
)
def test_what_is_not_strict_json_is_refused_with_the_byte(raw: bytes) -> None:
    error = rejected(raw)
    assert isinstance(error.position, int)
    assert 0 <= error.position <= len(raw)


@pytest.mark.parametrize("raw", [b"[]", b"null", b'"x"', b"5", b'[{"frame":1,"stream_id":"s"}]'])
def test_another_json_value_is_no_delta(raw: bytes) -> None:
    assert rejected(raw).reason == "not an object"


def test_limits_hold_on_entry_and_not_on_replay() -> None:
    deep = b'{"frame":1,"stream_id":"s1","x":' + b"[" * 128 + b"]" * 128 + b"}"
    assert rejected(deep).reason == "too deep"
    assert check(deep, limits=False).frame == 1


@pytest.mark.parametrize(
    ("fields", "time"),
    [
        ({"utc": "2026-03-28T12:00:00Z", "completed_at": "2026-01-01T00:00:00Z"}, 0),
        ({"utc": "soon", "completed_at": "2026-03-28T12:00:01Z"}, 1),
        ({"utc": 17, "completed_at": None, "timestamp": "2026-03-28T14:00:02+02:00"}, 2),
        ({"timestamp": "", "_meta": {"timestamp": "2026-03-28T12:00:03Z"}}, 3),
        ({"_meta": "2026-03-28T12:00:00Z"}, None),
        ({"created_at": "2026-03-28T12:00:00Z"}, None),
        ({"utc": "2026-03-28 12:00:00Z"}, None),
        ({"utc": "2026-03-28T12:00:00"}, None),
        ({}, None),
    ],
)
def test_time_is_the_first_that_is_there_and_parses(
    fields: dict[str, Any], time: int | None
) -> None:
    expected = None if time is None else NOON_US + time * 1_000_000
    assert check(written(**fields)).utc_us == expected


@pytest.mark.parametrize(
    ("seq", "counts_as"),
    [(7, 7), (2**64 - 1, 2**64 - 1), (-(2**63), -(2**63)), (1.0, 0), ("7", 0), (None, 0)],
)
def test_a_seq_that_is_no_integer_counts_as_0(seq: object, counts_as: int) -> None:
    assert check(written(seq=seq)).seq == counts_as
    assert check(written()).seq == 0


def test_a_fallback_delta_says_so_and_why() -> None:
    delta = check(fallback(405, "stream-1", "timeout", NOON_US))
    assert (delta.fallback, delta.reason, delta.utc_us) == (True, "timeout", NOON_US)
    assert (delta.frame, delta.stream) == (405, "stream-1")
    assert json.loads(delta.body)["posts_created"] == []
    assert not check(written(_meta={"status": "ok", "reason": "x"})).fallback
    assert check(written(_meta={"status": "fallback", "reason": 5})).reason == ""


def test_complete_adds_what_is_left_out() -> None:
    body = complete(b'{"x": 1}', frame=405, stream="stream-1", utc_us=NOON_US + 5)
    assert json.loads(body) == {
        "frame": 405,
        "stream_id": "stream-1",
        "utc": "2026-03-28T12:00:00.000005Z",
        "x": 1,
    }
    assert complete(b"{}", frame=1, stream=None, utc_us=None) == b'{"frame":1}'


def test_complete_changes_nothing_that_is_there() -> None:
    raw = written(completed_at="2026-03-28T12:00:00Z")
    assert complete(raw, frame=1, stream="other", utc_us=0) == canonical(raw, "compact")
    wrong = written(frame=None, stream_id="", utc="soon")
    assert complete(wrong, frame=1, stream="other", utc_us=0) == canonical(wrong, "compact")


def test_a_completed_delta_sent_again_is_the_same_event() -> None:
    body = complete(b'{"x": 1}', frame=1, stream="s1", utc_us=NOON_US)
    assert complete(body, frame=2, stream="s2", utc_us=NOON_US + 1) == body


@pytest.mark.parametrize("stream", ['a"b', "a\\b", "a\nb", "é"])
def test_complete_passes_a_bad_name_on_to_the_check(stream: str) -> None:
    body = complete(b"{}", frame=1, stream=stream, utc_us=None)
    assert json.loads(body)["stream_id"] == stream
    assert rejected(body).reason == "stream invalid"


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("{agent_id}", "zion"),
        ("{missing|agent_id}", "zion"),
        ("run-{meta.run}-{agent_id}", "run-7-zion"),
        ("plain", "plain"),
        ("{empty}", None),
        ("{nothing}", None),
        ("{agent_id.deeper}", None),
        ("{odd}", 'a"b'),
        ("{meta}", '{"run":7}'),
    ],
)
def test_ingest_templates_fill_from_the_delta(template: str, filled: str | None) -> None:
    raw = b'{"agent_id":"zion","empty":"","nothing":null,"odd":"a\\"b","meta":{"run":7}}'
    assert fill(template, raw) == filled


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(alphabet='\\"{}[]:,ab'), JSON, max_size=6))
@example({f"key {number}": [number] for number in range(200)})
def test_members_are_cut_where_the_parser_cuts_them(value: dict[str, Any]) -> None:
    compact = canonical(json.dumps(value).encode(), "compact")
    cut = members(compact)
    assert {json.loads(b'"%s"' % key): json.loads(inner) for key, inner in cut.items()} == value
    rebuilt = b",".join(b'"%s":%s' % member for member in cut.items())
    assert b"{" + rebuilt + b"}" == compact


@pytest.mark.parametrize("compact", [b"{}", b"[1]", b'"a"', b"5", b"null"])
def test_nothing_else_has_members(compact: bytes) -> None:
    assert members(compact) == {}


def test_text_is_a_strings_own_bytes_or_none() -> None:
    assert text(b'"abc"') == b"abc"
    assert text(b'""') == b""
    assert text(b'"a\\nb"') is None
    assert text(b"5") is None
    assert text(None) is None


def test_a_fallback_says_what_is_known_beside_its_reason() -> None:
    delta = check(fallback(405, "stream-1", "crashed", NOON_US, {"exit_code": b"3"}))
    assert (delta.fallback, delta.reason) == (True, "crashed")
    assert b'"_meta":{"exit_code":3,"reason":"crashed","status":"fallback"' in delta.body
