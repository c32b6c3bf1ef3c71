"""What is damaged is put right from what is not: the same bytes, each step said, nothing gone."""

import errno
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from goodneighbor.store import Store, StoreDamaged, StoreUnwritable
from goodneighbor.store.log_copy import LogCopy
from goodneighbor.store.rebuild import Told
from goodneighbor.store.recover import Recovered
from goodneighbor.store.salvage import Salvage

from .. import fleet
from .disks import FailingDisk

BESIDE = b'{"posts_created": [{"number": 70, "author": "cyd", "channel": "general"}]}'


@pytest.fixture
def lived_in(make_store: Callable[..., Store], tmp_path: Path) -> Store:
    """A store of three frames with copies, a refusal, a file, changed rules and an open frame."""
    store = make_store()
    (tmp_path / "file").write_bytes(fleet.delta(1, "file", fleet.post(7, "ada")))
    (tmp_path / "known").write_bytes(fleet.delta(1, "known", fleet.post(8, "ada")))
    store.known_files([tmp_path / "known"])
    for frame in (1, 2, 3):
        store.append(fleet.delta(frame, "s1", fleet.post(frame, "ada")))
        store.append(fleet.delta(frame, "s1", fleet.post(frame, "ada")))
        store.append(fleet.delta(max(1, frame - 1), "s2", fleet.post(frame + 10, "bob")))
        store.append(BESIDE.replace(b"70", b"7%d" % frame), frame=frame, stream=f"beside-{frame}")
        store.append_many([b"no delta %d" % frame])
        store.drain()
        store.collect([tmp_path / "file", tmp_path / "known"])
        rules = fleet.RULES.replace("total_posts 1", "total_posts 3") if frame == 2 else None
        store.close_frame(frame, expect=["s1", "silent"], rules_text=rules)
    store.open_frame(5, ["s1", "s9"])
    store.close()
    return store


def branch(store: Store, positions: tuple[int, ...] | None = None) -> LogCopy:
    """Return the log as its branch has it, in segments that end at `positions`."""
    ends = positions or (2, store.status().events)
    starts = (1, *(end + 1 for end in ends[:-1]))
    segments = [store.log_lines(start, end) for start, end in zip(starts, ends, strict=True)]
    texts = [each.text for each in segments]
    return LogCopy("the branch", store.store_id(), ends[-1], segments[-1].chain, lambda: texts)


def facts(store: Store) -> dict[str, object]:
    """Read everything there is to know of a store: all but epochs, and numbers in quarantine."""
    chosen = {
        "store": "store_id, created_us, position, chain, seal",
        "quarantine": "source, received_us, reason, body",
    }
    with closing(sqlite3.connect(f"file:{database(store)}?mode=ro", uri=True)) as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {
            name: sorted(
                connection.execute(f"SELECT {chosen.get(name, '*')} FROM {name}"), key=repr
            )
            for (name,) in names
            if not name.startswith("sqlite")
        }


def database(store: Store) -> Path:
    return store.folder / "store.sqlite3"


def change(store: Store, *statements: str) -> None:
    with closing(sqlite3.connect(database(store), isolation_level=None)) as connection:
        for statement in statements:
            assert connection.execute(statement).rowcount > 0
    with closing(sqlite3.connect(database(store))) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def recover(store: Store, *copies: LogCopy, cut: bool = False) -> Recovered:
    """Recover; every step is said before the answer comes, and in its order."""
    said: list[object] = []
    done = Store(store.folder).recover(Told(copies, cut=cut), say=said.append)
    assert [each for each in said if each in done.steps] == done.steps
    assert [each for each in said if each in done.lost] == done.lost
    return done


def body(text: str, position: int) -> str:
    return f"UPDATE event SET body = CAST('{text}' AS BLOB) WHERE position = {position}"


WRONG = body('{"frame":1,"stream_id":"s1","posts_created":[]}', 3)
DAMAGES = {
    "a body": [WRONG],
    "a digest": ["UPDATE event SET digest = zeroblob(32) WHERE position = 3"],
    "who is expected": ["UPDATE frame_stream SET status = 'expectee' WHERE stream = 's9'"],
    "an id": ["UPDATE event SET id = zeroblob(16) WHERE position = 3"],
    "a chain": ["UPDATE event SET chain = zeroblob(32) WHERE position = 3"],
    "a frame beside": ["UPDATE event SET frame = 2 WHERE stream = 'beside-1'"],
    "a receipt": ["UPDATE event SET received_us = 7 WHERE position = 4"],
    "a seal": ["UPDATE event SET seal = zeroblob(16) WHERE position = 4"],
    "rules as bytes": ["UPDATE rules SET text = CAST(text AS BLOB)"],
    "an epoch that is no number": ["UPDATE store SET epoch = x''"],
    "an event": ["DELETE FROM event WHERE position = 5"],
    "two events": ["DELETE FROM event WHERE position IN (3, 4)"],
    "the log's head": ["UPDATE store SET position = 4, chain = zeroblob(32)"],
    "an offset": ["UPDATE segment SET taken = taken + 1"],
    "all offsets": ["DELETE FROM segment"],
    "quarantine": ["DELETE FROM quarantine"],
    "a copy": ["DELETE FROM copy WHERE position = (SELECT max(position) FROM copy)"],
    "snapshots": ["DELETE FROM entity", "UPDATE receipt SET applied = 7"],
    "several": [WRONG, "DELETE FROM segment", "DELETE FROM entity"],
}
FROM_THE_BRANCH = {
    "a close": ["DELETE FROM event WHERE kind = 'close' AND frame = 2"],
    "its body": ["UPDATE event SET body = zeroblob(50) WHERE kind = 'close' AND frame = 2"],
    "every event": ["DELETE FROM event"],
    "the last events": ["DELETE FROM event WHERE position > 9", "UPDATE store SET position = 9"],
    "rules": ["DELETE FROM rules"],
    "who it is": ["UPDATE store SET store_id = 'somebody'"],
    "its own row": [
        "UPDATE store SET position = position + 9, chain = zeroblob(32), seal = zeroblob(16)"
    ],
}


@pytest.mark.parametrize("name", DAMAGES)
def test_the_mailbox_gives_back_what_it_once_brought(name: str, lived_in: Store) -> None:
    before = facts(lived_in)
    change(lived_in, *DAMAGES[name])
    assert lived_in.verify() != []
    done = recover(lived_in)
    assert (done.lost, done.faults) == ([], [])
    assert done.steps
    assert facts(lived_in) == before


@pytest.mark.parametrize("name", ["two events", "several", *FROM_THE_BRANCH])
def test_the_log_branch_gives_back_the_same_bytes(name: str, lived_in: Store) -> None:
    before, told = facts(lived_in), branch(lived_in)
    change(lived_in, *(DAMAGES | FROM_THE_BRANCH)[name])
    done = recover(lived_in, told)
    assert (done.lost, done.faults) == ([], [])
    assert facts(lived_in) == before


def test_a_stream_that_is_expected_in_no_open_frame_any_more_is_named(lived_in: Store) -> None:
    change(lived_in, "UPDATE frame_stream SET frame = 2 WHERE stream = 's9'")
    assert lived_in.verify() != []
    done = recover(lived_in)
    assert [lost.place for lost in done.lost] == ["frame 2"]
    assert done.faults == []


def test_a_lost_database_comes_back_from_the_branch_alone(lived_in: Store) -> None:
    documents = {name: lived_in.document(name) for name in lived_in.documents()}
    before, told = facts(lived_in), branch(lived_in)
    shutil.rmtree(lived_in.folder)
    done = recover(lived_in, told)
    assert (done.lost, done.faults) == ([], [])
    after = facts(lived_in)
    for table in ("event", "rules", "store", "entity", "entity_past", "document", "receipt"):
        assert after[table] == before[table], table
    assert {name: lived_in.document(name) for name in lived_in.documents()} == documents


def test_what_the_branch_has_not_yet_comes_from_the_mailbox(lived_in: Store) -> None:
    told = branch(lived_in)
    lived_in.append(fleet.delta(5, "s1", fleet.post(50, "ada")))
    lived_in.close_frame(5)
    lived_in.close()
    documents = {name: lived_in.document(name) for name in lived_in.documents()}
    copies, refused = lived_in.status().copies, lived_in.status().quarantined
    database(lived_in).unlink()
    assert recover(lived_in, told).faults == []
    store = Store.open(lived_in.folder)
    store.drain()
    assert (store.status().copies, store.status().quarantined) == (copies, refused)
    store.close_frame(5, expect=["s9"])
    assert {name: store.document(name) for name in store.documents()} == documents


def test_what_was_set_aside_before_helps_when_the_rest_is_gone(lived_in: Store) -> None:
    """Put right once, gone on with, then lost: the old file says what no log does."""
    change(lived_in, WRONG)
    assert recover(lived_in).faults == []
    store = Store.open(lived_in.folder)
    store.append(fleet.delta(4, "s1", fleet.post(40, "ada")))
    store.close_frame(4)
    store.close()
    before, told = facts(store), branch(store)
    database(store).unlink()
    assert recover(store, told).faults == []
    after = facts(store)
    for table in ("event", "store", "entity", "copy", "collected", "quarantine", "segment"):
        assert after[table] == before[table], table


def test_a_flipped_page_costs_no_row_that_can_be_read(lived_in: Store) -> None:
    """Page by page, its first bytes: those that say what kind of page it is and what is on it."""
    lived_in.close()
    before, told, sound = facts(lived_in), branch(lived_in), database(lived_in).read_bytes()
    for start in range(0, len(sound), 4096):
        damaged = bytearray(sound)
        at = start + (100 if start == 0 else 0)
        damaged[at : at + 8] = b"\xff" * 8
        database(lived_in).write_bytes(damaged)
        done = recover(lived_in, told)
        assert done.faults == [], (start, done)
        after = facts(lived_in)
        assert after["event"] == before["event"], start
        assert after["entity"] == before["entity"], start


def test_a_database_that_is_none_is_built_again(lived_in: Store) -> None:
    before, told = facts(lived_in), branch(lived_in)
    database(lived_in).write_bytes(b"no database at all" * 1000)
    done = recover(lived_in, told)
    assert done.faults == []
    assert facts(lived_in)["event"] == before["event"]


def test_what_is_damaged_is_kept_aside(lived_in: Store) -> None:
    change(lived_in, WRONG)
    damaged = database(lived_in).read_bytes()
    recover(lived_in)
    (aside,) = (lived_in.folder / "damaged").iterdir()
    assert (aside / "store.sqlite3").read_bytes() == damaged


@pytest.mark.parametrize(
    ("operation", "at"),
    [("create", 1), ("write", 1), ("flush", 1), ("flush_folder", 2)],  # the first: the store's own
)
@pytest.mark.parametrize("damage", ["a body", "snapshots"])
def test_a_disk_without_room_for_what_is_set_aside_changes_nothing(
    operation: str, at: int, damage: str, lived_in: Store
) -> None:
    before = facts(lived_in)
    change(lived_in, *DAMAGES[damage])
    damaged = database(lived_in).read_bytes()
    full = Store(lived_in.folder, disk=FailingDisk(operation, at=at, taken=100))
    with pytest.raises(StoreUnwritable) as refused:
        full.recover(Told())
    assert refused.value.errno == errno.ENOSPC
    assert "nothing was changed" in str(refused.value)
    assert database(lived_in).read_bytes() == damaged
    assert list((lived_in.folder / "damaged").iterdir()) == []
    assert recover(lived_in).faults == []
    assert facts(lived_in) == before


def test_a_dry_run_says_the_same_steps_and_changes_nothing(lived_in: Store) -> None:
    change(lived_in, *DAMAGES["several"])
    before = database(lived_in).read_bytes()
    planned = Store(lived_in.folder).recover(Told(), dry_run=True)
    assert planned.steps
    assert planned.faults
    assert database(lived_in).read_bytes() == before
    assert not (lived_in.folder / "damaged").exists()
    done = recover(lived_in)
    assert set(planned.steps) <= set(done.steps)


def test_what_nothing_holds_is_named_and_nothing_is_changed(lived_in: Store) -> None:
    sound = database(lived_in).read_bytes()
    change(lived_in, "UPDATE event SET body = zeroblob(50) WHERE kind = 'close' AND frame = 2")
    before = database(lived_in).read_bytes()
    done = recover(lived_in)
    (lost,) = done.lost
    assert lost.place.startswith("event ")
    assert "last good close is that of frame 1" in lost.what
    assert done.faults
    assert database(lived_in).read_bytes() == before
    database(lived_in).write_bytes(sound)


def test_a_person_may_go_on_without_what_is_lost(lived_in: Store) -> None:
    documents = {name: lived_in.document(name) for name in lived_in.documents()}
    change(lived_in, "UPDATE event SET body = zeroblob(50) WHERE kind = 'close' AND frame = 3")
    done = recover(lived_in, cut=True)
    assert done.lost
    assert done.faults == []
    store = Store.open(lived_in.folder)
    store.close_frame(3, expect=["silent"])
    assert {name: store.document(name) for name in store.documents()} == documents


def test_what_came_again_while_its_row_was_gone_is_logged_once(lived_in: Store) -> None:
    documents = {name: lived_in.document(name) for name in lived_in.documents()}
    sent = fleet.delta(1, "s1", fleet.post(1, "ada"))
    told = branch(lived_in)
    change(lived_in, "DELETE FROM event WHERE kind = 'delta' AND stream = 's1' AND frame = 1")
    store = Store.open(lived_in.folder)
    kept = store.append(sent)
    store.drain()
    store.close()
    damaged = database(lived_in).read_bytes()
    (lost,) = recover(lived_in, told).lost
    assert "logged again" in lost.what
    assert database(lived_in).read_bytes() == damaged
    assert recover(lived_in, told, cut=True).faults == []
    store = Store.open(lived_in.folder)
    assert [each.id for each in store.events()].count(kept.id) == 1
    assert {name: store.document(name) for name in store.documents()} == documents


def test_with_nothing_to_recover_from_it_says_so(lived_in: Store) -> None:
    sound = database(lived_in).read_bytes()
    database(lived_in).unlink()
    with pytest.raises(StoreDamaged, match="log branch"):
        recover(lived_in)
    database(lived_in).write_bytes(sound)


def test_a_copy_that_was_tampered_with_is_left_aside(lived_in: Store) -> None:
    sound, told = database(lived_in).read_bytes(), branch(lived_in)
    texts = [text.replace(b'"Post 2"', b'"Post 3"') for text in told.texts()]
    forged = told._replace(texts=lambda: texts)
    another = told._replace(store_id="another")
    database(lived_in).unlink()
    with pytest.raises(StoreDamaged):
        recover(lived_in, forged)
    database(lived_in).write_bytes(sound)
    change(lived_in, "DELETE FROM event WHERE kind = 'close' AND frame = 2")
    done = recover(lived_in, forged, another)
    assert [each.place for each in done.steps if "left aside" in each.what] == ["the branch"] * 2
    assert done.lost
    assert recover(lived_in, forged, told).faults == []


def test_a_sound_store_is_left_as_it_is(lived_in: Store) -> None:
    before = database(lived_in).read_bytes()
    assert recover(lived_in) == Recovered([], [], [])
    assert database(lived_in).read_bytes() == before


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE event SET position = position + 24 WHERE position = (SELECT position FROM store)",
        "UPDATE store SET position = position - 2",
        "UPDATE store SET position = position + 32",
        "UPDATE event SET received_us = 1 WHERE position = (SELECT position FROM store);"
        "UPDATE store SET position = position - 1",
    ],
)
def test_the_last_position_is_one_that_an_event_had(tmp_path: Path, damage: str) -> None:
    Store.create(tmp_path / "store", fleet.RULES).close()
    with Store.open(tmp_path / "store") as store:
        for number in range(5):
            store.append(b'{"frame":1,"n":%d,"stream_id":"s"}' % number)
        store.drain()
    file = tmp_path / "store" / "store.sqlite3"
    connection = sqlite3.connect(file)
    (last,) = connection.execute("SELECT position FROM store").fetchone()
    connection.executescript(damage)
    connection.close()
    salvage = Salvage(file, "the database")
    assert salvage.last_position() == last > 5
    salvage.close()
