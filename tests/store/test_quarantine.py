"""What cannot become an event is kept, bytes and reason, and leaves only as an event."""

import pytest
from goodneighbor.store import DeltaRejected, Store, quarantine
from goodneighbor.store.engine import writing
from goodneighbor.store.lock import StoreLock

from .. import fleet
from .raw import database

REFUSED = [
    (b"\xff\xfe", "not utf-8"),
    (b"<<<<<<< HEAD\n{}", "unexpected byte"),
    (b'{"stream_id": "s1"}', "frame missing"),
    (b'{"frame": 1}', "stream missing"),
    (b'{"frame": 18446744073709551615, "stream_id": "s1"}', "frame invalid"),
    (b'{"frame": 18446744073709551616, "stream_id": "s1"}', "integer range"),
    (b'{"frame": 405.0, "stream_id": "s1"}', "frame invalid"),
    (b'{"frame": 1, "stream_id": "a/b"}', "stream invalid"),
    (b'{"frame": 1, "stream_id": "a..b"}', "stream invalid"),
    (b'{"frame": 1, "stream_id": "a.lock"}', "stream invalid"),
    (b'{"frame": 1, "stream_id": "git"}', "stream reserved"),
    (b'{"frame": 1, "stream_id": "s1", "frame": 2}', "duplicate key"),
]


def put_aside(store: Store, raw: bytes) -> int:
    """Put bytes into quarantine that this version would take."""
    held = writing(database(store), StoreLock(store.folder))
    with held as writer, writer.transaction("test") as cursor:
        return quarantine.put(cursor, "an older version", 5, "unknown then", raw)


@pytest.mark.parametrize(("raw", "reason"), REFUSED, ids=[reason for _, reason in REFUSED])
def test_a_refused_delta_is_kept_with_its_reason(store: Store, raw: bytes, reason: str) -> None:
    with pytest.raises(DeltaRejected) as refused:
        store.append(raw, source="a stream")
    assert refused.value.reason == reason
    store.drain()
    (kept,) = store.quarantine_list()
    assert (kept.reason, kept.source, kept.size) == (reason, "a stream", len(raw))
    found = store.quarantine_get(kept.id)
    assert found is not None
    assert found[1] == raw


def test_a_retry_that_still_cannot_be_an_event_changes_nothing(store: Store) -> None:
    with pytest.raises(DeltaRejected):
        store.append(b'{"frame": 1}')
    store.drain()
    (kept,) = store.quarantine_list()
    assert store.quarantine_retry(kept.id) is None
    assert store.quarantine_list() == [kept]


def test_a_retry_makes_an_event_of_what_can_be_one_now(store: Store) -> None:
    delta = fleet.delta(1, "s1", fleet.post(1, "ada"))
    number = put_aside(store, delta)
    identity = store.quarantine_retry(number)
    assert identity is not None
    assert store.quarantine_list() == []
    assert store.close_frame(1).folded[0].applied == 1
    assert store.append(delta).id == identity


def test_a_number_that_nothing_has_is_said(store: Store) -> None:
    assert store.quarantine_get(99) is None
    assert store.quarantine_retry(99) is None


def test_numbers_are_never_given_twice(store: Store) -> None:
    first = put_aside(store, fleet.delta(1, "s1"))
    assert store.quarantine_retry(first)
    assert put_aside(store, fleet.delta(1, "s2")) == first + 1
