"""Up to which frame older versions were dropped: `forget` keeps the log, and says what is gone."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("store", sa.Column("forgotten", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("store", "forgotten")
