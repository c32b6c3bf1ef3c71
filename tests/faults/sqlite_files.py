"""What SQLite does to its files, told to an observer: a VFS in the library that Python itself uses.

The fact not to miss: it is the driver's own SQLite, of whatever version the machine has, and not a
second one. The system's VFS is copied, `xOpen` and `xDelete` are ours, and each file that is opened
gets a copy of its method table in which writing, cutting and flushing pass the observer first;
everything else, locks and shared memory included, stays the system's.

The wal-index (`-shm`) is no file of the trace: a crash loses it and SQLite makes it again. Making
it larger is one more write that a full disk refuses.
"""

import _sqlite3
import ctypes
import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import CFUNCTYPE, POINTER, byref, c_char_p, c_int, c_int64, c_void_p, cast, sizeof

from .operations import (
    CREATE,
    FLUSH,
    FLUSH_FOLDER,
    REMOVE,
    TRUNCATE,
    WRITE,
    Fault,
    Observer,
    Operation,
)

# The first flush of a journal opened to be made is one of its folder too, whoever made it.
_OPEN_CREATE, _OPEN_JOURNALS = 0x4, 0x80000 | 0x800
_OK, _IOERR, _FULL, _CANTOPEN = 0, 10, 13, 14
_IOERR_WRITE, _IOERR_FSYNC, _IOERR_TRUNCATE, _IOERR_DELETE, _IOERR_SHMSIZE = (
    _IOERR | extended << 8 for extended in (3, 4, 6, 10, 19)
)

_Open = CFUNCTYPE(c_int, c_void_p, c_void_p, c_void_p, c_int, POINTER(c_int))
_Delete = CFUNCTYPE(c_int, c_void_p, c_char_p, c_int)
_Close = CFUNCTYPE(c_int, c_void_p)
_Write = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int, c_int64)
_Truncate = CFUNCTYPE(c_int, c_void_p, c_int64)
_Sync = CFUNCTYPE(c_int, c_void_p, c_int)
_ShmMap = CFUNCTYPE(c_int, c_void_p, c_int, c_int, c_int, POINTER(c_void_p))
_Unfetch = CFUNCTYPE(c_int, c_void_p, c_int64, c_void_p)


class _Methods(ctypes.Structure):
    """sqlite3_io_methods, version 3."""

    _fields_ = (
        ("version", c_int),
        ("close", c_void_p),
        ("read", c_void_p),
        ("write", c_void_p),
        ("truncate", c_void_p),
        ("sync", c_void_p),
        *((name, c_void_p) for name in ("size", "lock", "unlock", "reserved")),
        *((name, c_void_p) for name in ("control", "sector", "device")),
        ("shm_map", c_void_p),
        *((name, c_void_p) for name in ("shm_lock", "shm_barrier", "shm_unmap")),
        *((name, c_void_p) for name in ("fetch", "unfetch")),
    )


class _Vfs(ctypes.Structure):
    """sqlite3_vfs, version 3."""

    _fields_ = (
        ("version", c_int),
        ("file_size", c_int),
        ("path_size_max", c_int),
        ("next", c_void_p),
        ("name", c_char_p),
        ("data", c_void_p),
        ("open", c_void_p),
        ("delete", c_void_p),
        *((f"other_{index}", c_void_p) for index in range(13)),
    )


class _File(ctypes.Structure):
    """The head of every sqlite3_file."""

    _fields_ = (("methods", POINTER(_Methods)),)


_KEPT: list["_Watched"] = []  # SQLite may hold a file open for longer than anybody knows


@contextmanager
def watched(observer: Observer, unmapped: Callable[[], None] | None = None) -> Iterator[None]:
    """Let `observer` see what SQLite does in this process to each file opened from now on.

    `unmapped` is called when a file's memory map has been let go. Connections opened meanwhile
    tell both to their end, also after this.
    """
    library = _library()
    vfs = _Watched(observer, unmapped, library)
    _KEPT.append(vfs)
    assert library.sqlite3_vfs_register(byref(vfs.table), 1) == _OK
    try:
        yield
    finally:
        library.sqlite3_vfs_unregister(byref(vfs.table))
    if vfs.raised is not None:
        raise vfs.raised


def fault() -> str:
    """Say why SQLite's files cannot be watched here; "" when they can."""
    try:
        _library()
    except (AttributeError, OSError) as error:
        return f"this Python's SQLite is linked in and hides its VFS: {error}"
    return ""


def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(_sqlite3.__file__)
    library.sqlite3_vfs_find.restype = POINTER(_Vfs)
    library.sqlite3_vfs_register.argtypes = (POINTER(_Vfs), c_int)
    library.sqlite3_vfs_unregister.argtypes = (POINTER(_Vfs),)
    return library


class _Watched:
    """The VFS; it outlives every file it opened."""

    def __init__(
        self, observer: Observer, unmapped: Callable[[], None] | None, library: ctypes.CDLL
    ) -> None:
        system = library.sqlite3_vfs_find(None).contents
        assert system.version >= 3, system.version
        self.raised: BaseException | None = None
        self._observer = observer
        self.unmapped = unmapped
        self._open = cast(system.open, _Open)
        self._delete = cast(system.delete, _Delete)
        self._tables: dict[int, _Table] = {}
        self.paths: dict[int, str] = {}
        self.unnamed: set[int] = set()  # files whose first flush is one of their folder too
        self.table = _Vfs()
        ctypes.pointer(self.table)[0] = system
        self.table.name = b"watched"
        self._kept = (_Open(self._opened), _Delete(self._deleted))
        self.table.open, self.table.delete = (cast(each, c_void_p).value for each in self._kept)

    def tell(self, operation: Operation) -> Fault | None:
        """Tell the observer; return what it fails the operation with."""
        try:
            self._observer(operation)
        except Fault as fault:
            return fault
        except BaseException as error:  # raised again when the watching ends
            self.raised = error
            return Fault(errno.EIO)
        return None

    def _opened(self, vfs: int, name: int | None, file: int, flags: int, out: object) -> int:
        path = "" if name is None else os.fsdecode(ctypes.string_at(name))
        makes = bool(path) and bool(flags & _OPEN_CREATE) and not os.path.exists(path)
        if makes and self.tell(Operation(CREATE, path)):
            cast(file, POINTER(_File)).contents.methods = None
            return _CANTOPEN
        done = int(self._open(vfs, name, file, flags, out))
        if done == _OK and path:
            self.paths[file] = path
            if flags & _OPEN_CREATE and flags & _OPEN_JOURNALS:
                self.unnamed.add(file)
            head = cast(file, POINTER(_File)).contents
            address = cast(head.methods, c_void_p).value
            assert address is not None
            if address not in self._tables:
                self._tables[address] = _Table(self, head.methods.contents)
            head.methods = ctypes.pointer(self._tables[address].methods)
        return done

    def _deleted(self, vfs: int, name: bytes, sync: int) -> int:
        path = os.fsdecode(name)
        if os.path.exists(path) and not path.endswith("-shm"):
            if self.tell(Operation(REMOVE, path)):
                return _IOERR_DELETE
            if sync and self.tell(Operation(FLUSH_FOLDER, os.path.dirname(path))):
                return _IOERR_DELETE
        return int(self._delete(vfs, name, sync))


class _Table:
    """The methods of one kind of file, with ours in front of those that change it."""

    def __init__(self, vfs: _Watched, system: _Methods) -> None:
        assert system.version >= 3, system.version
        self._vfs = vfs
        self._system_close = cast(system.close, _Close)
        self._system_write = cast(system.write, _Write)
        self._system_truncate = cast(system.truncate, _Truncate)
        self._system_sync = cast(system.sync, _Sync)
        self._system_shm_map = cast(system.shm_map, _ShmMap)
        self._system_unfetch = cast(system.unfetch, _Unfetch)
        self.methods = _Methods()
        ctypes.memmove(byref(self.methods), byref(system), sizeof(_Methods))
        self._kept = {
            "close": _Close(self._close),
            "write": _Write(self._write),
            "truncate": _Truncate(self._truncate),
            "sync": _Sync(self._sync),
            "shm_map": _ShmMap(self._shm_map),
            "unfetch": _Unfetch(self._unfetch),
        }
        for name, function in self._kept.items():
            setattr(self.methods, name, cast(function, c_void_p).value)

    def _close(self, file: int) -> int:
        self._vfs.paths.pop(file)
        self._vfs.unnamed.discard(file)
        return int(self._system_close(file))

    def _write(self, file: int, data: int, size: int, at: int) -> int:
        operation = Operation(WRITE, self._vfs.paths[file], at, ctypes.string_at(data, size))
        fault = self._vfs.tell(operation)
        if fault is None:
            return int(self._system_write(file, data, size, at))
        if fault.taken:
            self._system_write(file, data, min(fault.taken, size), at)
        return _FULL if fault.errno == errno.ENOSPC else _IOERR_WRITE

    def _truncate(self, file: int, size: int) -> int:
        if self._vfs.tell(Operation(TRUNCATE, self._vfs.paths[file], size)):
            return _IOERR_TRUNCATE
        return int(self._system_truncate(file, size))

    def _sync(self, file: int, flags: int) -> int:
        path = self._vfs.paths[file]
        if self._vfs.tell(Operation(FLUSH, path)):
            return _IOERR_FSYNC
        if file in self._vfs.unnamed:
            if self._vfs.tell(Operation(FLUSH_FOLDER, os.path.dirname(path))):
                return _IOERR_FSYNC
            self._vfs.unnamed.discard(file)
        return int(self._system_sync(file, flags))

    def _shm_map(self, file: int, page: int, size: int, extend: int, out: object) -> int:
        path = self._vfs.paths[file].removesuffix("-wal") + "-shm"
        grows = not os.path.exists(path) or os.path.getsize(path) < (page + 1) * size
        if extend and grows and self._vfs.tell(Operation(WRITE, path, page * size)):
            return _IOERR_SHMSIZE
        return int(self._system_shm_map(file, page, size, extend, out))

    def _unfetch(self, file: int, at: int, page: int | None) -> int:
        done = int(self._system_unfetch(file, at, page))
        if page is None and self._vfs.unmapped is not None:
            self._vfs.unmapped()
        return done
