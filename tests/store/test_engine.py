"""One database: made whole or not at all, migrated by its own steps, never opened by mistake."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from goodneighbor.store import (
    DocumentRefused,
    DocumentUnknown,
    NotAStore,
    Refused,
    RulesInvalid,
    Store,
    StoreExists,
    StoreMissing,
    StoreTooNew,
    step,
)
from goodneighbor.store.engine import SCHEMA
from goodneighbor.store.schema import metadata

from .. import fleet

MIGRATIONS = Path(__file__).parents[2] / "store" / "migrations"


def is_of_sqlite(thing: object, *_: object) -> bool:
    """Leave out the tables that PostgreSQL alone has."""
    return not isinstance(thing, sqlalchemy.Table) or thing.info.get("engine") is None


def test_the_migrations_make_the_tables_that_the_schema_says(store: Store) -> None:
    engine = sqlalchemy.create_engine(f"sqlite:///{store.folder / 'store.sqlite3'}")
    with engine.connect() as connection:
        options = {"compare_type": True, "include_object": is_of_sqlite}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_the_program_knows_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == SCHEMA


def test_a_store_that_is_newer_is_refused_saying_so(make_store: Callable[..., Store]) -> None:
    store = make_store()
    connection = sqlite3.connect(store.folder / "store.sqlite3", isolation_level=None)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    for use in (store.status, store.drain, lambda: store.close_frame(1)):
        with pytest.raises(StoreTooNew) as refused:
            use()
        assert "9999" in str(refused.value)
    connection.execute("UPDATE alembic_version SET version_num = ?", (SCHEMA,))
    connection.close()


def test_a_folder_without_a_store_is_said_to_have_none(tmp_path: Path) -> None:
    with pytest.raises(StoreMissing):
        Store.open(tmp_path / "none")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").write_text("not ours")
    with pytest.raises(NotAStore):
        Store.open(tmp_path / "other")


def test_a_database_that_is_not_ours_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mailbox").mkdir()
    sqlite3.connect(tmp_path / "store.sqlite3").execute(
        "CREATE TABLE theirs (x)"
    ).connection.close()
    with pytest.raises(NotAStore):
        Store.open(tmp_path).status()


def test_a_store_is_not_made_twice(store: Store) -> None:
    with pytest.raises(StoreExists):
        Store.create(store.folder, fleet.RULES)


@pytest.mark.parametrize(
    ("base", "error"),
    [
        ({"agents": b"<<<<<<< HEAD"}, DocumentRefused),
        ({"agents": b"{}"}, DocumentRefused),
        ({"agents": b'{"agents": []}'}, DocumentRefused),
        ({"agents": b'{"agents": {"@": {}}}'}, DocumentRefused),
        ({"agents": b'{"agents": {}, "agents": {}}'}, DocumentRefused),
        ({"stats": b"[]"}, DocumentRefused),
        ({"towns": b"{}"}, DocumentUnknown),
    ],
)
def test_a_damaged_document_is_no_state_to_start_from(
    tmp_path: Path, base: dict[str, bytes], error: type[Refused]
) -> None:
    with pytest.raises(error) as refused:
        Store.create(tmp_path / "goodneighbor", fleet.RULES, base)
    assert next(iter(base)) in str(refused.value)
    assert not (tmp_path / "goodneighbor").exists()


def test_bad_rules_make_no_store(tmp_path: Path) -> None:
    with pytest.raises(RulesInvalid):
        Store.create(tmp_path / "goodneighbor", "[frames]\nwat = 1")
    assert not (tmp_path / "goodneighbor").exists()


def test_a_creation_that_dies_leaves_no_store_and_can_be_repeated(tmp_path: Path) -> None:
    class Died(Exception):
        pass

    def die(name: str) -> None:
        if name == "create: committed":
            raise Died

    folder = tmp_path / "goodneighbor"
    step.watch(die)
    try:
        with pytest.raises(Died):
            Store.create(folder, fleet.RULES, fleet.BASE)
    finally:
        step.watch(None)
    with pytest.raises(NotAStore):
        Store.open(folder)
    store = Store.create(folder, fleet.RULES, fleet.BASE)
    assert sorted(path.name for path in folder.glob("store.*")) == ["store.lock", "store.sqlite3"]
    assert store.verify() == []


def test_a_url_of_an_engine_this_version_lacks_is_refused(store: Store) -> None:
    with pytest.raises(Refused):
        Store.open(store.folder, url="postgresql+psycopg://localhost/x").status()


def test_a_reader_does_not_wait_for_the_writer_and_sees_one_moment(store: Store) -> None:
    reader = sqlite3.connect(f"file:{store.folder / 'store.sqlite3'}?mode=ro", uri=True)
    reader.execute("BEGIN")
    before = reader.execute("SELECT count(*) FROM event").fetchone()
    store.append(fleet.delta(1, "s1", fleet.post(1, "ada")))
    store.close_frame(1)
    assert reader.execute("SELECT count(*) FROM event").fetchone() == before
    reader.close()
    assert store.status().events == before[0] + 2


def test_reading_once_through_keeps_few_pages_and_then_many_again(store: Store) -> None:
    def cache() -> int:
        return -int(cursor.execute("PRAGMA cache_size").fetchone()[0])  # in KiB

    with store._reading() as cursor:
        before = cache()
        with cursor.once_through():
            assert cache() < before // 100
        assert cache() == before
        with pytest.raises(ZeroDivisionError), cursor.once_through():
            _ = 1 // 0
        assert cache() == before
