"""What is damaged is found and placed; what is sound is not accused."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from goodneighbor.store import Fault, Store, StoreDamaged
from goodneighbor.store.rebuild import Told
from goodneighbor.store.segment import FRAME_SIZE, HEADER_SIZE

from .. import fleet


@pytest.fixture
def damaged(tmp_path: Path) -> Iterator[Store]:
    """A store to be damaged: it is not verified when the test is over."""
    folder = tmp_path / "damaged" / "goodneighbor"
    folder.parent.mkdir()
    store = Store.create(folder, fleet.RULES, fleet.BASE)
    for frame in (1, 2):
        store.append(fleet.delta(frame, "s1", fleet.post(frame, "ada")))
        store.close_frame(frame)
    assert store.verify() == []
    yield store
    store.close()


def change(store: Store, statement: str) -> None:
    connection = sqlite3.connect(store.folder / "store.sqlite3", isolation_level=None)
    assert connection.execute(statement).rowcount > 0
    connection.close()


def places(faults: list[Fault]) -> list[str]:
    return [fault.place for fault in faults]


# The base state is events 1 and 2 (its close), then two deltas with their closes.
@pytest.mark.parametrize(
    ("statement", "place", "what"),
    [
        ("UPDATE event SET body = CAST(body || ' ' AS BLOB) WHERE position = 3", "event 3", "body"),
        ("UPDATE event SET digest = zeroblob(32) WHERE position = 3", "event 3", "body"),
        ("UPDATE event SET id = zeroblob(16) WHERE position = 3", "event 3", "id"),
        ("UPDATE event SET chain = zeroblob(32) WHERE position = 3", "event 3", "chain"),
        ("UPDATE event SET frame = 7 WHERE position = 3", "event 3", "frame"),
        ("UPDATE event SET frame = 7 WHERE position = 4", "event 4", "frame"),
        ("UPDATE event SET stream = 'S1' WHERE position = 3", "event 3", "stream"),
        ("UPDATE event SET utc_us = utc_us + 1 WHERE position = 3", "event 3", "time"),
        ("UPDATE event SET kind = 'own' WHERE position = 3", "event 3", "time"),
        ("DELETE FROM event WHERE position = 3", "event 3", "not in the log"),
        ("DELETE FROM event WHERE position = 6", "log", "ends at 5"),
        ("UPDATE store SET position = 5", "log", "ends at 6"),
        ("UPDATE rules SET text = text || '#'", "rules", "text"),
        ("DELETE FROM rules", "event 2", "rules"),
    ],
)
def test_a_fault_in_the_log_is_placed(
    damaged: Store, statement: str, place: str, what: str
) -> None:
    change(damaged, statement)
    faults = damaged.verify()
    assert any(f.place.startswith(place) and what in f.what and f.next for f in faults), faults


def test_a_fault_in_the_snapshots_names_the_entity_and_replay(damaged: Store) -> None:
    change(damaged, "UPDATE entity SET body = CAST('{}' AS BLOB) WHERE key = CAST('ada' AS BLOB)")
    faults = damaged.verify()
    assert "entity agents/ada" in places(faults)
    assert {fault.next for fault in faults} == {"neighbor replay"}
    damaged.replay()
    assert damaged.verify() == []


def test_an_exported_file_that_was_changed_or_deleted_is_named(
    damaged: Store, tmp_path: Path
) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    damaged.export(tree)
    assert damaged.verify() == []
    (tree / "state" / "agents.json").write_text("<<<<<<< HEAD")
    (tree / "state" / "stats.json").unlink()
    faults = damaged.verify()
    assert places(faults) == [str(tree / "state" / name) for name in ("agents.json", "stats.json")]
    assert {fault.next for fault in faults} == {"neighbor export"}
    damaged.export(tree)
    assert damaged.verify() == []


def test_a_flipped_bit_in_a_waiting_note_is_placed_and_drained_into_quarantine(
    damaged: Store,
) -> None:
    damaged.append(fleet.delta(3, "s1"))
    damaged.append(fleet.delta(3, "s2"))
    damaged.close()
    segment = max((damaged.folder / "mailbox").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    data = bytearray(segment.read_bytes())
    data[data.rindex(b'"s1"')] ^= 1
    segment.write_bytes(data)
    faults = damaged.verify()
    assert [fault.next for fault in faults] == ["neighbor drain"]
    assert segment.name in faults[0].place
    drained = damaged.drain()
    assert (drained.events, [each.reason for each in drained.quarantined]) == (1, ["damaged note"])
    assert damaged.verify() == []


def test_a_segment_shorter_than_what_was_read_is_named(damaged: Store) -> None:
    damaged.close()
    segment = next((damaged.folder / "mailbox").iterdir())
    with segment.open("r+b") as file:
        file.truncate(HEADER_SIZE + FRAME_SIZE)
    assert [fault.place for fault in damaged.verify()] == [f"mailbox/{segment.name}"]


def test_a_database_that_is_no_database_is_damage_and_not_an_empty_store(damaged: Store) -> None:
    file = damaged.folder / "store.sqlite3"
    data = bytearray(file.read_bytes())
    data[100:4096] = b"\xff" * 3996
    file.write_bytes(data)
    with pytest.raises(StoreDamaged):
        damaged.status()
    assert damaged.verify() != []


def test_a_database_that_may_not_be_written_is_found_before_it_must_be(damaged: Store) -> None:
    """The first page says by a number what a program must know to write the file."""
    damaged.close()
    file = damaged.folder / "store.sqlite3"
    data = bytearray(file.read_bytes())
    data[18] ^= 1 << 7
    file.write_bytes(data)
    assert [fault.next for fault in damaged.verify()] == ["neighbor recover"]
    assert damaged.recover(Told()).faults == []
    damaged.close_frame(3)


def test_a_sound_store_with_late_deltas_is_not_accused(
    make_store: Callable[..., Store],
) -> None:
    store = make_store()
    for frame in (1, 2, 3):
        store.append(fleet.delta(max(frame - 1, 1), f"s{frame}", fleet.post(frame, "ada")))
        store.close_frame(frame, expect=["s9"])
    assert store.verify() == []
