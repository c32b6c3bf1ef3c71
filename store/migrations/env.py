"""What alembic runs: on the connection a Store hands in, or on the URL of `alembic.ini`."""

from alembic import context
from goodneighbor.store.schema import metadata
from sqlalchemy import Connection, engine_from_config, pool


def run(connection: Connection) -> None:
    # SQLite cannot alter most things in place: batch mode copies the table.
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    section = context.config.get_section(context.config.config_ini_section, {})
    engine = engine_from_config(section, prefix="sqlalchemy.", poolclass=pool.NullPool)
    with engine.connect() as opened:
        run(opened)
