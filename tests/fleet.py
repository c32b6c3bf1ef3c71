"""The small fleet that tests play with: its rules, and the state it starts from."""

import json

RULES = """\
[frames]
wait = "0s"

[documents.agents]
path = "state/agents.json"
root = "agents"
[documents.agents.fields]
post_count = "sum"
heartbeat_last = "max"

[documents.channels]
path = "state/channels.json"
root = "channels"
[documents.channels.fields]
post_count = "sum"

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

[ops]
allow = ["inc /agents/*/karma"]
"""

BASE: dict[str, bytes] = {
    "agents": json.dumps(
        {"agents": {name: {"name": name, "post_count": 0} for name in ("ada", "bob", "cyd", "dee")}}
    ).encode(),
    "channels": json.dumps({"channels": {"general": {"post_count": 0}}}).encode(),
    "stats": b'{"total_posts": 0}',
}


def delta(frame: int, stream: str, *posts: dict[str, object], minute: int = 0) -> bytes:
    """Return a delta of `stream` for `frame` that created `posts`."""
    return json.dumps(
        {
            "frame": frame,
            "stream_id": stream,
            "utc": f"2026-03-28T03:{minute:02}:00Z",
            "posts_created": list(posts),
        }
    ).encode()


def post(number: int, author: str, channel: str = "general") -> dict[str, object]:
    """Return an item of `posts_created`."""
    return {"number": number, "author": author, "channel": channel, "title": f"Post {number}"}
