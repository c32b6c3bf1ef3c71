"""Writing whole documents: `emit_vs_orjson` when all changed, `emit_clean_vs_orjson` when 1 % did.

All documents of the state after the last frame, in the pretty form, bytes handed to Python; orjson
writes the same state with OPT_SORT_KEYS | OPT_INDENT_2 | OPT_APPEND_NEWLINE, and the bytes are
compared. Before each timed run every entity, or every hundredth, gets a new value in one field.

Sketch, for a state of S bytes pretty (about 1.4 times its compact bytes), 280 bytes a line:

    all changed     a line is 10 cache lines that lie apart (entity, object, text, where the line is
                    kept): 7 ns each where they are asked for ahead of time, 0.25 ns a byte; 4.4
                    instructions a byte for the pretty form, 0.3 ns; the copy below: 0.65 in all
    1 % changed     two walks over a table of 16 bytes a line, 1.5 ns a line; 1,100 lines of 0.4 us,
                    every hundredth, that no order helps; and one copy of S bytes past the caches,
                    15 GB/s: 0.005 + 0.015 + 0.065 ns a byte
    orjson          sorts each object's keys, walks its dicts: 2 to 3 ns a byte

Measured with 1 % changed, 3.2 ms for 31 MB where the core is not shared: 2.2 the copy, 14 GB/s of
memory that the caches have lost by then (2.9 before it looked past the end of a page and went on at
four places at once); 0.3 the walks; 0.5 the lines. Where lines had come to lie apart, since all had
changed their sizes, the walks took 0.9 and the copy 3.2: hence they are gathered.

The bytes go to memory that Python's allocator has had before, as every contender's do here. In
fresh memory each page of 4 KB costs 2 us more: 7,500 of them 12 ms, where huge pages are had 5.
"""

import json
import sys
from collections.abc import Callable, Iterable

import kernel_fold
import measure
import msgspec
import orjson
import python_fold
from goodneighbor.kernel import Event, Fold
from measure import Contender
from workload import Workload, make

OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
CLEAN_EVERY = 100  # 1 % of the entities
SKETCH_ALL_NS = 0.65  # a byte
SKETCH_CLEAN_NS = 0.085
FIELDS = {"agents": "karma", "channels": "post_count", "posts": "number"}


class Changer:
    """Gives entities a value they did not have, through deltas of the store's own."""

    def __init__(self, fold: Fold, state: python_fold.State) -> None:
        self.fold = fold
        self.paths = [
            f"/{name}/{key}/{field}" for name, field in FIELDS.items() for key in state[name]
        ]
        self.turn = 0

    def change(self, paths: Iterable[str]) -> None:
        """Set the field behind each path to the number of the turn."""
        self.turn += 1
        ops = [{"op": "set", "path": path, "value": self.turn} for path in [*paths, *STATS]]
        body = orjson.dumps({"frame": 0, "ops": ops, "stream_id": "store"})
        self.fold.run([Event(bytes(16), 0, None, "store", True, body)])

    def all(self) -> Fold:
        """Change every entity and return the handle."""
        self.change(self.paths)
        return self.fold

    def some(self) -> Fold:
        """Write everything out, then change every hundredth entity."""
        written(self.fold)
        self.change(self.paths[::CLEAN_EVERY])
        return self.fold


STATS = ["/stats/total_posts"]


def written(fold: Fold) -> list[bytes]:
    """Write every document."""
    return [fold.document(each.name) for each in fold.rules.documents]


def after_the_last_frame(workload: Workload) -> tuple[Fold, python_fold.State]:
    """Return the same state twice."""
    state = python_fold.state_of(workload)
    python_fold.fold(state, workload.frames)
    fold = kernel_fold.opened(workload)
    kernel_fold.run(fold, kernel_fold.pack(workload.frames))
    return fold, state


def contenders(changer: Changer, documents: list[object], size: int) -> list[Contender]:
    """Return everything that writes the state."""

    def each(write: Callable[[object], object]) -> Callable[[object], object]:
        return lambda _: [write(document) for document in documents]

    encoder = msgspec.json.Encoder(order="sorted")
    return [
        Contender(
            "orjson, sorted and indented",
            each(lambda document: orjson.dumps(document, option=OPTIONS)),
            size,
            rounds=measure.ROUNDS_SHORT,
        ),
        Contender(
            "kernel, all entities changed", written, size, changer.all, rounds=measure.ROUNDS_SHORT
        ),
        Contender(
            "kernel, 1 % of the entities changed",
            written,
            size,
            changer.some,
            rounds=measure.ROUNDS_SHORT,
        ),
        Contender(
            "msgspec, sorted, then msgspec.json.format",
            each(lambda document: msgspec.json.format(encoder.encode(document), indent=2)),
            size,
        ),
        Contender(
            "json.dumps, sorted and indented",
            each(
                lambda document: json.dumps(
                    document, sort_keys=True, indent=2, ensure_ascii=False
                ).encode()
            ),
            size,
            rounds=2,
        ),
    ]


def main() -> None:
    """Measure, print the table and the ratios."""
    asked = measure.options(__doc__ or "")
    workload = make(**measure.SMALL) if asked.small else make()
    fold, state = after_the_last_frame(workload)
    documents = list(python_fold.documents(state).values())
    expected = [orjson.dumps(document, option=OPTIONS) for document in documents]
    if written(fold) != expected:
        sys.exit("the kernel's documents differ from orjson's")
    size = sum(map(len, expected))
    changer = Changer(fold, state)
    everyone = contenders(changer, documents, size)
    taken = measure.medians(everyone)
    orjson_name, all_name, some_name, *_ = (each.name for each in everyone)
    if not asked.as_json:
        measure.print_sizes(
            {**workload.sizes(), "entities": len(changer.paths) + 1, "pretty_bytes": size}
        )
        measure.print_table(taken, everyone, orjson_name, "byte")
        print(
            f"all changed: {taken[all_name] * 1e9:.2f} ns a byte, the sketch says {SKETCH_ALL_NS}; "
            f"1 % changed: {taken[some_name] * 1e9:.3f}, the sketch says {SKETCH_CLEAN_NS}"
        )
    ratios = {
        "emit_vs_orjson": taken[orjson_name] / taken[all_name],
        "emit_clean_vs_orjson": taken[orjson_name] / taken[some_name],
    }
    measure.report(ratios, asked.as_json)


if __name__ == "__main__":
    main()
