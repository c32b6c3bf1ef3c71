"""A segment goes when the log branch holds what it brought, and not before."""

import errno
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from goodneighbor.store import Store, StoreUnwritable
from goodneighbor.store.rebuild import Told

from .. import fleet
from .disks import FailingDisk
from .test_recover import branch


def segments(store: Store) -> list[str]:
    return sorted(path.name for path in (store.folder / "mailbox").iterdir())


def fold(store: Store, frame: int, *more: bytes) -> int:
    """Bring a delta in a segment of its own, close, and return the close's position."""
    with Store.open(store.folder) as writer:
        writer.append_many([fleet.delta(frame, "s1", fleet.post(frame, "ada")), *more])
    store.close_frame(frame)
    return store.status().events


def test_what_stands_in_the_log_up_to_the_branch_goes(store: Store) -> None:
    first = fold(store, 1)
    (old,) = segments(store)
    fold(store, 2)
    assert store.retire(first) == [old]
    assert len(segments(store)) == 1
    assert store.verify() == []


def test_a_segment_stays_while_its_writer_lives(store: Store) -> None:
    with Store.open(store.folder) as writer:
        writer.append(fleet.delta(1, "s1"))
        store.close_frame(1)
        assert store.retire(store.status().events) == []
    assert len(store.retire(store.status().events)) == 1


def test_a_note_that_waits_keeps_its_segment(store: Store) -> None:
    through = fold(store, 1)
    with Store.open(store.folder) as writer:
        writer.append(fleet.delta(2, "s1"))
    assert len(store.retire(through)) == 1
    assert len(segments(store)) == 1
    store.close_frame(2)
    assert store.status().sums is not None


def test_what_is_in_quarantine_keeps_its_segment_until_it_is_an_event(store: Store) -> None:
    through = fold(store, 1, b"no delta")
    assert store.retire(through) == []
    assert len(segments(store)) == 1


def test_a_kill_between_file_and_row_is_finished_by_the_next(store: Store) -> None:
    through = fold(store, 1)
    (name,) = segments(store)
    (store.folder / "mailbox" / name).unlink()
    assert store.verify() == []
    store.retire(through)
    with closing(sqlite3.connect(store.folder / "store.sqlite3")) as connection:
        assert connection.execute("SELECT count(*) FROM segment").fetchone() == (0,)


@pytest.mark.parametrize(("operation", "is_there"), [("remove", True), ("flush_folder", False)])
def test_a_disk_that_refuses_is_named_and_the_next_finishes(
    store: Store, operation: str, is_there: bool
) -> None:
    through = fold(store, 1)
    (old,) = segments(store)
    disk = FailingDisk(operation, error=errno.EIO)
    with (
        Store.open(store.folder, disk=disk) as failing,
        pytest.raises(StoreUnwritable, match=f"delete .*{old}") as caught,
    ):
        failing.retire(through)
    assert (caught.value.outcome, caught.value.errno) == ("unfinished", errno.EIO)
    assert segments(store) == [old] * is_there
    assert store.retire(through) == [old] * is_there
    assert segments(store) == []
    assert store.verify() == []


def test_a_reader_that_comes_late_finds_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The segment goes between the listing and the opening."""
    from goodneighbor.store import mailbox

    through = fold(store, 1)
    listed = mailbox.sizes(str(store.folder / "mailbox"))
    store.retire(through)
    monkeypatch.setattr(mailbox, "sizes", lambda folder: listed)
    assert store.verify() == []


def test_after_retiring_the_branch_alone_brings_the_store_back(
    make_store: Callable[..., Store], tmp_path: Path
) -> None:
    store = make_store()
    for frame in (1, 2, 3):
        fold(store, frame)
    told = branch(store)
    assert len(store.retire(told.position)) == 3
    before = [store.document(name) for name in store.documents()]
    shutil.rmtree(store.folder)
    assert Store(store.folder).recover(Told((told,))).faults == []
    assert [store.document(name) for name in store.documents()] == before
