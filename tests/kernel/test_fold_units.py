"""Units are found before they run, a part of them at a time: in the same order, in any number."""

import pytest
from goodneighbor.kernel import Fold, Rules

from . import model
from .model_json import compact
from .model_log import read_delta
from .model_rules import parse_rules
from .model_state import State
from .test_fold_matches_model import Play, event_of, folds_alike, own_event

RULES = """
[documents.a]
path = "state/a.json"
root = "a"
[documents.k]
[documents.st]
path = "state/st.json"
kind = "record"

[[items]]
each = "made"
when = "t == 1"
into = "k"
key = ["{id}"]
apply = ["inc /st/made 1", "inc? /a/{who}/n 1", "max? /a/{who}/h {at|@utc}"]
[[items]]
each = "."
apply = ["inc /st/deltas 1"]
[[items]]
each = "seen"
apply = ["inc /a/{who}/seen 1", "set /st/last {who}", "inc /st/seen 1"]
[[items]]
each = "made"
when = "t == 2"
apply = ["remove /k/{id}"]
"""
COUNTS = (0, 1, 11, 12, 13, 24, 100)  # 12 units are found at once


def base() -> list[dict[str, object]]:
    agent = {"h": "2026-01-01T00:00:00Z", "n": 1, "seen": 0}
    record = {"deltas": 0, "made": 0, "seen": 0}
    values = {"/st": record, **{f"/a/agent-{i}": agent for i in range(5)}}
    return [{"op": "set", "path": path, "value": value} for path, value in values.items()]


def body(count: int, status: str) -> dict[str, object]:
    """A delta of items that some rules take and others leave, some of which name nobody."""
    items = [
        {"at": f"2026-01-02T00:{i % 60:02}:00Z", "id": i // 2, "t": i % 4, "who": f"agent-{i % 6}"}
        for i in range(count)
    ]
    return {
        "frame": 1,
        "stream_id": "s",
        "utc": "2026-01-03T00:00:00Z",
        "made": items,
        "seen": {f"key-{i}": item for i, item in enumerate(items)},
        "_meta": {"status": status},
    }


@pytest.mark.parametrize("status", ["ok", "fallback"])
@pytest.mark.parametrize("count", COUNTS)
def test_any_number_of_items_folds_as_the_model_folds_it(count: int, status: str) -> None:
    event = read_delta(compact(body(count, status)))
    frames = [[own_event(-1, 0, base())], [event], []]
    folds_alike(Play(RULES, parse_rules(RULES), frames))


@pytest.mark.parametrize("source", ["made", "seen"])
def test_what_is_no_list_is_skipped_in_its_place(source: str) -> None:
    event = read_delta(compact({**body(30, "ok"), source: "none"}))
    folds_alike(Play(RULES, parse_rules(RULES), [[own_event(-1, 0, base())], [event]]))


def test_more_records_than_steps_have_numbers_for() -> None:
    names = [f"record-{i}" for i in range(12)]
    text = "".join(
        f'[documents.{name}]\npath = "state/{name}.json"\nkind = "record"\n' for name in names
    )
    applies = ", ".join(f'"inc /{name}/n {i + 1}"' for i, name in enumerate(names))
    text += f'[[items]]\neach = "items"\napply = [{applies}]\n'
    values = [{"op": "set", "path": f"/{name}", "value": {"n": 1}} for name in names]
    event = read_delta(b'{"frame":1,"stream_id":"s","items":[1,2,3]}')
    folds_alike(Play(text, parse_rules(text), [[own_event(-1, 0, values)], [event]]))


def test_an_entity_that_a_unit_sets_anew_is_written_as_it_is_then() -> None:
    text = (
        '[documents.a]\n[documents.st]\npath = "state/st.json"\nkind = "record"\n'
        '[[items]]\neach = "items"\napply = ["inc /a/{who}/n 1", "inc /st/n 1", "set /st {whole}",'
        ' "inc /st/n 1", "set /a/{who} {whole}", "inc /a/{who}/n 1", "test /st {whole}"]\n'
        '[[items]]\neach = "items"\napply = ["inc /a/{who}/n 1", "inc /st/n 1"]\n'
    )
    started = {"n": 1, "other": "kept"}
    values = [{"op": "set", "path": path, "value": started} for path in ("/a/one", "/a/two", "/st")]
    wholes = [{"n": 5}, {"n": "text"}, {}, {"n": 5}]
    items = [{"who": who, "whole": whole} for whole in wholes for who in ("one", "two", "none")]
    event = read_delta(compact({"frame": 1, "stream_id": "s", "items": items}))
    folds_alike(Play(text, parse_rules(text), [[own_event(-1, 0, values)], [event], [event]]))


def test_a_record_that_a_unit_opened_and_put_back_is_no_longer_open() -> None:
    """The empty record is two bytes: under the sanitizers, taking it for an open one is seen."""
    text = (
        '[documents.st]\npath = "state/st.json"\nkind = "record"\n'
        '[[items]]\neach = "items"\napply = ["set /st {}", "inc /st/n 1", "test /st {}"]\n'
        '[[items]]\neach = "items"\napply = ["inc /st/n 1", "inc /st/n 1"]\n'
    )
    event = read_delta(b'{"frame":1,"stream_id":"s","items":[1,2]}')
    folds_alike(Play(text, parse_rules(text), [[event]]))


@pytest.mark.parametrize("status", ["ok", "fallback"])
def test_lines_come_in_the_order_of_the_rules(status: str) -> None:
    frames = [[own_event(-1, 0, base())], [read_delta(compact(body(50, status)))]]
    state: State = {}
    with Fold(Rules.parse(RULES), seed=bytes(16)) as fold:
        for frame in frames:
            (expected,) = model.fold_frame(state, parse_rules(RULES), frame)
            (receipt,) = fold.run([event_of(each) for each in frame]).receipts
            assert [(each.source, each.item) for each in receipt.unapplied] == [
                (each.source, each.item) for each in expected.lines
            ]
    assert len(expected.lines) > 12
