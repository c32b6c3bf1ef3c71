"""What no digest covers has a seal: a flipped bit beside a body, or at the door, is found."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from goodneighbor.store import FrameNotShown, Store
from goodneighbor.store.migrate import config
from goodneighbor.store.rebuild import Told
from goodneighbor.store.replay import COMPARED
from goodneighbor.store.schema import metadata
from goodneighbor.store.seal import SEALED, SEALED_ROWS
from sqlalchemy import Column, create_engine

from .. import fleet

RULES = fleet.RULES.replace('"inc /agents/*/karma"', '"remove /agents/*"')
GONE = [{"op": "remove", "path": f"/agents/{name}"} for name in ("ada", "bob")]


@pytest.fixture
def lived_in(tmp_path: Path) -> Iterator[Store]:
    """A store with a row in every table that has seals; not verified when the test is over."""
    (tmp_path / "store").mkdir()
    store = Store.create(tmp_path / "store" / "goodneighbor", RULES, fleet.BASE)
    for name in ("collected", "known"):
        (tmp_path / name).write_bytes(fleet.delta(1, name, fleet.post(7, "ada")))
    store.known_files([tmp_path / "known"])
    store.append_many([fleet.delta(1, "s1"), fleet.delta(1, "s1"), b"no delta"])
    store.append(b'{"posts_created": []}', frame=1, stream="beside")
    store.collect([tmp_path / "collected"])
    store.close_frame(1)
    (tmp_path / "tree").mkdir()
    store.export(tmp_path / "tree")
    store.append(json.dumps({"frame": 2, "stream_id": "s1", "ops": GONE}).encode())
    store.close_frame(2)
    store.export(tmp_path / "tree", allow_loss={"agents"}, asked_by="somebody")
    store.open_frame(3, ["s1", "s2"])
    assert store.verify() == []
    yield store
    store.close()


def rows(store: Store, table: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(store.folder / "store.sqlite3")) as connection:
        only = f" WHERE {SEALED_ROWS[table]}" if table in SEALED_ROWS else ""
        found = connection.execute(f"SELECT {', '.join(SEALED[table])}, seal FROM {table}{only}")
        return sorted(found.fetchall(), key=repr)


def change(store: Store, statement: str) -> None:
    with closing(sqlite3.connect(store.folder / "store.sqlite3")) as connection:
        assert connection.execute(statement).rowcount > 0
        connection.commit()


@pytest.mark.parametrize(
    ("statement", "place"),
    [
        ("UPDATE event SET frame = 2 WHERE stream = 'beside'", "event"),
        ("UPDATE event SET stream = 'beside-me' WHERE stream = 'beside'", "event"),
        ("UPDATE event SET received_us = received_us + 1 WHERE stream = 'beside'", "event"),
        ("UPDATE copy SET position = position - 1", "copy"),
        ("UPDATE segment SET taken = taken - 1", "segment"),
        ("DELETE FROM segment", "mailbox"),
        ("UPDATE collected SET known = 0", "collected"),
        ("UPDATE quarantine SET body = CAST('no Delta' AS BLOB)", "quarantine 1"),
        ("UPDATE loss SET asked_by = 'nobody'", "loss agents"),
        ("UPDATE export SET entities = 400 WHERE document = 'agents'", "export"),
        ("UPDATE export SET done = 0 WHERE document = 'agents'", "export"),
        ("UPDATE store SET store_id = 'another'", "store another"),
        ("UPDATE store SET forgotten = 1", "store"),
        ("UPDATE store SET id = 3", "store"),
        ("UPDATE frame_stream SET stream = 's3' WHERE stream = 's2' AND frame = 3", "frame_stream"),
        ("UPDATE frame_stream SET status = 'expectee' WHERE frame = 3", "frame_stream s1"),
        ("DELETE FROM frame WHERE frame = 3", "frame 3"),
        ("UPDATE frame SET frame = 5 WHERE frame = 3", "frame 5"),
        ("UPDATE frame SET state = 'opeo' WHERE frame = 3", "frame 3"),
        ("UPDATE frame SET state_digest = 0 WHERE frame = 3", "frame 3"),
        ("UPDATE frame SET totals = '[7]' WHERE frame = 1", "frame 1"),
        (f"UPDATE entity SET key_digest = x'{'ff' * 32}' WHERE key = x'646565'", "entity"),  # dee
    ],
)
def test_what_was_changed_is_found_and_placed(lived_in: Store, statement: str, place: str) -> None:
    change(lived_in, statement)
    found = [fault.place for fault in lived_in.verify()]
    assert any(each.startswith(place) for each in found), found


NO_MEANING = {
    *("store.id", "store.epoch", "note.number"),
    *("frame_stream.reason", "frame_stream.events"),  # of a stream that is expected still
}
CHAINED = {"event.id", "event.digest", "event.body", "event.chain", "store.position", "store.chain"}
CHECKSUMS = {"note.segment", "note.offset", "note.size", "note.bytes"}
DIGESTED = {"rules.digest", "rules.text"}


def test_no_column_is_without_cover() -> None:
    """Each is sealed, folded again, held against a digest or the log, or said to mean nothing."""
    sealed = {f"{table}.{name}" for table, names in SEALED.items() for name in names}
    folded = {
        f"{table}.{name}" for table, names in COMPARED.items() for name in names.split(", ")
    } | {"frame.state"}
    held = sealed | folded | CHAINED | CHECKSUMS | DIGESTED | NO_MEANING
    every = {f"{each.table.name}.{each.name}" for each in all_columns() if each.name != "seal"}
    assert every == held


def all_columns() -> Iterator[Column[Any]]:
    for table in metadata.sorted_tables:
        yield from table.columns


@pytest.mark.parametrize("column", ["store_id = 'another'", "created_us = 7"])
def test_a_row_that_is_damaged_is_not_sealed_anew(lived_in: Store, column: str) -> None:
    """A replay writes the store's row; what was damaged in it is still found."""
    change(lived_in, f"UPDATE store SET {column}, forgotten = 1")
    lived_in.replay()
    assert [fault.place.split()[0] for fault in lived_in.verify()] == ["store"]


def test_what_was_never_forgotten_is_shown_again_after_a_recovery(lived_in: Store) -> None:
    change(lived_in, "UPDATE store SET forgotten = 2")
    with pytest.raises(FrameNotShown):
        lived_in.state("agents", 1)
    assert lived_in.verify()[0].place.startswith("store ")
    assert lived_in.recover(Told()).faults == []
    assert lived_in.state("agents", 1) is not None


def test_a_note_that_was_passed_over_is_found(lived_in: Store) -> None:
    """The offset of a segment says that a note was read; the log has never seen it."""
    lived_in.append(fleet.delta(3, "s1"))
    lived_in.drain()
    lived_in.append(fleet.delta(3, "s2"))
    segment = max((lived_in.folder / "mailbox").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    size = segment.stat().st_size
    change(lived_in, f"UPDATE segment SET taken = {size} WHERE name = '{segment.name}'")
    assert any("does not hold" in fault.what for fault in lived_in.verify())


def test_a_migration_seals_the_rows_that_are_there(lived_in: Store) -> None:
    before = {table: rows(lived_in, table) for table in SEALED}
    assert all(before.values())
    engine = create_engine(f"sqlite:///{lived_in.folder / 'store.sqlite3'}")
    with engine.begin() as connection:
        told = config()
        told.attributes["connection"] = connection
        command.downgrade(told, "0001")
    engine.dispose()
    lived_in.status()
    assert {table: rows(lived_in, table) for table in SEALED} == before
    assert lived_in.verify() == []


def test_a_column_by_another_name_is_found_before_a_statement_asks_for_it(lived_in: Store) -> None:
    """One bit of the schema's own text: all can be read, and the next write would fail."""
    with closing(sqlite3.connect(lived_in.folder / "store.sqlite3")) as connection:
        connection.execute("ALTER TABLE store RENAME COLUMN epoch TO dpoch")
    assert {fault.place for fault in lived_in.verify()} == {
        str(lived_in.folder / "store.sqlite3"),
    }
    assert lived_in.recover(Told()).faults == []
    lived_in.close_frame(3)
