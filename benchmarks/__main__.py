"""Run every benchmark and write RESULTS.md: `make bench`, or `python benchmarks` in the root.

The file says on which machine and at which commit, and shows what each benchmark printed; a ratio
that is below its target is written down like any other.
"""

import os
import platform
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "RESULTS.md"
BENCHMARKS = (
    *("fold", "emit", "memory", "instructions"),
    *("replay", "append", "close", "cli", "guard", "worktree"),
)
VERDICT = re.compile(r"^(\w+) +([\d.]+(?: ms|x)) +(.*): (kept|BELOW TARGET)$", re.MULTILINE)


def machine() -> list[str]:
    """Return what a reader needs to judge the figures."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text("utf-8"))
    compiler = _said("cc", "--version").splitlines()[0]
    commit = _said("git", "rev-parse", "--short=12", "HEAD")
    if _said("git", "status", "--porcelain", "--untracked-files=no", "kernel", "benchmarks/*.py"):
        commit += ", with changes"
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    return [
        f"machine: {cpu[1] if cpu else platform.processor()}, {os.cpu_count()} cores, load {load}",
        f"system: {platform.platform()}, Python {platform.python_version()}, {compiler}",
        f"commit: {commit}",
    ]


def _said(*command: str) -> str:
    return subprocess.run(
        command, cwd=HERE.parent, capture_output=True, text=True, check=True
    ).stdout.strip()


def run(name: str, arguments: list[str]) -> str:
    """Run one benchmark, showing what it prints, and return that."""
    print(f"\n== {name}", flush=True)
    said = _said(sys.executable, str(HERE / f"{name}.py"), *arguments)
    print(said, flush=True)
    return said


def page(about: list[str], outputs: dict[str, str]) -> str:
    """Return RESULTS.md."""
    lines = [
        "# Results",
        "",
        "Written by `make bench`. Medians of one run, of processor time or the clock.",
        "",
    ]
    lines += [f"- {line}" for line in about]
    lines += ["", "| ratio | measured | promised | |", "|---|---|---|---|"]
    for text in outputs.values():
        for name, ratio, promised, verdict in VERDICT.findall(text):
            lines.append(f"| `{name}` | {ratio} | {promised} | {verdict} |")
    for name, text in outputs.items():
        lines += ["", f"## {name}", "", "```text", text, "```"]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run everything; options are handed on, and with any of them no file is written."""
    about = machine()
    print("\n".join(about))
    outputs = {name: run(name, sys.argv[1:]) for name in BENCHMARKS}
    if not sys.argv[1:]:
        RESULTS.write_text(page(about, outputs), encoding="utf-8")


if __name__ == "__main__":
    main()
