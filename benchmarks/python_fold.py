"""The reference workload's fold as one writes it by hand in Python: orjson, dicts, no generality.

It knows the rules of `workload.py` by heart, takes every time for one in UTC without a fraction, so
that strings compare as instants, and writes no receipts. What it shares with the kernel is the
result, byte for byte.
"""

from operator import attrgetter
from typing import Any

import orjson
from workload import Delta, Workload

State = dict[str, Any]
_order = attrgetter("utc_us", "stream", "id")  # the streams are lower case here


def state_of(workload: Workload) -> State:
    """Return the state before the first frame."""
    return {
        "agents": {key.decode(): orjson.loads(body) for key, body in workload.agents},
        "channels": {key.decode(): orjson.loads(body) for key, body in workload.channels},
        "stats": {},
        "posts": {},
    }


def fold(state: State, frames: list[list[Delta]]) -> None:
    """Fold every frame into the state."""
    for frame in frames:
        _fold_frame(state, frame)


def _fold_frame(state: State, frame: list[Delta]) -> None:
    agents, channels = state["agents"], state["channels"]
    stats, posts = state["stats"], state["posts"]
    for event in sorted(frame, key=_order):
        delta = orjson.loads(event.body)
        utc = delta["utc"]
        for post in delta["posts_created"]:
            key = str(post["number"])
            if key in posts:
                continue
            posts[key] = post
            stats["total_posts"] = stats.get("total_posts", 0) + 1
            channel = channels.get(post["channel"])
            if channel is not None:
                channel["post_count"] = channel.get("post_count", 0) + 1
            _count(agents, post, "post_count", utc)
        for comment in delta["comments_added"]:
            stats["total_comments"] = stats.get("total_comments", 0) + 1
            _count(agents, comment, "comment_count", utc)
        if utc > stats.get("last_updated", ""):
            stats["last_updated"] = utc


def _count(agents: State, item: dict[str, Any], field: str, utc: str) -> None:
    agent = agents.get(item.get("author") or item.get("agent") or "")
    if agent is not None:
        agent[field] = agent.get(field, 0) + 1
        seen = item.get("created_at") or utc
        if seen > agent.get("heartbeat_last", ""):
            agent["heartbeat_last"] = seen


def documents(state: State) -> dict[str, Any]:
    """Return the state as whole documents."""
    roots = {name: {name: state[name]} for name in ("agents", "channels")}
    return {**state, **roots}
