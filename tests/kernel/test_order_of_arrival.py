"""Law 2 on the reference model: the same events give the same bytes, in any order of arrival."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ..effort import examples
from .model_json import compact
from .model_log import ModelStore
from .strategies import bases, deltas, spelled
from .strategies_rules import rules_texts

CLOSES = (1, 2, 4)


@st.composite
def arrivals(draw: st.DrawFn) -> list[list[bytes]]:
    """Draw two orders in which the same deltas arrive, each a list for every close."""
    bodies = draw(st.lists(deltas(frames=st.integers(0, 4)), max_size=6))
    orders: list[list[bytes]] = []
    for _ in range(2):
        order: list[list[bytes]] = [[] for _ in CLOSES]
        for body in draw(st.permutations(bodies)):
            order[draw(st.integers(0, len(CLOSES) - 1))].append(draw(spelled(body)))
        orders += order
    return orders


@settings(max_examples=examples(150), deadline=None)
@given(rules=rules_texts(), base=bases, orders=arrivals())
def test_the_same_deltas_in_any_order_give_the_same_state(
    rules: str, base: dict[str, Any], orders: list[list[bytes]]
) -> None:
    first, second = (play(rules, base, half) for half in (orders[:3], orders[3:]))
    assert first.documents() == second.documents()
    assert first.state_digest() == second.state_digest()
    assert first.frames() == second.frames()


def play(rules: str, base: dict[str, Any], order: list[list[bytes]]) -> ModelStore:
    store = ModelStore(rules, {name: compact(each).decode() for name, each in base.items()})
    for frame, raws in zip(CLOSES, order, strict=True):
        for raw in raws:
            store.append(raw)
        store.close(frame, [])
    return store
