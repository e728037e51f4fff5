"""What most would write at first: an SQLModel session and a python-statemachine instance per request, few rows.

Less than `request_evidence` (`bench.arms.orm` is that): the row is read and locked, a guard is asked, the state and the
deadline change, a log row with a unique idempotency key and an outbox row are added, one commit, the row is read back
to be answered, with the events that are possible next. Left out: roles and their register, the policy, the ledger,
hashes and chains, canonical bytes; its rows and its chart are smaller.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import Any

from sqlalchemy import Engine, UniqueConstraint, event, insert
from sqlalchemy.orm import registry
from sqlmodel import Field, Session, SQLModel, create_engine
from statemachine import State, StateMachine

from bench.lived import settle
from bench.serving import Move, serve

ROUNDS = 2  # of evidence


class Base(SQLModel, registry=registry()):
    """The parent of these tables, apart from refundflow's."""


class Refund(Base, table=True):
    """One refund."""

    id: int | None = Field(default=None, primary_key=True)
    order_id: str = Field(index=True)
    buyer: str
    state: str
    amount: int
    rounds: int = 0
    due_at: datetime | None = Field(default=None, index=True)


class Log(Base, table=True):
    """One transition."""

    __table_args__ = (UniqueConstraint("refund_id", "key"),)

    id: int | None = Field(default=None, primary_key=True)
    refund_id: int = Field(foreign_key="refund.id", index=True)
    event: str
    before: str
    after: str
    actor: str
    key: str | None
    at: datetime


class Outbox(Base, table=True):
    """What must leave."""

    id: int | None = Field(default=None, primary_key=True)
    refund_id: int
    kind: str
    payload: str
    next_try_at: datetime | None = Field(default=None, index=True)


class Flow(StateMachine):
    """The chart, as a reader of the library's documentation writes it."""

    submitted = State(initial=True)
    reviewing = State()
    negotiating = State()
    awaiting_evidence = State()
    approved = State()
    paying = State()
    payout_failed = State()
    rejected = State()
    appealed = State()
    settled = State()
    closed = State(final=True)
    confirmed = State(final=True)
    withdrawn = State(final=True)

    begin_review = submitted.to(reviewing)
    request_evidence = reviewing.to(awaiting_evidence, cond="rounds_left")
    submit_evidence = awaiting_evidence.to(reviewing)
    offer = reviewing.to(negotiating)
    answer = negotiating.to(reviewing)
    approve = reviewing.to(approved) | appealed.to(approved)
    reject = reviewing.to(rejected) | awaiting_evidence.to(rejected)
    appeal = rejected.to(appealed)
    uphold = appealed.to(closed) | rejected.to(closed)
    pay = approved.to(paying) | payout_failed.to(paying)
    fail = paying.to(payout_failed)
    settle = paying.to(settled)
    confirm = settled.to(confirmed)
    withdraw = submitted.to(withdrawn) | reviewing.to(withdrawn)

    def rounds_left(self) -> bool:
        """Tell whether evidence may be asked for once more."""
        return bool(self.model.rounds < ROUNDS)

    def on_request_evidence(self) -> None:
        """Count the round and set the deadline."""
        self.model.rounds += 1
        self.model.due_at = datetime.now(UTC) + timedelta(hours=48)


@contextmanager
def opened(plan: Mapping[str, Any]) -> Iterator[tuple[Move, Mapping[str, str]]]:
    """Make the tables and fill them."""
    url = plan["url"].replace("postgresql://", "postgresql+psycopg://")
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "connect")
        def set_up(connection: Any, _: Any) -> None:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA synchronous = {plan['synchronous']}")

    Base.metadata.create_all(engine)
    _fill(engine, plan["refunds"])
    settle(plan["url"])

    def make(_: str, number: int) -> None:
        with Session(engine) as session:
            refund_id = plan["numbers"][number]
            refund = session.get(Refund, refund_id, with_for_update=True)
            assert refund is not None
            before = refund.state
            flow = Flow(model=refund)
            flow.send("request_evidence")
            now = datetime.now(UTC)
            session.add(
                Log(
                    refund_id=refund_id, event="request_evidence", before=before, after=refund.state,
                    actor="agent:li", key="request_evidence", at=now,
                )
            )  # fmt: skip
            session.add(
                Outbox(refund_id=refund_id, kind="EVIDENCE_REQUESTED", payload='["screenshot"]', next_try_at=now)
            )
            session.commit()
            session.refresh(refund)
            refund.model_dump()
            [possible.id for possible in flow.enabled_events()]

    yield make, {"SQLModel": version("sqlmodel"), "python-statemachine": version("python-statemachine")}
    engine.dispose()


def _fill(engine: Engine, refunds: int) -> None:
    """Add refunds under review, each with a log row."""
    now, numbers = datetime.now(UTC), range(refunds)
    refund = {"buyer": "mei", "state": "reviewing", "amount": 10_000, "rounds": 0, "due_at": now}
    step = {"event": "begin_review", "before": "submitted", "after": "reviewing", "actor": "agent:li", "at": now}
    with engine.begin() as connection:
        connection.execute(insert(Refund), [refund | {"id": n, "order_id": f"A{n}"} for n in numbers])
        connection.execute(insert(Log), [step | {"refund_id": n} for n in numbers])


if __name__ == "__main__":
    serve(opened)
