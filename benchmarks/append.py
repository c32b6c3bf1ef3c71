"""Appends of one delta a call: `append_vs_direct`, `append_vs_eventsourcing`.

Every contender keeps the same delta durably before its call returns, from 1 process and from 8 at
once, each with a handle of its own. On the clock, because what is compared is waiting for the
disk and for each other; contenders in turn, medians of rounds, latencies of all calls together.

    goodneighbor             a note at the end of the writer's own segment, flushed; no lock
    direct commits           BEGIN IMMEDIATE, INSERT, COMMIT on one SQLite, WAL, synchronous FULL
    filelock round a commit  the same with the store's kind of lock round it
    eventsourcing            the library's application on its SQLite module, an aggregate a delta

Sketch, with d for one flush of the disk (printed):

    1 process    a check of 650 bytes at 40 us, one write, one flush: d + 60 us. A direct commit
                 writes two or three pages and flushes once: d + 150 us; about even, d decides
    8 processes  segments are flushed at once, and the file system joins what waits: one commit of
                 its journal for several. Direct commits wait in line: 8 d and more for each, with a
                 tail as long as SQLite sleeps between its tries (1 to 100 ms)
"""

import os
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any, NamedTuple

import measure
from filelock import FileLock
from goodneighbor.store import Store
from workload import RULES, make

Send = Callable[[bytes], object]
processes = get_context("fork")

CALLS = 150  # of each process in a round
ROUNDS = 5
MANY = 8
WAIT_S = 120


class Taken(NamedTuple):
    """What a contender took in one round: seconds in all, and of each call."""

    whole: float
    calls: list[float]


def goodneighbor(folder: Path) -> Send:
    """Open the store of this folder, made if it is not there."""
    store = folder / "goodneighbor"
    if not store.exists():
        Store.create(store, RULES).close()
    return Store.open(store).append


def direct(folder: Path) -> Send:
    """Open a database and return what commits a row to it."""
    connection = sqlite3.connect(folder / "direct.sqlite3", timeout=WAIT_S, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE IF NOT EXISTS event (position INTEGER PRIMARY KEY, body BLOB)")

    def send(body: bytes) -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO event (body) VALUES (?)", (body,))
        connection.execute("COMMIT")

    return send


def filelock(folder: Path) -> Send:
    """Do the same under a file lock."""
    commit = direct(folder)
    lock = FileLock(folder / "lock", timeout=WAIT_S, poll_interval=0.001)

    def send(body: bytes) -> None:
        with lock:
            commit(body)

    return send


def eventsourcing(folder: Path) -> Send:
    """Open the library's application on its SQLite module."""
    os.environ |= {
        "PERSISTENCE_MODULE": "eventsourcing.sqlite",
        "SQLITE_DBNAME": str(folder / "eventsourcing.sqlite3"),
        "SQLITE_LOCK_TIMEOUT": str(WAIT_S),
    }
    from eventsourcing.application import Application
    from eventsourcing_delta import Delta

    application: Any = Application()
    return lambda body: application.save(Delta.send(body.decode()))


CONTENDERS: dict[str, Callable[[Path], Send]] = {
    "goodneighbor": goodneighbor,
    "direct commits": direct,
    "filelock round a commit": filelock,
    "eventsourcing": eventsourcing,
}


def play(contender: Callable[[Path], Send], shares: list[list[bytes]]) -> Taken:
    """Let a process for each share send it, all from the same moment on."""
    with tempfile.TemporaryDirectory(prefix="neighbor-append-") as name:
        _make(contender, Path(name))
        barrier, told = processes.Barrier(len(shares)), processes.SimpleQueue()
        workers = [
            processes.Process(target=_work, args=(contender, Path(name), share, barrier, told))
            for share in shares
        ]
        for worker in workers:
            worker.start()
        ended = [told.get() for _ in workers]
        for worker in workers:
            worker.join()
    if any(error for *_, error in ended):
        sys.exit(f"a process failed: {next(error for *_, error in ended if error)}")
    begin, end = min(each[0] for each in ended), max(each[1] for each in ended)
    return Taken(end - begin, [call for each in ended for call in each[2]])


def _make(contender: Callable[[Path], Send], folder: Path) -> None:
    """Make what the workers then open; not here, where they would inherit its connections."""
    maker = processes.Process(target=contender, args=(folder,))
    maker.start()
    maker.join()
    if maker.exitcode:
        sys.exit("what the processes open could not be made")


def _work(
    contender: Callable[[Path], Send], folder: Path, share: list[bytes], barrier: Barrier, told: Any
) -> None:
    calls, begin, error = [], 0.0, ""
    try:
        send = contender(folder)
        send(share[0])  # what a first call opens and imports is not what is compared
        barrier.wait(WAIT_S)
        begin = time.perf_counter()
        for body in share[1:]:
            at = time.perf_counter()
            send(body)
            calls.append(time.perf_counter() - at)
    except Exception as raised:  # told to the parent, which ends the run
        error = f"{type(raised).__name__}: {raised}"
    told.put((begin, time.perf_counter(), calls, error))


def flush_s(rounds: int = 50) -> float:
    """Return the seconds of one append of 700 bytes with its flush, the median."""
    with tempfile.NamedTemporaryFile(buffering=0) as file:
        taken = []
        for _ in range(rounds):
            at = time.perf_counter()
            file.write(bytes(700))
            os.fdatasync(file.fileno())
            taken.append(time.perf_counter() - at)
    return statistics.median(taken)


def measured(bodies: list[bytes], count: int, calls: int, rounds: int) -> dict[str, list[Taken]]:
    """Return each contender's rounds with `count` processes, taken in turn."""
    shares = [bodies[index * (calls + 1) : (index + 1) * (calls + 1)] for index in range(count)]
    assert len(shares[-1]) == calls + 1, "there are bodies enough"
    found: dict[str, list[Taken]] = {name: [] for name in CONTENDERS}
    for _ in range(rounds):
        for name, contender in CONTENDERS.items():
            found[name].append(play(contender, shares))
    return found


def rate(taken: list[Taken]) -> float:
    """Return calls a second, the median of the rounds."""
    return statistics.median(len(each.calls) / each.whole for each in taken)


def percentile(taken: list[Taken], share: float) -> float:
    """Return the milliseconds that so large a share of all calls stays under."""
    calls = sorted(call for each in taken for call in each.calls)
    return calls[min(len(calls) - 1, int(share * len(calls)))] * 1e3


def print_table(count: int, found: dict[str, list[Taken]]) -> None:
    """Print the contenders at one number of processes."""
    first = rate(found["goodneighbor"])
    print(f"\n{f'{count} at once':30}{'calls/s':>12}{'p50 ms':>10}{'p99 ms':>10}{'beside':>10}")
    for name, taken in found.items():
        middle, tail = percentile(taken, 0.5), percentile(taken, 0.99)
        beside = rate(taken) / first
        print(f"{name:30}{rate(taken):12,.0f}{middle:10.2f}{tail:10.2f}{beside:9.2f}x")


def main() -> None:
    """Measure, print the tables and the ratios."""
    asked = measure.options(__doc__ or "")
    calls, rounds = (10, 1) if asked.small else (CALLS, ROUNDS)
    bodies = make(agents=500, deltas=MANY * (calls + 1), frames=1).bodies()
    run = partial(measured, bodies, calls=calls, rounds=rounds)
    found = {count: run(count=count) for count in (1, MANY)}
    if not asked.as_json:
        size = sum(map(len, bodies)) / len(bodies)
        measure.print_sizes({"calls": calls, "rounds": rounds, "delta_bytes": size})
        print(f"one write of 700 bytes with its flush, alone: {flush_s() * 1e3:.2f} ms")
        for count, each in found.items():
            print_table(count, each)
    ours = rate(found[MANY]["goodneighbor"])
    measure.report(
        {
            "append_vs_direct": ours / rate(found[MANY]["direct commits"]),
            "append_vs_eventsourcing": ours / rate(found[MANY]["eventsourcing"]),
        },
        asked.as_json,
    )


if __name__ == "__main__":
    main()
