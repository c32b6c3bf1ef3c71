"""The fold beside reading the same lines in Python: `fold_vs_orjson`, `fold_vs_python`.

Timed is what happens with events that lie in memory: `orjson.loads` of each line on one side;
reading, ordering, 14 operations a delta and receipts on the other. The kernel's events are packed
into its buffer before, as orjson's lines are a list of bytes before; "with packing and changed
rows" is the whole call that a store makes.

Sketch, for one delta of 630 bytes with 5 units and 14 operations:

    read      630 bytes once, forward: 10 cache lines; at 1.5 bytes a cycle 420 cycles
    slots     21 values named by the rules found on the way; no allocation a value
    look up   1 post that is new, 1 channel, 4 agents: 6 hashes of ~20 bytes, and for each a
              bucket, an entity and a key, 3 cache lines that are not in L2 (10,000 agents' cells
              are 5 MB): 18 misses of ~40 cycles, 700 cycles
    apply     14 operations on cells at 20 cycles, an undo entry of 32 bytes each: 400 cycles
    keep      1 post of ~150 bytes copied, its entity made: 2 allocations, 100 cycles
    order     500 events a frame by (time, stream, seq, id): 4 passes over 16 bytes, 100 cycles

together 1,800 cycles, 0.6 us at 3 GHz; the last line of the table says how far off that is.

Measured, in instructions of one delta (callgrind, 500 agents, 6,000 deltas): read and slots 1,620,
look up 950, apply 1,550, keep 630, order 130, the walk between them 340; 5,210 in all. What is left
is the number of steps, and they weigh less than what the machine waits for. Told by kernels in one
process, frame by frame in turns, on an EPYC whose nearest caches hold 32 and 512 KB and whose
memory is 170 ns away:

    0.91    6 deltas are read at once and not 32, closer together, their entities asked for earlier
    0.95    lines that new members will be written to are asked for as well
    0.97    tables double where they lie, and the list of entities is never copied: new pages cost
            2.5 us each, and a huge one, which the posts take every 28 frames, 260 us
    0.97    entities lie without their texts between them, on a fifth of the pages
    0.97    bodies are asked for only while some are opened; those of events at one time are not
            fetched for `seq` before they are read
    0.98    objects of an array have a loop of their own, and a member one test less

The first frames cost up to three times as much as later ones, since each agent's body is cut into
cells at its first change. Of the rest a twentieth goes to the system, which clears the pages of new
posts.
"""

import sys
from collections.abc import Callable

import kernel_fold
import measure
import msgspec
import orjson
import peers
import python_fold
from goodneighbor.kernel import Fold
from measure import Contender
from workload import OPERATIONS_A_DELTA, Workload, make

SKETCH_US = 0.6


def contenders(workload: Workload) -> list[Contender]:
    """Return everything that reads the whole workload."""
    bodies, frames = workload.bodies(), workload.frames
    packed = kernel_fold.pack(frames)
    count = len(bodies)
    decoder = msgspec.json.Decoder()

    def opened() -> Fold:
        return kernel_fold.opened(workload)

    return [
        Contender(
            "orjson.loads of each line",
            lambda _: _each(orjson.loads, bodies),
            count,
            rounds=measure.ROUNDS_SHORT,
        ),
        Contender("msgspec.json of each line", lambda _: _each(decoder.decode, bodies), count),
        Contender(
            "kernel fold",
            lambda fold: kernel_fold.run(fold, packed),
            count,
            opened,
            rounds=measure.ROUNDS_SHORT,
        ),
        Contender(
            "kernel fold, with packing and changed rows",
            lambda fold: _store_call(fold, workload),
            count,
            opened,
            rounds=3,
        ),
        Contender(
            "the same fold in Python with orjson",
            lambda state: python_fold.fold(state, frames),
            count,
            lambda: python_fold.state_of(workload),
            rounds=3,
        ),
    ]


def _each(read: Callable[[bytes], object], bodies: list[bytes]) -> None:
    for body in bodies:
        read(body)


def _store_call(fold: Fold, workload: Workload) -> None:
    for frame in workload.frames:
        len(fold.run(kernel_fold.events_of(frame)).changed)


def check(workload: Workload) -> None:
    """Fold both ways; the documents must be the same bytes, or no figure means anything."""
    state = python_fold.state_of(workload)
    python_fold.fold(state, workload.frames)
    with kernel_fold.opened(workload) as fold:
        kernel_fold.run(fold, kernel_fold.pack(workload.frames))
        for name, value in python_fold.documents(state).items():
            expected = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
            if fold.document(name, "compact") != expected:
                sys.exit(f"the two folds differ in document {name}")


def main() -> None:
    """Measure, print the table and the ratios."""
    asked = measure.options(__doc__ or "")
    workload = make(**measure.SMALL) if asked.small else make()
    check(workload)
    whole = contenders(workload)
    others, missing = ([], []) if asked.as_json else peers.contenders(workload)
    taken = measure.medians([*whole, *others])
    orjson_name, _, kernel_name, _, python_name = (each.name for each in whole)
    if not asked.as_json:
        measure.print_sizes(workload.sizes())
        measure.print_table(taken, [*whole, *others], orjson_name, "delta")
        for line in missing:
            print(line)
        kernel_us = taken[kernel_name] * 1e6
        print(
            f"the kernel took {kernel_us / OPERATIONS_A_DELTA * 1000:.0f} ns an operation, "
            f"{kernel_us / SKETCH_US:.1f} times the sketch's {SKETCH_US} us a delta"
        )
    ratios = {
        "fold_vs_orjson": taken[orjson_name] / taken[kernel_name],
        "fold_vs_python": taken[python_name] / taken[kernel_name],
    }
    measure.report(ratios, asked.as_json)


if __name__ == "__main__":
    main()
