"""Seals: a digest beside what no other digest covers, for the rows of the log and of the door."""

import sqlalchemy as sa
from alembic import op
from goodneighbor.store.seal import seal

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# What this step seals, in this order; later steps seal more.
SEALED = {
    "event": ("position", "kind", "frame", "utc_us", "stream", "received_us"),
    "copy": ("position", "source", "received_us"),
    "segment": ("name", "taken"),
    "collected": ("path", "digest", "id", "known", "received_us"),
    "quarantine": ("id", "source", "received_us", "reason", "body"),
    "loss": ("document", "frame", "entities", "lost", "asked_by", "allowed_us"),
    "export": (
        *("clone", "branch", "path", "digest", "frame", "document", "document_digest"),
        *("rules", "entities", "removed"),
    ),
    "store": ("store_id", "created_us"),
    "frame_stream": ("frame", "stream", "status"),
}
# What a row is found by; `copy` has no key, and rows that are the same have the same seal.
KEYS = {
    "event": ("position",),
    "copy": ("position", "source", "received_us"),
    "segment": ("name",),
    "collected": ("path",),
    "quarantine": ("id",),
    "loss": ("document", "frame", "entities", "lost", "asked_by", "allowed_us"),
    "export": ("clone", "branch", "path", "digest"),
    "store": ("id",),
    "frame_stream": ("frame", "stream"),
}
ROWS_AT_ONCE = 1_000


def upgrade() -> None:
    for table in SEALED:
        op.add_column(table, sa.Column("seal", sa.LargeBinary(), nullable=True))
        _fill(table)


def downgrade() -> None:
    for table in SEALED:
        op.drop_column(table, "seal")


def _fill(table: str) -> None:
    connection = op.get_bind()
    columns, keys = SEALED[table], KEYS[table]
    named = sa.table(table, *(sa.column(name) for name in {*columns, *keys, "seal"}))
    chosen = sa.select(*(named.c[name] for name in columns), *(named.c[name] for name in keys))
    if table == "frame_stream":
        chosen = chosen.where(sa.text("status = 'expected'"))
    update = sa.update(named).values(seal=sa.bindparam("made"))
    for name in keys:
        update = update.where(named.c[name] == sa.bindparam(f"key_{name}"))
    rows = connection.execute(chosen).fetchall()
    for start in range(0, len(rows), ROWS_AT_ONCE):
        connection.execute(
            update,
            [
                {"made": seal(row[: len(columns)])}
                | {f"key_{name}": row[len(columns) + at] for at, name in enumerate(keys)}
                for row in rows[start : start + ROWS_AT_ONCE]
            ],
        )
