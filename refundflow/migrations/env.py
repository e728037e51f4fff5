"""What alembic runs: all pending revisions on the connection that it was given."""

from alembic import context
from sqlalchemy import Connection

from refundflow.migrations.guards import assert_guards
from refundflow.tables import Base


def run(connection: Connection) -> None:
    """Run the revisions; the guards are checked after each, since rebuilding a table drops its triggers."""
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=True,
        transactional_ddl=True,
        on_version_apply=lambda ctx, **_: assert_guards(ctx.connection),
    )
    with context.begin_transaction():
        context.run_migrations()


run(context.config.attributes["connection"])
