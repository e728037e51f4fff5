"""Totals kept for metrics, and indexes of effects by kind and of dead letters."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
DEAD = sa.text("next_try_at IS NULL")
WAITING = sa.text("next_try_at IS NOT NULL")


def upgrade() -> None:
    """Create the table of totals; find dead letters, and the system's own work, without reading what else waits."""
    op.create_table(
        "totals",
        sa.Column("name", NAME, nullable=False),
        sa.Column("labels", NAME, nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", "labels", name="pk_totals"),
    )
    op.create_index("ix_effects_dead", "effects", ["id"], sqlite_where=DEAD, postgresql_where=DEAD)
    op.create_index(
        "ix_effects_kind", "effects", ["kind", "next_try_at"], sqlite_where=WAITING, postgresql_where=WAITING
    )


def downgrade() -> None:
    """Forget the totals; they can be counted again from the entries."""
    op.drop_index("ix_effects_kind", table_name="effects")
    op.drop_index("ix_effects_dead", table_name="effects")
    op.drop_table("totals")
