"""A lease lives as long as its process, whatever ends it, and no pid is trusted alone."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from goodneighbor.cli.lease import FOLDER, Lease, Process, dead, living, process, sweep

from .conftest import Neighbor
from .guarded import fleet_running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / FOLDER


@pytest.fixture
def store(site: Path, neighbor: Neighbor) -> Path:
    neighbor("init")
    return site / ".git" / "goodneighbor"


def test_a_lease_is_seen_while_it_is_held(folder: Path) -> None:
    assert living(folder) == dead(folder) == []
    with Lease(folder, "stream-1") as lease:
        (held,) = living(folder)
        assert (held.name, held.nonce, held.owner.pid) == ("stream-1", lease.nonce, os.getpid())
        assert dead(folder) == []
    assert list(folder.iterdir()) == []


def test_two_leases_of_one_name_are_two(folder: Path) -> None:
    with Lease(folder, "stream-1") as first, Lease(folder, "stream-1") as second:
        assert {held.nonce for held in living(folder)} == {first.nonce, second.nonce}


@pytest.mark.parametrize("kill", [signal.SIGTERM, signal.SIGKILL])
def test_a_killed_owner_leaves_a_dead_lease_that_is_swept(
    site: Path, store: Path, kill: signal.Signals
) -> None:
    with fleet_running(site) as owner:
        (held,) = living(store / FOLDER)
        assert held.owner.pid == owner.pid
        assert held.owner.is_running()
        owner.send_signal(kill)
        owner.wait()
    assert living(store / FOLDER) == []
    (held,) = dead(store / FOLDER)
    assert not held.owner.is_running()
    sweep(held)
    sweep(held)  # another was faster
    assert dead(store / FOLDER) == []


def test_a_living_lease_is_not_swept(folder: Path) -> None:
    with Lease(folder, "stream-1"):
        (held,) = living(folder)
        with pytest.raises(AssertionError, match="living process"):
            sweep(held)
        assert living(folder) == [held]


def test_a_pid_that_came_again_is_another_process(folder: Path) -> None:
    """The lease of a dead process whose pid we have by chance: the lock is free."""
    with Lease(folder, "stream-1") as lease:
        data = lease.file.read_bytes()
    lease.file.write_bytes(data)
    assert living(folder) == []
    (held,) = dead(folder)
    assert held.owner == process(os.getpid())
    before = Process(held.owner.boot, held.owner.pid, str(int(held.owner.start) - 1))
    assert not before.is_running()
    assert not Process("another boot", held.owner.pid, held.owner.start).is_running()


def test_a_torn_lease_is_one_whose_lock_speaks(folder: Path) -> None:
    folder.mkdir()
    (folder / "stream-1-aa.lease").write_bytes(b"name stream-1\npid 12")
    (folder / "stream-2-bb.lease").write_bytes(b"")
    assert living(folder) == []
    assert [held.owner.pid for held in dead(folder)] == [12, 0]


def test_a_child_that_is_started_does_not_keep_the_lease(folder: Path) -> None:
    """A process that outlives the owner must not make it look alive."""
    script = f"""if True:
        import subprocess, sys
        from pathlib import Path
        from goodneighbor.cli.lease import Lease
        Lease(Path({str(folder)!r}), "stream-1").take()
        quiet = dict(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        child = subprocess.Popen(["sleep", "60"], **quiet)
        print(child.pid, flush=True)
        import os; os._exit(0)
    """
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    child = int(done.stdout)
    try:
        assert process(child) is not None
        assert living(folder) == []
    finally:
        os.kill(child, signal.SIGKILL)


def test_two_that_look_at_once_do_not_take_each_other_for_the_owner(folder: Path) -> None:
    with Lease(folder, "stream-1") as lease:
        data = lease.file.read_bytes()
    lease.file.write_bytes(data)
    look = f"""if True:
        from pathlib import Path
        from goodneighbor.cli.lease import living
        assert not any(living(Path({str(folder)!r})) for _ in range(300))
    """
    looking = [subprocess.Popen([sys.executable, "-c", look]) for _ in range(3)]
    assert [each.wait() for each in looking] == [0, 0, 0]
