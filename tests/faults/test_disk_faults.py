"""A full disk, an I/O error and a short write at any operation lose nothing that was acknowledged.

Everything stays readable meanwhile, the error is a clear one, and the store goes on when the disk
does. `make test` fails each operation in one way, `make soak` in every way.
"""

import errno
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from io import FileIO
from pathlib import Path

import pytest
from goodneighbor.store import Store
from goodneighbor.store.errors import StoreUnwritable

from .. import fleet
from ..effort import EFFORT

ROOT = Path(__file__).resolve().parents[2]
EVERY = ("--every",) if EFFORT > 1 else ()


def disk_faults(*words: str) -> "subprocess.CompletedProcess[str]":
    """Run the harness in a process of its own, which SQLite's files are watched in."""
    command = [sys.executable, "-m", "tests.faults.disk_faults", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_fault_at_any_operation_loses_nothing(tell: Callable[[str], None]) -> None:
    _check(disk_faults(*EVERY), tell)


def test_a_fault_at_any_operation_of_a_recovery_loses_nothing(tell: Callable[[str], None]) -> None:
    _check(disk_faults("--recovery", *EVERY), tell)


@pytest.mark.parametrize(
    ("words", "said"),
    [([], "lost when the disk was well again"), (["--recovery"], "database is thrown away")],
)
def test_an_error_that_is_swallowed_is_caught(words: list[str], said: str) -> None:
    """The control."""
    done = disk_faults("--broken", *words)
    assert done.returncode == 1, done.stdout + done.stderr
    assert said in done.stdout


def _check(done: "subprocess.CompletedProcess[str]", tell: Callable[[str], None]) -> None:
    assert done.returncode == 0, done.stdout + done.stderr
    met = done.stdout.partition("met:")[2].partition("\n")[0]
    assert all(f" {kind}" in met for kind in ("write", "flush", "flush folder", "rename", "create"))
    tell(done.stdout)


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of its own with room for 1 MiB."""
    with tempfile.TemporaryDirectory() as folder:
        mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder]
        if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
            pytest.skip("a file system cannot be mounted here: that takes root")
        yield Path(folder)
        subprocess.run(["umount", folder], check=True)


def _fill(file: FileIO) -> None:
    while True:
        file.write(bytes(4096))


def _append_until_full(store: Store) -> int:
    """Append until the disk refuses; return how many were kept: a page begun still has room."""
    for kept in range(1_000):
        try:
            store.append(fleet.delta(2, "s1", fleet.post(2 + kept, "ada")))
        except StoreUnwritable as error:
            if (error.errno, error.outcome) == (errno.ENOSPC, "not kept"):
                return kept
            raise
    raise AssertionError("the disk was never full")


def test_a_disk_that_is_really_full_hides_nothing_and_goes_on(small_disk: Path) -> None:
    folder, filler = small_disk / "goodneighbor", small_disk / "filler"
    Store.create(folder, fleet.RULES, fleet.BASE).close()
    with Store.open(folder) as store:
        store.append(fleet.delta(1, "s1", fleet.post(1, "ada")))
        store.close_frame(1)
        before = store.document("agents")
        with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
            _fill(file)
        kept = _append_until_full(store)
        assert store.document("agents") == before
        assert store.status().closed == 1
        with pytest.raises(StoreUnwritable):
            store.drain()
        assert store.document("agents") == before
    filler.unlink()
    with Store.open(folder) as store:
        store.append(fleet.delta(2, "s2", fleet.post(1000, "bob")))
        assert store.close_frame(2).folded[0].applied == kept + 1
        assert store.verify() == []
