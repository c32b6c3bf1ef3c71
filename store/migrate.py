"""Migrating: alembic's steps from the schema a store has to the one this program knows.

The caller holds the store's lock, and has opened the transaction that all steps are.
"""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

MIGRATIONS = Path(__file__).parent / "migrations"


def config() -> Config:
    """Return what alembic is told of our steps."""
    told = Config()
    told.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return told


def migrate(connection: Connection) -> None:
    """Run the steps up to the newest revision."""
    told = config()
    told.attributes["connection"] = connection
    command.upgrade(told, "head")
