"""No flipped bit yields another state in silence, and what has a second copy comes back.

`make test` plays one seed, `make soak` ten times as many flips from a seed of their own. Every seed
is printed, and plays again: `python -m tests.faults.bit_flips --help`.
"""

import secrets
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ..effort import EFFORT, examples
from .bit_flips import WAYS

ROOT = Path(__file__).resolve().parents[2]
FLIPS, SOAK_FLIPS = 1_000, 10_000
SEED = "1" if EFFORT <= 1 else secrets.token_hex(4)
REPAIR_EACH = 4 if EFFORT <= 1 else 1  # of those found: a repair costs five times a look


def bit_flips(*words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "tests.faults.bit_flips", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_every_flip_that_means_something_is_found_placed_and_put_right(
    tell: Callable[[str], None],
) -> None:
    flips = str(min(examples(FLIPS), SOAK_FLIPS))
    done = bit_flips("--flips", flips, "--seed", SEED, "--repair-each", str(REPAIR_EACH))
    assert done.returncode == 0, done.stdout + done.stderr
    tell(done.stdout)


@pytest.mark.parametrize("name", WAYS)
def test_with_a_check_taken_out_another_state_comes_in_silence(name: str) -> None:
    done = bit_flips("--flips", "200", "--seed", "1", "--broken", name)
    assert done.returncode == 1
    assert (
        "after recover" in done.stdout
        or "in silence" in done.stdout
        or ("nothing was found" in done.stdout)
    ), done.stdout + done.stderr
