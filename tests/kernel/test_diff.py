"""`diff` gives operations that, folded onto the old document, give the new one, by its rules."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from goodneighbor.kernel import DeltaRejected, JsonRejected, Rules, canonical, diff
from hypothesis import Phase, given, settings

from ..effort import examples
from . import model_log
from .conformance import CASES, load_cases, run_case
from .history import FLEET, history
from .versions import ROOT, RULES, compact, folded, versions

NOTHING = b"[]"


def ops(old: Any, new: Any, name: str = "agents") -> list[tuple[Any, ...]]:
    """Give the operations between two agents `x`, or two whole documents, as (op, field, value)."""
    if name == "agents":
        old, new = {"agents": {"x": old}}, {"agents": {"x": new}}
    found = json.loads(diff(FLEET, name, json.dumps(old).encode(), json.dumps(new).encode()))
    return [tuple(each.values()) for each in found]


def field(rule: str) -> str:
    return f"/agents/x/{rule}"


# The laws.


@settings(max_examples=examples(1500), deadline=None)
@given(drawn=versions(2))
def test_folding_the_diff_onto_the_old_document_gives_the_new_one(
    drawn: tuple[str, list[bytes]],
) -> None:
    name, (old, new) = drawn
    said = diff(RULES, name, old, new)
    assert canonical(said, "compact", depth_max=0) == said
    assert folded(name, old, [said]) == folded(name, new, [NOTHING])


def test_a_diff_that_lacks_an_operation_is_caught() -> None:
    def lacks_one(drawn: tuple[str, list[bytes]]) -> None:
        name, (old, new) = drawn
        said = compact(json.loads(diff(RULES, name, old, new))[:-1])
        assert folded(name, old, [said]) == folded(name, new, [NOTHING])

    once = settings(max_examples=500, deadline=None, database=None, phases=(Phase.generate,))
    with pytest.raises(AssertionError):
        once(given(versions(2))(lacks_one))()


@settings(max_examples=examples(200), deadline=None)
@given(drawn=versions(1))
def test_a_document_does_not_differ_from_itself(drawn: tuple[str, list[bytes]]) -> None:
    name, (text,) = drawn
    assert diff(RULES, name, text, canonical(text)) == NOTHING


# Every version of a real fleet's state; every edit of the conformance cases.


@pytest.mark.parametrize("name", ["agents", "stats", "channels"])
def test_every_version_of_a_real_fleet_follows_from_the_one_before(
    name: str, shared_data: Path, tmp_path: Path
) -> None:
    found = history(shared_data / "fleet-history.bundle", tmp_path / "fleet", f"state/{name}.json")
    assert len(found) > 10
    walks = {"forwards": found, "backwards": found[::-1], "by threes": found[::3] + found[1::3]}
    for way, walk in walks.items():
        sizes = [0, 0]
        for old, new in pairwise(walk):
            said = diff(FLEET, name, old, new)
            assert folded(name, old, [said], FLEET) == new
            sizes[0] += len(json.loads(said))
            sizes[1] += len(said)
        print(f"{name} {way}: {len(walk)} versions, {sizes[0]} operations, {sizes[1]} bytes")


@pytest.mark.skipif(not CASES.exists(), reason=f"the conformance cases are not here: {CASES}")
def test_edits_taken_in_by_it_give_what_the_conformance_cases_expect(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def by_the_kernel(rules: Any, document: Any, old: Any, body: bytes) -> Any:
        by_the_model(rules, document, old, body)  # refuses what is no edit
        return json.loads(diff(Rules.parse(rules.text), document.name, compact(old), body))

    by_the_model = model_log.ops_of_edit
    monkeypatch.setattr(model_log, "ops_of_edit", by_the_kernel)
    cases = [case for case in load_cases() if any("absorb" in step for step in case.log)]
    assert len(cases) > 100
    failed = {case.name: run_case(case, model_log.ModelStore) for case in cases}
    assert {name: found for name, found in failed.items() if found} == {}


# What each rule says, and what none can.


def test_a_sum_field_is_the_increment() -> None:
    assert ops({"karma": 5}, {"karma": 12}) == [("inc", field("karma"), 7)]
    assert ops({"karma": 5}, {"karma": -(2**63)}) == [("set", field("karma"), -(2**63))]
    assert ops({"karma": -1}, {"karma": 2**64 - 1}) == [("set", field("karma"), 2**64 - 1)]
    assert ops({"karma": 2**64 - 1}, {"karma": 2**63}) == [("inc", field("karma"), 1 - 2**63)]
    assert ops({}, {"karma": 2}) == [("inc", field("karma"), 2)]
    assert ops({"karma": 1}, {"karma": 2.0}) == [("set", field("karma"), 2.0)]
    assert ops({"karma": None}, {"karma": 2}) == [("set", field("karma"), 2)]


def test_a_maximum_that_rose_is_a_max_and_one_that_fell_is_a_set() -> None:
    early, late = "2026-03-28T03:00:00Z", "2026-03-28T04:30:00+01:00"
    beat = field("heartbeat_last")
    assert ops({"heartbeat_last": early}, {"heartbeat_last": late}) == [("max", beat, late)]
    assert ops({"heartbeat_last": late}, {"heartbeat_last": early}) == [("set", beat, early)]
    assert ops({}, {"heartbeat_last": early}) == [("max", beat, early)]
    assert ops({"heartbeat_last": 5}, {"heartbeat_last": None}) == [("set", beat, None)]
    assert ops({"heartbeat_last": True}, {"heartbeat_last": 5}) == [("set", beat, 5)]


def test_a_first_is_said_only_where_it_was_absent() -> None:
    assert ops({}, {"joined": "a"}) == [("init", field("joined"), "a")]
    assert ops({"joined": "a"}, {"joined": "b"}) == [("set", field("joined"), "b")]
    assert ops({"joined": None}, {"joined": "b"}) == [("set", field("joined"), "b")]


def test_a_set_is_excludes_and_includes_and_one_reordered_is_a_set() -> None:
    channels = field("subscribed_channels")

    def between(old: Any, new: Any) -> list[tuple[Any, ...]]:
        return ops({"subscribed_channels": old}, {"subscribed_channels": new})

    assert between([1, 2, 3], [1, 3, 4]) == [("exclude", channels, 2), ("include", channels, 4)]
    assert between([1, 2], [2, 1]) == [("set", channels, [2, 1])]
    assert between([1], [3, 1]) == [("set", channels, [3, 1])]
    assert between([1], [1, 1]) == [("set", channels, [1, 1])]
    assert between([1, 1], [1]) == [("set", channels, [1])]
    assert between([1], [1.0]) == [("exclude", channels, 1), ("include", channels, 1.0)]
    assert between([1], []) == [("exclude", channels, 1)]
    assert between(None, [1]) == [("set", channels, [1])]
    assert ops({}, {"subscribed_channels": [1]}) == [("include", channels, 1)]
    assert ops({}, {"subscribed_channels": []}) == [("set", channels, [])]


def test_an_array_that_grew_at_its_end_pushes() -> None:
    log = field("log")
    assert ops({"log": []}, {"log": [1]}) == [("push", log, 1)]
    assert ops({"log": [1]}, {"log": [1, [2], "3,"]}) == [("push", log, [2]), ("push", log, "3,")]
    assert ops({"log": [1]}, {"log": [12]}) == [("set", log, [12])]
    assert ops({"log": [1]}, {"log": [2, 1]}) == [("set", log, [2, 1])]
    assert ops({}, {"log": [1]}) == [("set", log, [1])]
    assert ops({"a": {"log": [1]}}, {"a": {"log": [1, 1]}}) == [("push", "/agents/x/a/log", 1)]
    assert ops({"joined": [1]}, {"joined": [1, 2]}) == [("set", field("joined"), [1, 2])]


def test_an_array_too_long_to_be_pushed_one_by_one_is_a_set() -> None:
    many = list(range(20_000))
    assert [each[0] for each in ops({"log": []}, {"log": many})] == ["set"]
    assert [each[0] for each in ops({}, {"subscribed_channels": many})] == ["set"]


def test_a_star_names_the_fields_one_level_below() -> None:
    old, new = {"traits": {"a": 1, "b": {"c": 1}}}, {"traits": {"a": 2, "b": {"c": 2}}}
    a, b = "/agents/x/traits/a", "/agents/x/traits/b/c"
    assert ops(old, new) == [("max", a, 2), ("set", b, 2)]
    assert ops(new, old) == [("set", a, 1), ("set", b, 1)]


def test_it_descends_objects_and_other_differences_are_set() -> None:
    assert ops({"bio": "a", "old": 1}, {"bio": "b"}) == [
        ("set", field("bio"), "b"),
        ("remove", field("old")),
    ]
    assert ops({"a": {"b": {"c": 1}}}, {"a": {"b": {"c": 1.0, "d": None}}}) == [
        ("set", "/agents/x/a/b/c", 1.0),
        ("set", "/agents/x/a/b/d", None),
    ]
    assert ops({"a": {"b": 1}}, {"a": [1]}) == [("set", field("a"), [1])]


def test_an_entity_added_is_set_whole_and_one_that_went_is_removed() -> None:
    old, new = {"agents": {"a": {"karma": 1}}}, {"agents": {"b": {"karma": 1}}}
    said = json.loads(diff(FLEET, "agents", compact(old), compact(new)))
    assert [list(each.values()) for each in said] == [
        ["remove", "/agents/a"],
        ["set", "/agents/b", {"karma": 1}],
    ]
    assert ops(5, {"karma": 1}) == [("set", "/agents/x", {"karma": 1})]


def test_members_beside_the_root_have_no_rule() -> None:
    old = {"_meta": {"karma": 1}, "agents": {}, "karma": 1}
    new = {"_meta": {"karma": 2}, "agents": {}, "karma": 2}
    said = json.loads(diff(FLEET, "agents", compact(old), compact(new)))
    assert [list(each.values()) for each in said] == [
        ["set", "/agents/@/_meta/karma", 2],
        ["set", "/agents/@/karma", 2],
    ]


def test_a_record_is_one_entity() -> None:
    assert ops({"total_posts": 1}, {"total_posts": 3}, "stats") == [
        ("inc", "/stats/total_posts", 2)
    ]


def test_derived_fields_are_left_out() -> None:
    old = compact({ROOT: {}, "live": 1, "_meta": {"n": 1}})
    new, none = compact({ROOT: {}, "live": 2, "_meta": {"n": 2}}), compact({ROOT: {}, "_meta": {}})
    assert diff(RULES, "a", old, new) == diff(RULES, "a", old, none) == NOTHING
    assert diff(RULES, "st", b'{"na": 1}', b'{"d": {"x": 1}}') != NOTHING  # made whole, with d


def test_a_name_is_escaped_as_a_pointer_and_as_json() -> None:
    key, name = 'a/b~"\n', "\x01~1"
    old, new = compact({ROOT: {key: {}}}), compact({ROOT: {key: {name: 1}}})
    (said,) = json.loads(diff(RULES, "a", old, new))
    assert said["path"] == '/a/a~1b~0"\n/\x01~01'


# What is refused.


@pytest.mark.parametrize("side", ["old", "new"])
def test_a_text_that_is_not_strict_json_is_refused_with_its_place(side: str) -> None:
    texts = {"old": b'{"agents": {}}', "new": b'{"agents": {}}', side: b'{"agents": {,}}'}
    with pytest.raises(JsonRejected) as caught:
        diff(FLEET, "agents", texts["old"], texts["new"])
    assert caught.value.position == 12
    assert caught.value.__notes__ == [f"in the text {side!r}"]


@pytest.mark.parametrize(
    ("name", "text", "what"),
    [
        ("agents", b"[]", "the document is no object"),
        ("stats", b"null", "the document is no object"),
        ("agents", b"{}", "the document's root is missing or no object"),
        ("agents", b'{"agents": []}', "the document's root is missing or no object"),
        ("agents", b'{"agents": {"@": {}}}', "a member @ under the document's root"),
    ],
)
def test_what_is_no_such_document_is_refused(name: str, text: bytes, what: str) -> None:
    good = b'{"agents": {}}'
    for old, new, side in ((text, good, "old"), (good, text, "new")):
        with pytest.raises(DeltaRejected, match=f"{what}: {name!r} as {side!r} has it") as caught:
            diff(FLEET, name, old, new)
        assert caught.value.reason == "shape"


def test_a_document_may_be_deeper_than_a_delta_and_no_deeper_than_the_state() -> None:
    def nested(depth: int, leaf: bytes) -> bytes:
        return b'{"a":' * depth + leaf + b"}" * depth

    said = json.loads(diff(FLEET, "stats", nested(1000, b"1"), nested(1000, b"2")))
    assert said == [{"op": "set", "path": "/stats" + "/a" * 1000, "value": 2}]
    with pytest.raises(JsonRejected, match="more arrays and objects inside each other"):
        diff(FLEET, "stats", nested(1025, b"1"), nested(1025, b"2"))
