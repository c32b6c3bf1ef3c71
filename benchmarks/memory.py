"""The resident state beside the same state as Python dicts: `memory_vs_dicts`.

Each side gets a process of its own, which makes the workload, notes its resident size, builds the
state after the last frame, and notes it again; what is between is the state with everything that
stands beside it. What Python's own count of the dicts (tracemalloc) and the kernel's count of its
arenas say is printed too.

Sketch, for 10,000 agents of 750 bytes and 100,000 posts of 150 bytes:

    kernel      key and body as bytes, ~100 bytes an entity for its record and its place in the
                table, 16 bytes a cell: 1.0 KB an agent, 0.3 KB a post: 40 MB
    dicts       a leaf is an object of 30 to 80 bytes and 8 in its dict, a dict 200 to 900 bytes:
                4 KB an agent, 0.9 KB a post (a dict of 350 bytes, 5 values, the key): 130 MB
"""

import gc
import json
import subprocess
import sys
import tracemalloc
from pathlib import Path

import kernel_fold
import measure
import python_fold
from workload import Workload, make

SIDES = ("kernel", "dicts")
PAGE_SIZE = 4096
SKETCH_MB = (40, 130)  # kernel, dicts


def resident() -> int:
    """Return this process's resident bytes."""
    gc.collect()
    pages = Path("/proc/self/statm").read_text("ascii").split()[1]
    return int(pages) * PAGE_SIZE


def hold(side: str, small: bool) -> dict[str, int]:
    """Build the state in this process and say what it took."""
    workload = make(**measure.SMALL) if small else make()
    before = resident()
    return _kernel(workload, before) if side == "kernel" else _dicts(workload, before)


def _kernel(workload: Workload, before: int) -> dict[str, int]:
    fold = kernel_fold.opened(workload)
    for frame in workload.frames:
        kernel_fold.run(fold, kernel_fold.pack([frame]))
    state, whole = fold.memory()
    taken = resident() - before
    fold.close()
    return {"resident": taken, "counted": whole, "state": state}


def _dicts(workload: Workload, before: int) -> dict[str, int]:
    state = python_fold.state_of(workload)
    python_fold.fold(state, workload.frames)
    taken = resident() - before
    del state
    tracemalloc.start()
    state = python_fold.state_of(workload)
    python_fold.fold(state, workload.frames)
    counted = tracemalloc.get_traced_memory()[0]
    return {"resident": taken, "counted": counted, "state": counted}


def of_a_fresh_process(side: str, small: bool) -> dict[str, int]:
    """Run `hold` in a new process."""
    command = [sys.executable, __file__, "--hold", side, *(["--small"] if small else [])]
    done = subprocess.run(command, capture_output=True, check=True)
    return dict(json.loads(done.stdout))


def main() -> None:
    """Measure, print the table and the ratio."""
    if sys.argv[1:2] == ["--hold"]:
        print(json.dumps(hold(sys.argv[2], "--small" in sys.argv)))
        return
    asked = measure.options(__doc__ or "")
    found = {side: of_a_fresh_process(side, asked.small) for side in SIDES}
    if not asked.as_json:
        measure.print_sizes((make(**measure.SMALL) if asked.small else make()).sizes())
        print(f"\n{'':46}{'resident MB':>12}{'counted MB':>12}")
        for side, names in zip(SIDES, ("kernel", "Python dicts"), strict=True):
            sizes = found[side]
            print(f"{names:46}{sizes['resident'] / 1e6:12.1f}{sizes['counted'] / 1e6:12.1f}")
        print(f"of the kernel's, {found['kernel']['state'] / 1e6:.1f} MB are the entities' arena")
        if not asked.small:
            print(f"the sketch says {SKETCH_MB[0]} MB and {SKETCH_MB[1]} MB")
    ratio = found["kernel"]["resident"] / found["dicts"]["resident"]
    measure.report({"memory_vs_dicts": ratio}, asked.as_json)


if __name__ == "__main__":
    main()
