"""What real streams wrote, folded: every frame closed in order, every sum balanced.

The data is not part of the repository; the tests are skipped, saying so, where it is missing.
"""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

from goodneighbor.store import Appended, FrameSums, Store

WIKI = """
[documents.articles]
path = "state/articles.json"
[documents.threads]
[documents.reviews]

[[items]]
each = "articles_created"
into = "articles"
key = ["{pk}"]

[[items]]
each = "threads_created"
into = "threads"
key = ["{pk}"]

[[items]]
each = "reviews_created"
into = "reviews"
key = ["{@value}"]
"""

FLEET = """
[export]
max_loss = "0%"
[documents.agents]
path = "state/agents.json"
root = "agents"
[documents.channels]
path = "state/channels.json"
root = "channels"
[documents.stats]
path = "state/stats.json"
kind = "record"
[documents.posts]
[documents.comments]

[[items]]
each = "posts_created"
into = "posts"
key = ["{number}"]
apply = [
  "inc  /stats/total_posts 1",
  "inc? /channels/{channel}/post_count 1",
  "inc? /agents/{author|agent}/post_count 1",
]

[[items]]
each = "comments_added"
into = "comments"
key = [
  "{comment_id|id|node_id}",
  "{discussion|post_number|discussion_number}/{author|agent}/{body}",
  "{@id}/{@index}",
]
apply = ["inc /stats/total_comments 1", "inc? /agents/{author|agent}/comment_count 1"]
"""

INBOX = """
[ingest]
stream = "{agent_id}"
[documents.agents]
path = "state/agents.json"
create = "always"

[[items]]
each = "."
when = "action == 'heartbeat'"
apply = ["max /agents/{agent_id}/heartbeat_last {timestamp}", "inc /agents/{agent_id}/beats 1"]

[[items]]
each = "."
when = "action == 'register_agent'"
apply = ["merge /agents/{agent_id} {payload}"]
"""


def balanced(folded: list[FrameSums]) -> bool:
    return all(sums.units_in == sums.applied + sums.duplicate + sums.skipped for sums in folded)


def test_deltas_of_five_parallel_streams(
    make_store: Callable[..., Store], shared_data: Path
) -> None:
    lines = (shared_data / "wiki-deltas.jsonl").read_text("utf-8").splitlines()
    files = [json.loads(line) for line in lines]
    bodies = [json.loads(file["body"]) for file in files]
    store = make_store(WIKI, {})
    kept = store.append_many([file["body"].encode() for file in files])
    assert len(kept) == 941
    assert all(isinstance(each, Appended) for each in kept)
    drained = store.drain()
    assert drained.copies >= sum(" 2.json" in file["file"] for file in files) == 47
    assert drained.events + drained.copies == 941
    folded = [
        sums
        for frame in sorted({body["frame"] for body in bodies})
        for sums in store.close_frame(frame).folded
    ]
    assert balanced(folded)
    assert sum(sums.events for sums in folded) == drained.events
    for document, member in (("articles", "articles_created"), ("threads", "threads_created")):
        expected = {item["pk"] for body in bodies for item in body[member]}
        assert {key.decode() for key, _ in store.entities(document)} == expected
        assert expected
    copies = {file["file"]: each for file, each in zip(files, kept, strict=True)}
    for name, copied in copies.items():
        if " 2.json" in name:
            original = copies[name.replace(" 2.json", ".json")]
            assert isinstance(copied, Appended)
            assert isinstance(original, Appended)
            assert copied.id == original.id
    assert store.replay(check=True).differs == []


def test_five_deltas_into_the_state_of_a_real_fleet(
    make_store: Callable[..., Store], shared_data: Path, tmp_path: Path
) -> None:
    tree = tmp_path / "fleet"
    bundle = shared_data / "fleet-history.bundle"
    subprocess.run(["git", "clone", "--quiet", str(bundle), str(tree)], check=True)
    names = ("agents", "channels", "stats")
    base = {name: (tree / "state" / f"{name}.json").read_bytes() for name in names}
    before = {name: json.loads(data) for name, data in base.items()}
    store = make_store(FLEET, base)
    files = sorted((shared_data / "stream-deltas").iterdir())
    collected = store.collect(files)
    assert (collected.events, len(collected.taken)) == (5, 5)
    deltas = [json.loads(file.read_bytes()) for file in files]
    folded = [
        sums
        for frame in sorted({delta["frame"] for delta in deltas})
        for sums in store.close_frame(frame).folded
    ]
    assert balanced(folded)
    store.export(tree)
    after = {name: json.loads((tree / "state" / f"{name}.json").read_bytes()) for name in names}
    posts = {post["number"] for delta in deltas for post in delta["posts_created"]}
    gained = after["stats"]["total_posts"] - before["stats"]["total_posts"]
    assert gained == len(posts) == len(list(store.entities("posts")))
    assert set(after["agents"]["agents"]) == set(before["agents"]["agents"])
    unruled = {name for delta in deltas for name in delta} & {"reactions", "soul_updates"}
    lines = [
        line
        for row in store.frames()
        if (detail := store.frame(row.frame))
        for line in detail.unapplied
    ]
    assert unruled <= {line.source for line in lines if line.reason == "no rule"}


def test_a_thousand_actions_without_frame_or_stream(
    make_store: Callable[..., Store], shared_data: Path, tmp_path: Path
) -> None:
    lines = (shared_data / "inbox.jsonl").read_text("utf-8").splitlines()
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    newest: dict[str, str] = {}
    registered: dict[str, str] = {}
    bodies = set()
    for line in lines:
        file = json.loads(line)
        (inbox / file["name"]).write_text(file["body"], "utf-8")
        body = json.loads(file["body"])
        bodies.add(json.dumps(body, sort_keys=True))
        if body["action"] == "heartbeat":
            agent = body["agent_id"]
            newest[agent] = max(newest.get(agent, ""), body["timestamp"])
        else:
            registered[body["agent_id"]] = body["payload"]["name"]  # the file is in their order
    store = make_store(INBOX, {})
    collected = store.collect(list(inbox.iterdir()), frame=1)
    assert (collected.events, collected.quarantined) == (len(bodies), [])
    closed = store.close_frame(1)
    assert balanced(closed.folded)
    assert closed.folded[0].applied == len(bodies)
    agents = {key.decode(): json.loads(body) for key, body in store.entities("agents")}
    assert {name: agents[name]["heartbeat_last"] for name in newest} == newest
    assert {name: agents[name]["name"] for name in registered} == registered
    detail = store.frame(1)
    assert detail is not None
    assert {each.stream for each in detail.streams} == {name.lower() for name in agents}
    assert store.collect(list(inbox.iterdir()), frame=1).events == 0
