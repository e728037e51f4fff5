"""An index of order lines by buyer, so that all that is kept of one person can be found."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the index."""
    op.create_index("ix_order_lines_buyer_order_id_line", "order_lines", ["buyer", "order_id", "line"])


def downgrade() -> None:
    """Drop the index."""
    op.drop_index("ix_order_lines_buyer_order_id_line", table_name="order_lines")
