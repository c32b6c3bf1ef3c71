"""Every benchmark runs, and prints its ratios under the names that section 14 of the design gives.

How large the ratios are is for `make bench` to say: no test depends on time.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
RATIOS = {
    "fold": ["fold_vs_orjson", "fold_vs_python"],
    "emit": ["emit_vs_orjson", "emit_clean_vs_orjson"],
    "memory": ["memory_vs_dicts"],
    "replay": ["replay_vs_scan"],
    "append": ["append_vs_direct", "append_vs_eventsourcing"],
    "close": ["close_growth"],
    "cli": ["cli_append_vs_python"],
    "guard": ["hook_ms"],
    "worktree": [],
}


def printed(name: str, *options: str) -> str:
    return subprocess.run(
        [sys.executable, BENCHMARKS / f"{name}.py", "--small", *options],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip


@pytest.mark.parametrize("name", RATIOS)
def test_a_benchmark_prints_its_ratios_as_json(name: str) -> None:
    ratios = json.loads(printed(name, "--json"))
    assert list(ratios) == RATIOS[name]
    assert all(ratio > 0 for ratio in ratios.values())


def test_a_table_says_what_it_was_measured_on_and_how_each_ratio_stands() -> None:
    said = printed("fold")
    assert said.startswith("workload: 500 agents")
    assert "2,000 deltas" in said
    assert all(f"{ratio} " in said for ratio in RATIOS["fold"])
    assert "kept" in said or "BELOW TARGET" in said
