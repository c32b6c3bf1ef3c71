"""Law 2 in the kernel: any permutation of a frame's events, and any split into handles: same bytes.

One frame of deltas that contest the same claims, keys, sets and times is folded in many orders of
arrival; a list of frames is folded in many chains of handles, each of which takes over only the
rows and totals that the one before it left.
"""

import random
from collections.abc import Callable

import orjson
from goodneighbor.kernel import Event, Fold, Rules

from ..effort import examples

RULES = Rules.parse("""
[documents.a]
path = "state/a.json"
root = "a"
create = "always"
[documents.a.fields]
n = "sum"
h = "max"
j = "first"
s = "set"
[documents.a.derive]
"_meta.n" = "sum(a/n)"
[documents.st]
path = "state/st.json"
kind = "record"
derive.count = "count(p) + count(a where j == 1)"
[documents.p]
[[items]]
each = "items"
into = "p"
key = ["{id}", "{@id}/{@index}"]
apply = [
  "inc /a/{who}/n {n}",
  "max /a/{who}/h {t|@utc}",
  "include /a/{who}/s {t}",
  "push /a/{who}/log {@value}",
  "init? /a/{who}/j {n}",
  "init? /a/@/claims/{id} {who}",
  "set /st/last {who}",
]
[[items]]
each = "gone"
apply = ["remove /p/{@value}", "exclude? /a/u/s {@value}"]
[[items]]
each = "."
apply = ["max? /st/h {@utc}"]
""")
NAMES = [each.name for each in RULES.documents]
STREAMS = ("s1", "S1", "s2", "store")
SEED = 18
EVENTS = 7
FRAMES = 5
PERMUTATIONS = examples(2_500)  # 50,000 under `make soak`
Rows = dict[tuple[str, bytes], bytes | None]
Left = tuple[Rows, list[int]]


def drawn_event(chance: random.Random, frame: int) -> Event:
    """Draw a delta over few names, so that each meets every other."""
    items = [
        {
            "id": chance.choice((1, "1", 2, "k", None)),
            "n": chance.choice((1, 1, 2, -1, 1.5)),
            "t": chance.choice(("t", "2026-01-01T00:00:00Z", 3)),
            "who": chance.choice("uvw"),
        }
        for _ in range(chance.randrange(4))
    ]
    body: dict[str, object] = {"frame": frame, "items": items, "stream_id": "s"}
    if chance.random() < 0.3:
        body["gone"] = [chance.choice(("1/1", "1/2", "1/k", "t"))]
    if chance.random() < 0.5:
        body["seq"] = chance.randrange(3)
    utc_us = chance.choice((None, 0, 1_000_000))
    text = orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
    return Event(chance.randbytes(16), frame, utc_us, chance.choice(STREAMS), False, text)


def drawn_frames(chance: random.Random) -> list[list[Event]]:
    return [[drawn_event(chance, frame) for _ in range(EVENTS)] for frame in range(1, FRAMES + 1)]


def folded(frames: list[list[Event]], is_new_handle: Callable[[], bool]) -> list[bytes]:
    """Fold the frames, in a new handle wherever one is asked for, and write every document."""
    left: Left = ({}, [0] * len(RULES.terms))
    fold = Fold(RULES, seed=bytes(16))
    for events in frames:
        if is_new_handle():
            fold.close()
            fold = taken_over(left)
        for each in fold.run(events).changed:
            if each.body == b"":
                left[0].pop((each.document, each.key), None)
            else:
                left[0][each.document, each.key] = each.body
        left = (left[0], fold.totals())
    return written(fold)


def taken_over(left: Left) -> Fold:
    fold = Fold(RULES, seed=bytes(15) + b"x")
    for (document, key), body in left[0].items():
        fold.load(document, [(key, body)])
    fold.set_totals(left[1])
    return fold


def written(fold: Fold) -> list[bytes]:
    documents = [fold.document(name) for name in NAMES]
    fold.close()
    return documents


def test_any_permutation_of_a_frames_events_gives_the_same_bytes() -> None:
    chance = random.Random(SEED)
    for _ in range(max(1, PERMUTATIONS // 100)):
        (events, *_) = drawn_frames(chance)
        expected = folded([events], lambda: False)
        for _ in range(100):
            shuffled = chance.sample(events, len(events))
            assert folded([shuffled], lambda: False) == expected, f"seed {SEED}"


def test_any_split_of_the_frames_into_handles_gives_the_same_bytes() -> None:
    chance = random.Random(SEED)
    for _ in range(max(1, PERMUTATIONS // 100)):
        frames = drawn_frames(chance)
        expected = folded(frames, lambda: False)
        for _ in range(8):
            permuted = [chance.sample(events, len(events)) for events in frames]
            assert folded(permuted, lambda: chance.random() < 0.5) == expected, f"seed {SEED}"


def test_what_is_drawn_removes_what_is_there() -> None:
    frames = drawn_frames(random.Random(SEED))
    with Fold(RULES, seed=bytes(16)) as fold:
        changed = [each for events in frames for each in fold.run(events).changed]
    assert any(each.document == "p" and each.body is None for each in changed)


def test_frames_given_in_another_order_are_another_history() -> None:
    chance = random.Random(SEED)
    frames = drawn_frames(chance)
    assert folded(frames, lambda: False) != folded(frames[::-1], lambda: False)
