"""One process at a time holds the store, and it knows when it does not any more."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from goodneighbor.store.errors import LockLost, StoreBusy
from goodneighbor.store.lock import LOCK_FILE, StoreLock

HOLD = """if True:
    import sys
    from pathlib import Path
    from goodneighbor.store.lock import StoreLock
    with StoreLock(Path(sys.argv[1]), who="holding for a test"):
        print("held", flush=True)
        sys.stdin.read()
"""


@contextmanager
def holder(folder: Path) -> "Iterator[subprocess.Popen[str]]":
    """A second process that holds the lock until it is told or killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_second_process_waits_its_bounded_time_and_is_told_who_holds(tmp_path: Path) -> None:
    with holder(tmp_path) as process, pytest.raises(StoreBusy) as caught:
        StoreLock(tmp_path, wait_s=0.1).__enter__()
    assert caught.value.waited_s == 0.1
    assert caught.value.holder == f"process {process.pid} (holding for a test)"
    assert caught.value.path == str(tmp_path / LOCK_FILE)
    assert f"process {process.pid}" in str(caught.value)


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        with StoreLock(tmp_path, wait_s=0) as lock:
            lock.check()


def test_one_process_excludes_itself_too(tmp_path: Path) -> None:
    with StoreLock(tmp_path) as lock, pytest.raises(StoreBusy):
        StoreLock(tmp_path, wait_s=0).__enter__()
    with StoreLock(tmp_path, wait_s=0):
        pass
    with lock:
        lock.check()


def test_the_file_stays_and_names_nobody_once_the_lock_is_free(tmp_path: Path) -> None:
    with StoreLock(tmp_path, who="a test"):
        assert b"(a test)" in (tmp_path / LOCK_FILE).read_bytes()
    assert (tmp_path / LOCK_FILE).read_bytes() == b""
    assert (tmp_path / LOCK_FILE).stat().st_mode & 0o777 == 0o600


def test_a_deleted_lock_file_is_seen_before_the_commit(tmp_path: Path) -> None:
    with StoreLock(tmp_path) as lock:
        lock.check()
        (tmp_path / LOCK_FILE).unlink()
        with pytest.raises(LockLost):
            lock.check()


def test_a_replaced_lock_file_is_seen_before_the_commit(tmp_path: Path) -> None:
    """And without the check two would hold it: the second gets in."""
    with StoreLock(tmp_path) as lock:
        (tmp_path / LOCK_FILE).unlink()
        with holder(tmp_path), pytest.raises(LockLost) as caught:
            lock.check()
        assert caught.value.path == str(tmp_path / LOCK_FILE)


def test_who_waits_has_the_lock_before_one_who_gives_way_has_it_again(tmp_path: Path) -> None:
    order = []

    def wait() -> None:
        with StoreLock(tmp_path):
            order.append("the waiter")

    with StoreLock(tmp_path) as lock:
        assert not lock.is_awaited()
        waiter = threading.Thread(target=wait)
        waiter.start()
        while not lock.is_awaited():
            assert waiter.is_alive()
        lock.give_way()
        order.append("the holder")
        lock.check()
    waiter.join()
    assert order == ["the waiter", "the holder"]


def test_a_lock_that_was_given_away_and_not_had_again_is_not_freed_twice(tmp_path: Path) -> None:
    with StoreLock(tmp_path, wait_s=0.1) as lock, ExitStack() as other:
        lock._release()
        other.enter_context(StoreLock(tmp_path))
        with pytest.raises(StoreBusy):
            lock._take()
        lock.__exit__(None, None, None)
        with pytest.raises(StoreBusy):
            StoreLock(tmp_path, wait_s=0).__enter__()


def test_an_error_inside_frees_the_lock(tmp_path: Path) -> None:
    with pytest.raises(KeyError), StoreLock(tmp_path):
        raise KeyError
    with StoreLock(tmp_path, wait_s=0):
        pass
