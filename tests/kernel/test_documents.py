"""Whole documents are what the state is, however little of them was written again since."""

import itertools
import random
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from goodneighbor.kernel import Event, Fold, KernelLimit, Rules

from ..effort import examples

RULES = """
[documents.rooted]
path = "state/rooted.json"
root = "entities"
[documents.rooted.fields]
seen = "max"
[documents.plain]
path = "state/plain.json"
[documents.record]
path = "state/record.json"
kind = "record"
[[items]]
each = "seen"
apply = ["max /rooted/{@value}/seen {@utc}"]
"""
SEED = 405
NAMES = ("rooted", "plain", "record")
PRETTY = orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
KEYS = ("", "a", "k", "k\0", "k0", "key", "z", "é", "\n", '"\\', "0" * 70, "\U0010ffff")
SAME_AT_FIRST = tuple("key-0000" + rest for rest in ("", "\0", "\0\0", "\0a", "0", "00", "a", "é"))
MEMBERS = ("A", "_meta", "entitiet", "zone")  # in front of the root and behind it


class World:
    """A fold, and the same state as Python has it."""

    def __init__(self) -> None:
        self.fold = Fold(Rules.parse(RULES), seed=bytes(16))
        self.state: dict[str, dict[str, Any]] = {name: {} for name in NAMES}
        self.beside: dict[str, Any] = {}

    def run(self, *ops: tuple[str, str, Any]) -> None:
        """Fold operations of the store's own; raises as the fold does."""
        body = {
            "frame": 0,
            "ops": [
                {"op": op, "path": path} | ({} if op == "remove" else {"value": value})
                for op, path, value in ops
            ],
            "stream_id": "store",
        }
        text = orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
        self.fold.run([Event(bytes(16), 0, None, "store", True, text)])

    def set(self, name: str, key: str, value: Any) -> None:
        """Write a whole entity, or a member of the record."""
        self.run(("set", f"/{name}/{key}", value))
        self.state[name][key] = value

    def set_beside(self, member: str, value: Any) -> None:
        self.run(("set", f"/rooted/@/{member}", value))
        self.beside[member] = value

    def remove(self, name: str, key: str) -> None:
        self.run(("remove", f"/{name}/{key}", None))
        self.state[name].pop(key, None)

    def expected(self, name: str) -> Any:
        if name == "rooted":
            return {**self.beside, "entities": self.state[name]}
        return self.state[name]

    def check(self, *names: str) -> None:
        for name in names or NAMES:
            want = self.expected(name)
            assert self.fold.document(name) == orjson.dumps(want, option=PRETTY)
            compact = orjson.dumps(want, option=orjson.OPT_SORT_KEYS)
            assert self.fold.document(name, "compact") == compact


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.fold.close()


def value_of(chance: random.Random) -> Any:
    values: list[Any] = [
        {},
        {"text": "x" * chance.randrange(200)},
        {"n": chance.randrange(10 ** chance.randrange(1, 12)), "deep": {"a": [1, {}]}},
        {"seen": "2026-03-28T03:00:00Z", "list": [[], "\\", '"', "é"]},
    ]
    return chance.choice(values)


def step(world: World, chance: random.Random) -> None:
    """Change something, or write some of the documents."""
    name, key = chance.choice(NAMES[:2]), chance.choice(KEYS + SAME_AT_FIRST)
    if chance.random() < 0.5:
        key = f"key-{chance.randrange(40)}"
    what = chance.randrange(8)
    if what < 3:
        world.set(name, key, value_of(chance))
    elif what == 3:
        world.remove(name, key)
    elif what == 4:
        world.set_beside(chance.choice(MEMBERS), value_of(chance))
    elif what == 5:
        world.set("record", f"m{chance.randrange(5)}", value_of(chance))
    else:
        world.check(*chance.sample(NAMES, chance.randrange(1, 4)))


def test_documents_are_the_state_after_any_steps() -> None:
    for seed in range(SEED, SEED + examples(100)):
        print("seed", seed)
        chance, world = random.Random(seed), World()
        for _ in range(120):
            step(world, chance)
        world.check()
        world.fold.close()


def test_keys_come_in_order_however_they_came() -> None:
    keys = sorted(KEYS + SAME_AT_FIRST)
    for seed in range(examples(50)):
        chance, world = random.Random(seed), World()
        for key in chance.sample(keys, len(keys)):
            world.set("plain", key, {"seed": seed})
            if chance.random() < 0.1:
                world.check("plain")
        world.check("plain")
        world.fold.close()


def test_an_entity_in_front_of_all_others_and_one_behind(world: World) -> None:
    world.check()
    for key in ("m", "a", "z", "n", "A", "zz"):
        for name in ("rooted", "plain"):
            world.set(name, key, {"key": key})
        world.check()


def test_the_first_and_the_last_entity_go_and_come_back(world: World) -> None:
    for key in ("a", "b", "c"):
        world.set("plain", key, {"n": 1})
    for key in ("a", "c", "b"):
        world.check("plain")
        world.remove("plain", key)
    world.check("plain")
    assert world.fold.document("plain") == b"{}\n"
    for key in ("c", "a"):
        world.set("plain", key, {"n": 2, "text": "longer than before"})
        world.check("plain")


@pytest.mark.parametrize("value", [1, 1000, "x" * 100])
def test_a_line_that_shrinks_grows_and_stays(world: World, value: Any) -> None:
    for number in range(50):
        world.set("rooted", f"key-{number}", {"n": 7})
    for turn in (value, 5, value, 6, None, value):
        world.check("rooted")
        world.set("rooted", "key-20", {"n": turn})
    world.check("rooted")


def test_what_was_rolled_back_is_not_in_the_document(world: World) -> None:
    for number in range(5):
        world.set("plain", f"k{number}", {"n": number})
    world.check()
    before = world.fold.document("plain")
    # the operations of one `ops` of a stream are one unit: the last makes it fail
    ops = [
        {"op": "set", "path": "/plain/k1/n", "value": "written and taken back"},
        {"op": "test", "path": "/plain/k2/n", "value": "not so"},
    ]
    rules = Rules.parse(RULES + '[ops]\nallow = ["set /plain/*/*", "test /plain/*/*"]\n')
    body = orjson.dumps({"frame": 0, "ops": ops, "stream_id": "s"})
    with Fold(rules, seed=bytes(16)) as fold:
        rows = [(f"k{n}".encode(), orjson.dumps({"n": n})) for n in range(5)]
        fold.load("plain", rows)
        assert fold.document("plain") == before
        receipt = fold.run([Event(bytes(16), 0, None, "s", False, body)]).receipts[0]
        assert (receipt.applied, receipt.skipped) == (0, 1)
        assert fold.document("plain") == before


def test_lines_are_bounded_by_the_documents(world: World) -> None:
    """Every entity grows again and again: what its lines were before is given back."""
    keys = [f"key-{number:03}" for number in range(200)]
    sizes = []
    for turn in range(1, 60):
        value = {"text": "x" * 100 * turn}
        world.run(*(("set", f"/plain/{key}", value) for key in keys))
        world.state["plain"] = dict.fromkeys(keys, value)
        world.check("plain")
        sizes.append(world.fold.memory()[1])
    assert len(world.fold.document("plain")) > 1_000_000
    assert sizes[-1] < 64 << 20
    value = {"text": ""}
    world.run(*(("set", f"/plain/{key}", value) for key in keys))
    world.state["plain"] = dict.fromkeys(keys, value)
    world.check("plain")


@pytest.mark.parametrize("registers", ["wide", "narrow"])
def test_a_document_larger_than_caches_in_stretches_of_every_size(
    world: World, registers: str
) -> None:
    if registers == "narrow":
        world.fold.read_narrow()
    keys = [f"key-{number:05}" for number in range(30_000)]
    values = {key: {"text": "x" * (len(key) * 15)} for key in keys}
    world.run(*(("set", f"/plain/{key}", value) for key, value in values.items()))
    world.state["plain"] = dict(values)
    world.check("plain")
    assert len(world.fold.document("plain")) > 4 << 20
    for every in (3, 100, 5_000):
        world.run(*(("set", f"/plain/{key}/n", every**3) for key in keys[::every]))
        for key in keys[::every]:
            world.state["plain"][key] = world.state["plain"][key] | {"n": every**3}
        world.check("plain")


def test_lines_that_came_to_lie_apart_are_gathered(world: World) -> None:
    """Every other line grows by a byte and moves away: 1 MB of 3 MB is no longer shown."""
    keys = [f"key-{number:04}" for number in range(2_000)]
    for every, size in ((1, 1_000), (2, 1_001)):
        values = {key: {"text": "x" * size} for key in keys[::every]}
        world.run(*(("set", f"/plain/{key}", value) for key, value in values.items()))
        world.state["plain"].update(values)
        world.check("plain")
    apart = world.fold.memory()[1]
    world.check("plain")
    assert world.fold.memory()[1] < apart - 900_000
    for key in keys[::100]:
        world.set("plain", key, {"text": key * 3})
    world.remove("plain", keys[1])
    world.set("plain", keys[-1], {"text": ""})
    world.check("plain")


def test_lines_that_memory_is_too_short_to_gather_are_written_again(world: World) -> None:
    keys = [f"key-{number:03}" for number in range(100)]
    for size in (1, 2):
        for key in keys[::size]:
            world.set("plain", key, {"text": key * size})
        world.check("plain")
    world.fold.fail_at(1)
    with pytest.raises(KernelLimit):
        world.fold.document("plain")
    world.fold.fail_at(0)
    world.check("plain")


def test_lines_are_kept_once_however_often_they_are_written() -> None:
    rows = [(b"%06d" % number, b'{"n":1}') for number in range(100_000)]
    with Fold(Rules.parse(RULES), seed=bytes(16)) as fold:
        fold.load("plain", rows)
        before = fold.memory()[1]
        size = len(fold.document("plain"))
        after = fold.memory()[1]
        assert after < before + 4 * size + (16 << 20)  # memory comes in blocks of some MB
        for _ in range(5):
            fold.document("plain")
            assert fold.memory()[1] <= after


def test_memory_may_end_anywhere_while_documents_are_written(world: World) -> None:
    """Whatever was refreshed by then, the next writing has the right bytes."""
    chance = random.Random(SEED)
    failures = 0
    for turn in range(4):
        for number in range(40):
            world.set("rooted", f"{turn}-{number}", value_of(chance))
            world.set("plain", f"{number % 25}-{turn % 2}", {"text": "x" * turn * 40})
        world.remove("plain", f"3-{turn % 2}")
        for allocation in itertools.count(1):
            failed = False
            for name, form in itertools.product(NAMES, ("pretty", "compact")):
                world.fold.fail_at(allocation)
                try:
                    world.fold.document(name, form)
                except KernelLimit:
                    failed = True
                    failures += 1
                world.fold.fail_at(0)
                world.set("rooted", f"{turn}-{allocation % 40}", value_of(chance))
            if not failed:
                break
            world.check()
    print(f"{failures} failed allocations")
    assert failures > 100
