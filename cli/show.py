"""`neighbor show`: print a document, an entity or a field, as of the last close."""

import click
import orjson

from .. import kernel
from ..store import Store
from . import place
from .answer import print_bytes, print_json, warn
from .command import command, json_option
from .exits import DONE, FOUND
from .pointer import NO_VALUE, descend, read_pointer

ROOTLESS_KEY = "@"  # the members beside a document's root


@command(
    "show",
    "neighbor show /agents/ada",
    "neighbor show /stats/total_posts",
    "neighbor show /agents/ada --at 1",
)
@click.argument("path")
@click.option("--at", type=int, metavar="FRAME", help="As FRAME left it; -1 is the base state.")
@json_option
def COMMAND(path: str, at: int | None, as_json: bool) -> int:
    """Print a document, an entity or a field of one.

    It is printed as of the last close, or with --at as an earlier frame left it. PATH is a JSON
    Pointer: /agents, /agents/ada, /agents/ada/karma, /stats/total_posts, and /agents/@/_meta for
    what stands beside the entities.
    """
    body = find(place.here().open_store(), read_pointer(path), at)
    if body is None:
        when = "" if at is None else f" as of frame {at}"
        warn(f"Nothing at {path}{when}.\n`neighbor status` lists the documents.")
        return FOUND
    if as_json:
        print_json({"path": path, "value": orjson.Fragment(body)})
    else:
        print_bytes(kernel.canonical(body, "pretty", depth_max=0, size_max=0))
    return DONE


def find(store: Store, segments: tuple[str, ...], frame: int | None = None) -> bytes | None:
    """Return the canonical bytes at a path, now or as a frame left it; None: nothing is there."""
    name, rest = segments[0], segments[1:]
    if name not in store.documents():
        return None
    if not rest:
        return store.document(name) if frame is None else store.state(name, frame)
    is_record = store.is_record(name)
    key = b"" if is_record else rest[0].encode("utf-8", "surrogateescape")
    entity = store.entity(name, key, frame)
    below = rest if is_record else rest[1:]
    if entity is None or not below:
        return entity
    value = descend(orjson.loads(entity), below)
    return None if value is NO_VALUE else orjson.dumps(value)
