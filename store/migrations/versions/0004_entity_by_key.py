"""Entities lie in the order of their keys, and base state in no index of frames.

A close then touches one page for an entity where it touched three: on SQLite the table has no row
numbers and no second tree for its key, and what never changed since the store was made takes no
place in the index that going back to an older frame needs.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

INDEX = "ix_entity_frame"
CHANGED = sa.text("frame >= 0")


def upgrade() -> None:
    op.drop_index(INDEX, table_name="entity")
    _rebuild(with_rowid=False)
    op.create_index(
        INDEX, "entity", ["frame"], unique=False, sqlite_where=CHANGED, postgresql_where=CHANGED
    )


def downgrade() -> None:
    op.drop_index(INDEX, table_name="entity")
    _rebuild(with_rowid=True)
    op.create_index(INDEX, "entity", ["frame"], unique=False)


def _rebuild(with_rowid: bool) -> None:
    if op.get_bind().dialect.name != "sqlite":
        return  # elsewhere there is no such choice
    op.create_table(
        "entity_anew",
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("key_digest", sa.LargeBinary(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("frame", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("digest", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("document", "key_digest"),
        sqlite_with_rowid=with_rowid,
    )
    columns = "document, key_digest, key, frame, body, digest"
    op.execute(
        f"INSERT INTO entity_anew ({columns}) SELECT {columns} FROM entity"
        " ORDER BY document, key_digest"
    )
    op.drop_table("entity")
    op.rename_table("entity_anew", "entity")
