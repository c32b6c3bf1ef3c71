"""Worktrees: the time under the lock and the whole of `worktree add`, beside plain git.

The sketch: under the lock git starts twice and writes a dozen small files, 10 ms and a few flushes;
outside it checks 5,000 files out, which is what plain git takes as well, and lists what is not
committed. A removal is a look at each file, a rename, and git started some ten times; the deleting
comes later. By the clock, for what a lock costs is others' waiting; and twenty at once, with what
plain git makes of that.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import measure
from goodneighbor.cli import trash
from goodneighbor.cli.place import find
from goodneighbor.cli.worktree_add import Added, add
from goodneighbor.cli.worktree_remove import remove
from goodneighbor.cli.worktree_settings import settings

FILES, FOLDERS = 5_000, 50
ROUNDS = 9
AT_ONCE = 20
ENVIRONMENT = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    **{f"GIT_{who}_{what}": "ada" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}
NEIGHBOR = (sys.executable, "-m", "goodneighbor.cli")


def site(folder: Path, files: int) -> Path:
    """Make a repository of many files, taken in, with some that are not committed."""
    tree = folder / "site"
    for number in range(files):
        file = tree / "files" / str(number % FOLDERS) / f"{number}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"file {number}\n" * 20, encoding="utf-8")
    (tree / "state").mkdir()
    (tree / "state" / "agents.json").write_text('{"agents": {}}', encoding="utf-8")
    for command in (
        ("git", "init", "--quiet", "--initial-branch=main"),
        ("git", "add", "--all"),
        ("git", "commit", "--quiet", "--message", "a site"),
        (*NEIGHBOR, "init", "--commit"),
    ):
        subprocess.run(command, cwd=tree, check=True, stdout=subprocess.DEVNULL)
    (tree / "state" / "assignments.json").write_text("{}", encoding="utf-8")
    return tree


def one_by_one(tree: Path, rounds: int) -> dict[str, float]:
    """Return medians in milliseconds, ours and git's taken in turn."""
    where = find(str(tree))
    told = settings(where)
    head = said(tree, "git", "rev-parse", "HEAD").strip()
    plain = str(tree.parent / "plain")
    taken: dict[str, list[float]] = {}

    def clock(name: str, act: Callable[[], object]) -> object:
        begin = time.perf_counter()
        result = act()
        taken.setdefault(name, []).append((time.perf_counter() - begin) * 1e3)
        return result

    for _ in range(rounds):
        made = clock("add, whole", lambda: add(where, "ada", 1, head, told))
        assert isinstance(made, Added)
        taken.setdefault("add, under the lock", []).append(made.lock_s * 1e3)
        words = ("git", "worktree", "add", "--quiet", "-b", "plain", plain, head)
        clock("git worktree add", lambda words=words: said(tree, *words))  # type: ignore[misc]
        clock("remove, whole", lambda made=made: remove(where, made.worktree))  # type: ignore[misc]
        trash.empty(where.store)
        words = ("git", "worktree", "remove", "--force", plain)
        clock("git worktree remove", lambda words=words: said(tree, *words))  # type: ignore[misc]
        said(tree, "git", "branch", "-D", "plain")
    return {name: statistics.median(times) for name, times in taken.items()}


def at_once(tree: Path, count: int, command: Callable[[int], tuple[str, ...]]) -> tuple[int, float]:
    """Run as many commands at once; return how many failed, and the seconds until the last."""
    begin = time.perf_counter()
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    running = [subprocess.Popen(command(number), cwd=tree, **quiet) for number in range(count)]
    failed = sum(each.wait() != 0 for each in running)
    return failed, time.perf_counter() - begin


def said(tree: Path, *command: str) -> str:
    return subprocess.run(command, cwd=tree, check=True, capture_output=True, text=True).stdout


def main() -> None:
    """Measure and print; there is no ratio that the design promises."""
    asked = measure.options(__doc__ or "")
    os.environ |= ENVIRONMENT
    files, rounds, count = (100, 2, 3) if asked.small else (FILES, ROUNDS, AT_ONCE)
    folder = Path(tempfile.mkdtemp(prefix="neighbor-worktree-"))
    tree = site(folder, files)
    medians = one_by_one(tree, rounds)
    ours = at_once(tree, count, lambda number: (*NEIGHBOR, "worktree", "add", f"s{number}"))
    beside = str(folder / "plain-")
    plain = at_once(
        tree,
        count,
        lambda number: ("git", "worktree", "add", "-b", f"p{number}", f"{beside}{number}"),
    )
    if not asked.as_json:
        measure.print_sizes({"files": files, "rounds": rounds, "at once": count})
        print(f"\n{'ms, medians by the clock':34}{'ms':>10}")
        for name, median in medians.items():
            print(f"{name:34}{median:10.1f}")
        print(f"\n{f'{count} at once':34}{'failed':>10}{'seconds':>10}")
        for name, (failed, took_s) in {"neighbor": ours, "plain git": plain}.items():
            print(f"{name + ' worktree add':34}{failed:10}{took_s:10.2f}")
    measure.report({}, asked.as_json)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
