"""Seals over what had none: exports that are done, what is forgotten, and frames that are open.

A row is sealed anew only where its seal held: what was damaged before stays to be found.
"""

import sqlalchemy as sa
from alembic import op
from goodneighbor.store.seal import carried, seal

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

BEFORE = {
    "export": (
        *("clone", "branch", "path", "digest", "frame", "document", "document_digest"),
        *("rules", "entities", "removed"),
    ),
    "store": ("store_id", "created_us"),
}
AFTER = {"export": (*BEFORE["export"], "done"), "store": (*BEFORE["store"], "forgotten")}
KEYS = {"export": ("clone", "branch", "path", "digest"), "store": ("id",), "frame": ("frame",)}
FRAME = (
    *("frame", "state", "rules", "events", "units_in", "applied", "duplicate", "skipped"),
    *("optional_skipped", "state_digest", "totals"),
)


def upgrade() -> None:
    op.add_column("frame", sa.Column("seal", sa.LargeBinary(), nullable=True))
    for row in _rows("frame", "state = 'open'"):
        _put_seal("frame", row, seal([row[name] for name in FRAME]))
    _seal_anew(BEFORE, AFTER)


def downgrade() -> None:
    _seal_anew(AFTER, BEFORE)
    op.drop_column("frame", "seal")


def _seal_anew(old: dict[str, tuple[str, ...]], new: dict[str, tuple[str, ...]]) -> None:
    for table in old:
        for row in _rows(table):
            before = [row[name] for name in old[table]]
            after = [row[name] for name in new[table]]
            _put_seal(table, row, carried(before, row["seal"], after))


def _rows(table: str, only: str = "1 = 1") -> list[sa.RowMapping]:
    found = op.get_bind().execute(sa.text(f"SELECT * FROM {table} WHERE {only}"))
    return list(found.mappings())


def _put_seal(table: str, row: sa.RowMapping, made: object) -> None:
    names = (*KEYS[table], "seal")
    named = sa.table(table, *(sa.column(name) for name in names))
    update = sa.update(named).values(seal=made)
    for name in KEYS[table]:
        update = update.where(named.c[name] == row[name])
    op.get_bind().execute(update)
