"""Branch coverage of the kernel's C files by its tests: `make coverage`, or run as a module.

A kernel of its own is built in `build/coverage`, without optimization and without assertions (their
failing side is not meant to be reached), the kernel's tests run in it once, and gcov counts which
way each branch went. Exits with 1 below the least that is wanted.
"""

import gzip
import json
import os
import runpy
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PLACE = ROOT / "build" / "coverage"
LEAST = 0.90
EFFORT = "0.3"
FLAGS = ["-O0", "-g", "--coverage", "-fPIC", "-DNDEBUG", "-w"]
LANGUAGES = {".c": ["gcc", "-std=c11"], ".cpp": ["g++", "-std=c++17", "-fno-exceptions"]}
ELSEWHERE = ("test_sanitizers.py", "test_fuzz.py")  # they run kernels of their own


class Covered(NamedTuple):
    """How many branches a file has, how many were taken, and the lines where one was not."""

    branches: int
    taken: int
    missed: list[int]


def build() -> None:
    """Build the kernel for counting, beside links to the packages' Python."""
    package = PLACE / "goodneighbor"
    (package / "kernel").mkdir(parents=True, exist_ok=True)
    links = {package / name: ROOT / name for name in ("store", "cli")}
    links |= {package / "kernel" / path.name: path for path in (ROOT / "kernel").glob("*.py")}
    for link, target in links.items():
        if not link.is_symlink():
            link.symlink_to(target)
    backend = runpy.run_path(str(ROOT / "kernel" / "build_backend.py"))
    sources = [backend["write_binding"](Path("build/binding")), *backend["written_sources"]()]
    for count in PLACE.glob("*.gcda"):
        count.unlink()
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        objects = list(pool.map(compile_one, sources))
    program = package / "kernel" / "_kernel.abi3.so"
    subprocess.run(["g++", "--coverage", "-shared", *objects, "-o", program], check=True)


def compile_one(source: Path) -> Path:
    """Compile one file of the kernel, or the binding."""
    made = PLACE / f"{source.stem}.o"
    include = ["-Ikernel", f"-I{sysconfig.get_path('include')}", "-DPy_LIMITED_API=0x030B0000"]
    command: list[str | Path] = [
        *LANGUAGES[source.suffix],
        *FLAGS,
        *include,
        "-c",
        source,
        "-o",
        made,
    ]
    subprocess.run(command, check=True)
    return made


def run_tests() -> None:
    """Run the kernel's tests in that kernel."""
    environment = {**os.environ, "PYTHONPATH": str(PLACE), "NEIGHBOR_TEST_EFFORT": EFFORT}
    left_out = [f"--ignore={HERE / name}" for name in ELSEWHERE]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *left_out, str(HERE)]
    subprocess.run(command, env=environment, check=True)


def covered(source: Path) -> Covered:
    """Ask gcov about one file."""
    subprocess.run(
        ["gcov", "--json-format", "--branch-probabilities", str(PLACE / f"{source.stem}.gcda")],
        cwd=PLACE,
        check=True,
        capture_output=True,
    )
    found = json.loads(gzip.decompress((PLACE / f"{source.stem}.gcov.json.gz").read_bytes()))
    lines: list[dict[str, Any]] = [
        line for file in found["files"] if Path(file["file"]).name == source.name
        for line in file["lines"]
    ]  # fmt: skip
    branches = [(line["line_number"], branch["count"]) for line in lines
                for branch in line["branches"] if not branch["throw"]]  # fmt: skip
    missed = sorted({number for number, count in branches if count == 0})
    return Covered(len(branches), sum(count > 0 for _, count in branches), missed)


def main() -> None:
    """Build, run, print a line a file and the total."""
    os.chdir(ROOT)
    build()
    run_tests()
    sources = [path for path in sorted((ROOT / "kernel").glob("*.c*")) if path.suffix in LANGUAGES]
    total = taken = 0
    for source in sources:
        of = covered(source)
        total, taken = total + of.branches, taken + of.taken
        share = of.taken / of.branches if of.branches else 1
        print(
            f"{source.name:18} {of.taken:5} of {of.branches:5} branches {share:7.1%}  {of.missed}"
        )
    print(
        f"{'together':18} {taken:5} of {total:5} branches {taken / total:7.1%}, wanted {LEAST:.0%}"
    )
    sys.exit(taken / total < LEAST)


if __name__ == "__main__":
    main()
