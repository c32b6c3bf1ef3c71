"""The file operations that promise durability, in one object that is passed in.

A test passes a `Disk` of its own to run out of space, to fail a flush or to record what a power
cut would leave; everything else of the file system is called directly.
"""

import os
import sys

from .step import reached

if sys.platform == "darwin":
    import fcntl

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW


class Disk:
    """The real disk. Every method raises OSError as the system gives it."""

    __slots__ = ()

    def create(self, path: str, mode: int = 0o600) -> int:
        """Make a file that must not exist yet; return a descriptor that appends to it."""
        return os.open(path, _CREATE, mode)

    def write(self, descriptor: int, data: "bytes | memoryview") -> int:
        """Write once; return how many bytes were taken, which may be fewer than given."""
        return os.write(descriptor, data)

    def flush(self, descriptor: int) -> None:
        """Return once the file's bytes and size are on the medium.

        On macOS fsync leaves them in the drive's cache; only F_FULLFSYNC empties it.
        """
        if sys.platform == "darwin":
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
        else:
            os.fdatasync(descriptor)

    def flush_folder(self, path: str) -> None:
        """Return once the names in a folder are on the medium."""
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            if sys.platform == "darwin":
                fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
            else:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def truncate(self, descriptor: int, size: int) -> None:
        """Cut a file to `size` bytes."""
        os.ftruncate(descriptor, size)

    def rename(self, source: str, target: str) -> None:
        """Give a file another file's name, in one step."""
        os.replace(source, target)

    def remove(self, path: str) -> None:
        """Delete a file."""
        os.unlink(path)


DISK = Disk()


def write_all(disk: Disk, descriptor: int, data: bytes) -> None:
    """Write all of `data`, going on after a short write.

    Raises:
        OSError: the disk refused; an unknown part of the bytes may be in the file.
    """
    taken = disk.write(descriptor, data)
    rest = memoryview(data)
    while taken < len(rest):
        if taken <= 0:
            raise OSError(5, "the write took nothing and said no reason")
        rest = rest[taken:]
        taken = disk.write(descriptor, rest)


def replace_file(disk: Disk, path: str, data: bytes, *, beside: str, mode: int = 0o644) -> None:
    """Put `data` at `path`: write it at `beside`, flush, rename, flush the folder.

    A reader sees the old bytes or the new, also after a power cut. `beside` must lie in the same
    folder and must not exist; it is gone afterwards, also on failure.

    Raises:
        OSError: the disk refused. What stood at `path` still stands there, unless it was the
            folder's flush: then a power cut may bring it back.
    """
    descriptor = disk.create(beside, mode)
    try:
        try:
            write_all(disk, descriptor, data)
            disk.flush(descriptor)
        finally:
            os.close(descriptor)
        reached("export: file written beside")
        disk.rename(beside, path)
    except BaseException:
        _remove_quietly(disk, beside)
        raise
    reached("export: file renamed")
    disk.flush_folder(os.path.dirname(path) or ".")


def _remove_quietly(disk: Disk, path: str) -> None:
    try:
        disk.remove(path)
    except OSError:
        return  # the failure that brought us here is the one to tell
