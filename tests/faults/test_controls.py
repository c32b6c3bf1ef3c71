"""Each store that is broken on purpose is caught by the very harness that finds nothing wrong."""

import tempfile

import pytest

from .breakage import WAYS
from .harness import memory
from .test_kills import faults


@pytest.mark.parametrize("name", WAYS)
def test_a_store_broken_on_purpose_is_caught(name: str) -> None:
    with tempfile.TemporaryDirectory(dir=memory()) as folder:
        done = faults("--broken", name, "--kills", "100", "--seed", "1", "--folder", folder)
    assert done.returncode == 1
    assert WAYS[name].said in done.stdout, done.stdout + done.stderr


def test_a_step_that_nobody_is_killed_at_is_named() -> None:
    done = faults("--kills", "5", "--seed", "1")
    assert done.returncode == 1
    assert "nobody was killed at 'replay: committed'" in done.stdout, done.stdout + done.stderr
