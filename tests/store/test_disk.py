"""A file is replaced whole or not at all, and time goes forward only."""

import errno
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from goodneighbor.store import Store, StoreExists, StoreUnwritable
from goodneighbor.store.clock import Clock
from goodneighbor.store.disk import DISK, Disk, replace_file
from goodneighbor.store.sqlite import SqliteDatabase

from .. import fleet
from .disks import FailingDisk, ShortDisk


def replace(folder: Path, disk: Disk) -> None:
    beside = str(folder / "state.json.new")
    replace_file(disk, str(folder / "state.json"), b"new" * 100, beside=beside)


@pytest.mark.parametrize("disk", [DISK, ShortDisk(7)])
def test_a_file_is_replaced_whole(tmp_path: Path, disk: Disk) -> None:
    for _ in range(2):
        replace(tmp_path, disk)
        assert (tmp_path / "state.json").read_bytes() == b"new" * 100
        assert [path.name for path in tmp_path.iterdir()] == ["state.json"]


@pytest.mark.parametrize("operation", ["create", "write", "flush", "rename"])
@pytest.mark.parametrize("taken", [0, 50])
def test_what_fails_before_the_rename_leaves_the_old_bytes(
    tmp_path: Path, operation: str, taken: int
) -> None:
    (tmp_path / "state.json").write_bytes(b"old")
    with pytest.raises(OSError, match="No space"):
        replace(tmp_path, FailingDisk(operation, taken=taken))
    assert (tmp_path / "state.json").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]


def test_a_failed_folder_flush_is_said(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="Input/output"):
        replace(tmp_path, FailingDisk("flush_folder", error=errno.EIO))
    assert (tmp_path / "state.json").read_bytes() == b"new" * 100


def test_a_clock_set_back_still_goes_forward() -> None:
    times = iter([100, 100, 5, 300, 7])
    clock = Clock(lambda: next(times))
    assert [clock.tick() for _ in range(5)] == [100, 101, 102, 300, 301]


@pytest.mark.parametrize(
    ("operation", "at"), [("flush_folder", 1), ("flush_folder", 2), ("rename", 1)]
)
def test_a_disk_that_refuses_a_new_store_is_named_and_the_next_try_makes_one(
    tmp_path: Path, operation: str, at: int
) -> None:
    place, disk = tmp_path / "goodneighbor", FailingDisk(operation, at=at, error=errno.EIO)
    with pytest.raises(StoreUnwritable, match="make a store in") as caught:
        Store.create(place, fleet.RULES, fleet.BASE, disk=disk)
    assert (caught.value.outcome, caught.value.errno) == ("not made", errno.EIO)
    try:
        Store.create(place, fleet.RULES, fleet.BASE)
    except StoreExists:  # its name alone was not flushed
        assert (operation, at) == ("flush_folder", 2)
    assert Store.open(place).verify() == []


def fill(database: SqliteDatabase, connection: sqlite3.Connection) -> None:
    with database.translated():
        connection.execute("CREATE TABLE large AS SELECT zeroblob(100000)")


def test_a_database_without_room_asks_for_the_command_again_and_for_no_delta(
    tmp_path: Path,
) -> None:
    with closing(sqlite3.connect(tmp_path / "small")) as connection:
        connection.execute("PRAGMA max_page_count = 2")
        with pytest.raises(StoreUnwritable, match="run the command again") as caught:
            fill(SqliteDatabase(tmp_path), connection)
    assert (caught.value.outcome, caught.value.errno) == ("unfinished", errno.ENOSPC)
    assert "delta" not in str(caught.value)
