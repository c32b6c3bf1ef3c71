"""Every migration runs forth and back on a store with data in it, and changes nothing it tells."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from goodneighbor.store import FrameNotShown, Refused, Store
from goodneighbor.store.engine import SCHEMA
from goodneighbor.store.schema import metadata
from sqlalchemy import create_engine

from .. import fleet, postgres
from .raw import raw, url_of

REVISIONS = [f"{number:04}" for number in range(1, int(SCHEMA) + 1)]
RULES = fleet.RULES.replace('"inc /agents/*/karma"', '"remove /agents/*"')
DriverError = (sqlite3.OperationalError, psycopg.errors.UndefinedTable)
REMOVED = [{"op": "remove", "path": "/agents/dee"}]


@pytest.fixture
def lived_in(make_store: Callable[..., Store], tmp_path: Path) -> Store:
    """A store with something in every table that a migration touches."""
    store = make_store(RULES)
    (tmp_path / "tree").mkdir()
    (tmp_path / "known").write_bytes(fleet.delta(1, "known", fleet.post(7, "ada")))
    store.known_files([tmp_path / "known"])
    for frame in range(1, 5):
        store.open_frame(frame, ["s1", "s2"])
        store.append_many([fleet.delta(frame, "s1", fleet.post(frame, "ada")), b"no delta"])
        store.append(fleet.delta(frame, "s1", fleet.post(frame, "ada")))  # a copy
        if frame > 1:
            store.append(fleet.delta(frame - 1, "s2", fleet.post(frame + 100, "cyd")))  # late
        if frame == 3:
            body = {"frame": frame, "stream_id": "s3", "ops": REMOVED}
            store.append(json.dumps(body).encode())
        store.close_frame(frame)
        store.export(tmp_path / "tree", allow_loss={"agents"}, asked_by="somebody")
    store.open_frame(9, ["s1"])
    store.append(fleet.delta(9, "s1"))
    return store


def migrate(store: Store, engine: str, revision: str) -> None:
    """Bring the database under a store to a revision, past the store."""
    if engine == "postgresql":
        postgres.migrate(url_of(store), revision)
        return
    opened = create_engine(f"sqlite:///{store.folder / 'store.sqlite3'}")
    with opened.begin() as connection:
        connection.exec_driver_sql("BEGIN")  # the driver would commit before each DROP
        postgres.revise(connection, revision)
    opened.dispose()


def rows(store: Store, engine: str) -> dict[str, list[str]]:
    """Return all rows of all tables, whatever order they lie in."""
    found = {}
    with raw(store) as cursor:
        for table in metadata.sorted_tables:
            if table.info.get("engine", engine) == engine:
                names = ", ".join(f'"{column.name}"' for column in table.columns)
                cursor.execute(f"SELECT {names} FROM {table.name}")
                found[table.name] = sorted(repr(tuple(row)) for row in cursor.fetchall())
    return found


def revision_of(store: Store) -> str:
    with raw(store) as cursor:
        return str(cursor.execute("SELECT version_num FROM alembic_version").fetchone()[0])


@pytest.mark.parametrize("revision", REVISIONS[:-1])
def test_back_to_a_revision_and_forth_keeps_every_row(
    lived_in: Store, engine: str, revision: str
) -> None:
    before, digest = rows(lived_in, engine), lived_in.state_digest()
    assert [name for name, found in before.items() if not found] == []
    migrate(lived_in, engine, revision)
    assert revision_of(lived_in) == revision
    assert lived_in.state_digest() == digest  # the first call that reads migrates
    assert revision_of(lived_in) == SCHEMA
    assert rows(lived_in, engine) == before
    assert lived_in.verify() == []
    lived_in.close_frame(9)
    assert lived_in.state_digest() == lived_in.replay(check=True).state_digest


@pytest.mark.parametrize("revision", ["0001", "0004"])
def test_what_was_damaged_before_a_migration_is_found_after_it(
    lived_in: Store, engine: str, revision: str
) -> None:
    """But for what had no seal then: the step that made the first ones took it as it lay."""
    migrate(lived_in, engine, revision)
    with raw(lived_in) as cursor:
        cursor.execute("UPDATE export SET entities = entities + 1")
        cursor.execute("UPDATE store SET created_us = created_us + 1")
    found = {fault.place.split()[0] for fault in lived_in.verify()}
    assert found == ({"export", "store"} if revision > "0001" else set())
    migrate(lived_in, engine, revision)
    with raw(lived_in) as cursor:
        cursor.execute("UPDATE export SET entities = entities - 1")
        cursor.execute("UPDATE store SET created_us = created_us - 1")


def test_one_revision_after_the_other_keeps_every_row(lived_in: Store, engine: str) -> None:
    before, digest = rows(lived_in, engine), lived_in.state_digest()
    for revision in [*REVISIONS[-2::-1], *REVISIONS[1:]]:
        migrate(lived_in, engine, revision)
        assert revision_of(lived_in) == revision
    assert rows(lived_in, engine) == before
    assert lived_in.state_digest() == digest


def test_a_store_that_forgot_goes_back_once_it_remembers(lived_in: Store, engine: str) -> None:
    lived_in.close_frame(9)
    before = lived_in.state("agents", 3)
    for frame in range(10, 20):
        lived_in.append(fleet.delta(frame, "s1", fleet.post(frame, "ada")))
        lived_in.close_frame(frame)
    lived_in.forget(1)
    with pytest.raises(FrameNotShown):
        lived_in.state("agents", 3)
    with pytest.raises(Refused, match="neighbor replay"):
        migrate(lived_in, engine, "0002")
    assert revision_of(lived_in) == SCHEMA
    lived_in.replay()
    migrate(lived_in, engine, "0002")
    assert lived_in.state("agents", 3) == before


def test_before_the_first_revision_there_is_no_table(
    tmp_path: Path, new_url: Callable[[], str | None], engine: str
) -> None:
    with Store.create(tmp_path / "goodneighbor", RULES, fleet.BASE, url=new_url()) as store:
        store.append(fleet.delta(1, "s1", fleet.post(1, "ada")))
        store.close_frame(1)
        migrate(store, engine, "base")
        for table in metadata.sorted_tables:
            with raw(store) as cursor, pytest.raises(DriverError, match=table.name):
                cursor.execute(f"SELECT * FROM {table.name}")
