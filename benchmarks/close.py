"""Closing a frame of 500 deltas on 1,000,000 agents beside the same on 10,000: `close_growth`.

No export: that costs the files it touches. The deltas are in the log before; each frame has a post
and three comments by 2,000 agents drawn anew from all there are, no two the same. So both stores
change as many entities, and they lie anywhere in the table. The two stores take turns. Processor
time is compared, the clock stands beside it: a close waits for the disk's flushes about as long as
it works.

Sketch: a close touches 500 new posts, 2,000 agents, 200 channels, stats, 500 receipts: 3,500 rows
read and as many written at 3 to 5 us, the fold 2 ms, digests 1 us a row; 30 ms in all. A row in a
table a hundred times as large lies one page deeper in its B-tree, and that page is in the cache:
10 % more, no more.

What it left out: two or three of the agents share a page of the small table, and each has its own
in the large one, 2,270 pages of entities to be written for 845. A page costs 4 us to read, 7 us in
the write-ahead log and 6 us to move into the database, whatever changed in it.
"""

import shutil
import statistics
import tempfile
import time
from pathlib import Path
from random import Random
from typing import NamedTuple

import measure
import orjson
from goodneighbor.store import Store
from workload import RULES

SIZES = (10_000, 1_000_000)
SMALL_SIZES = (2_000, 20_000)
DELTAS = 500
COMMENTS = 3
ROUNDS = 9
SKETCH_MS = 30


class Closing(NamedTuple):
    """What one close took, in milliseconds: of the processor, and on the clock."""

    work: float
    clock: float


def make_store(folder: Path, agents: int) -> Store:
    """Make a store with so many agents of about 100 bytes."""
    rows = b",".join(
        b'"agent-%07d":{"heartbeat_last":"2026-03-28T03:00:00Z","name":"agent-%07d",'
        b'"post_count":%d}' % (number, number, number % 100)
        for number in range(agents)
    )
    return Store.create(folder / str(agents), RULES, {"agents": b'{"agents":{%s}}' % rows})


def frame_of(random: Random, frame: int, agents: int) -> list[bytes]:
    """Return a frame's deltas, each item by another agent."""
    authors = iter(random.sample(range(agents), DELTAS * (1 + COMMENTS)))

    def item(**more: object) -> dict[str, object]:
        return {"author": f"agent-{next(authors):07}", **more}

    return [
        orjson.dumps(
            {
                "frame": frame,
                "stream_id": f"stream-{number % 8}",
                "utc": f"2026-03-28T04:{number // 60 % 60:02}:{number % 60:02}Z",
                "posts_created": [item(number=frame * DELTAS + number, title="A post")],
                "comments_added": [item(discussion=number + index) for index in range(COMMENTS)],
            }
        )
        for number in range(DELTAS)
    ]


def close(store: Store, frame: int, deltas: list[bytes]) -> Closing:
    """Bring a frame's deltas into the log, and time its close."""
    store.append_many(deltas)
    store.drain()
    work, clock = time.process_time(), time.perf_counter()
    store.close_frame(frame)
    return Closing((time.process_time() - work) * 1e3, (time.perf_counter() - clock) * 1e3)


def measured(stores: dict[int, Store], rounds: int) -> dict[int, list[Closing]]:
    """Close a frame of each store in turn; the first of each warms up and is left out."""
    random = Random(405)
    taken: dict[int, list[Closing]] = {agents: [] for agents in stores}
    for frame in range(1, rounds + 2):
        for agents, store in stores.items():
            taken[agents].append(close(store, frame, frame_of(random, frame, agents)))
    return {agents: closings[1:] for agents, closings in taken.items()}


def main() -> None:
    """Measure, print the table and the ratio."""
    asked = measure.options(__doc__ or "")
    sizes, rounds = (SMALL_SIZES, 3) if asked.small else (SIZES, ROUNDS)
    folder = Path(tempfile.mkdtemp(prefix="neighbor-close-"))
    try:
        stores = {agents: make_store(folder, agents) for agents in sizes}
        bytes_of = {
            agents: (store.folder / "store.sqlite3").stat().st_size
            for agents, store in stores.items()
        }
        taken = measured(stores, rounds)
    finally:
        shutil.rmtree(folder)
    work = {
        agents: statistics.median(each.work for each in closings)
        for agents, closings in taken.items()
    }
    few, many = sizes
    if not asked.as_json:
        measure.print_sizes({"deltas a frame": DELTAS, "closes of each": rounds})
        print(f"\n{'agents':>14}{'database MB':>14}{'work ms':>10}{'clock ms':>10}{'most ms':>10}")
        for agents, closings in taken.items():
            clocks = [each.clock for each in closings]
            print(
                f"{agents:14,}{bytes_of[agents] / 1e6:14.1f}{work[agents]:10.1f}"
                f"{statistics.median(clocks):10.1f}{max(clocks):10.1f}"
            )
        print(f"the sketch says {SKETCH_MS} ms: {work[few] / SKETCH_MS:.1f} times as much")
    measure.report({"close_growth": work[many] / work[few]}, asked.as_json)


if __name__ == "__main__":
    main()
