"""One process tree: start it, see who is in it, and end all of it, wherever its processes went.

The fact not to miss: on Linux a process that has called `adopt_orphans` becomes the parent of what
its descendants leave behind, so nothing that a command starts leaves the tree, neither by a session
of its own nor by forking away. Elsewhere (macOS) the tree is who descends from us or is in the
command's own process group: a daemon that gave up both is not found there.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

NOT_FOUND = 127  # what a shell says of a command that is not there
NOT_RUNNABLE = 126  # and of one that cannot be run
KILL_S_MAX = 10.0  # a process that SIGKILL does not end in this time waits for hardware
FREEZES_MAX = 50  # scans for newly forked processes before all are killed
POLL_S = 0.01  # between two looks at who is left
_PROC = Path("/proc/self/stat")
_CHILDREN = Path("/proc/thread-self/children")
_SET_CHILD_SUBREAPER = 36  # prctl(2)
_PARENT_FIELD, _GROUP_FIELD = 4, 5  # of /proc/<pid>/stat, counted from 1

Started = subprocess.Popen[bytes]


def start(
    command: Sequence[str],
    folder: str | None = None,
    environment: Mapping[str, str] | None = None,
    *,
    has_own_session: bool = True,
    is_captured: bool = False,
) -> Started:
    """Start a command; captured, it reads nothing and writes into two pipes.

    Raises:
        OSError: it cannot be started (`code_of` says what a shell would have answered).
    """
    output = subprocess.PIPE if is_captured else None
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL if is_captured else None,
        stdout=output,
        stderr=output,
        bufsize=0,
        start_new_session=has_own_session,
    )


def start_helper(
    module: str, words: Sequence[str], environment: Mapping[str, str], kept: Sequence[int]
) -> Started:
    """Start a module of ours in a session of its own, with the descriptors in `kept`.

    It starts in the root folder: nothing that lies in a stream's tree is imported.
    """
    return subprocess.Popen(
        [sys.executable, "-P", "-m", module, *words],
        cwd="/",
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        pass_fds=kept,
    )


def code_of(error: OSError) -> int:
    """Return the exit code a shell gives for a command that could not be started."""
    return NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_RUNNABLE


def adopt_orphans() -> bool:
    """Become the parent of what descendants leave behind; False where the system cannot."""
    if not sys.platform.startswith("linux"):
        return False
    return bool(ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)


def reap_adopted() -> None:
    """Take note of the end of children that have ended, whoever they are.

    Somebody who adopts orphans must, or they stay as zombies. Only between calls that start a
    process and wait for it; a Popen that waits later learns no exit code.
    """
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            continue
    except ChildProcessError:
        return


def members(root: int, group: int = 0) -> list[int]:
    """Return who descends from `root` or is in process group `group`; neither root nor we."""
    children: dict[int, list[int]] = {}
    found = []
    for pid, parent, its_group in _everybody():
        children.setdefault(parent, []).append(pid)
        if group and its_group == group:
            found.append(pid)
    found += children.get(root, [])
    index = 0
    seen = {root, os.getpid()}
    while index < len(found):
        if found[index] not in seen:
            seen.add(found[index])
            found += children.get(found[index], [])
        index += 1
    return sorted(seen - {root, os.getpid()})


def carrying(settings: Mapping[str, str]) -> list[int]:
    """Return the processes of ours in whose environment all of these stand, and their descendants.

    The environment is the one a process was started with; where the system does not show it, none.
    """
    wanted = {f"{name}={value}".encode() for name, value in settings.items()}
    found: set[int] = set()
    for pid, _parent, _group in _everybody() if _PROC.exists() else ():
        try:
            environment = Path(f"/proc/{pid}/environ").read_bytes()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if wanted.issubset(environment.split(b"\0")):
            found |= {pid, *members(pid)}
    return sorted(found - {os.getpid()})


def send(pids: Sequence[int], number: int) -> None:
    """Send a signal to each that is still there and lets us."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            continue


def kill_all(root: int, group: int, is_over: Callable[[], bool]) -> list[int]:
    """End everybody in a tree with SIGKILL; return who is left after `KILL_S_MAX`.

    `is_over` reaps, and tells whether nobody is left. A look that finds nobody does not tell: who
    forks and exits meanwhile is not seen. All are stopped before the first is killed: what forks
    faster than it is killed would win.
    """
    _stop_all(root, group, is_over)
    deadline_s = time.monotonic() + KILL_S_MAX
    killed: set[int] = set()
    left: list[int] = []
    while not is_over():
        found = _strike(root, group, signal.SIGKILL, deadline_s)
        left = found or left
        if time.monotonic() > deadline_s:
            return sorted(left)
        if found and killed.issuperset(found):
            time.sleep(POLL_S)  # nobody new: they only need time to end
        killed.update(found)
    return []


def _stop_all(root: int, group: int, is_over: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + KILL_S_MAX
    stopped: set[int] = set()
    for _look in range(FREEZES_MAX):
        if is_over():  # before each look: those that have ended would make it long
            return
        found = _strike(root, group, signal.SIGSTOP, deadline_s)
        if stopped.issuperset(found):
            return
        stopped.update(found)


def _strike(root: int, group: int, number: int, until_s: float) -> list[int]:
    """Send a signal to everybody in a tree, to each as soon as it is seen; return who was seen."""
    seen = []
    for pid in _tree(root, group):
        send((pid,), number)
        seen.append(pid)
        if time.monotonic() > until_s:
            break
    return seen


def _tree(root: int, group: int) -> Iterator[int]:
    """Yield who is in a tree, as `members` does, each after its parent, the last started first.

    Where no group is asked for, only the tree is looked at: a look at everybody takes longer than
    a process lives that does nothing but fork.
    """
    if group or not _CHILDREN.exists():
        yield from members(root, group)
        return
    parents = [root]
    for parent in parents:
        for pid in reversed(_children(parent)):
            yield pid
            parents.append(pid)


def _children(pid: int) -> list[int]:
    """Return the children of each of a process's threads; none if it has ended."""
    found: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            found += map(int, Path(f"/proc/{pid}/task/{thread}/children").read_bytes().split())
    except (FileNotFoundError, ProcessLookupError):
        return found
    return found


def _everybody() -> Iterator[tuple[int, int, int]]:
    """Yield pid, parent and process group of every process."""
    if not _PROC.exists():
        yield from _everybody_by_ps()
        return
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            stat = Path(f"/proc/{name}/stat").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        # The name in parentheses may hold spaces and parentheses: fields count from its end.
        fields = stat[stat.rindex(b")") + 2 :].split()
        yield int(name), int(fields[_PARENT_FIELD - 3]), int(fields[_GROUP_FIELD - 3])


def _everybody_by_ps() -> Iterator[tuple[int, int, int]]:
    listed = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid=,pgid="], capture_output=True, check=True
    )  # fmt: skip
    for line in listed.stdout.splitlines():
        pid, parent, group = line.split()
        yield int(pid), int(parent), int(group)
