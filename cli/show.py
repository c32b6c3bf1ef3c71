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


@command("show", "neighbor show /agents/ada", "neighbor show /stats/total_posts")
@click.argument("path")
@json_option
def COMMAND(path: str, as_json: bool) -> int:
    """Print a document, an entity or a field of one.

    It is printed as of the last close. PATH is a JSON Pointer: /agents, /agents/ada,
    /agents/ada/karma, /stats/total_posts, and /agents/@/_meta for what stands beside the entities.
    """
    body = find(place.here().open_store(), read_pointer(path))
    if body is None:
        warn(f"Nothing at {path}.\n`neighbor status` lists the documents.")
        return FOUND
    if as_json:
        print_json({"path": path, "value": orjson.Fragment(body)})
    else:
        print_bytes(kernel.canonical(body, "pretty", depth_max=0, size_max=0))
    return DONE


def find(store: Store, segments: tuple[str, ...]) -> bytes | None:
    """Return the canonical bytes at a path, or None where nothing is."""
    name, rest = segments[0], segments[1:]
    if name not in store.documents():
        return None
    if not rest:
        return store.document(name)
    is_record = store.is_record(name)
    key = b"" if is_record else rest[0].encode("utf-8", "surrogateescape")
    entity = store.entity(name, key)
    below = rest if is_record else rest[1:]
    if entity is None or not below:
        return entity
    value = descend(orjson.loads(entity), below)
    return None if value is NO_VALUE else orjson.dumps(value)
