"""git that is killed in the middle of what it writes; the C beside says how.

Counted inside git itself, so the same order kills at the same place.
"""

import os
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SOURCE = Path(__file__).with_name("fatal_git.c")
_NAMES = ("LD_PRELOAD", "FATAL_GIT", "FATAL_TOO", "FATAL_COUNT")


def build(folder: Path) -> Path:
    """Compile what is loaded into git; return the library."""
    library = folder / "fatal_git.so"
    command = [
        "cc",
        "-O1",
        "-shared",
        "-fPIC",
        "-Wall",
        "-Wextra",
        "-o",
        str(library),
        str(SOURCE),
        "-ldl",
    ]
    subprocess.run(command, check=True)
    return library


@contextmanager
def counting(library: Path, told: Path) -> Iterator[None]:
    """Have each git that ends tell its subcommand, and how many changes it made."""
    told.touch()
    with _environment({"LD_PRELOAD": str(library), "FATAL_COUNT": str(told)}):
        yield


@contextmanager
def fatal(library: Path, subcommand: str, nth: int, *, also: int | None) -> Iterator[None]:
    """Have the first git of a subcommand that gets so far die, and the process `also` with it."""
    settings = {"LD_PRELOAD": str(library), "FATAL_GIT": f"{subcommand}:{nth}"}
    if also is not None:
        settings["FATAL_TOO"] = str(also)
    with _environment(settings):
        yield


def changes(told: Path) -> Counter[str]:
    """Return the most changes that a git of each subcommand made; those that made none are out."""
    most: Counter[str] = Counter()
    for line in told.read_text("utf-8").splitlines():
        subcommand, count = line.split()
        most[subcommand] = max(most[subcommand], int(count))
    return +most


@contextmanager
def _environment(settings: dict[str, str]) -> Iterator[None]:
    os.environ.update(settings)
    try:
        yield
    finally:
        for name in _NAMES:
            os.environ.pop(name, None)
