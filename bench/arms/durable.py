"""What a workflow engine offers: DBOS, one durable workflow per move with one transactional step.

The same unit of work as `request_evidence`: in the step the row is read and locked, a guard is asked, the state and
the deadline change, a log row and an outbox row are added; the workflow's id is the idempotency key. Left out: as in
`bench.arms.orm`, and what is possible next. DBOS itself writes the workflow's begin, the step's result and the
workflow's end, in commits of their own, and its threads look for work meanwhile.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import Any

import sqlalchemy as sa
from dbos import DBOS, SetWorkflowID, SQLAlchemyDatasource

from bench.serving import Move, serve

ROUNDS = 2  # of evidence
METADATA = sa.MetaData()
REFUND = sa.Table(
    "refund", METADATA,
    sa.Column("id", sa.Integer, primary_key=True), sa.Column("order_id", sa.Text, index=True),
    sa.Column("buyer", sa.Text), sa.Column("state", sa.Text), sa.Column("amount", sa.BigInteger),
    sa.Column("rounds", sa.Integer), sa.Column("due_at", sa.DateTime(timezone=True), index=True),
)  # fmt: skip
LOG = sa.Table(
    "log", METADATA,
    sa.Column("id", sa.Integer, primary_key=True), sa.Column("refund_id", sa.Integer, index=True),
    sa.Column("event", sa.Text), sa.Column("before", sa.Text), sa.Column("after", sa.Text),
    sa.Column("actor", sa.Text), sa.Column("at", sa.DateTime(timezone=True)),
)  # fmt: skip
OUTBOX = sa.Table(
    "outbox", METADATA,
    sa.Column("id", sa.Integer, primary_key=True), sa.Column("refund_id", sa.Integer), sa.Column("kind", sa.Text),
    sa.Column("payload", sa.Text), sa.Column("next_try_at", sa.DateTime(timezone=True), index=True),
)  # fmt: skip


@contextmanager
def opened(plan: Mapping[str, Any]) -> Iterator[tuple[Move, Mapping[str, str]]]:
    """Launch DBOS on one database for itself and for the refunds, and fill that."""
    url = plan["url"].replace("postgresql://", "postgresql+psycopg://")
    sqlite = url.startswith("sqlite:")

    def set_up(connection: Any, _: Any) -> None:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {plan['synchronous']}")

    if sqlite:
        sa.event.listen(sa.Engine, "connect", set_up)
    DBOS(config={"name": "bench", "system_database_url": url, "log_level": "ERROR"})
    source = SQLAlchemyDatasource.create(url)
    METADATA.create_all(source.engine)
    with source.engine.begin() as connection:
        now = datetime.now(UTC)
        rows = [
            {"id": n, "order_id": f"A{n}", "buyer": "mei", "state": "reviewing", "amount": 10_000, "rounds": 0,
             "due_at": now}
            for n in range(1, plan["refunds"] + 1)
        ]  # fmt: skip
        connection.execute(REFUND.insert(), rows)

    @source.transaction(isolation_level="SERIALIZABLE" if sqlite else "READ COMMITTED")
    def change(number: int) -> str:
        session = source.sql_session()
        found = session.execute(sa.select(REFUND).where(REFUND.c.id == number).with_for_update()).one()
        if found.state != "reviewing" or found.rounds >= ROUNDS:
            raise ValueError("not possible now")
        now = datetime.now(UTC)
        changes = {"state": "awaiting_evidence", "rounds": found.rounds + 1, "due_at": now + timedelta(hours=48)}
        session.execute(REFUND.update().where(REFUND.c.id == number).values(changes))
        session.execute(
            LOG.insert().values(
                refund_id=number, event="request_evidence", before=found.state, after="awaiting_evidence",
                actor="agent:li", at=now,
            )
        )  # fmt: skip
        session.execute(
            OUTBOX.insert().values(
                refund_id=number, kind="EVIDENCE_REQUESTED", payload='["screenshot"]', next_try_at=now
            )
        )
        return "awaiting_evidence"

    @DBOS.workflow()
    def request_evidence(number: int) -> str:
        state: str = change(number)
        return state

    DBOS.launch()

    def make(_: str, number: int) -> None:
        refund = plan["numbers"][number]
        with SetWorkflowID(f"{refund}:request_evidence"):
            request_evidence(refund)

    yield make, {"DBOS": version("dbos")}
    DBOS.destroy()


if __name__ == "__main__":
    serve(opened)
