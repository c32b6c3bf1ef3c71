"""The log in SQLite to the state in memory, chain unchecked: `replay_vs_scan`.

Beside it stands a raw scan of the same rows with Python's sqlite3: every event's bytes come out of
the database, and nothing is done with them. On the clock, because a replay reads in one thread and
folds in another; on a machine where others work it does not get two cores, and the processor time
of each thread, printed beside, tells what a free one would show. The log holds the reference
workload's deltas ten times over, each with a post of its own number, so 1,000,000 events and as
many posts.

Sketch, for one event of 640 bytes:

    scan      a row of six columns made into Python objects, 640 bytes copied: 1.0 us
    group     0.1 us, by C loops over the rows as they come
    pack      0.6 us (kernel/packing.py): by columns, in batches that stay in the cache
    fold      0.6 us by the sketch of fold.py, on the other core

together 1.7 us on the reading side, so 0.6 of a scan, as long as the fold stays below that.
"""

import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import measure
from goodneighbor.kernel import FOLD_VERSION
from goodneighbor.store import Store, closes, log
from goodneighbor.store.log import Entry
from goodneighbor.store.refold import COLUMNS, refold
from measure import Contender
from workload import RULES, Delta, Workload, make

TIMES = 10  # each delta of the workload comes so often, with another number
SKETCH_US = 1.7
SEED = bytes(16)


def fill(folder: Path, workload: Workload, times: int) -> Store:
    """Make a store whose log holds the workload `times` over; nothing is folded but the base."""
    base = {"agents": _document(workload.agents), "channels": _document(workload.channels)}
    roots = {name: b'{"%s":%s}' % (name.encode(), body) for name, body in base.items()}
    store = Store.create(folder / "goodneighbor", RULES, roots)
    with store._writing("bench") as writer:
        for frame in workload.frames:
            with writer.transaction("drain") as cursor:
                log.append(cursor, list(_entries(frame, times)))
                rules = closes.rules_in_force(cursor)
                after = log.head(cursor).position
                close = closes.entry(
                    frame[0].frame,
                    [],
                    rules.frames.reopen,
                    rules.digest,
                    after=after,
                    now_us=frame[0].utc_us,
                    fold=FOLD_VERSION,
                )
                log.append(cursor, [close])
    return store


def _entries(frame: list[Delta], times: int) -> Iterator[Entry]:
    for turn in range(times):
        number = b'%02d,"title"' % turn  # two more digits of the post's number
        for delta in frame:
            body = delta.body.replace(b',"title"', number)
            yield Entry("delta", delta.frame, delta.utc_us, delta.stream, delta.utc_us, body)


def _document(rows: list[tuple[bytes, bytes]]) -> bytes:
    return b"{" + b",".join(b'"%s":%s' % row for row in rows) + b"}"


def scan(path: Path, columns: str) -> None:
    """Read every event's row, and leave it at that."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        for _ in connection.execute(f"SELECT {columns} FROM event ORDER BY position"):
            pass


def replay(store: Store) -> None:
    """Fold the log in memory."""
    with store._reading() as cursor:
        refold(cursor, SEED).fold.close()


def work_of(run: Callable[[], object], count: int) -> tuple[float, float]:
    """Return the processor seconds of this thread and of the others, for one event."""
    whole, own = time.process_time(), time.thread_time()
    run()
    own = time.thread_time() - own
    return own / count, (time.process_time() - whole - own) / count


def contenders(store: Store, count: int, rounds: int) -> list[Contender]:
    """Return what reads the whole log."""
    path = store.folder / "store.sqlite3"

    def contender(name: str, run: Callable[[object], object]) -> Contender:
        return Contender(name, run, count, rounds=rounds, clock=time.perf_counter)

    return [
        contender("raw scan of what a replay reads", lambda _: scan(path, COLUMNS)),
        contender("raw scan of whole rows", lambda _: scan(path, "*")),
        contender("replay to the state in memory", lambda _: replay(store)),
    ]


def main() -> None:
    """Measure, print the table and the ratio."""
    asked = measure.options(__doc__ or "")
    workload = make(**measure.SMALL) if asked.small else make()
    times, rounds = (2, 1) if asked.small else (TIMES, 3)
    with tempfile.TemporaryDirectory(prefix="neighbor-replay-") as folder:
        store = fill(Path(folder), workload, times)
        count = store.status().events
        size = (store.folder / "store.sqlite3").stat().st_size
        found = contenders(store, count, rounds)
        taken = measure.medians(found)
        scanning, _ = work_of(lambda: scan(store.folder / "store.sqlite3", COLUMNS), count)
        reading, folding = work_of(lambda: replay(store), count)
    scanned, _, replayed = (taken[each.name] for each in found)
    if not asked.as_json:
        measure.print_sizes(workload.sizes() | {"events": count, "database_mb": size / 1e6})
        measure.print_table(taken, found, found[0].name, "event")
        replayed_us, scanned_us = replayed * 1e6, scanned * 1e6
        print(
            f"a replay took {replayed_us:.1f} us an event, {replayed_us / SKETCH_US:.1f} times the "
            f"sketch's {SKETCH_US} us; a scan {scanned_us:.1f} us"
        )
        print(
            f"of processor time: scan {scanning * 1e6:.2f} us, reading {reading * 1e6:.2f} us, "
            f"folding {folding * 1e6:.2f} us; {scanning / max(reading, folding):.2f}x with a free "
            "core for each thread"
        )
    measure.report({"replay_vs_scan": scanned / replayed}, asked.as_json)


if __name__ == "__main__":
    main()
