"""Snapshots: the state digest by what changed, older versions at hand, only what is needed read."""

import hashlib
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from goodneighbor.kernel import Changed
from goodneighbor.store import Store, snapshots
from goodneighbor.store.engine import Cursor
from goodneighbor.store.lock import StoreLock
from goodneighbor.store.schema import metadata
from goodneighbor.store.snapshots import Seen
from goodneighbor.store.sqlite import SqliteCursor
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateTable

from .. import fleet
from .raw import database, raw

DERIVED = """
[documents.agents.derive]
count = "count(agents)"
posts = "100 + sum(agents/post_count)"
"""


def digest_by_hand(store: Store) -> str:
    total = 0
    for document in store.documents():
        for key, body in store.entities(document):
            parts = (document.encode(), key)
            lengths = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
            total += int.from_bytes(hashlib.sha256(lengths + body).digest(), "big")
    return f"{total % 2**256:064x}"


def test_the_state_digest_is_the_sum_over_all_entities(store: Store) -> None:
    assert store.state_digest() == digest_by_hand(store)
    for frame in (1, 2, 3):
        store.append(fleet.delta(frame, "s1", fleet.post(frame, "ada"), fleet.post(frame, "bob")))
        assert store.close_frame(frame).state_digest == digest_by_hand(store)


def test_the_state_digest_does_not_depend_on_the_order_of_arrival(
    make_store: Callable[..., Store],
) -> None:
    deltas = [
        fleet.delta(frame, stream, fleet.post(10 * frame + minute, "ada"), minute=minute)
        for frame in (1, 2, 3)
        for minute, stream in enumerate(("s1", "s2"))
    ]
    digests = set()
    for arrival in (deltas, deltas[::-1], deltas[2:] + deltas[:2]):
        store = make_store()
        for delta in arrival:
            store.append(delta)
        digests.add(store.close_frame(3).state_digest)
    late = make_store()
    for delta, frame in zip(reversed(deltas), (1, 1, 2, 2, 3, 3), strict=True):
        late.append(delta)
        late.close_frame(frame)
    digests.add(late.state_digest())
    assert len(digests) == 1


def test_an_older_frame_can_be_looked_at(store: Store) -> None:
    counts: list[object] = []
    for frame in (1, 2, 3):
        store.append(fleet.delta(frame, "s1", fleet.post(frame, "ada")))
        counts.append(store.close_frame(frame).state_digest)
    with database(store).reading(lambda: StoreLock(store.folder)) as cursor:
        for frame in (1, 2, 3):
            assert snapshots.state_digest(cursor, frame) == counts[frame - 1]
            body = snapshots.entity(cursor, "agents", b"ada", frame)
            assert body is not None
            assert f'"post_count":{frame}'.encode() in body
            rows = {row.key: row.body for row in snapshots.entities(cursor, "agents", frame)}
            assert rows[b"ada"] == body
            assert set(rows) == {b"ada", b"bob", b"cyd", b"dee"}


def test_derived_totals_are_kept_from_close_to_close(make_store: Callable[..., Store]) -> None:
    store = make_store(fleet.RULES + DERIVED)
    for frame in (1, 2):
        store.append(fleet.delta(frame, "s1", fleet.post(frame, "ada")))
        store.close_frame(frame)
    assert store.entity("agents", b"@") == b'{"count":4,"posts":102}'


def test_derived_totals_that_are_lost_are_counted_again(make_store: Callable[..., Store]) -> None:
    store = make_store(fleet.RULES + DERIVED)
    store.append(fleet.delta(1, "s1", fleet.post(1, "ada")))
    store.close_frame(1)
    with raw(store) as cursor:
        cursor.execute("UPDATE frame SET totals = NULL")
    store.append(fleet.delta(2, "s1", fleet.post(2, "ada")))
    store.close_frame(2)
    assert store.entity("agents", b"@") == b'{"count":4,"posts":102}'
    store.replay()  # the totals of frame 1 are back


def test_a_close_reads_only_the_entities_its_frame_needs(
    make_store: Callable[..., Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    many = b",".join(b'"a%d": {"post_count": 0}' % number for number in range(500))
    store = make_store(base={"agents": b'{"agents": {%s}}' % many})
    asked: list[tuple[str, bytes]] = []
    load = snapshots.load

    def watched(cursor: Cursor, names: Sequence[tuple[str, bytes]], seen: Seen) -> object:
        asked.extend(names)
        return load(cursor, names, seen)

    monkeypatch.setattr(snapshots, "load", watched)
    store.append(fleet.delta(1, "s1", fleet.post(1, "a7")))
    store.close_frame(1)
    assert ("agents", b"a7") in asked
    assert len(asked) < 10


def test_keys_may_be_long_and_hold_anything(make_store: Callable[..., Store]) -> None:
    key = "x" * 5000
    base = {"agents": b'{"agents": {"%s": {}, "a\\u0000b": {"n": 1}}}' % key.encode()}
    store = make_store(base=base)
    assert store.entity("agents", key.encode()) == b"{}"
    assert store.entity("agents", b"a\0b") == b'{"n":1}'


def test_base_state_larger_than_one_delta_becomes_several(
    make_store: Callable[..., Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("goodneighbor.store.origin.DELTA_SIZE_MAX", 2_000)
    many = b",".join(b'"a%d": {"text": "%s"}' % (n, b"y" * (n * 10)) for n in range(300))
    store = make_store(base={"agents": b'{"_meta": {"v": 1}, "agents": {%s}}' % many})
    assert store.status().events > 100
    assert len(list(store.entities("agents"))) == 301
    assert store.entity("agents", b"@") == b'{"_meta":{"v":1}}'


BODIES = st.sampled_from([None, b"", b"1", b'{"n":1}', b'{"n":2}', b"[]"])
FRAMES = st.lists(st.dictionaries(st.sampled_from([b"a", b"b", b"c", b"@"]), BODIES), max_size=8)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(frames=FRAMES, back_to=st.integers(0, 8))
def test_going_back_gives_exactly_what_was_there(
    tmp_path: Path, frames: list[dict[bytes, bytes | None]], back_to: int
) -> None:
    """Versions written frame by frame, against a plain list of dictionaries."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    cursor = connection.cursor(SqliteCursor)
    for statement in statements():
        cursor.execute(statement)
    past: list[dict[bytes, bytes | None]] = [{}]
    for number, changes in enumerate(frames):
        snapshots.write(cursor, number, [Changed("d", *each) for each in changes.items()], {"d"})
        past.append({**past[-1], **changes})
        assert rows_of(cursor) == past[-1]
    back = min(back_to, len(frames))
    for number in range(back):
        found = {row.key: row.body for row in snapshots.entities(cursor, "d", number)}
        assert found == past[number + 1]
    digest = snapshots.state_digest(cursor, back - 1)
    snapshots.rewind(cursor, back)
    assert rows_of(cursor) == past[back]
    assert snapshots.state_digest(cursor) == digest
    share = snapshots.shares(cursor).get("d", snapshots.EMPTY)
    counted = [body for key, body in past[back].items() if key != b"@"]
    assert share.entities == sum(bool(body) for body in counted)
    assert share.removed == sum(body is None for body in counted)
    connection.close()


def rows_of(cursor: Cursor) -> dict[bytes, bytes | None]:
    return {row.key: row.body for row in snapshots.entities(cursor, "d")}


def statements() -> list[str]:
    dialect = sqlite.dialect()
    made = [CreateTable(table) for table in metadata.sorted_tables]
    return [str(each.compile(dialect=dialect)) for each in made]
