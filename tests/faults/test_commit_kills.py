"""SIGKILL at every step of a commit and its push: the next command finishes or undoes it.

Index, tree, refs, log branch and remote agree afterwards, and a person's edits, staged and not, are
all there. `make soak` kills ten times as often, with a seed of its own.
"""

import secrets
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from ..effort import EFFORT

ROOT = Path(__file__).resolve().parents[2]
KILLS, SOAK_KILLS = 20, 200
SEED = "1" if EFFORT <= 1 else secrets.token_hex(4)


def commit_kills(*words: str) -> "subprocess.CompletedProcess[str]":
    """Run the harness in a process of its own: pytest's has threads, and must not fork."""
    command = [sys.executable, "-m", "tests.faults.commit_kills", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_kill_at_any_step_is_finished_or_undone(tell: Callable[[str], None]) -> None:
    count = KILLS if EFFORT <= 1 else SOAK_KILLS
    done = commit_kills("--kills", str(count), "--seed", SEED)
    assert done.returncode == 0, done.stdout + done.stderr
    tell(done.stdout)


def test_without_settling_the_harness_finds_what_a_kill_leaves() -> None:
    """The control: a harness that cannot fail shows nothing."""
    done = commit_kills("--kills", "20", "--broken")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "left behind" in done.stdout
    assert "the person's work changed" in done.stdout
