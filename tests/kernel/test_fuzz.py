"""Inputs that nobody would write: libFuzzer looks for them where clang is, the corpus keeps them.

A finding becomes a file `regression-...` in `corpus/`, which is replayed here without clang.
"""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ..effort import EFFORT
from . import fuzz_targets

SECONDS = max(1, round(30 * EFFORT))  # 10 minutes under `make soak`
INPUT_SIZE_MAX = 4096
MEMORY_MAX_MB = 2048
INPUT_TIMEOUT_S = 20
HAS_FUZZER = shutil.which("clang") is not None and shutil.which("clang++") is not None


@pytest.mark.parametrize("target", fuzz_targets.TARGETS)
def test_the_corpus_and_every_finding_so_far_pass(target: str, tmp_path: Path) -> None:
    program = fuzz_targets.build(target, fuzzer=False)
    inputs = fuzz_targets.inputs(target, tmp_path)
    assert inputs
    done = subprocess.run([program, *inputs], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout.splitlines()[-1] + "\n" + done.stderr


@pytest.mark.skipif(not HAS_FUZZER, reason="libFuzzer comes with clang")
@pytest.mark.parametrize("target", fuzz_targets.TARGETS)
def test_a_fuzzer_finds_nothing(target: str, tmp_path: Path, tell: Callable[[str], None]) -> None:
    program = fuzz_targets.build(target, fuzzer=True)
    seeds, found = tmp_path / "seeds", tmp_path / "found"
    seeds.mkdir()
    found.mkdir()
    for path in fuzz_targets.inputs(target, tmp_path):
        (seeds / path.name).write_bytes(path.read_bytes())
    command: list[str | Path] = [
        *(program, f"-max_total_time={SECONDS}", f"-max_len={INPUT_SIZE_MAX}", "-seed=1"),
        *(f"-timeout={INPUT_TIMEOUT_S}", f"-rss_limit_mb={MEMORY_MAX_MB}"),
        *(f"-artifact_prefix={found}/", "-print_final_stats=1"),
        *(f"-dict={fuzz_targets.HERE / 'fuzz' / 'fuzz.dict'}", seeds),
    ]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    inputs = {path.name: path.read_bytes() for path in found.iterdir()}
    assert done.returncode == 0, f"{inputs}\n{done.stderr[-6000:]}"
    runs = [line for line in done.stderr.splitlines() if "number_of_executed_units" in line]
    tell(f"{target}: {runs[0].split()[-1]} inputs in {SECONDS} s")
