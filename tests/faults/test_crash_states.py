"""Whatever a power cut leaves of a write trace, the next commands bring everything back.

`make test` plays 2,000 states of one seed, `make soak` ten times as many of a seed of its own; each
seed plays again with `python -m tests.faults.crash_states`.
"""

import secrets
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ..effort import EFFORT
from . import sqlite_files
from .medium import FLUSHED, MIXED, ORDERED

ROOT = Path(__file__).resolve().parents[2]
STATES, SOAK_STATES = 2_000, 20_000
RECOVERY_STATES, SOAK_RECOVERY_STATES = 200, 2_000
SEED = "1" if EFFORT <= 1 else secrets.token_hex(4)


def crash_states(*words: str) -> "subprocess.CompletedProcess[str]":
    """Run the harness in a process of its own, which SQLite's files are watched in."""
    command = [sys.executable, "-m", "tests.faults.crash_states", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_sqlites_files_can_be_watched_here() -> None:
    assert sqlite_files.fault() == ""


def test_every_state_a_power_cut_leaves_recovers(tell: Callable[[str], None]) -> None:
    count = STATES if EFFORT <= 1 else SOAK_STATES
    done = crash_states("--states", str(count), "--seed", SEED)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{count} states" in done.stdout
    assert all(f" {way}" in done.stdout for way in (ORDERED, FLUSHED, MIXED))
    tell(done.stdout)


def test_every_state_a_power_cut_leaves_of_a_recovery_recovers(
    tell: Callable[[str], None],
) -> None:
    count = RECOVERY_STATES if EFFORT <= 1 else SOAK_RECOVERY_STATES
    done = crash_states("--recovery", "--states", str(count), "--seed", SEED)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{count} states" in done.stdout
    tell(done.stdout)


def test_a_recovery_that_does_not_flush_what_it_sets_aside_is_caught() -> None:
    words = ("--recovery", "--states", "250", "--seed", "1", "--without", "flush of the database")
    done = crash_states(*words)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "the damaged database is thrown away" in done.stdout


@pytest.mark.parametrize(
    ("option", "what", "said"),
    [
        ("--without", "flush of the segments", "lost after the power cut"),
        ("--without", "flush of SQLite's log", "store.sqlite3"),
        ("--without", "flush of the exports", "taken for somebody's work"),
        ("--broken", "close without a transaction", "close"),
    ],
)
def test_with_a_flush_or_a_transaction_taken_out_a_state_shows_it(
    option: str, what: str, said: str
) -> None:
    """The controls: each is caught by the very harness that finds nothing wrong."""
    done = crash_states("--states", "600", "--seed", "1", option, what)
    assert done.returncode == 1, done.stdout + done.stderr
    assert said in done.stdout.partition("State(")[2], done.stdout
