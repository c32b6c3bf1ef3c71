"""The first schema: log, door and caches."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Text sorts by bytes on both engines.
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "collected",
        sa.Column("path", TEXT, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("id", sa.LargeBinary(), nullable=True),
        sa.Column("known", sa.Integer(), nullable=False),
        sa.Column("received_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("path"),
    )
    op.create_index(op.f("ix_collected_id"), "collected", ["id"], unique=False)
    op.create_table(
        "copy",
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("source", TEXT, nullable=False),
        sa.Column("received_us", sa.BigInteger(), nullable=False),
    )
    op.create_index(op.f("ix_copy_position"), "copy", ["position"], unique=False)
    op.create_table(
        "document",
        sa.Column("document", TEXT, nullable=False),
        sa.Column("frame", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("entities", sa.BigInteger(), nullable=False),
        sa.Column("removed", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("document", "frame"),
    )
    op.create_table(
        "entity",
        sa.Column("document", TEXT, nullable=False),
        sa.Column("key_digest", sa.LargeBinary(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("frame", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("digest", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("document", "key_digest"),
    )
    op.create_index(op.f("ix_entity_frame"), "entity", ["frame"], unique=False)
    op.create_table(
        "entity_past",
        sa.Column("document", TEXT, nullable=False),
        sa.Column("key_digest", sa.LargeBinary(), nullable=False),
        sa.Column("frame", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("document", "key_digest", "frame"),
    )
    op.create_index(op.f("ix_entity_past_frame"), "entity_past", ["frame"], unique=False)
    op.create_table(
        "event",
        sa.Column(
            "position",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("id", sa.LargeBinary(), nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("frame", sa.BigInteger(), nullable=False),
        sa.Column("utc_us", sa.BigInteger(), nullable=True),
        sa.Column("stream", TEXT, nullable=False),
        sa.Column("received_us", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("chain", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("position"),
        sa.UniqueConstraint("id"),
    )
    op.create_index(
        "event_close",
        "event",
        ["frame", "position"],
        unique=False,
        sqlite_where=sa.text("kind = 'close'"),
        postgresql_where=sa.text("kind = 'close'"),
    )
    op.create_index("event_frame", "event", ["frame", "position"], unique=False)
    op.create_table(
        "export",
        sa.Column("clone", TEXT, nullable=False),
        sa.Column("branch", TEXT, nullable=False),
        sa.Column("path", TEXT, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("frame", sa.BigInteger(), nullable=False),
        sa.Column("document", TEXT, nullable=False),
        sa.Column("document_digest", sa.LargeBinary(), nullable=False),
        sa.Column("rules", sa.LargeBinary(), nullable=False),
        sa.Column("entities", sa.BigInteger(), nullable=False),
        sa.Column("removed", sa.BigInteger(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("clone", "branch", "path", "digest"),
    )
    op.create_table(
        "frame",
        sa.Column(
            "frame",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("rules", sa.LargeBinary(), nullable=True),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.Column("units_in", sa.BigInteger(), nullable=False),
        sa.Column("applied", sa.BigInteger(), nullable=False),
        sa.Column("duplicate", sa.BigInteger(), nullable=False),
        sa.Column("skipped", sa.BigInteger(), nullable=False),
        sa.Column("optional_skipped", sa.BigInteger(), nullable=False),
        sa.Column("state_digest", sa.LargeBinary(), nullable=True),
        sa.Column("totals", TEXT, nullable=True),
        sa.PrimaryKeyConstraint("frame"),
    )
    op.create_table(
        "frame_stream",
        sa.Column("frame", sa.BigInteger(), nullable=False),
        sa.Column("stream", TEXT, nullable=False),
        sa.Column("status", TEXT, nullable=False),
        sa.Column("reason", TEXT, nullable=False),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("frame", "stream"),
    )
    op.create_table(
        "loss",
        sa.Column("document", TEXT, nullable=False),
        sa.Column("frame", sa.BigInteger(), nullable=False),
        sa.Column("entities", sa.BigInteger(), nullable=False),
        sa.Column("lost", sa.BigInteger(), nullable=False),
        sa.Column("asked_by", TEXT, nullable=False),
        sa.Column("allowed_us", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "quarantine",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("source", TEXT, nullable=False),
        sa.Column("received_us", sa.BigInteger(), nullable=False),
        sa.Column("reason", TEXT, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "receipt",
        sa.Column(
            "position",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("frame", sa.BigInteger(), nullable=False),
        sa.Column("late", sa.Integer(), nullable=False),
        sa.Column("units_in", sa.BigInteger(), nullable=False),
        sa.Column("applied", sa.BigInteger(), nullable=False),
        sa.Column("duplicate", sa.BigInteger(), nullable=False),
        sa.Column("skipped", sa.BigInteger(), nullable=False),
        sa.Column("optional_skipped", sa.BigInteger(), nullable=False),
        sa.Column("unapplied", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("position"),
    )
    op.create_index(op.f("ix_receipt_frame"), "receipt", ["frame"], unique=False)
    op.create_table(
        "rules",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("text", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_table(
        "segment",
        sa.Column("name", TEXT, nullable=False),
        sa.Column("taken", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "store",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("store_id", TEXT, nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("chain", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    if op.get_context().dialect.name == "postgresql":
        op.create_table(
            "note",
            sa.Column("number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
            sa.Column("segment", TEXT, nullable=False),
            sa.Column("offset", sa.BigInteger(), nullable=False),
            sa.Column("size", sa.BigInteger(), nullable=False),
            sa.Column("bytes", sa.LargeBinary(), nullable=False),
            sa.PrimaryKeyConstraint("number"),
            sa.UniqueConstraint("segment", "offset"),
        )


def downgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        op.drop_table("note")
    op.drop_table("store")
    op.drop_table("segment")
    op.drop_table("rules")
    op.drop_index(op.f("ix_receipt_frame"), table_name="receipt")
    op.drop_table("receipt")
    op.drop_table("quarantine")
    op.drop_table("loss")
    op.drop_table("frame_stream")
    op.drop_table("frame")
    op.drop_table("export")
    op.drop_index("event_frame", table_name="event")
    op.drop_index(
        "event_close",
        table_name="event",
        sqlite_where=sa.text("kind = 'close'"),
        postgresql_where=sa.text("kind = 'close'"),
    )
    op.drop_table("event")
    op.drop_index(op.f("ix_entity_past_frame"), table_name="entity_past")
    op.drop_table("entity_past")
    op.drop_index(op.f("ix_entity_frame"), table_name="entity")
    op.drop_table("entity")
    op.drop_table("document")
    op.drop_index(op.f("ix_copy_position"), table_name="copy")
    op.drop_table("copy")
    op.drop_index(op.f("ix_collected_id"), table_name="collected")
    op.drop_table("collected")
