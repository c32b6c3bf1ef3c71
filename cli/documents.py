"""Find the state documents of a repository that knows no rules yet, and guess their shape.

A guess is written down for a person to read (`neighbor.toml`), never acted on silently. A file
that cannot be read is evidence and stops `init`: it is never taken for an empty document.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from .. import kernel

STATE_FOLDER = "state"
MANIFEST = "manifest.json"
NAME_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
NAME_SIZE_MAX = 64


@dataclass(frozen=True)
class Document:
    """One file under `state/` that holds an object, with its guessed shape."""

    name: str
    path: str  # relative to the tree, with "/"
    value: Mapping[str, Any]
    kind: str  # "map": its members are entities; "record": it is one entity
    root: str | None  # the member that holds the entities, for a map

    @property
    def entities(self) -> Mapping[str, Any]:
        """Return what it holds, by key; a record holds none."""
        if self.kind == "record":
            return {}
        held = self.value if self.root is None else self.value.get(self.root)
        return held if isinstance(held, Mapping) else {}


@dataclass(frozen=True)
class Damaged:
    """A file that does not parse: what is wrong, and where."""

    path: str
    reason: str
    line: int
    column: int  # in bytes, from 1

    def __str__(self) -> str:
        return f"{self.path}, line {self.line}, column {self.column}: {self.reason}"


@dataclass(frozen=True)
class Found:
    """What lies under `state/`: documents, damaged files, and files left alone with the reason."""

    documents: tuple[Document, ...]
    damaged: tuple[Damaged, ...]
    left: tuple[tuple[str, str], ...]


def find_documents(tree: Path) -> Found:
    """Read every JSON file that lies directly in `state/`; symlinks and folders are left alone."""
    documents: list[Document] = []
    damaged: list[Damaged] = []
    left: list[tuple[str, str]] = []
    folder = tree / STATE_FOLDER
    files = sorted(folder.glob("*.json")) if folder.is_dir() and not folder.is_symlink() else []
    for file in files:
        path = f"{STATE_FOLDER}/{file.name}"
        if file.name == MANIFEST:
            continue
        if file.is_symlink() or not file.is_file():
            left.append((path, "not a regular file"))
            continue
        data = file.read_bytes()
        fault = damage(path, data)
        if fault is not None:
            damaged.append(fault)
            continue
        value = orjson.loads(data)
        if isinstance(value, dict):
            documents.append(guess(_name(file.stem), path, value))
        else:
            left.append((path, "holds no object"))
    return Found(tuple(documents), tuple(damaged), tuple(left))


def damage(path: str, data: bytes) -> Damaged | None:
    """Tell why a file's bytes are no document, or None if they parse."""
    try:
        kernel.canonical(data, "compact", depth_max=0, size_max=0)
    except kernel.DeltaRejected as error:
        position = min(error.position or 0, len(data))
        line = data.count(b"\n", 0, position) + 1
        column = position - (data.rfind(b"\n", 0, position) + 1) + 1
        return Damaged(path, error.reason, line, column)
    return None


def guess(name: str, path: str, value: Mapping[str, Any]) -> Document:
    """Guess whether a document is a map of entities (under which root) or one record."""
    roots = [key for key, member in value.items() if _holds_entities(member)]
    if name in roots:
        return Document(name, path, value, "map", name)
    beside = [key for key in value if key not in roots and not _is_note(key, value[key])]
    if len(roots) == 1 and value[roots[0]] and not beside and len(value) <= 3:
        return Document(name, path, value, "map", roots[0])
    if _holds_entities(value) and _alike(value):
        return Document(name, path, value, "map", None)
    return Document(name, path, value, "record", None)


def _holds_entities(value: object) -> bool:
    """An object whose every member is an object could be a map; `@` is taken (design section 7)."""
    return (
        isinstance(value, dict)
        and all(isinstance(member, dict) for member in value.values())
        and "@" not in value
    )


def _is_note(key: str, value: object) -> bool:
    """Members such as `_meta` or `last_updated` may stand beside the entities."""
    return key.startswith("_") or not isinstance(value, dict | list)


def _alike(entities: Mapping[str, Any]) -> bool:
    """Entities of one map have a member in common; sections of a record seldom do."""
    members = [set(entity) for entity in entities.values()]
    return len(members) > 1 and bool(set.intersection(*members))


def _name(stem: str) -> str:
    """Make a file's name one that neighbor.toml takes for a document."""
    name = "".join(letter if letter in NAME_LETTERS else "_" for letter in stem)
    return (name if name[0] != "-" else f"_{name[1:]}")[:NAME_SIZE_MAX]
