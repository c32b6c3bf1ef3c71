"""Twenty-four processes on one store: no error, no hole, no duplicate, and none is starved."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ..effort import EFFORT
from .crowd import starved

ROOT = Path(__file__).resolve().parents[2]
SHORT_S, SOAK_S = 15, 180
ENGINES = ("sqlite", "postgresql")


def crowd(*words: str) -> "subprocess.CompletedProcess[str]":
    """Run the crowd from a process of its own, which forks."""
    command = [sys.executable, "-m", "tests.faults.crowd", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_crowd_loses_nothing_and_starves_nobody(engine: str, tell: Callable[[str], None]) -> None:
    done = crowd(engine, "--seconds", str(SOAK_S if EFFORT > 1 else SHORT_S))
    assert done.returncode == 0, done.stdout + done.stderr
    tell(done.stdout)


@pytest.mark.parametrize(
    ("words", "broken", "said"),
    [
        # Two would never end: each comes back to what it took before.
        ("sqlite --seconds 1 --clerks 1", "offsets", "doubled"),
        ("sqlite --seconds 1", "lock", "doubled|epoch .* while we held"),
        ("postgresql --seconds 1", "late-commits", "lost"),
        # It shows where many take turns: until then, a minute at most.
        ("postgresql --seconds 60 --clerks 12", "server-lock", "epoch .* while we held"),
    ],
)
def test_a_store_broken_on_purpose_is_caught(words: str, broken: str, said: str) -> None:
    """The controls: no offset that makes it once, no lock, late commits thrown away."""
    done = crowd(*words.split(), "--broken", broken)
    assert done.returncode == 1, done.stdout + done.stderr
    assert re.search(said, done.stdout), done.stdout + done.stderr


def test_a_process_that_is_starved_is_caught() -> None:
    assert starved([100, 200, 300]) == []
    assert starved([100, 200, 301]) == ["starved: the fewest 100, the most 301"]
