"""A server that is killed in the midst of commits loses nothing that was acknowledged.

`make test` kills it a few times, `make soak` ten times as often.
"""

import secrets
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ..effort import EFFORT
from .server_kills import BROKEN

ROOT = Path(__file__).resolve().parents[2]
KILLS, SOAK_KILLS = 4, 40
SEED = "1" if EFFORT <= 1 else secrets.token_hex(4)


def server_kills(*words: str) -> "subprocess.CompletedProcess[str]":
    """Run the harness in a process of its own, which forks."""
    command = [sys.executable, "-m", "tests.faults.server_kills", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_server_killed_in_a_commit_loses_nothing(tell: Callable[[str], None]) -> None:
    kills = KILLS if EFFORT <= 1 else SOAK_KILLS
    done = server_kills("--kills", str(kills), "--seed", SEED)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{kills} kills" in done.stdout
    assert done.stderr == ""  # what the driver says of it is said by us
    tell(done.stdout)


@pytest.mark.parametrize("name", BROKEN)
def test_what_was_acknowledged_too_early_is_found_lost(name: str) -> None:
    """The controls."""
    done = server_kills("--kills", "3", "--seed", "1", "--broken", name)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "lost" in done.stdout, done.stdout + done.stderr
