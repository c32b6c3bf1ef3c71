"""What a power cut leaves of a trace: files and names as the medium may hold them.

    operations 0 .. n-1 done, n under way       for each file: what was flushed last, and since then
    ------------------------------------->      writes of which all, none or any may have come
                                                through; the last one perhaps in part

A name (made, renamed, removed) is on the medium once its folder was flushed; until then names may
lag behind, in their order, as a journal of metadata keeps them. No disk is worse than `FLUSHED`,
which holds nothing that was not asked for; `ORDERED` is a system that wrote all as it came.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from random import Random

from .operations import (
    CREATE,
    FLUSH,
    FLUSH_FOLDER,
    REMOVE,
    RENAME,
    TRUNCATE,
    WRITE,
    Operation,
)

ORDERED, FLUSHED, MIXED = "ordered", "flushed", "mixed"
WAYS = (ORDERED, FLUSHED, MIXED)


class _Inode:
    """A file's bytes: as flushed last, and what was asked for since."""

    def __init__(self) -> None:
        self.flushed = b""
        self.since: list[Operation] = []

    def content(self, operations: Iterable[Operation]) -> bytes:
        data = bytearray(self.flushed)
        for operation in operations:
            if operation.kind == TRUNCATE:
                del data[operation.at :]
                data.extend(bytes(operation.at - len(data)))
            else:
                data.extend(bytes(max(0, operation.at - len(data))))
                data[operation.at : operation.at + len(operation.data)] = operation.data
        return bytes(data)


class Medium:
    """Follows a trace; `files` says at any point what a power cut then may leave."""

    def __init__(self, files: dict[str, bytes] | None = None) -> None:
        self._named: dict[str, _Inode] = {}  # as the system shows them
        for path, data in (files or {}).items():
            self._named[path] = _Inode()
            self._named[path].flushed = data
        self._on_medium = dict(self._named)
        self._names_since: list[tuple[Operation, _Inode]] = []

    def done(self, operation: Operation) -> None:
        """Take one operation that has returned."""
        kind, path = operation.kind, operation.path
        if kind in (WRITE, TRUNCATE):
            self._named[path].since.append(operation)
        elif kind == FLUSH:
            inode = self._named[path]
            inode.flushed, inode.since = inode.content(inode.since), []
        elif kind == FLUSH_FOLDER:
            self._flush_folder(path)
        else:
            inode = _Inode() if kind == CREATE else self._named[path]
            _name(self._named, operation, inode)
            self._names_since.append((operation, inode))

    def files(self, random: Random, way: str, under_way: Operation | None) -> dict[str, bytes]:
        """Return what is left when the power goes while `under_way` is being done."""
        if under_way is not None and under_way.kind not in (WRITE, TRUNCATE):
            under_way = None  # names and flushes come through or do not: the prefix before or after
        torn = None if under_way is None else _torn(random, under_way)
        last = None if under_way is None else self._named[under_way.path]
        named = self._names(random, way)
        files = {}
        for path, inode in named.items():
            since = [*inode.since, torn] if inode is last and torn is not None else inode.since
            files[path] = inode.content(_came_through(random, way, since))
        return files

    def _flush_folder(self, folder: str) -> None:
        kept = []
        for operation, inode in self._names_since:
            if os.path.dirname(operation.path) == folder:
                _name(self._on_medium, operation, inode)
            else:
                kept.append((operation, inode))
        self._names_since = kept

    def _names(self, random: Random, way: str) -> dict[str, _Inode]:
        if way == ORDERED:
            return self._named
        named = dict(self._on_medium)
        if way == MIXED:
            for operation, inode in self._names_since[: random.randint(0, len(self._names_since))]:
                _name(named, operation, inode)
        return named


def lay(folder: Path, files: dict[str, bytes]) -> None:
    """Write files under a folder, as they are named from there."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _name(names: dict[str, _Inode], operation: Operation, inode: _Inode) -> None:
    if operation.kind == CREATE:
        names[operation.path] = inode
    elif operation.kind == REMOVE:
        names.pop(operation.path, None)
    else:
        assert operation.kind == RENAME, operation.kind
        names.pop(operation.path, None)
        names[operation.target] = inode


def _came_through(random: Random, way: str, since: list[Operation]) -> list[Operation]:
    if way == MIXED:
        return [operation for operation in since if random.random() < 0.5]
    return since if way == ORDERED else []


def _torn(random: Random, write: Operation) -> Operation:
    return write._replace(data=write.data[: random.randint(0, len(write.data))])
