"""How a benchmark measures: medians of processor time, contenders taken in turn.

Processor time, because these machines are shared and the wall clock tells about the neighbors; in
turn, because caches and clock rates drift, and what drifts then meets every contender alike. The
garbage collector is off while anything is timed.
"""

import argparse
import gc
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from promises import PROMISES

SMALL = {"agents": 500, "deltas": 2_000, "frames": 20}

# Of what is compared and takes less than a second. A shared core changes its speed from one second
# to the next: of the same fold, 5 rounds gave ratios from 3.3 to 5.8.
ROUNDS_SHORT = 31


@dataclass(frozen=True)
class Contender:
    """One line of a table; `run` is timed and takes what `prepare` returned."""

    name: str
    run: Callable[[Any], object]
    count: int  # what it works through, in the table's unit
    prepare: Callable[[], Any] = lambda: None
    rounds: int = 5
    clock: Callable[[], float] = time.process_time


@dataclass(frozen=True)
class Options:
    """What was asked for on the command line."""

    small: bool
    as_json: bool


def options(description: str) -> Options:
    """Read the options that every benchmark takes."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="a small workload, for tests")
    parser.add_argument("--json", action="store_true", help="print the ratios alone, as JSON")
    given = parser.parse_args()
    return Options(given.small, given.json)


def medians(contenders: Sequence[Contender]) -> dict[str, float]:
    """Return each contender's median seconds for one of its `count`."""
    times: dict[str, list[float]] = {each.name: [] for each in contenders}
    for turn in range(max(each.rounds for each in contenders)):
        for each in contenders:
            if turn < each.rounds:
                times[each.name].append(_time(each) / each.count)
    return {name: statistics.median(taken) for name, taken in times.items()}


def _time(contender: Contender) -> float:
    prepared = contender.prepare()
    gc.collect()
    gc.disable()
    try:
        start = contender.clock()
        contender.run(prepared)
        return contender.clock() - start
    finally:
        gc.enable()


def print_sizes(sizes: dict[str, float]) -> None:
    """Say what was measured on."""
    print("workload:", ", ".join(f"{size:,.0f} {name}" for name, size in sizes.items()))


def print_table(
    taken: dict[str, float], contenders: Sequence[Contender], first: str, unit: str
) -> None:
    """Print each contender's time beside that of `first`."""
    print(f"\n{'':46}{f'ns/{unit}':>12}{'rounds':>8}{'beside':>10}")
    for each in contenders:
        seconds = taken[each.name]
        beside = seconds / taken[first]
        print(f"{each.name:46}{seconds * 1e9:12,.2f}{each.rounds:8}{beside:9.2f}x")


def report(ratios: dict[str, float], as_json: bool) -> None:
    """Print the ratios: as JSON under their names, or each beside what was promised."""
    if as_json:
        json.dump({name: round(ratio, 3) for name, ratio in ratios.items()}, sys.stdout)
        print()
        return
    print()
    for name, ratio in ratios.items():
        print(f"{name:22} {PROMISES[name].verdict(ratio)}")
