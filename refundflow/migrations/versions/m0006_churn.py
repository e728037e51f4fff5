"""Room in the pages of rows that change, and vacuums that come before much has died (PostgreSQL)."""

from alembic import op

from refundflow.migrations.partitions import holders

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# A line and a payout change without a change of an index: with room in the page such an update writes no index (HOT).
# A refund changes with its deadline, and with that an index: it has no use for room, but for a vacuum in time.
SETTINGS = {
    "order_lines": {"fillfactor": "90", "autovacuum_vacuum_scale_factor": "0.05"},
    "payouts": {"fillfactor": "90", "autovacuum_vacuum_scale_factor": "0.05"},
    "refunds": {"autovacuum_vacuum_scale_factor": "0.02"},
}


def upgrade() -> None:
    """Set them; rows that are there already stay where they are until they change."""
    for table, settings in SETTINGS.items():
        _alter(table, "SET", ", ".join(f"{name} = {value}" for name, value in settings.items()))


def downgrade() -> None:
    """Take PostgreSQL's own settings again."""
    for table, settings in SETTINGS.items():
        _alter(table, "RESET", ", ".join(settings))


def _alter(table: str, verb: str, settings: str) -> None:
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        for holder in holders(connection, table):
            connection.exec_driver_sql(f"ALTER TABLE {holder} {verb} ({settings})")
