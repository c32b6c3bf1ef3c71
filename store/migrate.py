"""Migrating: alembic's steps from the schema a store has to the one this program knows.

The caller holds the store's lock, and has opened the transaction that all steps are.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

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


@contextmanager
def driver_errors() -> Iterator[None]:
    """Let the driver's errors come out as everywhere else, and not in SQLAlchemy's coat."""
    try:
        yield
    except DBAPIError as error:
        if error.orig is None:
            raise
        raise error.orig from error
