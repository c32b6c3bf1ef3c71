"""The kernel folds as the reference model does: same rows, same documents, same receipts."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pytest
from goodneighbor.kernel import Event, Fold, Folded, Receipt, Rules
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from ..effort import examples
from . import model, model_rules, model_units
from .model_json import REMOVED, compact
from .model_log import ops_of_base, read_delta
from .model_state import State, documents
from .strategies import bases, deltas, own_operations, spelled
from .strategies_rules import rules_texts

SEED = bytes(16)
Rows = dict[tuple[str, bytes], bytes | None]
Frame = list[model_units.Event]


@dataclass(frozen=True)
class Play:
    """Rules and frames of events; the starting state is the first frame."""

    text: str
    rules: model_rules.Rules
    frames: list[Frame]


@st.composite
def plays(draw: st.DrawFn) -> Play:
    text = draw(rules_texts())
    rules = model_rules.parse_rules(text)
    base = [
        own_event(-1, index, ops_of_base(rules.documents[name], whole))
        for index, (name, whole) in enumerate(draw(bases).items())
    ]
    frames = [base]
    for number in range(1, draw(st.integers(1, 3)) + 1):
        raws = [draw(spelled(body)) for body in draw(st.lists(deltas(), max_size=4))]
        events = {event.id: event for event in map(read_delta, raws)}
        if draw(st.booleans()):
            own = own_event(number, 0, draw(own_operations))
            events[own.id] = own
        frames.append(draw(st.permutations(list(events.values()))))
    return Play(text, rules, frames)


@settings(max_examples=examples(400), deadline=None)
@given(play=plays())
def test_one_handle_folds_frame_after_frame_as_the_model_does(play: Play) -> None:
    folds_alike(play)


def folds_alike(play: Play) -> None:
    state: State = {}
    rows: Rows = {}
    with Fold(Rules.parse(play.text), seed=SEED) as fold:
        for frame in play.frames:
            receipts = model.fold_frame(state, play.rules, frame)
            folded = fold.run([event_of(each) for each in frame])
            apply_changes(rows, folded)
            assert receipts_of(folded.receipts) == expected_receipts(receipts)
            assert rows == rows_of(state)
            assert documents_of(fold, play.rules) == documents(state, play.rules)


@settings(max_examples=examples(200), deadline=None)
@given(play=plays())
def test_a_new_handle_needs_no_more_rows_than_it_names(play: Play) -> None:
    state: State = {}
    rules = Rules.parse(play.text)
    rows: Rows = {}
    totals = [0] * len(rules.terms)
    for frame in play.frames:
        model.fold_frame(state, play.rules, frame)
        events = [event_of(each) for each in frame]
        with Fold(rules, seed=SEED) as fold:
            load(fold, ((key, rows[key]) for key in fold.needs(events) if key in rows))
            fold.set_totals(totals)
            apply_changes(rows, fold.run(events))
            totals = fold.totals()
        assert rows == rows_of(state)


@settings(max_examples=examples(100), deadline=None)
@given(play=plays())
def test_totals_counted_again_are_the_totals_kept(play: Play) -> None:
    rows: Rows = {}
    with Fold(Rules.parse(play.text), seed=SEED) as fold:
        for frame in play.frames:
            apply_changes(rows, fold.run([event_of(each) for each in frame]))
        kept = fold.totals()
    with Fold(Rules.parse(play.text), seed=SEED) as fold:
        load(fold, rows.items())
        fold.recount()
        assert fold.totals() == kept


def test_a_model_that_forgets_the_rollback_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def put_at_once(draft: model.Draft, document: str, key: str, value: Any) -> None:
        model.Draft.take_over(draft)
        draft.written[document, key] = value

    monkeypatch.setattr(model.Draft, "put", put_at_once)
    once = settings(max_examples=2000, deadline=None, database=None, phases=(Phase.generate,))
    with pytest.raises(AssertionError):
        once(given(plays())(folds_alike))()


def own_event(frame: int, seq: int, ops: list[dict[str, Any]]) -> model_units.Event:
    body = {"frame": frame, "stream_id": "store", "seq": seq, "ops": ops}
    identity = compact(body)[-16:].rjust(16, b"\0")
    return model_units.Event(identity, frame, None, "store", True, body)


def event_of(event: model_units.Event) -> Event:
    return Event(event.id, event.frame, event.utc_us, event.stream, event.own, compact(event.body))


def load(fold: Fold, rows: Iterable[tuple[tuple[str, bytes], bytes | None]]) -> None:
    for (document, key), body in rows:
        fold.load(document, [(key, body)])


def apply_changes(rows: Rows, folded: Folded) -> None:
    for each in folded.changed:
        if each.body == b"":
            rows.pop((each.document, each.key), None)
        else:
            rows[each.document, each.key] = each.body


def rows_of(state: State) -> Rows:
    return {
        (document, key.encode()): None if value is REMOVED else compact(value)
        for document, entities in state.items()
        for key, value in entities.items()
    }


def documents_of(fold: Fold, rules: model_rules.Rules) -> dict[str, str]:
    return {
        name: fold.document(name, "compact" if each.path is None else "pretty").decode()
        for name, each in rules.documents.items()
    }


def receipts_of(receipts: Iterable[Receipt]) -> list[tuple[Any, ...]]:
    return [
        (
            *(each.units_in, each.applied, each.duplicate, each.skipped, each.optional_skipped),
            sorted((line.source, line.item, line.status, line.reason) for line in each.unapplied),
        )
        for each in receipts
    ]


def expected_receipts(receipts: Iterable[model.Receipt]) -> list[tuple[Any, ...]]:
    return [
        (
            *(each.units_in, each.applied, each.duplicate, each.skipped, each.optional_skipped),
            sorted((line.source, line.item, line.status, line.reason) for line in each.lines),
        )
        for each in receipts
    ]


def test_a_missing_value_is_said_before_an_entity_that_no_template_gives() -> None:
    """Found by the property above on another Python: only the reasons differed."""
    text = (
        '[documents.a]\npath = "state/a.json"\nroot = "a"\n'
        '[[items]]\neach = "items"\napply = ["set /a/{who} {t}"]\n'
    )
    event = read_delta(b'{"frame":1,"stream_id":"s1","items":[{"who":"@","t":null}]}')
    folds_alike(Play(text, model_rules.parse_rules(text), [[], [event]]))
