"""Intents: what is about to be done outside the database, so that it can be finished or undone.

One file an intent, in `<store>/intents/`, flushed before the first of its steps and removed after
the last. An intent that is there while we hold the lock of those who write them is a dead one's.
"""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson

from ..store.disk import DISK, write_all

FOLDER = "intents"
_END = ".json"


@dataclass(frozen=True)
class Intent:
    """An intent as it lies on disk."""

    file: Path
    kind: str
    facts: Mapping[str, object]


def write(store: Path, kind: str, facts: Mapping[str, object]) -> Intent:
    """Put an intent on disk, durably."""
    folder = store / FOLDER
    if not folder.is_dir():
        folder.mkdir(mode=0o700, exist_ok=True)
        DISK.flush_folder(str(store))
    made = Intent(folder / f"{kind}-{secrets.token_hex(8)}{_END}", kind, dict(facts))
    _put(made)
    return made


def change(intent: Intent, facts: Mapping[str, object]) -> Intent:
    """Put other facts into an intent, durably and in one step; the caller holds its kind's lock."""
    changed = Intent(intent.file, intent.kind, dict(facts))
    _put(changed)
    return changed


def _put(intent: Intent) -> None:
    """Write an intent beside its place, and rename it there."""
    beside = intent.file.with_suffix(".new")
    try:
        descriptor = DISK.create(str(beside))
        try:
            write_all(DISK, descriptor, orjson.dumps({"kind": intent.kind, **intent.facts}))
            DISK.flush(descriptor)
        finally:
            os.close(descriptor)
        DISK.rename(str(beside), str(intent.file))
    except OSError:
        beside.unlink(missing_ok=True)
        raise
    DISK.flush_folder(str(intent.file.parent))


def pending(store: Path, kind: str) -> list[Intent]:
    """Return the intents of a kind that are on disk; the caller holds the lock of that kind."""
    folder = store / FOLDER
    if not folder.is_dir():
        return []
    for beside in folder.glob(f"{kind}-*.new"):
        beside.unlink()  # half an intent: nothing of it was begun
    return look(store, kind)


def look(store: Path, kind: str) -> list[Intent]:
    """Return the intents of a kind, living ones' and dead ones'; needs no lock."""
    found = []
    for file in sorted((store / FOLDER).glob(f"{kind}-*{_END}")):
        try:
            facts = orjson.loads(file.read_bytes())
        except FileNotFoundError:  # done since it was listed
            continue
        found.append(Intent(file, facts.pop("kind"), facts))
    return found


def is_any(store: Path, kind: str) -> bool:
    """Tell whether there is an intent of a kind, a living one's or a dead one's."""
    folder = store / FOLDER
    return folder.is_dir() and any(folder.glob(f"{kind}-*{_END}"))


def remove(intent: Intent) -> None:
    """Take an intent away: all of it is done, or undone."""
    intent.file.unlink()
    DISK.flush_folder(str(intent.file.parent))
