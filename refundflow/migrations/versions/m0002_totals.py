"""Totals kept for metrics, and an index of dead letters."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
DEAD = sa.text("next_try_at IS NULL")


def upgrade() -> None:
    """Create the table of totals, and find dead letters without reading what waits."""
    op.create_table(
        "totals",
        sa.Column("name", NAME, nullable=False),
        sa.Column("labels", NAME, nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", "labels", name="pk_totals"),
    )
    op.create_index("ix_effects_dead", "effects", ["id"], sqlite_where=DEAD, postgresql_where=DEAD)


def downgrade() -> None:
    """Forget the totals; they can be counted again from the entries."""
    op.drop_index("ix_effects_dead", table_name="effects")
    op.drop_table("totals")
