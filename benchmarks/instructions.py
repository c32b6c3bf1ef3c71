"""Instructions of a fixed small fold, counted by callgrind: the same on every run of one build.

A slowdown shows here without a clock, and on a busy machine. Counted is `gn_fold_run` alone, over
2,000 deltas in 20 frames on 500 agents.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import kernel_fold
import measure
from workload import make

COUNTED = "gn_fold_run"
SHOWN = 12  # functions, the dearest first
MISSING = "valgrind is not installed: apt-get install valgrind"


def fold_once() -> None:
    """Do what is counted; runs under callgrind."""
    workload = make(**measure.SMALL)
    packed = kernel_fold.pack(workload.frames)
    kernel_fold.run(kernel_fold.opened(workload), packed)


def counted() -> tuple[int, str]:
    """Return the instructions, and callgrind's table of the dearest functions."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "callgrind.out"
        command = [
            *("valgrind", "--tool=callgrind", "--collect-atstart=no"),
            *(f"--toggle-collect={COUNTED}", f"--callgrind-out-file={out}"),
            *(sys.executable, __file__, "--fold"),
        ]
        subprocess.run(command, capture_output=True, check=True)
        table = subprocess.run(
            ["callgrind_annotate", str(out)], capture_output=True, text=True, check=True
        ).stdout
    total = re.search(r"^([\d,]+).*PROGRAM TOTALS$", table, re.MULTILINE)
    assert total is not None, table
    lines = [line for line in table.splitlines() if "_kernel" in line and ":" in line]
    return int(total[1].replace(",", "")), "\n".join(map(_shortened, lines[:SHOWN]))


def _shortened(line: str) -> str:
    return re.sub(r"\S*/(\w+\.\w+:\w+).*", r"\1", line)


def main() -> None:
    """Count and print."""
    if sys.argv[1:] == ["--fold"]:
        fold_once()
        return
    if shutil.which("valgrind") is None:
        print(MISSING)
        return
    instructions, table = counted()
    deltas = measure.SMALL["deltas"]
    print(f"{COUNTED}: {instructions:,} instructions, {instructions / deltas:,.0f} a delta")
    print(table)


if __name__ == "__main__":
    main()
