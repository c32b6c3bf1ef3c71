"""Disks that fail, and one that forgets what was not flushed: real files, faults played on top."""

import errno
import os
import signal
from pathlib import Path

from goodneighbor.store.disk import Disk


class FailingDisk(Disk):
    """Raises an error at one operation: the `at`-th call of `operation`, counted from 1.

    A write that fails takes `taken` bytes first, as a disk that fills up does.
    """

    __slots__ = ("at", "calls", "error_number", "operation", "taken")

    def __init__(self, operation: str, *, at: int = 1, error: int = errno.ENOSPC, taken: int = 0):
        self.operation = operation
        self.at = at
        self.error_number = error
        self.taken = taken
        self.calls = 0

    def create(self, path: str, mode: int = 0o600) -> int:
        self._count("create")
        return super().create(path, mode)

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        if self.operation == "write" and self.calls + 1 == self.at and self.taken:
            taken, self.taken = self.taken, 0
            return super().write(descriptor, data[:taken])
        self._count("write")
        return super().write(descriptor, data)

    def flush(self, descriptor: int) -> None:
        self._count("flush")
        super().flush(descriptor)

    def flush_folder(self, path: str) -> None:
        self._count("flush_folder")
        super().flush_folder(path)

    def rename(self, source: str, target: str) -> None:
        self._count("rename")
        super().rename(source, target)

    def remove(self, path: str) -> None:
        self._count("remove")
        super().remove(path)

    def truncate(self, descriptor: int, size: int) -> None:
        self._count("truncate")
        super().truncate(descriptor, size)

    def _count(self, operation: str) -> None:
        if operation == self.operation:
            self.calls += 1
            if self.calls == self.at:
                raise OSError(self.error_number, os.strerror(self.error_number))


class ShortDisk(Disk):
    """Takes at most `size` bytes a write, which POSIX allows at any time."""

    __slots__ = ("size",)

    def __init__(self, size: int):
        self.size = size

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        return super().write(descriptor, data[: self.size])


class KillingDisk(Disk):
    """Writes part of what it is given at the `at`-th write, and kills its own process."""

    __slots__ = ("at", "calls", "share")

    def __init__(self, at: int, share: float):
        self.at = at
        self.share = share
        self.calls = 0

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        self.calls += 1
        if self.calls == self.at:
            super().write(descriptor, data[: int(len(data) * self.share)])
            os.kill(os.getpid(), signal.SIGKILL)
        return super().write(descriptor, data)


class ForgettingDisk(Disk):
    """Knows what was flushed; `cut_power` takes the rest away.

    `lies` makes its flushes do nothing, for the control that shows the harness can fail.
    """

    __slots__ = ("_flushed", "_names", "_open", "lies")

    def __init__(self, *, lies: bool = False):
        self.lies = lies
        self._open: dict[int, str] = {}
        self._flushed: dict[str, int] = {}
        self._names: dict[str, bool] = {}  # path -> its folder was flushed since it was made

    def create(self, path: str, mode: int = 0o600) -> int:
        descriptor = super().create(path, mode)
        self._open[descriptor] = path
        self._flushed[path] = 0
        self._names[path] = False
        return descriptor

    def flush(self, descriptor: int) -> None:
        if not self.lies:
            super().flush(descriptor)
            self._flushed[self._open[descriptor]] = os.fstat(descriptor).st_size

    def flush_folder(self, path: str) -> None:
        super().flush_folder(path)
        for name in self._names:
            self._names[name] = True

    def cut_power(self) -> None:
        """Leave what a power cut leaves at worst: flushed bytes under flushed names."""
        for path, size in self._flushed.items():
            if self._names[path]:
                os.truncate(path, size)
            else:
                Path(path).unlink()


class RecordingDisk(Disk):
    """Tells each operation before it is done."""

    __slots__ = ("operations",)

    def __init__(self) -> None:
        self.operations: list[str] = []

    def create(self, path: str, mode: int = 0o600) -> int:
        self.operations.append("create")
        return super().create(path, mode)

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        self.operations.append("write")
        return super().write(descriptor, data)

    def flush(self, descriptor: int) -> None:
        self.operations.append("flush")
        super().flush(descriptor)

    def flush_folder(self, path: str) -> None:
        self.operations.append("flush folder")
        super().flush_folder(path)
