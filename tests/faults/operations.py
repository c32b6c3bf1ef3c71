"""What a program does to a disk, one operation at a time, told to an observer before it is done.

Our own files tell through `WatchedDisk`, SQLite's through `sqlite_files.watched`; one observer sees
both in the order in which they happen. An observer that raises `Fault` fails the operation.
"""

import os
from collections.abc import Callable
from typing import NamedTuple

from goodneighbor.store.disk import Disk

CREATE, WRITE, TRUNCATE, REMOVE = "create", "write", "truncate", "remove"
FLUSH, FLUSH_FOLDER, RENAME = "flush", "flush folder", "rename"


class Operation(NamedTuple):
    """One operation: `at` and `data` of a write, `at` the size of a truncate, `target` a name."""

    kind: str
    path: str
    at: int = 0
    data: bytes = b""
    target: str = ""


class Fault(Exception):
    """The disk refuses an operation; of a write it takes `taken` bytes first."""

    def __init__(self, error_number: int, taken: int = 0) -> None:
        super().__init__(os.strerror(error_number))
        self.errno = error_number
        self.taken = taken


Observer = Callable[[Operation], None]


class WatchedDisk(Disk):
    """The real disk, for the store's own files."""

    __slots__ = ("_observer", "_open")

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._open: dict[int, str] = {}

    def create(self, path: str, mode: int = 0o600) -> int:
        self._tell(Operation(CREATE, path))
        descriptor = super().create(path, mode)
        self._open[descriptor] = path
        return descriptor

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        at = os.fstat(descriptor).st_size  # a descriptor of ours appends
        try:
            self._observer(Operation(WRITE, self._open[descriptor], at, bytes(data)))
        except Fault as fault:
            if fault.taken:
                return super().write(descriptor, data[: fault.taken])  # the rest fails in its turn
            raise OSError(fault.errno, str(fault)) from fault
        return super().write(descriptor, data)

    def flush(self, descriptor: int) -> None:
        self._tell(Operation(FLUSH, self._open[descriptor]))
        super().flush(descriptor)

    def flush_folder(self, path: str) -> None:
        self._tell(Operation(FLUSH_FOLDER, path))
        super().flush_folder(path)

    def truncate(self, descriptor: int, size: int) -> None:
        self._tell(Operation(TRUNCATE, self._open[descriptor], size))
        super().truncate(descriptor, size)

    def rename(self, source: str, target: str) -> None:
        self._tell(Operation(RENAME, source, target=target))
        super().rename(source, target)

    def remove(self, path: str) -> None:
        self._tell(Operation(REMOVE, path))
        super().remove(path)

    def _tell(self, operation: Operation) -> None:
        try:
            self._observer(operation)
        except Fault as fault:
            raise OSError(fault.errno, str(fault), operation.path) from fault
