"""Power cuts on an ext4 image: no acknowledged export, log segment, append or close is lost.

The repository is sound after each, and the next commands put right what was half done. Needs root
and loop devices. `make test` plays a few cuts where it can; `make soak` plays 50, and fails where
it cannot, unless SKIP_POWER_CUTS=1 tells it to go on without.
"""

import os
import re
import secrets
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ..effort import EFFORT

ROOT = Path(__file__).resolve().parents[2]
IS_SOAK = EFFORT > 1
CUTS, SOAK_CUTS = 3, 50
SEED = secrets.token_hex(4) if IS_SOAK else "1"
UNABLE = 2
# The control's cuts come right after a command said yes, so its seed says what is lost.
CONTROL = ("--seed", "407", "--kind", "after", "--cuts", "15" if IS_SOAK else "2")

pytestmark = pytest.mark.skipif(
    os.environ.get("SKIP_POWER_CUTS") == "1", reason="SKIP_POWER_CUTS=1"
)


def power_cuts(*words: str, path: str | None = None) -> "subprocess.CompletedProcess[str]":
    """Run the harness in a process of its own, which may fork and mount."""
    command = [sys.executable, "-m", "tests.faults.power_cuts", *words]
    environment = os.environ | ({} if path is None else {"PATH": path})
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


def played(*words: str) -> "subprocess.CompletedProcess[str]":
    """Run the harness; skip where it cannot run, but not in a soak."""
    done = power_cuts(*words)
    if done.returncode == UNABLE and IS_SOAK:
        pytest.fail(f"{done.stdout}SKIP_POWER_CUTS=1 goes on without them.")
    if done.returncode == UNABLE:
        pytest.skip(done.stdout.strip())
    return done


def lost_exports(told: str) -> int:
    found = re.search(r"^lost: ([0-9]+) exports", told, re.MULTILINE)
    assert found is not None, told
    return int(found[1])


def test_a_power_cut_loses_nothing_acknowledged(tell: Callable[[str], None]) -> None:
    done = played("--cuts", str(SOAK_CUTS if IS_SOAK else CUTS), "--seed", SEED)
    assert done.returncode == 0, done.stdout + done.stderr
    tell(done.stdout)


def test_without_the_flush_of_the_refs_exports_are_lost(tell: Callable[[str], None]) -> None:
    """The control: what an export flushes after the branch has moved is left out."""
    done = played(*CONTROL, "--without", "refs")
    assert done.returncode == 1, done.stdout + done.stderr
    assert lost_exports(done.stdout) > 0, done.stdout
    tell(done.stdout.split("\nlife", 1)[0])


def test_the_flush_of_the_refs_alone_keeps_the_exports() -> None:
    """The control's other half: the refs' folders are flushed, and nothing that follows."""
    done = played(*CONTROL, "--without", "rest")
    assert lost_exports(done.stdout) == 0, done.stdout + done.stderr


def test_a_machine_that_cannot_mount_says_what_is_missing(tmp_path: Path) -> None:
    done = power_cuts("--cuts", "1", path=str(tmp_path))
    assert done.returncode == UNABLE, done.stdout + done.stderr
    assert done.stdout.startswith("No power cuts can be played here: ")
