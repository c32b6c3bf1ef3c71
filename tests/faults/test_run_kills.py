"""SIGKILL of a run: supervisors, keepers, agents. One `gc` later nothing is left, nothing lost.

The next frame then goes well, and gives the frame that was cut short one status a stream. `make
soak` kills ten times as often, with a seed of its own.
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


def run_kills(*words: str) -> "subprocess.CompletedProcess[str]":
    """Run the harness in a process of its own: pytest's has threads, and must not fork."""
    command = [sys.executable, "-m", "tests.faults.run_kills", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_after_a_kill_anywhere_one_gc_leaves_nothing(tell: Callable[[str], None]) -> None:
    count = KILLS if EFFORT <= 1 else SOAK_KILLS
    done = run_kills("--kills", str(count), "--seed", SEED)
    assert done.returncode == 0, done.stdout + done.stderr
    tell(done.stdout)


def test_without_intents_and_leases_the_harness_counts_what_is_left() -> None:
    """The control: a harness that cannot fail shows nothing."""
    done = run_kills("--kills", "6", "--seed", "1", "--broken")
    assert done.returncode == 1, done.stdout + done.stderr
    for what in ("worktree", "tree", "branch"):
        assert f"left over: {what}" in done.stdout, done.stdout
    assert "lost: " in done.stdout
