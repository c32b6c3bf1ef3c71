"""A document of many members knows each of them, whichever way its table grew.

A small table moves to new memory when it doubles; from 8,192 buckets on it doubles where it lies,
up to 32,768, and moves again. What did not find room in its bucket lies behind it, and behind the
last one lies the first: which keys do depends on the seed.
"""

import random

import orjson
import pytest
from goodneighbor.kernel import Event, Fold, Rules

from ..effort import examples

RULES = Rules.parse("""
[documents.a]
[[items]]
each = "items"
into = "a"
key = ["{@value}"]
""")
MOVED, IN_PLACE, MOVED_AGAIN = 13_312, 53_248, 106_496  # entities with which a table is full


def event(keys: list[int]) -> Event:
    body = orjson.dumps({"frame": 1, "items": keys, "stream_id": "s"})
    return Event(bytes(16), 1, None, "s", False, body)


def check(count: int, chance: random.Random) -> None:
    keys = chance.sample(range(10**9), count)
    with Fold(RULES, seed=chance.randbytes(16)) as fold:
        assert fold.run([event(keys)]).receipts[0].applied == count
        again = fold.run([event([*keys, -1])]).receipts[0]
        assert (again.duplicate, again.applied) == (count, 1)
        assert orjson.loads(fold.document("a")).keys() == {str(key) for key in [*keys, -1]}


@pytest.mark.parametrize("count", [MOVED + 1, IN_PLACE + 1, MOVED_AGAIN + 1])
def test_every_key_is_found_again(count: int) -> None:
    chance = random.Random(count)
    for _ in range(examples(1 + IN_PLACE // count * 5)):
        check(count, chance)


def test_of_as_many_keys_as_one_table_holds_each_is_found_whatever_the_seed() -> None:
    chance = random.Random(5)
    for _ in range(examples(40)):
        check(MOVED * 2 + 1, chance)
