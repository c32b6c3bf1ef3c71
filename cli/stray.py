"""Processes that a dead one left running, found by what it gave them and ended politely.

All that is started for a worktree carries a nonce in its environment (`NEIGHBOR_LEASE`), and so
do its children. A nonce of a lease that is dead, or of a record that nobody holds, has no living
owner: who carries it is a stray, and so is whoever a stray started, whatever its environment says.
Only where there is /proc; elsewhere nothing is found, and nothing ended.
"""

import os
import select
import signal
import sys
import time
from collections.abc import Collection, Iterable
from pathlib import Path

from .lease import LEASE_VARIABLE, Process, process

GRACE_S = 2.0
KILL_WAIT_S = 5.0
_PARENT_FIELD = 4  # of /proc/<pid>/stat, counted from 1


def find(nonces: Collection[str]) -> list[Process]:
    """Return the processes that carry one of the nonces, and all that they started.

    Those that we descend from are not among them: a stray may ask for something, too.
    """
    wanted = {f"{LEASE_VARIABLE}={nonce}".encode() for nonce in nonces}
    parents = _parents() if wanted else {}
    found = {pid for pid in parents if wanted.intersection(_environment(pid))}
    grown = True
    while grown:
        children = {pid for pid, parent in parents.items() if parent in found}
        grown = not children <= found
        found |= children
    strays = (process(pid) for pid in sorted(found - _line_of(os.getpid(), parents)))
    return [each for each in strays if each is not None]


def inside(folder: Path) -> list[Process]:
    """Return the processes that stand in a folder, we and those we descend from included."""
    parents = _parents()
    there = [pid for pid in parents if _stands_in(pid, folder)]
    return [each for each in map(process, there) if each is not None]


def name_of(which: Process) -> str:
    """Return what a process is called, for a person; "" when it is gone."""
    try:
        return Path(f"/proc/{which.pid}/comm").read_text("utf-8", "replace").strip()
    except OSError:
        return ""


def end(found: Iterable[Process], grace_s: float = GRACE_S) -> list[Process]:
    """End processes: TERM, `grace_s` of time, KILL. Returns those that still run then."""
    held = {each: descriptor for each in found if (descriptor := _hold(each)) is not None}
    try:
        _signal(held, signal.SIGTERM)
        running = _wait(held, grace_s)
        _signal(running, signal.SIGKILL)
        return list(_wait(running, KILL_WAIT_S))
    finally:
        for descriptor in held.values():
            os.close(descriptor)


def _parents() -> dict[int, int]:
    """Return every process with its parent; empty where there is no /proc."""
    found = {}
    for name in os.listdir("/proc") if os.path.isdir("/proc/self") else ():
        if name.isdigit():
            try:
                stat = Path(f"/proc/{name}/stat").read_bytes()
            except OSError:
                continue
            fields = stat[stat.rindex(b")") + 2 :].split()
            found[int(name)] = int(fields[_PARENT_FIELD - 3])
    return found


def _environment(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:  # gone, or another user's
        return []


def _stands_in(pid: int, folder: Path) -> bool:
    try:
        return Path(os.readlink(f"/proc/{pid}/cwd")).is_relative_to(folder)
    except OSError:
        return False


def _line_of(pid: int, parents: dict[int, int]) -> set[int]:
    line = set()
    while pid in parents and pid not in line:
        line.add(pid)
        pid = parents[pid]
    return line


def _hold(which: Process) -> int | None:
    """Open a process so that its pid cannot come to mean another; None where it is gone."""
    if sys.platform != "linux":
        return None
    try:
        descriptor = os.pidfd_open(which.pid)
    except OSError:
        return None
    if which.is_running():
        return descriptor
    os.close(descriptor)
    return None


def _signal(held: dict[Process, int], number: signal.Signals) -> None:
    for descriptor in held.values():
        try:
            signal.pidfd_send_signal(descriptor, number)
        except ProcessLookupError:
            continue


def _wait(held: dict[Process, int], limit_s: float) -> dict[Process, int]:
    """Wait until they have ended, or the time is over; return who still runs."""
    running = dict(held)
    waiting = select.poll()
    for descriptor in running.values():
        waiting.register(descriptor, select.POLLIN)
    deadline_s = time.monotonic() + limit_s
    while running and (left_s := deadline_s - time.monotonic()) > 0:
        for ended, _events in waiting.poll(left_s * 1000):
            waiting.unregister(ended)
            running = {each: fd for each, fd in running.items() if fd != ended}
    return running
