"""The reference workload of every benchmark: a fleet's state and its deltas, from a fixed seed.

10,000 agents of about 750 bytes and 35 leaves, 200 channels, 100,000 deltas of about 630 bytes
over 200 frames, 14 operations a delta. Deltas are in the log's form, canonical compact JSON, and
the fold and its peers read the same ones. `Workload.sizes()` says what was made; every benchmark
prints it.
"""

import datetime
import hashlib
import random
from dataclasses import dataclass

import orjson

SEED = 405
AGENTS = 10_000
CHANNELS = 200
DELTAS = 100_000
FRAMES = 200
OPERATIONS_A_DELTA = 14
FIRST_US = 1_774_666_800_000_000  # 2026-03-28T03:00:00Z

RULES = """
[documents.agents]
path = "state/agents.json"
root = "agents"
[documents.agents.fields]
post_count = "sum"
heartbeat_last = "max"

[documents.channels]
path = "state/channels.json"
root = "channels"

[documents.stats]
path = "state/stats.json"
kind = "record"

[documents.posts]

[[items]]
each = "posts_created"
into = "posts"
key = ["{number}"]
apply = [
  "inc  /stats/total_posts 1",
  "inc? /channels/{channel}/post_count 1",
  "inc? /agents/{author|agent}/post_count 1",
  "max? /agents/{author|agent}/heartbeat_last {created_at|@utc}",
]

[[items]]
each = "comments_added"
apply = [
  "inc  /stats/total_comments 1",
  "inc? /agents/{author|agent}/comment_count 1",
  "max? /agents/{author|agent}/heartbeat_last {created_at|@utc}",
]

[[items]]
each = "."
apply = ["max? /stats/last_updated {@utc}"]
"""

WORDS = """
building manager tenant neighbor lobby mailbox ledger worktree frame stream delta channel
architecture debate memory protocol swarm harness canonical snapshot receipt replay merge fold
""".split()


@dataclass(frozen=True)
class Workload:
    """What a benchmark works on; bodies are canonical compact JSON."""

    agents: list[tuple[bytes, bytes]]  # key, body
    channels: list[tuple[bytes, bytes]]
    frames: list[list["Delta"]]

    def bodies(self) -> list[bytes]:
        """Return every delta's body, frame after frame."""
        return [delta.body for frame in self.frames for delta in frame]

    def sizes(self) -> dict[str, float]:
        """Return what a reader needs to judge the figures."""
        bodies = self.bodies()
        return {
            "agents": len(self.agents),
            "agent_bytes": sum(len(body) for _, body in self.agents) / len(self.agents),
            "agent_leaves": sum(map(_leaves, (orjson.loads(self.agents[0][1]),))),
            "channels": len(self.channels),
            "deltas": len(bodies),
            "delta_bytes": sum(map(len, bodies)) / len(bodies),
            "frames": len(self.frames),
            "operations": len(bodies) * OPERATIONS_A_DELTA,
        }


@dataclass(frozen=True)
class Delta:
    """One delta with what the log knows of it."""

    id: bytes
    frame: int
    utc_us: int
    stream: str
    body: bytes


def make(agents: int = AGENTS, deltas: int = DELTAS, frames: int = FRAMES) -> Workload:
    """Make the workload; smaller figures are for tests and are printed wherever they are used."""
    chance = random.Random(SEED)
    names = [f"zion-{chance.choice(WORDS)}-{index:05}" for index in range(agents)]
    rooms = [f"{chance.choice(WORDS)}-{index:03}" for index in range(CHANNELS)]
    return Workload(
        agents=sorted((name.encode(), _compact(_agent(chance, rooms))) for name in names),
        channels=sorted((room.encode(), _compact(_channel(chance, room))) for room in rooms),
        frames=_frames(chance, names, rooms, deltas, frames),
    )


def _frames(
    chance: random.Random, names: list[str], rooms: list[str], deltas: int, frames: int
) -> list[list[Delta]]:
    made: list[list[Delta]] = []
    number = 1
    for frame in range(1, frames + 1):
        made.append([])
        for _ in range(deltas // frames):
            us = FIRST_US + frame * 600_000_000 + chance.randrange(600_000_000)
            made[-1].append(_delta(chance, names, rooms, frame, us, number))
            number += 1
    return made


def _delta(
    chance: random.Random, names: list[str], rooms: list[str], frame: int, us: int, number: int
) -> Delta:
    stream = f"stream-{chance.randrange(8)}"
    second = us // 1_000_000
    utc = _utc(second)
    body = {
        "frame": frame,
        "stream_id": stream,
        "stream_type": "frame",
        "utc": utc,
        "posts_created": [
            {
                "author": chance.choice(names),
                "channel": chance.choice(rooms),
                "created_at": _utc(second - chance.randrange(600)),
                "number": number,
                "title": _title(chance, 5),
            }
        ],
        "comments_added": [
            {
                "author": chance.choice(names),
                "created_at": _utc(second - chance.randrange(600)),
                "discussion": chance.randrange(number + 1),
                "type": "comment",
            }
            for _ in range(3)
        ],
        "_meta": {"status": "ok", "timestamp": utc},
    }
    text = _compact(body)
    return Delta(hashlib.sha256(text).digest()[:16], frame, second * 1_000_000, stream, text)


def _agent(chance: random.Random, rooms: list[str]) -> dict[str, object]:
    second = FIRST_US // 1_000_000 - chance.randrange(10_000_000)
    return {
        "archetype": chance.choice(WORDS),
        "avatar_seed": chance.randrange(1 << 32),
        "bio": _title(chance, 12),
        "comment_count": chance.randrange(500),
        "framework": chance.choice(WORDS),
        "heartbeat_last": _utc(second),
        "joined": _utc(second - 1_000_000),
        "karma": chance.randrange(1000),
        "name": _title(chance, 2),
        "poke_count": chance.randrange(20),
        "post_count": chance.randrange(100),
        "registered": True,
        "score": round(chance.random() * 100, 3),
        "status": chance.choice(("active", "dormant")),
        "subscribed_channels": chance.sample(rooms, 6),
        "traits": {word: round(chance.random(), 2) for word in chance.sample(WORDS, 10)},
        "verified": False,
        "visits": [chance.randrange(1000) for _ in range(3)],
        "zone": None,
    }


def _channel(chance: random.Random, room: str) -> dict[str, object]:
    return {
        "created": _utc(FIRST_US // 1_000_000),
        "description": _title(chance, 10),
        "name": room,
        "post_count": chance.randrange(1000),
        "rules": _title(chance, 8),
    }


def _title(chance: random.Random, words: int) -> str:
    return " ".join(chance.choice(WORDS) for _ in range(words)).capitalize()


def _utc(second: int) -> str:
    day, rest = divmod(second, 86_400)
    hour, rest = divmod(rest, 3_600)
    return f"{_date(day)}T{hour:02}:{rest // 60:02}:{rest % 60:02}Z"


def _date(day: int) -> str:
    return (datetime.date(1970, 1, 1) + datetime.timedelta(days=day)).isoformat()


def _compact(value: object) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _leaves(value: object) -> int:
    if isinstance(value, dict):
        return sum(map(_leaves, value.values()))
    if isinstance(value, list):
        return sum(map(_leaves, value))
    return 1
