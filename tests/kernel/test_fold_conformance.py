"""The kernel's fold on every conformance case, under the reference model's log.

The model says what folds where, the kernel folds it: so the kernel answers for late deltas, changed
rules and absorbed edits too.
"""

from functools import cache

import pytest
from goodneighbor.kernel import Event, Fold, Rules

from . import model_rules, model_units
from .conformance import CASES, Case, load_cases, run_case
from .model import Receipt
from .model_json import REMOVED, compact, loads
from .model_log import ModelStore
from .model_state import State

ALL = load_cases()
SEED = bytes(range(16))


@cache
def kernel_rules(text: str) -> Rules:
    return Rules.parse(text)


class KernelStore(ModelStore):
    """The model's log over the kernel's fold: a new handle for every frame."""

    is_narrow = False

    def fold(
        self, state: State, rules: model_rules.Rules, events: list[model_units.Event]
    ) -> list[Receipt]:
        packed = [
            Event(each.id, each.frame, each.utc_us, each.stream, each.own, compact(each.body))
            for each in events
        ]
        with Fold(kernel_rules(rules.text), seed=SEED) as fold:
            if self.is_narrow:
                fold.read_narrow()
            load(fold, state)
            folded = fold.run(packed)
            for document, key, body in folded.changed:
                rows = state.setdefault(document, {})
                rows.pop(key.decode(), None)
                if body != b"":
                    rows[key.decode()] = REMOVED if body is None else loads(body)
            return [Receipt(*each[:5]) for each in folded.receipts]


class NarrowStore(KernelStore):
    """The same on a machine without wide registers."""

    is_narrow = True


def load(fold: Fold, state: State) -> None:
    for document, rows in state.items():
        fold.load(
            document,
            [
                (key.encode(), None if value is REMOVED else compact(value))
                for key, value in rows.items()
            ],
        )
    fold.recount()


@pytest.mark.skipif(not ALL, reason=f"the conformance cases are not here: {CASES}")
@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
def test_the_kernel_gives_what_the_case_expects(case: Case) -> None:
    assert run_case(case, KernelStore) == []
    assert run_case(case, NarrowStore) == []
