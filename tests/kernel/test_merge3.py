"""`merge3` applies two edits of one base by the fields' rules, and reports every conflict."""

import json
from pathlib import Path
from typing import Any

import pytest
from goodneighbor.kernel import (
    Conflict,
    DeltaRejected,
    JsonRejected,
    Merged,
    Rules,
    canonical,
    diff,
    merge3,
)
from hypothesis import Phase, given, settings

from ..effort import examples
from . import model_merge3
from .history import FLEET, history
from .model_json import compact, pretty
from .versions import RULES, UNDERIVED, folded, versions

AGENTS = Rules.parse("""
[documents.agents]
path = "state/agents.json"
root = "agents"
[documents.agents.fields]
karma = "sum"
seen = "max"
low = "min"
joined = "first"
tags = "set"
"traits/*" = "sum"
[documents.agents.derive]
count = "count(agents)"
""")
Triple = tuple[str, list[bytes]]


def merged(base: Any, ours: Any, theirs: Any) -> tuple[Any, list[Any]]:
    """Merge three versions of agent `x`: what it became, and the conflicts."""
    texts = [json.dumps({"agents": {"x": each}}).encode() for each in (base, ours, theirs)]
    value, conflicts = whole(texts[0], texts[1], texts[2])
    return value["agents"]["x"], conflicts


def whole(base: bytes, ours: bytes, theirs: bytes) -> tuple[Any, list[Any]]:
    found = merge3(AGENTS, "agents", base, ours, theirs)
    conflicts = [
        (path, None if one is None else json.loads(one), None if two is None else json.loads(two))
        for path, one, two in found.conflicts
    ]
    return json.loads(found.text), conflicts


# The laws.


@settings(max_examples=examples(1000), deadline=None)
@given(drawn=versions(3))
def test_it_merges_as_the_model_does(drawn: Triple) -> None:
    merges_alike(drawn)


def merges_alike(drawn: Triple) -> None:
    name, texts = drawn
    base, ours, theirs = (json.loads(text) for text in texts)
    (document,) = (each for each in RULES.documents if each.name == name)
    value, conflicts = model_merge3.merge3(document, (base, ours, theirs))
    found = merge3(RULES, name, *texts)
    assert found.text == pretty(value)
    assert [tuple(each) for each in found.conflicts] == conflicts


def test_a_model_that_takes_one_side_in_silence_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(model_merge3.JOIN, "last", lambda base, ours, theirs: ours)
    once = settings(max_examples=500, deadline=None, database=None, phases=(Phase.generate,))
    with pytest.raises(AssertionError):
        once(given(versions(3))(merges_alike))()


@settings(max_examples=examples(1000), deadline=None)
@given(drawn=versions(3))
def test_the_sides_may_change_places(drawn: Triple) -> None:
    name, (base, ours, theirs) = drawn
    one, two = merge3(RULES, name, base, ours, theirs), merge3(RULES, name, base, theirs, ours)
    assert one.conflicts == tuple(Conflict(path, b, a) for path, a, b in two.conflicts)
    assert unordered(json.loads(one.text)) == unordered(json.loads(two.text))


def unordered(value: Any) -> Any:
    """Sort each array: what both sides brought stands in the order of the sides."""
    if isinstance(value, dict):
        return {key: unordered(each) for key, each in value.items()}
    if isinstance(value, list):
        return sorted(map(unordered, value), key=repr)
    return compact(value)


@settings(max_examples=examples(500), deadline=None)
@given(drawn=versions(2))
def test_a_side_that_changed_nothing_leaves_the_other(drawn: Triple) -> None:
    name, (base, ours) = drawn
    expected = Merged(canonical(ours), ())
    assert merge3(RULES, name, base, ours, base) == expected
    assert merge3(RULES, name, base, base, ours) == expected


@settings(max_examples=examples(1000), deadline=None)
@given(drawn=versions(3))
def test_every_conflict_is_two_different_values_at_one_place_and_the_base_stays(
    drawn: Triple,
) -> None:
    name, texts = drawn
    found = merge3(RULES, name, *texts)
    for path, ours, theirs in found.conflicts:
        values = [at(name, json.loads(text), path) for text in texts]
        assert [ours, theirs] == values[1:]
        assert ours != theirs and ours != values[0] and theirs != values[0]
        assert at(name, json.loads(found.text), path) == values[0]


def at(name: str, document: Any, path: str) -> bytes | None:
    """Give the canonical bytes at a pointer, None where there is nothing."""
    keys = [each.replace("~1", "/").replace("~0", "~") for each in path.split("/")[2:]]
    (root,) = (each.root for each in RULES.documents if each.name == name)
    if root is not None:
        keys = keys[1:] if keys[0] == "@" else [root, *keys]
    for key in keys:
        if not isinstance(document, dict) or key not in document:
            return None
        document = document[key]
    return compact(document)


@settings(max_examples=examples(1000), deadline=None)
@given(drawn=versions(3))
def test_without_a_conflict_it_is_both_diffs_folded_wherever_their_order_does_not_matter(
    drawn: Triple,
) -> None:
    name, (base, ours, theirs) = drawn
    said = [diff(UNDERIVED, name, base, side) for side in (ours, theirs)]
    try:
        one, two = (folded(name, base, deltas, UNDERIVED) for deltas in (said, said[::-1]))
    except AssertionError:
        return  # an operation of one side does not apply behind the other's
    found = merge3(UNDERIVED, name, base, ours, theirs)
    if one == two and not found.conflicts:
        assert found.text == one
    elif one == two:  # what a removal takes with it, the other side's removals below included
        assert all(None in (each.ours, each.theirs) for each in found.conflicts)


@pytest.mark.parametrize("name", ["agents", "stats", "channels"])
def test_versions_of_a_real_fleet_merge_the_same_with_their_sides_changed(
    name: str, shared_data: Path, tmp_path: Path
) -> None:
    found = history(shared_data / "fleet-history.bundle", tmp_path / "fleet", f"state/{name}.json")
    conflicts = 0
    for base, ours, theirs in zip(found, found[1:], found[5:], strict=False):
        one, two = merge3(FLEET, name, base, ours, theirs), merge3(FLEET, name, base, theirs, ours)
        assert one.conflicts == tuple(Conflict(path, b, a) for path, a, b in two.conflicts)
        assert unordered(json.loads(one.text)) == unordered(json.loads(two.text))
        assert all(ours != theirs for _, ours, theirs in one.conflicts)
        conflicts += len(one.conflicts)
    print(f"{name}: {len(found) - 5} merges, {conflicts} conflicts")


# Sentence by sentence.


def test_counters_add() -> None:
    assert merged({"karma": 5}, {"karma": 7}, {"karma": 4}) == ({"karma": 6}, [])
    assert merged({"karma": 5}, {"karma": 6}, {"karma": 6}) == ({"karma": 7}, [])
    assert merged({}, {"karma": 1}, {"karma": 2}) == ({"karma": 3}, [])
    assert merged({"traits": {"a": 1}}, {"traits": {"a": 2}}, {"traits": {"a": 3}}) == (
        {"traits": {"a": 4}},
        [],
    )


def test_a_counter_that_cannot_add_is_a_conflict() -> None:
    top = 2**64 - 1
    path = "/agents/x/karma"
    assert merged({"karma": 0}, {"karma": top}, {"karma": 1}) == ({"karma": 0}, [(path, top, 1)])
    assert merged({"karma": 0}, {"karma": 1.5}, {"karma": 1}) == ({"karma": 0}, [(path, 1.5, 1)])
    assert merged({"karma": 0}, {"karma": "9"}, {"karma": "9"}) == ({"karma": "9"}, [])
    assert merged({"karma": 0}, {}, {"karma": 1}) == ({"karma": 0}, [(path, None, 1)])


def test_sets_unite_and_what_either_took_out_is_gone() -> None:
    assert merged({"tags": [1, 2, 3]}, {"tags": [1, 3, 5]}, {"tags": [2, 3, 6, 5]}) == (
        {"tags": [3, 5, 6]},
        [],
    )
    assert merged({}, {"tags": ["b"]}, {"tags": ["a", "b"]}) == ({"tags": ["b", "a"]}, [])
    assert merged({"tags": [1]}, {"tags": [1.0]}, {"tags": [1, 2]}) == ({"tags": [1.0, 2]}, [])


def test_a_set_in_a_new_order_keeps_it_and_one_in_two_orders_is_a_conflict() -> None:
    base, one, two = {"tags": [1, 2, 3]}, {"tags": [3, 2, 1]}, {"tags": [2, 3, 1]}
    assert merged(base, one, {"tags": [1, 2, 3, 4]}) == ({"tags": [3, 2, 1, 4]}, [])
    assert merged(base, {"tags": [1, 2, 3, 4]}, one) == ({"tags": [3, 2, 1, 4]}, [])
    assert merged(base, one, two) == (base, [("/agents/x/tags", [3, 2, 1], [2, 3, 1])])
    assert merged(base, {"tags": [1, 1]}, one) == (base, [("/agents/x/tags", [1, 1], [3, 2, 1])])


def test_maxima_and_minima_win() -> None:
    early, late = "2026-03-28T03:00:00Z", "2026-03-28T04:30:00+01:00"
    assert merged({"seen": 1}, {"seen": early}, {"seen": late}) == ({"seen": late}, [])
    assert merged({"low": 9}, {"low": 4}, {"low": 5}) == ({"low": 4}, [])
    assert merged({"seen": 9}, {"seen": 4}, {"seen": 12}) == ({"seen": 12}, [])
    assert merged({"seen": 9}, {"seen": None}, {"seen": 4}) == ({"seen": 4}, [])


def test_a_maximum_that_cannot_be_compared_is_a_conflict() -> None:
    base = {"seen": 1}
    assert merged(base, {"seen": True}, {"seen": 2}) == (base, [("/agents/x/seen", True, 2)])
    assert merged(base, {}, {"seen": 2}) == (base, [("/agents/x/seen", None, 2)])
    assert merged(base, {"seen": None}, {"seen": ""}) == (base, [("/agents/x/seen", None, "")])


def test_arrays_that_grew_get_both_sides_elements_ours_before_theirs() -> None:
    assert merged({"log": [1]}, {"log": [1, 2]}, {"log": [1, 3, 4]}) == ({"log": [1, 2, 3, 4]}, [])
    assert merged({"log": []}, {"log": [2]}, {"log": [2]}) == ({"log": [2, 2]}, [])
    conflict = ("/agents/x/log", [2], [1, 3])
    assert merged({"log": [1]}, {"log": [2]}, {"log": [1, 3]}) == ({"log": [1]}, [conflict])


def test_different_fields_coexist() -> None:
    base, ours = {"a": 1, "b": {"c": 1, "d": 1}}, {"a": 2, "b": {"c": 2, "d": 1}}
    theirs = {"a": 1, "b": {"c": 1, "e": 5}}
    assert merged(base, ours, theirs) == ({"a": 2, "b": {"c": 2, "e": 5}}, [])


def test_different_entities_coexist() -> None:
    base, ours, theirs = b'{"agents":{}}', b'{"agents":{"a":{}}}', b'{"agents":{"b":1},"m":2}'
    assert whole(base, ours, theirs) == ({"agents": {"a": {}, "b": 1}, "m": 2}, [])


def test_two_values_in_one_last_field_are_a_conflict_and_the_base_stays() -> None:
    conflict = ("/agents/x/bio", "b", "c")
    assert merged({"bio": "a"}, {"bio": "b"}, {"bio": "c"}) == ({"bio": "a"}, [conflict])
    assert merged({}, {"bio": "b"}, {"bio": "c"}) == ({}, [conflict])
    assert merged({"bio": "a"}, {"bio": "b"}, {"bio": "b"}) == ({"bio": "b"}, [])
    assert merged({"bio": 1}, {"bio": 1.0}, {"bio": 2}) == ({"bio": 1}, [("/agents/x/bio", 1.0, 2)])
    assert merged({}, {"joined": 1}, {"joined": 2}) == ({}, [("/agents/x/joined", 1, 2)])


def test_an_entity_removed_here_and_changed_there_is_a_conflict() -> None:
    base, none, changed = b'{"agents":{"x":{"a":1}}}', b'{"agents":{}}', b'{"agents":{"x":{"a":2}}}'
    expected = {"agents": {"x": {"a": 1}}}
    assert whole(base, none, changed) == (expected, [("/agents/x", None, {"a": 2})])
    assert whole(base, changed, none) == (expected, [("/agents/x", {"a": 2}, None)])
    assert whole(base, none, base) == whole(base, none, none) == ({"agents": {}}, [])


def test_one_new_key_with_two_entities_is_a_conflict() -> None:
    none, one, two = b'{"agents":{}}', b'{"agents":{"x":{"a":1}}}', b'{"agents":{"x":{"b":1}}}'
    assert whole(none, one, two) == ({"agents": {}}, [("/agents/x", {"a": 1}, {"b": 1})])
    assert whole(none, one, one) == ({"agents": {"x": {"a": 1}}}, [])


def test_a_conflict_beside_the_root_names_it_with_an_at() -> None:
    base, ours, theirs = (b'{"agents":{},"m/~":%d,"karma":1}' % each for each in (1, 2, 3))
    expected = {"agents": {}, "karma": 1, "m/~": 1}
    assert whole(base, ours, theirs) == (expected, [("/agents/@/m~1~0", 2, 3)])


def test_a_derived_field_is_never_a_conflict() -> None:
    def with_count(value: bytes) -> bytes:
        return b'{"agents":{},"count":' + value + b"}"

    five, six, seven, null = (with_count(each) for each in (b"5", b"6", b"7", b"null"))
    assert whole(five, six, seven) == ({"agents": {}, "count": 8}, [])
    assert whole(five, six, null) == ({"agents": {}, "count": 5}, [])
    assert whole(b'{"agents":{}}', six, seven) == ({"agents": {}}, [])


# What is refused.


def test_the_text_that_is_refused_is_named() -> None:
    good = b'{"agents":{}}'
    for index, side in enumerate(("base", "ours", "theirs")):
        texts = [good, good, good]
        texts[index] = b"<<<<<<< HEAD"
        with pytest.raises(JsonRejected) as caught:
            merge3(AGENTS, "agents", *texts)
        assert caught.value.__notes__ == [f"in the text {side!r}"]
        texts[index] = b"{}"
        with pytest.raises(DeltaRejected, match=f"root is missing or no object: .* as {side!r}"):
            merge3(AGENTS, "agents", *texts)
