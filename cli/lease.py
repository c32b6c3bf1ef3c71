"""A lease: a living process's claim on something, such as a worktree, that ends with the process.

The claim is a lock on the lease's file. The system lets it go when the process dies, however it
dies, so a free lock means a dead owner. What the file says (boot, pid, start time, nonce) tells
whom to ask or to end; no pid is trusted alone, because pids come again.

    <store>/leases/<name>-<nonce>.lease

A name carries a nonce and never comes again; the file is put there locked, so nobody ever sees the
lease of a living process free. The hooks read the same lines where `neighbor` is gone.
"""

import fcntl
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

FOLDER = "leases"
# Carries a nonce, in the environment of all that is started under a lease (or for a worktree).
LEASE_VARIABLE = "NEIGHBOR_LEASE"
_END = ".lease"
_NEW = ".new"
_BOOT_FILE = Path("/proc/sys/kernel/random/boot_id")
_SIZE_MAX = 4096
_ENDED = (b"Z", b"X")  # its parent has not asked for its exit code yet
_START_FIELD = 22  # of /proc/<pid>/stat, counted from 1


@dataclass(frozen=True)
class Process:
    """Which process: a pid is one only together with its boot and its start time.

    `boot` and `start` are empty where the system has no /proc; then the lock alone speaks.
    """

    boot: str
    pid: int
    start: str

    def is_running(self) -> bool:
        """Tell whether this very process runs, not another that got its pid."""
        return bool(self.start) and process(self.pid) == self


@dataclass(frozen=True)
class Held:
    """A lease as its file tells it."""

    file: Path
    name: str
    owner: Process
    nonce: str


class Lease:
    """A lease of this process, taken by `with` (or `take` and `release`)."""

    def __init__(self, folder: Path, name: str) -> None:
        assert name and "/" not in name and "\n" not in name, name
        self.nonce = secrets.token_hex(8)
        self.name = name
        self.file = folder / f"{name}-{self.nonce}{_END}"
        self._descriptor = -1

    def take(self) -> Self:
        """Put the lease where others see it, held."""
        assert self._descriptor < 0, "the lease is taken already"
        self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        while self._descriptor < 0:
            self._descriptor = self._put()
        return self

    def _put(self) -> int:
        """Write the file, locked, and give it its name; return -1 where a sweep was faster."""
        beside = self.file.with_suffix(_NEW)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        descriptor = os.open(beside, flags, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)  # a sweep holds it only to look
            os.write(descriptor, _lines(self.name, process(os.getpid()), self.nonce))
            beside.rename(self.file)
        except FileNotFoundError:
            os.close(descriptor)
            return -1
        except BaseException:
            beside.unlink(missing_ok=True)
            os.close(descriptor)
            raise
        return descriptor

    def release(self) -> None:
        """Take the lease away, file first: a free lease would count as a dead process's."""
        assert self._descriptor >= 0, "the lease is not held"
        self.file.unlink(missing_ok=True)
        os.close(self._descriptor)
        self._descriptor = -1

    def __enter__(self) -> Self:
        return self.take()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()


def process(pid: int) -> Process | None:
    """Return the process that has a pid now, or None if there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
        boot = _BOOT_FILE.read_text("ascii").strip()
    except (FileNotFoundError, ProcessLookupError):
        return None if Path("/proc/self/stat").exists() else Process("", pid, "")
    # The name in parentheses may hold spaces and parentheses: fields count from its end.
    fields = stat[stat.rindex(b")") + 2 :].split()
    if fields[0] in _ENDED:
        return None
    return Process(boot, pid, fields[_START_FIELD - 3].decode())


def living(folder: Path) -> list[Held]:
    """Return the leases that a process holds; a folder that is not there holds none."""
    return [held for held, is_free in _all(folder) if not is_free]


def dead(folder: Path) -> list[Held]:
    """Return the leases whose owners died without releasing them."""
    return [held for held, is_free in _all(folder) if is_free]


def sweep(held: Held) -> None:
    """Take a dead process's lease away; what it claimed must have been put in order before."""
    descriptor = _opened(held.file)
    if descriptor is None:
        return
    try:
        assert _is_free(descriptor), f"{held.file} is held by a living process"
        held.file.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def half_made(folder: Path) -> list[Path]:
    """Return the files of leases whose owners died before they held them."""
    return [file for file in sorted(folder.glob(f"*{_NEW}")) if _is_half_made(file)]


def sweep_half_made(file: Path) -> None:
    """Take away what was to be a lease. A living owner that is swept here makes it again."""
    descriptor = _opened(file)
    if descriptor is None:
        return
    try:
        if _is_free(descriptor):
            file.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def _is_half_made(file: Path) -> bool:
    descriptor = _opened(file)
    if descriptor is None:
        return False
    try:
        return _is_free(descriptor)
    finally:
        os.close(descriptor)


def _all(folder: Path) -> Iterator[tuple[Held, bool]]:
    """Yield every lease, and whether its lock is free."""
    for file in sorted(folder.glob(f"*{_END}")):
        descriptor = _opened(file)
        if descriptor is None:
            continue
        try:
            data = os.pread(descriptor, _SIZE_MAX, 0)
            yield _read(file, data), _is_free(descriptor)
        finally:
            os.close(descriptor)


def _opened(file: Path) -> int | None:
    try:
        return os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:  # released since it was listed
        return None


def _is_free(descriptor: int) -> bool:
    """Try the lock shared: two that look at once must not take each other for the owner."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lines(name: str, owner: Process | None, nonce: str) -> bytes:
    assert owner is not None, "this process runs"
    facts = {
        "name": name, "boot": owner.boot, "pid": owner.pid, "start": owner.start, "nonce": nonce
    }  # fmt: skip
    return "".join(f"{key} {value}\n" for key, value in facts.items()).encode()


def _read(file: Path, data: bytes) -> Held:
    """Read a lease's lines; a torn one still is a lease, its lock says whose."""
    pairs = (line.partition(" ") for line in data.decode("utf-8", "replace").splitlines())
    facts = {key: value for key, _space, value in pairs}
    pid = facts.get("pid", "")
    owner = Process(facts.get("boot", ""), int(pid) if pid.isdigit() else 0, facts.get("start", ""))
    return Held(file, facts.get("name", ""), owner, facts.get("nonce", ""))
