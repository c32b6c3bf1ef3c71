"""A small store with a row in every table, and everything that can be known of it.

Rounds are few and pages are small in number, so that a random bit of the files is often one that
means something.
"""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from goodneighbor.store import Store
from goodneighbor.store.folder import MAILBOX
from goodneighbor.store.log_copy import LogCopy

from .. import fleet

FRAMES = 4
NEXT = FRAMES + 3  # the frame that is closed to see what a store would do next
RULES = (
    fleet.RULES.replace('"inc /agents/*/karma"', '"inc /agents/*/karma", "remove /agents/*"')
    + '[documents.agents.derive]\n"count" = "count(agents)"\n"posts" = "100 + count(posts)"\n'
)
_OPS = {2: {"op": "inc", "path": "/agents/ada/karma", "value": 5}}
_OPS[3] = {"op": "remove", "path": "/agents/dee"}
_OPS[4] = {"op": "remove", "path": "/agents/cyd"}


class World:
    """A store in a folder, with the tree it exports to and the delta files beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def store(self) -> Path:
        return self.folder / "goodneighbor"

    @property
    def database(self) -> Path:
        return self.store / "store.sqlite3"

    @property
    def tree(self) -> Path:
        return self.folder / "tree"

    def files(self) -> list[Path]:
        return sorted((self.folder / "deltas").iterdir())

    def segments(self) -> list[Path]:
        return sorted((self.store / MAILBOX).iterdir())

    def exports(self) -> list[Path]:
        return sorted(self.tree.rglob("*.json"))

    def open(self) -> Store:
        """Make a handle without a look at the files: they may be damaged."""
        return Store(self.store)


def make(folder: Path) -> World:
    """Make the store and let it live for a few frames."""
    world = World(folder)
    for each in (world.tree, world.folder / "deltas"):
        each.mkdir(parents=True)
    for name in ("known", "collected", "rewritten"):
        delta = fleet.delta(1, name, fleet.post(len(name), "ada"))
        (world.folder / "deltas" / name).write_bytes(delta)
    with Store.create(world.store, RULES, fleet.BASE) as store:
        store.known_files([world.folder / "deltas" / "known"])
        for frame in range(1, FRAMES + 1):
            _live(world, store, frame)
        store.open_frame(NEXT, ["s1", "s9"])
    with world.open() as store:  # it waits in a segment of its own
        store.append(fleet.delta(NEXT, "s1", fleet.post(500, "bob")))
    assert world.open().verify() == []
    return world


def _live(world: World, store: Store, frame: int) -> None:
    store.append(fleet.delta(frame, "s1", fleet.post(frame, "ada"), minute=frame))
    store.append_many([fleet.delta(frame, "s2", fleet.post(1, "bob")), b"no delta %d" % frame])
    store.append(fleet.delta(frame, "s1", fleet.post(frame, "ada"), minute=frame))
    beside = json.dumps({"posts_created": [fleet.post(frame + 50, "nobody")]}).encode()
    store.append(beside, frame=max(1, frame - 1), stream=f"beside-{frame}")
    if frame in _OPS:
        told = {"frame": frame, "stream_id": "s3", "ops": [_OPS[frame]], "notes": ["no rule"]}
        store.append(json.dumps(told).encode())
    rules = RULES.replace("total_posts 1", "total_posts 3") if frame == FRAMES else None
    if frame == 2:
        (world.folder / "deltas" / "rewritten").write_bytes(fleet.delta(2, "rewritten"))
    store.drain()
    store.collect(world.files())
    store.close_frame(frame, expect=["s1", "silent"], rules_text=rules)
    store.export(world.tree, allow_loss={"agents"}, asked_by="the harness")


def branch(world: World) -> LogCopy:
    """Return the log as its branch would have it: up to the last close."""
    store = world.open()
    last = store.status().events
    lines = store.log_lines(1, last)
    return LogCopy("the branch", store.store_id(), last, lines.chain, lambda: [lines.text])


def meaning(world: World) -> dict[str, Any]:
    """Ask a store for everything it says."""
    store = world.open()
    status = store.status()
    frames = store.frames()
    return {
        "store": store.store_id(),
        "documents": {name: store.document(name) for name in store.documents()},
        "past": {
            f"{name} at {frame}": store.state(name, frame)
            for frame in range(-1, FRAMES + 1)
            for name in store.documents()
        },
        "digest": store.state_digest(),
        "log": store.log_lines(1, status.events),
        "frames": frames,
        "details": [store.frame(row.frame) for row in frames],
        "status": status._replace(mailbox_size=0),
        "quarantine": [store.quarantine_get(each.id) for each in store.quarantine_list()],
        "missing": store.missing(NEXT),
    }


def future(world: World) -> dict[str, Any]:
    """Let a store go on for a frame, and say what came of it."""
    with world.open() as store:
        store.drain()
        store.collect(world.files())
        store.append(fleet.delta(FRAMES, "late", fleet.post(600, "ada")))
        closed = store.close_frame(NEXT)
        status = store.status()
        return {
            "documents": {name: store.document(name) for name in store.documents()},
            "digest": store.state_digest(),
            "folded": closed.folded,
            "fallbacks": closed.fallbacks,
            "counts": (status.events, status.copies, status.quarantined, status.waiting),
        }


def rows(world: World) -> dict[str, list[tuple[object, ...]]]:
    """Read every row: all but epochs, and numbers in quarantine, which no repair gives twice."""
    chosen = {
        "store": "store_id, created_us, position, chain, seal",
        "quarantine": "source, received_us, reason, body",
        "alembic_version": "version_num",
    }
    with closing(sqlite3.connect(f"{world.database.as_uri()}?mode=ro", uri=True)) as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {
            name: sorted(
                connection.execute(f"SELECT {chosen.get(name, '*')} FROM {name}"), key=repr
            )
            for (name,) in names
            if not name.startswith("sqlite")
        }


def schema(world: World) -> list[bytes]:
    """Return what the database says of its tables and indexes, each as it stands in the file."""
    chosen = (
        "SELECT type || name || tbl_name FROM sqlite_master UNION SELECT sql FROM sqlite_master"
    )
    with closing(sqlite3.connect(f"{world.database.as_uri()}?mode=ro", uri=True)) as connection:
        return sorted(text.encode() for (text,) in connection.execute(chosen) if text)
