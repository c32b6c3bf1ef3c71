"""Starts are staggered, never closer than asked, and slower while they fail (rule 5)."""

import pytest
from goodneighbor.cli.launches import BACKOFF_S_MAX, JITTER, Launches
from hypothesis import given
from hypothesis import strategies as some

CHANCES = some.floats(0, 1, exclude_max=True)


@given(some.lists(some.tuples(some.booleans(), CHANCES, some.floats(0, 5)), min_size=1))
def test_no_two_starts_are_closer_than_the_stagger(
    starts: list[tuple[bool, float, float]],
) -> None:
    now_s = 0.0
    chances = iter([chance for _, chance, _ in starts])
    launches = Launches(3.0, lambda: next(chances))
    for is_good, _, idle_s in starts:
        started_s = max(now_s, launches.due_s) + idle_s
        (launches.started if is_good else launches.failed)(started_s)
        assert launches.due_s >= started_s + 3.0
        assert launches.due_s <= started_s + max(3.0, BACKOFF_S_MAX) + 3.0 * JITTER
        now_s = started_s


def test_failing_starts_wait_twice_as_long_each_time_and_a_good_one_ends_that() -> None:
    launches = Launches(1.0, lambda: 0.0)
    waits_s = []
    now_s = 0.0
    for _ in range(8):
        launches.failed(now_s)
        waits_s.append(launches.due_s - now_s)
        now_s = launches.due_s
    assert waits_s == [2, 4, 8, 16, 32, 60, 60, 60]
    launches.started(now_s)
    assert launches.due_s - now_s == 1.0


def test_without_a_stagger_only_failures_wait() -> None:
    launches = Launches(0.0, lambda: 0.9)
    launches.started(5.0)
    assert launches.due_s == 5.0
    launches.failed(5.0)
    assert launches.due_s == pytest.approx(5.2)
