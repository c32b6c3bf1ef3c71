"""What the fleet sends in each round of the kill harness, made from a seed.

A round is one frame. All that must survive a kill is in it: deltas that apply, that come late, that
come twice, that fight for a key, that no rule is about, and bytes that are no delta.
"""

import json
from random import Random
from typing import NamedTuple

from .. import fleet

# Fewer than `reopen`, so that no late delta folds elsewhere for having come later (law 2).
ROUNDS = 6
STREAMS = ("s1", "s2", "S3", "s4")
SILENT = "s5"  # expected in every frame, never heard of: a fallback
_AUTHORS = ("ada", "bob", "cyd", "dee", "nobody")
_CHANNELS = ("general", "nowhere")


class Round(NamedTuple):
    """One frame: what is sent (each sending is one call), and the files that lie there."""

    frame: int
    sendings: tuple[tuple[bytes, ...], ...]
    files: dict[str, bytes]  # to be collected
    known: dict[str, bytes]  # merged already


def rounds(seed: str) -> list[Round]:
    """Make the rounds of a seed."""
    random = Random(f"script {seed}")
    return [_round(random, frame) for frame in range(1, ROUNDS + 1)]


def _round(random: Random, frame: int) -> Round:
    deltas = [_delta(random, random.choice((frame, frame, max(1, frame - 2)))) for _ in range(9)]
    deltas += random.sample(deltas, 2)  # sent twice
    deltas.append(b"{no delta %d" % random.getrandbits(40))
    random.shuffle(deltas)
    sendings = [tuple(deltas[:3]), tuple(deltas[3:5]), *((delta,) for delta in deltas[5:])]
    sendings.append((_last(frame),))
    files = {f"{frame}-{name}.json": _delta(random, frame) for name in ("one", "two")}
    known = {f"{frame}-known.json": _delta(random, frame)}
    return Round(frame, tuple(sendings), files, known)


def _last(frame: int) -> bytes:
    """Return a delta that is sure to change what is exported."""
    return fleet.delta(frame, STREAMS[0], fleet.post(1000 + frame, "ada"), minute=59)


def _delta(random: Random, frame: int) -> bytes:
    minute = random.randrange(60)
    posts = [
        {
            "number": random.randrange(60),  # few enough that keys collide, in and across frames
            "author": random.choice(_AUTHORS),
            "channel": random.choice(_CHANNELS),
            "title": f"title {random.getrandbits(20)}",
        }
        for _ in range(random.randrange(4))
    ]
    delta: dict[str, object] = {
        "frame": frame,
        "stream_id": random.choice(STREAMS),
        "utc": f"2026-03-28T03:{minute:02}:00Z",
        "nonce": random.getrandbits(60),
        "posts_created": posts,
    }
    if random.random() < 0.3:
        delta["observations"] = ["no rule is about these"]
    if random.random() < 0.3:
        operation = random.choice(("inc", "set"))  # `set` is not allowed
        delta["ops"] = [{"op": operation, "path": "/agents/ada/karma", "value": 2}]
    return json.dumps(delta).encode()


RULES = fleet.RULES
BASE = fleet.BASE
