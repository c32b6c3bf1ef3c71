"""What the guard costs: git commands that touch no state, with its hooks and without.

The sketch: a shell that starts and reads its settings takes 1 ms, a git that finds nothing 2 ms. A
ref update starts two shells and two gits, a commit six shells and three gits. Processor time of
all processes together; the wall clock stands beside it, and tells about the neighbors too.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import measure

SKETCH_MS = {"a commit": 12, "a ref update": 6}
AGENTS = 10_000
ROUNDS = 40
REF_MS_MAX = 10
WITHOUT = ("-c", "core.hooksPath=/dev/null")
NEIGHBOR = (sys.executable, "-m", "goodneighbor.cli")
ENVIRONMENT = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    **{f"GIT_{who}_{what}": "ada" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}


def site(folder: Path, agents: int) -> None:
    """Make a repository with a state of many agents, taken in, with the guard in force."""
    (folder / "state").mkdir()
    entities = ",".join(f'"agent-{number}":{{"post_count":0}}' for number in range(agents))
    (folder / "state" / "agents.json").write_text(f'{{"agents":{{{entities}}}}}')
    for command in (
        ("git", "init", "--quiet"),
        ("git", "add", "--all"),
        ("git", "commit", "--quiet", "--message", "a site"),
        (*NEIGHBOR, "init", "--commit"),
        (*NEIGHBOR, "guard", "install"),
    ):
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)


def commands(turn: int) -> dict[str, tuple[str, ...]]:
    """Return the commands of one turn; each changes something, and no document."""
    to = "HEAD" if turn % 2 else "HEAD~1"
    return {
        "a commit": ("commit", "--quiet", "--allow-empty", "--message", f"turn {turn}"),
        "a ref update": ("update-ref", "refs/heads/moving", to),
        "a new branch": ("switch", "--quiet", "--force-create", f"topic-{turn % 2}"),
    }


def taken(folder: Path, words: tuple[str, ...]) -> tuple[float, float]:
    """Run git; return milliseconds of processor time, and of the clock."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(("git", *words), cwd=folder, check=True, stdout=subprocess.DEVNULL)
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    work = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return work * 1e3, wall * 1e3


def measured(folder: Path, rounds: int) -> Iterator[tuple[str, list[float]]]:
    """Yield each command's medians: work and wall with the guard, then without; taken in turn."""
    found: dict[str, list[tuple[float, ...]]] = {}
    for turn in range(rounds):
        for name, words in commands(turn).items():
            guarded = taken(folder, words)
            plain = taken(folder, (*WITHOUT, *commands(turn + 1)[name]))
            found.setdefault(name, []).append((*guarded, *plain))
    for name, rows in found.items():
        yield name, [statistics.median(column) for column in zip(*rows, strict=True)]


def main() -> None:
    """Measure, print the table and the ratio."""
    asked = measure.options(__doc__ or "")
    os.environ |= ENVIRONMENT
    agents, rounds = (100, 3) if asked.small else (AGENTS, ROUNDS)
    with tempfile.TemporaryDirectory() as folder:
        site(Path(folder), agents)
        medians = dict(measured(Path(folder), rounds))
    if not asked.as_json:
        measure.print_sizes({"agents": agents, "rounds": rounds})
        print(f"\n{'ms':22}{'guarded':>10}{'without':>10}{'more':>10}{'on the clock':>14}")
        for name, (work, wall, plain, plain_wall) in medians.items():
            more, more_wall = work - plain, wall - plain_wall
            print(f"{name:22}{work:10.1f}{plain:10.1f}{more:10.1f}{more_wall:14.1f}")
        print("sketch:", ", ".join(f"{name} {ms} ms more" for name, ms in SKETCH_MS.items()))
        ref = medians["a ref update"]
        said = "kept" if ref[0] - ref[2] <= REF_MS_MAX else "BELOW TARGET"
        print(f"a ref update may cost {REF_MS_MAX} ms more: {said}")
    commit = medians["a commit"]
    measure.report({"hook_ms": commit[0] - commit[2]}, asked.as_json)


if __name__ == "__main__":
    main()
