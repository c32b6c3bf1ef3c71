"""The conformance cases, played against a real store: each one by its name."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ..kernel.conformance import CASES, Case, load_cases, run_case
from .player import Player

ALL = load_cases()
pytestmark = pytest.mark.skipif(not ALL, reason=f"the conformance cases are not here: {CASES}")


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
def test_the_store_gives_what_the_case_expects(
    case: Case, tmp_path: Path, new_url: Callable[[], str | None]
) -> None:
    players: list[Player] = []

    def create(rules_text: str, base: dict[str, str] | None) -> Player:
        players.append(Player(tmp_path, rules_text, base, new_url()))
        return players[0]

    assert run_case(case, create) == []
    assert players[0].store.verify() == []
    players[0].store.close()


def test_late_deltas_are_played_and_not_left_out() -> None:
    assert sum("late" in case.needs for case in ALL) > 30


def test_edits_from_outside_are_played_and_not_left_out() -> None:
    assert sum("absorb" in case.needs for case in ALL) > 100
