"""Up to which frame older versions were dropped: `forget` keeps the log, and says what is gone."""

import sqlalchemy as sa
from alembic import op
from goodneighbor.store.errors import Refused

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("store", sa.Column("forgotten", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    # Without the column nothing would say what is gone, and older states would come out wrong.
    if op.get_bind().scalar(sa.text("SELECT forgotten FROM store WHERE id = 1")) is not None:
        raise Refused(
            "The store has forgotten older versions, and an older schema cannot say so: it would\n"
            "show frames as they never were. Run `neighbor replay`, which brings the versions back."
        )
    op.drop_column("store", "forgotten")
