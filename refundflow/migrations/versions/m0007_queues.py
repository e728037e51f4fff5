"""Columns by which a queue finds its first refunds, however many are open: clear appeals, and one person's own."""

import sqlalchemy as sa
from alembic import op

from refundflow.tables import Moment

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

INDEXES = {"ix_refunds_clear": ("clear_due_at", "id"), "ix_refunds_assignee": ("assignee", "next_due_at", "id")}
FILL = {
    "sqlite": """
        UPDATE refunds SET assignee = json_extract(document, '$.assignee'),
            clear_due_at = CASE WHEN state = 'appealed' AND json_extract(document, '$.clear_evidence')
                THEN next_due_at END
        WHERE next_due_at IS NOT NULL""",
    "postgresql": """
        UPDATE refunds SET assignee = document::jsonb ->> 'assignee',
            clear_due_at = CASE WHEN state = 'appealed' AND (document::jsonb ->> 'clear_evidence')::boolean
                THEN next_due_at END
        WHERE next_due_at IS NOT NULL""",
}


def upgrade() -> None:
    """Add the columns and fill them from the documents of open refunds."""
    op.add_column("refunds", sa.Column("clear_due_at", Moment()))
    op.add_column("refunds", sa.Column("assignee", sa.Text()))
    op.execute(FILL[op.get_bind().dialect.name])
    for name, columns in INDEXES.items():
        condition = sa.text(f"{columns[0]} IS NOT NULL")
        op.create_index(name, "refunds", list(columns), sqlite_where=condition, postgresql_where=condition)


def downgrade() -> None:
    """Drop them."""
    for name in INDEXES:
        op.drop_index(name, table_name="refunds")
    for column in ("assignee", "clear_due_at"):
        op.drop_column("refunds", column)
