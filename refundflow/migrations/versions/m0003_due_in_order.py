"""Indexes that give what is due in order, however much is due at one moment."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

COLUMNS = {"ix_refunds_due": "next_due_at", "ix_refunds_warn": "next_warn_at"}


def upgrade() -> None:
    """Put the id behind the moment: what is due at one midnight need not be sorted for every batch."""
    for name, moment in COLUMNS.items():
        _replace(name, moment, [moment, "id"])


def downgrade() -> None:
    """Index the moments alone."""
    for name, moment in COLUMNS.items():
        _replace(name, moment, [moment])


def _replace(name: str, moment: str, columns: list[str]) -> None:
    condition = sa.text(f"{moment} IS NOT NULL")
    op.drop_index(name, table_name="refunds")
    op.create_index(name, "refunds", columns, sqlite_where=condition, postgresql_where=condition)
