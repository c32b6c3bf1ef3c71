"""The reference model holds on every conformance case."""

import pytest

from . import model
from .conformance import (
    CASES,
    SUMS_AGAINST_A_SENTENCE,
    Case,
    compared_frames,
    load_cases,
    run_case,
)
from .model_log import ModelStore

ALL = load_cases()
pytestmark = pytest.mark.skipif(not ALL, reason=f"the conformance cases are not here: {CASES}")


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
def test_the_model_gives_what_the_case_expects(case: Case) -> None:
    assert run_case(case, ModelStore) == []


@pytest.mark.parametrize("name", sorted(SUMS_AGAINST_A_SENTENCE))
def test_a_case_against_a_sentence_differs_only_by_skipped_units(name: str) -> None:
    case = next(case for case in ALL if case.name == name)
    stores: list[ModelStore] = []

    def create(rules_text: str, base: dict[str, str] | None) -> ModelStore:
        stores.append(ModelStore(rules_text, base))
        return stores[0]

    assert run_case(case, create) == []
    got, must = compared_frames(case, stores[0]), case.expect["frames"]
    assert got != must
    for frame, sums in got.items():
        more = sums["in"] - must.get(frame, {"in": 0})["in"]
        without = {**sums, "in": sums["in"] - more, "skipped": sums["skipped"] - more}
        assert more >= 0
        assert without == must.get(frame, {"in": 0, "applied": 0, "duplicate": 0, "skipped": 0})


def test_a_model_that_folds_in_order_of_arrival_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "order", lambda event: 0)
    failing = {case.name for case in ALL if run_case(case, ModelStore)}
    assert {"order-inside-a-frame", "same-events-same-bytes-out-of-order"} <= failing
