"""Law 2 in the store: deltas that come late and in any order leave what they leave in order.

Few names, so that every delta meets every other: contested claims and keys, removals, sets,
derived fields. A delta folds in its own frame as long as the window reaches, whenever it comes.
"""

import random
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from goodneighbor.store import Store

from ..effort import examples
from ..kernel import test_permutations as few_names
from .raw import raw

FRAMES = 6
DELTAS = 5  # of each frame
LATE_MAX = 3  # closes a delta may miss
REOPEN = LATE_MAX + 1  # the close it was for counts as well
RULES = f"[frames]\nreopen = {REOPEN}\n{few_names.RULES.text}"
NARROW = RULES.replace(f"reopen = {REOPEN}", f"reopen = {REOPEN - 1}")
BASE = {"a": b'{"a": {"u": {"n": 1}, "v": {"n": 0, "s": ["t"]}}, "claims": {}}', "st": b"{}"}
ORDERS = 2

Arrivals = list[list[bytes]]  # by the close that comes next
Sums = tuple[int, int, int, int, int]  # frame, in, applied, duplicate, skipped
Left = tuple[dict[str, bytes], str, list[Sums]]


def in_order(chance: random.Random) -> Arrivals:
    """Draw what comes where nobody is late."""
    return [[drawn(chance, frame) for _ in range(DELTAS)] for frame in range(1, FRAMES + 1)]


def drawn(chance: random.Random, frame: int) -> bytes:
    body = orjson.loads(few_names.drawn_event(chance, frame).body)
    body["stream_id"] = chance.choice(("s1", "S1", "s2", "s3"))
    if chance.random() < 0.8:
        body["utc"] = f"2026-03-28T03:00:0{chance.randrange(4)}Z"
    return orjson.dumps(body)


def out_of_order(chance: random.Random, sent: Arrivals) -> Arrivals:
    """Let each delta come early, in time or late, some of them twice, in any order."""
    arrivals: Arrivals = [[] for _ in sent]
    for number, deltas in enumerate(sent):
        last = min(number + LATE_MAX, len(sent) - 1)
        for delta in deltas:
            arrivals[chance.randint(max(0, number - 2), last)].append(delta)
            if chance.random() < 0.2:
                arrivals[chance.randint(0, last)].append(delta)
    for each in arrivals:
        chance.shuffle(each)
    return arrivals


def left(store: Store, arrivals: Arrivals, chance: random.Random | None = None) -> Left:
    """Play the arrivals; return documents, digest and sums. By chance a frame closes twice."""
    for frame, deltas in enumerate(arrivals, 1):
        first = len(deltas) if chance is None else chance.randint(0, len(deltas))
        store.append_many(deltas[:first])
        store.close_frame(frame)
        if first < len(deltas):
            store.append_many(deltas[first:])
            store.close_frame(frame)
    sums = [
        (row.frame, row.sums.units_in, row.sums.applied, row.sums.duplicate, row.sums.skipped)
        for row in store.frames()
    ]
    return {name: store.document(name) for name in store.documents()}, store.state_digest(), sums


@pytest.mark.parametrize("seed", range(examples(4)))
def test_late_and_in_any_order_is_as_in_order(
    make_store: Callable[..., Store], tmp_path: Path, seed: int
) -> None:
    chance = random.Random(f"arrival {seed}")
    sent = in_order(chance)
    (tmp_path / "in-order").mkdir()
    with Store.create(tmp_path / "in-order" / "goodneighbor", RULES, BASE) as store:
        expected = left(store, sent)
    assert left(make_store(RULES, BASE), sent) == expected, "one engine is not as the other"
    for number in range(ORDERS):
        found = left(make_store(RULES, BASE), out_of_order(chance, sent), chance)
        assert found == expected, f"order {number} of seed {seed}"


def test_a_delta_that_is_too_late_shows(make_store: Callable[..., Store]) -> None:
    """The control: with a window of one close less, some deltas fold in a later frame."""
    chance = random.Random("too late")
    sent = in_order(chance)
    in_time, late = make_store(NARROW, BASE), make_store(NARROW, BASE)
    documents, digest, _ = left(in_time, sent)
    others, other, _ = left(late, out_of_order(chance, sent))
    assert documents != others
    assert digest != other
    assert sum(row.sums.late for row in in_time.frames()) == 0
    assert sum(row.sums.late for row in late.frames()) > 0
    assert late.status().copies > in_time.status().copies


def test_what_is_drawn_is_contested(make_store: Callable[..., Store]) -> None:
    """Claims are taken, keys come twice, entities go, and fields are derived."""
    store = make_store(RULES, BASE)
    documents, _, sums = left(store, in_order(random.Random("too late")))
    _, _, applied, duplicate, skipped = map(sum, zip(*sums, strict=True))
    assert min(applied, duplicate, skipped) > 3, sums
    agents, stats = orjson.loads(documents["a"]), orjson.loads(documents["st"])
    assert len(agents["claims"]) > 1
    assert agents["_meta"]["n"] == sum(each.get("n", 0) for each in agents["a"].values())
    assert stats["count"] >= len(list(store.entities("p"))) > 0
    with raw(store) as cursor:
        row = cursor.execute("SELECT count(*) FROM entity WHERE body IS NULL").fetchone()
    assert row[0] > 0
