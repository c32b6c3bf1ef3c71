"""On a SQLite that can lose commits when a checkpoint meets a write, ours under the lock lose none.

Debian's Python links such a version; on a fixed one the control says so, and finds nothing either.
"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ..effort import examples
from .wal_reset import is_fixed

ROOT = Path(__file__).resolve().parents[2]
ROUNDS, ROUNDS_WITHOUT = 4, 40


def wal_reset(*words: str) -> "subprocess.CompletedProcess[str]":
    """Run the probe in a process of its own, which forks."""
    command = [sys.executable, "-m", "tests.faults.wal_reset", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_under_the_lock_no_commit_is_lost(tell: Callable[[str], None]) -> None:
    done = wal_reset("--rounds", str(examples(ROUNDS)))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing lost" in done.stdout
    tell(done.stdout)


def test_without_the_lock_commits_are_lost(tell: Callable[[str], None]) -> None:
    """The control; a fixed SQLite loses nothing, and is named."""
    done = wal_reset("--rounds", str(ROUNDS_WITHOUT), "--no-lock")
    assert done.returncode == (0 if is_fixed() else 1), done.stdout + done.stderr
    assert ("has the fix" if is_fixed() else "before the fix") in done.stdout
    tell(done.stdout)


@pytest.mark.parametrize(
    ("version", "fixed"),
    [
        ((3, 40, 1), False),
        ((3, 44, 5), False),
        ((3, 44, 6), True),
        ((3, 45, 0), False),
        ((3, 50, 7), True),
        ((3, 51, 2), False),
        ((3, 51, 3), True),
        ((3, 54, 1), True),
    ],
)
def test_the_fix_is_known_by_the_version(version: tuple[int, ...], fixed: bool) -> None:
    assert is_fixed(version) is fixed
