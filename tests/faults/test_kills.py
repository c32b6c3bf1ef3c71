"""SIGKILL at every step of the store and between them loses nothing acknowledged, doubles nothing.

`make test` plays one seed, `make soak` ten times as many kills from a seed of their own. Every seed
is printed, and plays again: `python -m tests.faults --help`.
"""

import secrets
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from ..effort import EFFORT, examples

ROOT = Path(__file__).resolve().parents[2]
KILLS, SOAK_KILLS = 250, 2_500
SEED = "1" if EFFORT <= 1 else secrets.token_hex(4)


def faults(*words: str) -> "subprocess.CompletedProcess[str]":
    """Run the harness in a process of its own: pytest's has threads, and must not fork."""
    command = [sys.executable, "-m", "tests.faults", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_kill_anywhere_loses_nothing_and_doubles_nothing(tell: Callable[[str], None]) -> None:
    kills = min(examples(KILLS), SOAK_KILLS)
    done = faults("--kills", str(kills), "--seed", SEED)
    assert done.returncode == 0, done.stdout + done.stderr
    tell(done.stdout)
