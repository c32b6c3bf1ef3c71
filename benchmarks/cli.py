"""`neighbor append`, the whole process, beside `python -c pass`: `cli_append_vs_python`.

Both run with the same Python, in an environment as an installer makes it: a new venv whose paths
are this one's, compiled modules written, `neighbor` the script that stands in `.venv/bin`. Medians
of processor time of the whole process, one at a time and 8 at once, the clock and its p99 beside.

Sketch, where Python starts in 9 ms: 25 modules of ours that are compiled, 5 ms; the kernel's
library and cffi, 2 ms; the delta, a new segment with two flushes of which one is a folder's, 0.3 ms
of work. 16 ms, so less than two starts of Python. (The script that an installer writes for an entry
point imports `re`, 5 ms: ours is a script that stands in the tree.)
"""

import os
import resource
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import goodneighbor.kernel
import measure
from workload import make

ROOT = Path(goodneighbor.kernel.__file__ or "").resolve().parent.parent
PACKAGES = ("kernel", "store", "cli")
ROUNDS = 40
MANY = 8
SKETCH_MS = {"python -c pass": 9, "neighbor append": 16}


class Taken(NamedTuple):
    """Milliseconds a process took: of the processor, and on the clock."""

    work: float
    clock: float


def install(folder: Path) -> Path:
    """Make an environment that finds this one's packages without an editable install's hook."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    links = folder / "links" / "goodneighbor"
    links.mkdir(parents=True)
    for package in PACKAGES:
        (links / package).symlink_to(ROOT / package, target_is_directory=True)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "paths.pth").write_text(f"{links.parent}\n{sysconfig.get_path('purelib')}\n")
    bin_folder = folder / "bin"
    script = (Path(sys.executable).parent / "neighbor").read_text("utf-8")
    _, _, rest = script.partition("\n")
    neighbor = bin_folder / "neighbor"
    neighbor.write_text(f"#!{bin_folder / 'python'}\n{rest}", "utf-8")
    neighbor.chmod(0o755)
    return bin_folder


def site_in(folder: Path, neighbor: Path) -> None:
    """Make a repository with a store, and a file with a delta."""
    (folder / "state").mkdir(parents=True)
    (folder / "state" / "agents.json").write_text('{"agents": {"ada": {"post_count": 0}}}')
    (folder / "delta.json").write_bytes(make(agents=10, deltas=1, frames=1).bodies()[0])
    git = ("git", "-c", "user.name=ada", "-c", "user.email=ada@example.org")
    for command in (
        (*git, "init", "--quiet"),
        (*git, "add", "--all"),
        (*git, "commit", "--quiet", "--message", "a site"),
        (neighbor, "init"),
        (neighbor, "append", "delta.json"),  # compiles what it imports
    ):
        subprocess.run(
            command, cwd=folder, check=True, stdout=subprocess.DEVNULL, env=environment()
        )


def environment() -> dict[str, str]:
    """Return an environment in which Python keeps what it has compiled, as by default."""
    left_out = ("PYTHONDONTWRITEBYTECODE", "NEIGHBOR_STORE")
    return {name: value for name, value in os.environ.items() if name not in left_out}


def run(
    commands: dict[str, list[str]], folder: Path, count: int, rounds: int
) -> dict[str, list[Taken]]:
    """Run each command `count` at once, in turn; return what each process took."""
    found: dict[str, list[Taken]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            found[name] += _at_once(command, folder, count)
    return found


def _at_once(command: list[str], folder: Path, count: int) -> list[Taken]:
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    running = [
        subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, env=environment())
        for _ in range(count)
    ]
    clocks = []
    for process in running:
        if process.wait() != 0:
            sys.exit(f"{command} ended with {process.returncode}")
        clocks.append((time.perf_counter() - begin) * 1e3)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    work = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return [Taken(work / count * 1e3, clock) for clock in clocks]


def _work(taken: list[Taken]) -> float:
    return statistics.median(each.work for each in taken)


def print_table(count: int, found: dict[str, list[Taken]]) -> None:
    """Print both commands at one number of processes."""
    print(f"\n{f'{count} at once':22}{'work ms':>10}{'clock ms':>10}{'p99 ms':>10}{'beside':>10}")
    first = _work(found["python -c pass"])
    for name, taken in found.items():
        clocks = sorted(each.clock for each in taken)
        tail = clocks[min(len(clocks) - 1, int(0.99 * len(clocks)))]
        work, clock = _work(taken), statistics.median(clocks)
        print(f"{name:22}{work:10.1f}{clock:10.1f}{tail:10.1f}{work / first:9.2f}x")


def main() -> None:
    """Measure, print the tables and the ratio."""
    asked = measure.options(__doc__ or "")
    rounds = 3 if asked.small else ROUNDS
    with tempfile.TemporaryDirectory(prefix="neighbor-cli-") as name:
        bin_folder, folder = install(Path(name) / "venv"), Path(name) / "site"
        site_in(folder, bin_folder / "neighbor")
        commands = {
            "python -c pass": [str(bin_folder / "python"), "-c", "pass"],
            "neighbor append": [str(bin_folder / "neighbor"), "append", "delta.json"],
        }
        found = {
            count: run(commands, folder, count, max(2, rounds // count)) for count in (1, MANY)
        }
    if not asked.as_json:
        measure.print_sizes({"rounds": rounds})
        for count, each in found.items():
            print_table(count, each)
        said = ", ".join(f"{name} {ms} ms" for name, ms in SKETCH_MS.items())
        print(f"sketch: {said}")
    alone = found[1]
    ratio = _work(alone["neighbor append"]) / _work(alone["python -c pass"])
    measure.report({"cli_append_vs_python": ratio}, asked.as_json)


if __name__ == "__main__":
    main()
