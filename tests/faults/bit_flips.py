"""Flips one bit of a store's files, thousands of times, and looks each time what it says then.

    a flip -> verify finds it, and places it -> recover -> the same rows, the same files
           -> verify finds nothing           -> it says what it said, and goes on as it would have

The promise: no flip yields another state in silence, and what has a second copy comes back byte for
byte. `python -m tests.faults.bit_flips --flips 10000` prints the seed; controls take a check out.
"""

import argparse
import re
import secrets
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import NamedTuple

from goodneighbor.kernel import Event, GoodneighborError
from goodneighbor.store import door, log, replay, verify
from goodneighbor.store.engine import Cursor
from goodneighbor.store.log import EventRow
from goodneighbor.store.log_copy import LogCopy
from goodneighbor.store.rebuild import Lost, Told
from goodneighbor.store.replay import Replayed
from goodneighbor.store.salvage import MISSING, Salvage

from . import flip_world
from .breakage import swapped
from .flip_world import World
from .harness import memory

KINDS = (
    *("database", "page", "snapshot", "event", "door", "segment", "export"),
    *("schema", "header"),  # what the database file says of its tables, and of its pages and rows
)
PAGE_SIZE, FILE_HEADER_SIZE, ROW_HEADER_SIZE = 4096, 100, 24
PLACE = "damaged"
DRAINED = ("event", "store", "copy")
TABLES = {
    "snapshot": ("entity", "entity_past", "document", "receipt", "frame", "frame_stream"),
    "event": ("event", "rules"),
    "door": ("copy", "segment", "collected", "quarantine", "loss", "export", "event"),
}
# What stands in one place only, once its note is gone: the door's rows, the streams that an open
# frame expects, and notes that nobody has taken in yet. Events, rules and snapshots have copies.
SINGLE = ("copy", "collected", "quarantine", "loss", "export", "frame", "mailbox")


class Flip(NamedTuple):
    """One bit of one file."""

    kind: str
    file: str  # relative to the world's folder
    at: int
    bit: int


@dataclass
class Tally:
    """A run so far: by kind, what became of flips."""

    seed: str
    flips: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    repaired: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)  # named: nothing holds a second copy
    lost_what: Counter[str] = field(default_factory=Counter)  # the same, by what it was
    meaningless: Counter[str] = field(default_factory=Counter)  # the store says what it said
    problem: str | None = None

    def table(self) -> str:
        """Write the table."""
        heads = ("", "flips", "found", "repaired", "lost, named", "no meaning")
        columns = (self.flips, self.found, self.repaired, self.lost, self.meaningless)
        rows = [heads, *((kind, *(each[kind] for each in columns)) for kind in KINDS)]
        lines = [f"seed {self.seed}: {sum(self.flips.values())} flips"]
        lines += [f"{row[0]:10}" + "".join(f"{cell:>13}" for cell in row[1:]) for row in rows]
        lost = ", ".join(f"{count} {what}" for what, count in sorted(self.lost_what.items()))
        return "\n".join([*lines, f"lost, each in one place only: {lost or 'nothing'}"])


class Sound(NamedTuple):
    """The world nobody damaged."""

    world: World
    copy: LogCopy
    meaning: dict[str, object]
    future: dict[str, object]
    rows: dict[str, list[tuple[object, ...]]]
    exports: dict[str, bytes]
    schema: list[bytes]  # what the database says of each table, as it stands in the file


def run(
    seed: str,
    flips: int,
    folder: Path,
    sound: Sound,
    *,
    kinds: tuple[str, ...] = KINDS,
    repair_each: int = 1,
) -> Tally:
    """Flip so many bits, one at a time; stop at the first that breaks the promise.

    Of those found, each `repair_each`-th is repaired.
    """
    tally = Tally(seed)
    for number in range(flips):
        random = Random(f"{seed} {number}")
        flip = _flip(random, sound, kinds[number % len(kinds)])
        place = folder / PLACE
        shutil.copytree(sound.world.folder, place)
        repairs = tally.found[flip.kind] % repair_each == 0
        try:
            problem = _judge(sound, World(place), flip, tally, repairs=repairs)
        except Exception:  # whatever it is, the flip that brought it plays again
            problem = traceback.format_exc()
        if problem:
            tally.problem = f"flip {number}, {flip}: {problem}"
            return tally
        shutil.rmtree(place)
    return tally


def prepare(folder: Path) -> Sound:
    """Make the world, and learn what it says and what it would go on to.

    Exports name their tree by its path, so each damaged world lies where the sound one was made.
    """
    world = flip_world.make(folder / PLACE)
    said, copy = flip_world.meaning(world), flip_world.branch(world)
    every, exports, schema = flip_world.rows(world), _exports(world), flip_world.schema(world)
    shutil.copytree(world.folder, folder / "sound")
    future = flip_world.future(world)
    shutil.rmtree(world.folder)
    return Sound(World(folder / "sound"), copy, said, future, every, exports, schema)


def _exports(world: World) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in world.exports()}


def _flip(random: Random, sound: Sound, kind: str) -> Flip:
    """Choose a bit of a kind of file, or of a body in the database."""
    world = sound.world
    if kind == "segment":
        file = random.choice(world.segments())
    elif kind == "export":
        file = random.choice(world.exports())
    else:
        file = world.database
    data = file.read_bytes()
    at = random.randrange(len(data))
    while kind == "page" and not data[at]:  # most of a small database's bytes are free space
        at = random.randrange(len(data))
    if kind == "header":
        at = _header(random, data)
    if kind in TABLES or kind == "schema":
        wanted = (
            _value(random, sound, TABLES[kind]) if kind in TABLES else random.choice(sound.schema)
        )
        places = [index for index in range(len(data)) if data.startswith(wanted, index)]
        at = random.choice(places) + random.randrange(len(wanted))
    return Flip(kind, str(file.relative_to(world.folder)), at, random.randrange(8))


def _header(random: Random, data: bytes) -> int:
    """Choose a byte of a page's head, with its list of rows, or of the head of one of these."""
    page = random.randrange(0, len(data), PAGE_SIZE)
    size = 0 if page else FILE_HEADER_SIZE
    rows = int.from_bytes(data[page + size + 3 : page + size + 5])
    size += 8
    if rows and random.randrange(2):
        listed = page + size + 2 * random.randrange(rows)
        row = page + int.from_bytes(data[listed : listed + 2])
        return min(row + random.randrange(ROW_HEADER_SIZE), len(data) - 1)
    return page + random.randrange(size + 2 * rows)


def _value(random: Random, sound: Sound, tables: tuple[str, ...]) -> bytes:
    """Choose a text or bytes of a random row, as it stands in the file."""
    found: list[bytes] = []
    while not found:
        row = random.choice(sound.rows[random.choice(tables)] or [()])
        values = [each.encode() if isinstance(each, str) else each for each in row]
        found = [each for each in values if isinstance(each, bytes) and len(each) > 3]
    return random.choice(found)


def _judge(sound: Sound, world: World, flip: Flip, tally: Tally, *, repairs: bool) -> str:
    """Flip, look, repair, look again; return what broke the promise, or ""."""
    file = world.folder / flip.file
    data = bytearray(file.read_bytes())
    data[flip.at] ^= 1 << flip.bit
    file.write_bytes(data)
    tally.flips[flip.kind] += 1
    faults = world.open().verify()
    if not faults:
        tally.meaningless[flip.kind] += 1
        return _silent(sound, world)
    tally.found[flip.kind] += 1
    if any(not fault.place or not fault.what for fault in faults):
        return f"a fault has no place: {faults}"
    return _repair(sound, world, flip, tally) if repairs else ""


def _silent(sound: Sound, world: World) -> str:
    """See that a store in which nothing is found says and does what the sound one does."""
    for what, ask, wanted in (
        ("says", flip_world.meaning, sound.meaning),
        ("goes on to", flip_world.future, sound.future),
    ):
        try:
            found = ask(world)
        except (GoodneighborError, ValueError, TypeError) as error:
            return f"nothing was found, and asked what it {what} it raises {error!r}"
        for name, value in wanted.items():
            if found[name] != value:
                return f"in silence it {what} another {name}: {found[name]!r}, and not {value!r}"
    return ""


def _repair(sound: Sound, world: World, flip: Flip, tally: Tally) -> str:
    """Recover, and hold every row and file against the sound ones."""
    done = world.open().recover(Told((sound.copy,)))
    after = world.open().verify()
    if done.lost:
        tally.lost[flip.kind] += 1
        what = {re.split("[ /]", lost.place)[0] for lost in done.lost}
        if not what.issubset(SINGLE):
            return f"what has a second copy was not brought back: {done.lost}"
        tally.lost_what.update(what)
    if after:
        return f"after recover there is still: {after}; {done}"
    if _exports(world) != sound.exports:
        return f"after recover the exports are others; {done}"
    every = flip_world.rows(world)
    for table, wanted in sound.rows.items():
        if table != "segment" and (told := _unsaid(table, every[table], wanted, done.lost)):
            return f"after recover {told}; {done}"  # a damaged segment lies aside
    if not done.lost:
        tally.repaired[flip.kind] += 1
    return ""


def _unsaid(
    table: str, found: list[tuple[object, ...]], wanted: list[tuple[object, ...]], lost: list[Lost]
) -> str:
    """Tell what a table has otherwise than it had, and was not named; "" for nothing.

    Quarantine may hold more than it did: what lay where an export was written again. And a drain
    that puts a damaged note there takes in what waits beside it.
    """
    if table in DRAINED and any(each.place.startswith("mailbox") for each in lost):
        return ""
    more, missing = Counter(found) - Counter(wanted), Counter(wanted) - Counter(found)
    if more and table != "quarantine":
        return f"{table} has rows it never had: {list(more)[:2]}"
    named = [each.place for each in lost if each.place.startswith(table.split("_")[0])]
    if missing.total() > len(named) and not any(place.endswith(MISSING) for place in named):
        return f"{table} lacks what nobody named: {list(missing)[:2]}"
    return ""


class _Anything:
    """Equal to whatever it is held against."""

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False

    __hash__ = None  # type: ignore[assignment]


def _nothing_wrong(event: EventRow, chain: bytes | None) -> Iterator[str]:
    return iter(())


def _folding_in(cursor: Cursor, frame: int) -> list[tuple[int, Event]]:
    """Read events as `log.events_folding_in` does, and ask nothing of them."""
    cursor.execute(
        "SELECT e.position, e.digest, e.frame, e.utc_us, e.stream, e.kind, e.body FROM receipt AS r"
        " JOIN event AS e ON e.position = r.position WHERE r.frame = ? ORDER BY e.position",
        (frame,),
    )
    return [
        (position, Event(digest[: log.ID_SIZE], own, utc_us, stream, kind == "own", body))
        for position, digest, own, utc_us, stream, kind, body in cursor
    ]


@contextmanager
def without_chain() -> Iterator[None]:
    """Nobody follows the chain, nor asks whether a body is the one its digest was taken of."""
    with (
        swapped(verify, "wrong", _nothing_wrong),
        swapped(log, "events_folding_in", _folding_in),
    ):
        yield


@contextmanager
def without_seals() -> Iterator[None]:
    """Nobody holds a row against its seal."""
    with (
        swapped(verify, "seal", lambda values: _Anything()),
        swapped(door, "seal", lambda values: _Anything()),
    ):
        yield


def without_replay() -> AbstractContextManager[None]:
    """Nobody folds the log again beside the snapshots."""
    return swapped(replay, "check", lambda database, seed: Replayed(0, "", []))


def without_doubts() -> AbstractContextManager[None]:
    """Nobody asks whether a damaged table's pages add up: what is not found was never there."""
    return swapped(Salvage, "_doubts", lambda salvage, table: [])


class Way(NamedTuple):
    """A check that is taken out, and the flips that then go wrong."""

    breaks: Callable[[], AbstractContextManager[None]]
    kind: str


WAYS = {
    "without the chain": Way(without_chain, "event"),
    "without the seals": Way(without_seals, "door"),
    "without the replay": Way(without_replay, "snapshot"),
    "without the doubts": Way(without_doubts, "header"),
}


def main() -> int:
    """Run the harness as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.bit_flips", description=__doc__)
    parser.add_argument("--flips", type=int, default=1_000)
    parser.add_argument("--seed", default="", help="plays the same flips again; random without")
    parser.add_argument("--repair-each", type=int, default=1, help="of those found; 1: every one")
    parser.add_argument("--broken", choices=sorted(WAYS), help="a control, to be caught")
    asked = parser.parse_args()
    seed = asked.seed or secrets.token_hex(4)
    begin = time.process_time()
    with ExitStack() as broken:
        memory_folder = tempfile.TemporaryDirectory(prefix="neighbor-flips-", dir=memory())
        folder = broken.enter_context(memory_folder)
        kinds: tuple[str, ...] = KINDS
        if asked.broken:
            kinds = (WAYS[asked.broken].kind,)
        place = Path(folder)
        sound = prepare(place)
        if asked.broken:
            broken.enter_context(WAYS[asked.broken].breaks())
        tally = run(seed, asked.flips, place, sound, kinds=kinds, repair_each=asked.repair_each)
    print(tally.table())
    print(f"{time.process_time() - begin:.1f} CPU-seconds")
    if tally.problem is not None:
        print(tally.problem)
    return 0 if tally.problem is None else 1


if __name__ == "__main__":
    sys.exit(main())
