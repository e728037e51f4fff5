"""Indexes that give what is due in order, however much is due at one moment."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

INDEXES = {"ix_refunds_due": ("next_due_at", "id", "state"), "ix_refunds_warn": ("next_warn_at", "id")}


def upgrade() -> None:
    """Put the id behind the moment: what is due at one midnight need not be sorted for every batch.

    With the state too, open refunds are counted by state from the index alone.
    """
    for name, columns in INDEXES.items():
        _replace(name, *columns)


def downgrade() -> None:
    """Index the moments alone."""
    for name, columns in INDEXES.items():
        _replace(name, columns[0])


def _replace(name: str, *columns: str) -> None:
    condition = sa.text(f"{columns[0]} IS NOT NULL")
    op.drop_index(name, table_name="refunds")
    op.create_index(name, "refunds", list(columns), sqlite_where=condition, postgresql_where=condition)
