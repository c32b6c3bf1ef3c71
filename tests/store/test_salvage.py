"""What can be read of a damaged file is read, and rows that may be missing are named."""

import resource
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from goodneighbor.store import Store, StoreUnwritable, definitions
from goodneighbor.store.engine import SCHEMA
from goodneighbor.store.rebuild import Told
from goodneighbor.store.salvage import MISSING, Salvage
from goodneighbor.store.schema import metadata
from goodneighbor.store.seal import SEALED

from .. import fleet
from ..faults import flip_world
from ..faults.flip_world import World
from .test_upgrade import REVISIONS, migrate

PAGE_SIZE = 4096
CELLS_AT, POINTERS_AT = 3, 8  # in a leaf's page: how many cells it has, and where they begin
DOOR = [table for table in SEALED if table not in ("event", "store")]
Everything = dict[str, Any]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A store with a row in every table; each test damages it, and puts it back."""
    return flip_world.make(tmp_path_factory.mktemp("salvage") / "world")


@contextmanager
def damaged(world: World, data: bytes) -> Iterator[None]:
    sound = world.database.read_bytes()
    world.database.write_bytes(data)
    try:
        yield
    finally:
        world.database.write_bytes(sound)


def everything(world: World) -> Everything:
    """Read all that a recovery does."""
    with closing(Salvage(world.database, "the database")) as salvage:
        last = salvage.last_position()
        return {
            **{table: list(salvage.door(table)) for table in DOOR},
            "events": [salvage.event(position) for position in range(1, last + 2)],
            "made": salvage.made(),
            "head": salvage.head(),
            "rules": list(salvage.rules()),
            "quarantine's last": salvage.last_quarantine(),
        }


def flipped(text: str, at: int) -> str:
    return text[:at] + chr(ord(text[at]) ^ 1) + text[at + 1 :]


def schema(world: World) -> dict[str, tuple[str, str, str, str]]:
    """Return type, name, table and text of what is defined, by name."""
    with closing(sqlite3.connect(f"file:{world.database}?mode=ro", uri=True)) as connection:
        rows = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master").fetchall()
    return {row[1]: row for row in rows}


def misspelt(world: World, table: str) -> Iterator[tuple[bytes, bytes]]:
    """Yield what stands in the file of a table's definition, and the same with one bit turned."""
    kind, name, its_table, text = schema(world)[table]
    beside = kind + name + its_table
    for at in (0, len(kind), len(kind) + len(name)):
        yield beside.encode(), flipped(beside, at).encode()
    named = [line.split()[0].strip('"') for line in text.splitlines()[1:] if line.strip(" \t)")]
    for word in ("CREATE", "TABLE", f"TABLE {table}", *named):
        if word in text:
            at = text.index(word) + len(word) - 1
            yield text.encode(), flipped(text, at).encode()


@pytest.mark.parametrize("table", definitions.TABLES)
def test_a_damaged_definition_costs_no_row(table: str, world: World) -> None:
    sound, before = world.database.read_bytes(), everything(world)
    for stood, stands in misspelt(world, table):
        assert stood in sound
        with damaged(world, sound.replace(stood, stands)):
            assert everything(world) == before, stands


def test_a_column_by_another_name_is_not_one_that_is_lacking(tmp_path: Path) -> None:
    """A recovery once took a misspelt `done` for a column of later: no export was done, then."""
    world = flip_world.make(tmp_path / "world")
    before = flip_world.rows(world)
    sound = world.database.read_bytes()
    world.database.write_bytes(sound.replace(b"\tdone INTEGER", b"\tdoog INTEGER"))
    done = world.open().recover(Told())
    assert (done.lost, done.faults) == ([], [])
    assert flip_world.rows(world)["export"] == before["export"]


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE export SET done = 0 WHERE document = 'agents' AND done = 1",
        "UPDATE export SET path = CAST(path AS BLOB)",
        "UPDATE collected SET seal = CAST(seal AS TEXT)",
        "UPDATE store SET forgotten = 3",
        "UPDATE store SET id = 3",
        "UPDATE frame SET frame = 15 WHERE frame = 7",
        "UPDATE frame SET state = 'opeo' WHERE frame = 7",
        "UPDATE frame SET state_digest = 0 WHERE frame = 7",
        "UPDATE frame SET events = 1 WHERE frame = 7",
        "UPDATE frame_stream SET frame = 3 WHERE stream = 's9'",
    ],
)
def test_a_bit_of_what_no_log_holds_is_turned_back(damage: str, tmp_path: Path) -> None:
    world = flip_world.make(tmp_path / "world")
    before = flip_world.rows(world)
    with closing(sqlite3.connect(world.database, isolation_level=None)) as connection:
        assert connection.execute(damage).rowcount > 0
    assert world.open().verify() != []
    done = world.open().recover(Told())
    assert (done.lost, done.faults) == ([], [])
    assert flip_world.rows(world) == before


def pages(world: World) -> dict[str, int]:
    """Return where each table's first page begins in the file."""
    with closing(sqlite3.connect(f"file:{world.database}?mode=ro", uri=True)) as connection:
        found = connection.execute("SELECT name, rootpage FROM sqlite_master").fetchall()
    return {name: (page - 1) * PAGE_SIZE for name, page in found}


@pytest.mark.parametrize("table", DOOR)
def test_a_row_that_no_page_leads_to_is_named(table: str, world: World) -> None:
    before, data = everything(world), bytearray(world.database.read_bytes())
    at = pages(world)[table]
    data[at + CELLS_AT + 1] -= 1
    with damaged(world, bytes(data)):
        found = everything(world)
    assert found[table].pop().values == (MISSING,) * len(SEALED[table])
    assert all(row in before[table] for row in found[table])


@pytest.mark.parametrize("table", ["copy", "collected", "quarantine", "export"])
def test_a_row_that_is_led_to_twice_counts_once(table: str, world: World) -> None:
    before, data = everything(world)[table], bytearray(world.database.read_bytes())
    at = pages(world)[table] + POINTERS_AT
    data[at : at + 2] = data[at + 2 : at + 4]
    with damaged(world, bytes(data)):
        found = everything(world)[table]
    assert found.pop().values[0] == MISSING
    assert found == before[1:]


def test_damage_in_an_index_is_not_the_tables(world: World) -> None:
    before, data = everything(world), bytearray(world.database.read_bytes())
    at = pages(world)["ix_copy_position"]
    data[at + CELLS_AT + 1] -= 1
    with damaged(world, bytes(data)):
        assert everything(world) == before


def test_a_table_that_begins_where_another_does_is_doubted(tmp_path: Path) -> None:
    world = World(tmp_path)
    with Store.create(world.store, fleet.RULES, fleet.BASE) as store:
        store.append_many([b"no delta"])
        store.drain()
    with closing(sqlite3.connect(world.database)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_master SET rootpage = (SELECT rootpage FROM sqlite_master"
            " WHERE name = 'loss') WHERE name = 'quarantine'"
        )
        connection.commit()
    assert [row.values[0] for row in everything(world)["quarantine"]] == [MISSING]


@pytest.mark.parametrize("place", ["alembic_version", "sqlite_autoindex_alembic_version_1"])
@pytest.mark.parametrize("bit", range(8))
def test_a_damaged_revision_is_no_other_programs_store(
    place: str, bit: int, tmp_path: Path
) -> None:
    world = World(tmp_path)
    Store.create(world.store, fleet.RULES, fleet.BASE).close()
    data = bytearray(world.database.read_bytes())
    data[data.index(SCHEMA.encode(), pages(world)[place]) + 3] ^= 1 << bit
    world.database.write_bytes(data)
    assert [fault.next for fault in world.open().verify()] == ["neighbor recover"]
    assert world.open().recover(Told()).faults == []
    assert world.open().documents() != []


def test_a_definition_that_is_kept_as_bytes_is_read_as_the_text_it_is(tmp_path: Path) -> None:
    world = World(tmp_path)
    Store.create(world.store, fleet.RULES, fleet.BASE).close()
    with closing(sqlite3.connect(world.database)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_master SET sql = CAST(sql AS BLOB)")
        connection.commit()
    assert world.open().verify() == []


@pytest.mark.parametrize("revision", REVISIONS)
def test_an_older_schema_lacks_only_last_columns(revision: str, tmp_path: Path) -> None:
    world = flip_world.make(tmp_path)
    before = everything(world)["events"]
    migrate(world.open(), "sqlite", revision)
    with closing(sqlite3.connect(world.database)) as connection:
        for table in set(definitions.TABLES) - {"sqlite_sequence"}:
            names = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            assert names == [each.name for each in metadata.tables[table].columns][: len(names)]
    after = everything(world)["events"]
    assert [row[:10] for row in after if row] == [row[:10] for row in before if row]


def test_without_room_for_a_copy_nothing_is_taken_for_lost(tmp_path: Path) -> None:
    world = World(tmp_path)
    with Store.create(world.store, fleet.RULES, fleet.BASE) as store:
        store.append_many([b"no delta" * 2**20])
        store.drain()
    data = world.database.read_bytes().replace(b"\tdone INTEGER", b"\tdoog INTEGER")
    world.database.write_bytes(data)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, limits[1]))
    try:
        with pytest.raises(StoreUnwritable, match="temporary files"):
            world.open().recover(Told())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert world.database.read_bytes() == data
    assert world.open().recover(Told()).lost == []
