"""The log holds each delta once, in a chain without holes, whatever comes in."""

import hashlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from goodneighbor.store import DeltaRejected, LockLost, LogConflict, Store, StoreBusy
from goodneighbor.store.engine import open_database, writing
from goodneighbor.store.lock import StoreLock

from .. import fleet


def rows(store: Store, query: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(f"file:{store.folder / 'store.sqlite3'}?mode=ro", uri=True)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def test_positions_have_no_holes_and_digests_are_chained(store: Store) -> None:
    for number in range(5):
        store.append(fleet.delta(1, f"s{number}", fleet.post(number, "ada")))
        store.drain()
    chain = bytes(32)
    events = rows(store, "SELECT position, id, digest, body, chain FROM event ORDER BY position")
    for position, (found, identity, digest, body, linked) in enumerate(events, 1):
        assert found == position
        assert isinstance(body, bytes)
        assert digest == hashlib.sha256(body).digest()
        assert identity == hashlib.sha256(body).digest()[:16]
        chain = hashlib.sha256(chain + hashlib.sha256(body).digest()).digest()
        assert linked == chain


def test_the_same_delta_again_is_a_copy_and_not_an_event(store: Store) -> None:
    delta = fleet.delta(1, "s1", fleet.post(1, "ada"))
    spaced = delta.replace(b",", b" ,\n ")
    first = store.append(delta)
    assert store.append(spaced).id == first.id
    drained = store.drain()
    assert (drained.events, drained.copies) == (1, 1)
    store.append(delta)
    assert (store.drain().events, store.status().copies) == (0, 2)


def test_what_was_drained_is_not_drained_again(store: Store) -> None:
    store.append(fleet.delta(1, "s1"))
    assert store.drain().events == 1
    assert store.drain() == (0, 0, [])


def test_another_process_reads_on_where_the_last_one_stopped(store: Store) -> None:
    store.append(fleet.delta(1, "s1"))
    store.drain()
    store.append(fleet.delta(1, "s2"))
    assert Store.open(store.folder).drain().events == 1


def test_bad_input_goes_to_quarantine_and_stops_nothing(store: Store) -> None:
    bad = [b"<<<<<<< HEAD", b'{"frame": 1}', b"[]", b'{"frame": 405.0, "stream_id": "a"}', b"{"]
    for raw in bad:
        with pytest.raises(DeltaRejected):
            store.append(raw)
    store.append(fleet.delta(1, "s1"))
    drained = store.drain()
    assert drained.events == 1
    assert len(drained.quarantined) == len(bad)
    assert [store.quarantine_get(each.id) is not None for each in drained.quarantined] == [True] * 5
    assert all(each.reason for each in drained.quarantined)


def test_a_batch_keeps_the_place_of_what_it_refuses(store: Store) -> None:
    good = fleet.delta(1, "s1")
    kept = store.append_many([good, b"nonsense", fleet.delta(1, "s2")])
    assert [isinstance(each, DeltaRejected) for each in kept] == [False, True, False]
    assert store.drain().events == 2


def test_a_second_holder_of_the_lock_waits_a_bounded_time_and_says_who(store: Store) -> None:
    impatient = Store.open(store.folder, wait_s=0.1)
    with StoreLock(store.folder, who="test"), pytest.raises(StoreBusy) as refused:
        impatient.drain()
    assert "test" in refused.value.holder
    assert impatient.drain().events == 0


def test_append_needs_no_lock(store: Store) -> None:
    with StoreLock(store.folder):
        store.append(fleet.delta(1, "s1"))
    assert store.drain().events == 1


def test_a_lock_file_that_was_replaced_lets_nothing_be_committed(store: Store) -> None:
    def lose_the_lock() -> None:
        held = writing(open_database(store.folder), StoreLock(store.folder))
        with held as writer, writer.transaction("test") as cursor:
            cursor.execute("DELETE FROM event")
            (store.folder / "store.lock").unlink()

    with pytest.raises(LockLost):
        lose_the_lock()
    assert store.status().events > 0


def test_somebody_who_writes_without_the_lock_is_noticed(store: Store) -> None:
    def be_disturbed() -> None:
        with writing(open_database(store.folder), StoreLock(store.folder)) as writer:
            with writer.transaction("test"):
                pass
            other.execute("UPDATE store SET epoch = epoch + 1")
            with writer.transaction("test"):
                pass

    other = sqlite3.connect(store.folder / "store.sqlite3", isolation_level=None)
    with pytest.raises(LogConflict):
        be_disturbed()
    other.close()


def test_a_claim_far_ahead_of_its_arrival_is_flagged_and_kept(
    make_store: Callable[..., Store],
) -> None:
    store = make_store()
    store.append(b'{"frame": 1, "stream_id": "s1", "utc": "9998-01-01T00:00:00Z"}')
    store.close_frame(1)
    detail = store.frame(1)
    assert detail is not None
    assert detail.ahead == 1
    assert b"9998" in rows(store, "SELECT body FROM event WHERE kind = 'delta'")[0][0]  # type: ignore[operator]


def test_a_store_is_private_to_its_user(store: Store, tmp_path: Path) -> None:
    modes = {path.name: path.stat().st_mode & 0o077 for path in store.folder.iterdir()}
    assert store.folder.stat().st_mode & 0o777 == 0o700
    assert modes["store.sqlite3"] == modes["mailbox"] == 0
