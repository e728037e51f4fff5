"""What most would write who need refundflow's guarantees: an SQLModel session and a python-statemachine per request.

The same unit of work as `request_evidence`, on refundflow's own tables in the same database: register of staff, order
line with its ledger (locked on PostgreSQL), refund, buyer and idempotency key are read, the chart `refund/1` itself is
asked as the python-statemachine class that it is, the document and its deadline change, the entry is chained and
hashed, the refund is compared and set, the effect is added, one commit; the row is read back and answered with the
events that are possible next. The settings of the connection are refundflow's.

More than refundflow: the row is read back, and on PostgreSQL the line is locked. Less: the rules are those of this one
move; the first blocker alone is told and a refusal is not recorded; a deadline that has lapsed refuses the move instead
of being applied; of the line only this refund is read; of what is possible next the chart alone is asked, no roles and
no rules; the clock is the host's and the calendar the package's; nobody tries again who was overtaken.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from sqlalchemy import BigInteger, Column, Engine, Text, event
from sqlalchemy.orm import registry
from sqlmodel import Field, Session, SQLModel, create_engine, select
from statemachine.orderedset import OrderedSet

from bench.arms import unit
from bench.serving import Move, serve
from refundflow.tables import LEAVES, Buyer, Moment, OrderLine, PendingEffect, Staff, Transition
from states.chart import Situation
from states.refund_v1 import RefundV1

SETTINGS = ("journal_mode = WAL", "foreign_keys = ON", "cache_size = -32768", "wal_autocheckpoint = 4000")
VERSION = Column("version", BigInteger, nullable=False)
PATHS = {frozenset(path.split(".")): path for path in LEAVES}


class Base(SQLModel, registry=registry()):
    """The parent of what is mapped once more, apart from refundflow's."""


class Refund(Base, table=True):
    """One refund: the table that refundflow made, its version counted on and compared by the mapper."""

    __tablename__ = "refunds"
    __mapper_args__ = {"version_id_col": VERSION}

    order_id: str = Field(sa_type=Text, primary_key=True)
    id: str = Field(sa_type=Text, primary_key=True)
    line: str = Field(sa_type=Text)
    state: str = Field(sa_type=Text)
    buyer: str = Field(sa_type=Text)
    submitted_at: datetime = Field(sa_type=Moment)
    next_due_at: datetime | None = Field(sa_type=Moment)
    next_warn_at: datetime | None = Field(sa_type=Moment)
    warned_at: datetime | None = Field(sa_type=Moment)
    clear_due_at: datetime | None = Field(sa_type=Moment)
    assignee: str | None = Field(sa_type=Text)
    claimed: int = Field(sa_type=BigInteger)
    approved: int = Field(sa_type=BigInteger)
    in_flight: int = Field(sa_type=BigInteger)
    settled: int = Field(sa_type=BigInteger)
    abused: bool
    document: str = Field(sa_type=Text)
    seq: int = Field(sa_type=BigInteger)
    head: str = Field(sa_type=Text)
    version: int = Field(sa_column=VERSION)
    refusal: str | None = Field(sa_type=Text)
    repeats: int


class Case:
    """The model of the machine: the working document of a refund, and the states that are active."""

    def __init__(self, document: unit.Document) -> None:
        self.document = document
        self.state = OrderedSet(document["state"].split("."))
        self.patch: unit.Document = {}

    @property
    def situation(self) -> Situation:
        """Return what the guards of the chart may ask."""
        return Situation(in_appeal=self.document["instance"] == "appeal", evidence_came=bool(self.document["evidence"]))


class Flow(RefundV1):
    """The chart `refund/1` with what one of its moves asks and does."""

    def before_request_evidence(self, request: unit.Request, staff: Staff | None, now: datetime) -> None:
        """Judge the request."""
        document = self.model.document
        if staff is None or not unit.may_act(request.role, staff.roles, staff.active):
            raise unit.Refused("ROLE_NOT_ALLOWED")
        if not unit.is_in_time(document, now):
            raise unit.Refused("DEADLINE_LAPSED")
        if not unit.are_kinds(request.kinds):
            raise unit.Refused("UNKNOWN_KIND")
        if not unit.has_rounds_left(document):
            raise unit.Refused("EVIDENCE_ROUNDS_USED")

    def on_request_evidence(self, request: unit.Request, now: datetime) -> None:
        """Count the round and let the deadline follow."""
        self.model.patch = unit.changes(self.model.document, request, now)

    def after_request_evidence(self, now: datetime) -> None:
        """Bring the document up to the state that was entered."""
        case = self.model
        case.patch["state"] = PATHS[frozenset(self.configuration_values)]
        case.document = unit.changed(case.document, case.patch, now)


def request_evidence(session: Session, request: unit.Request) -> dict[str, Any]:
    """Carry the request out and commit; return the refund and what is possible next.

    Raises:
        Refused: it is not possible now.
    """
    line = session.get(OrderLine, (request.order_id, "1"), with_for_update=True)
    refund = session.get(Refund, (request.order_id, request.refund))
    staff = session.get(Staff, request.name)
    buyer = session.get(Buyer, line.buyer) if line else None
    if refund is None or buyer is None or buyer.key is None:
        raise unit.Refused("NOT_FOUND")
    before, digest, now = json.loads(refund.document), unit.named(request, buyer.key), datetime.now(UTC)
    case = Case(before)
    flow = Flow(case)
    used = session.exec(
        select(Transition).where(
            Transition.order_id == request.order_id,
            Transition.key_scope == request.refund,
            Transition.key == request.key,
        )
    ).first()
    if used is not None and used.request_hash != digest:
        raise unit.Refused("KEY_REUSED")
    if used is None:
        flow.send(unit.EVENT, request=request, staff=staff, now=now, situation=case.situation)
        entry = Transition(**unit.entry(request, before, case.patch, digest=digest, head=refund.head, now=now))
        refund.state = case.document["state"]
        refund.sqlmodel_update(unit.columns(case.document, entry.hash))
        session.add(entry)
        session.add(PendingEffect(**unit.effect(request, case.document, now)))
        session.commit()
        session.refresh(refund)
    possible = [event.id for event in flow.enabled_events(situation=case.situation)]
    return refund.model_dump() | {"possible": possible}


@contextmanager
def opened(plan: Mapping[str, Any]) -> Iterator[tuple[Move, Mapping[str, str]]]:
    """Connect to the database of the scene."""
    engine = create_engine(plan["url"].replace("postgresql://", "postgresql+psycopg://"))
    if engine.dialect.name == "sqlite":
        _set_up(engine, plan["synchronous"])

    def make(event: str, number: int) -> None:
        with Session(engine) as session:
            request_evidence(session, unit.Request(*plan["places"][event][number]))

    yield make, {"SQLModel": version("sqlmodel"), "python-statemachine": version("python-statemachine")}
    engine.dispose()


def _set_up(engine: Engine, synchronous: str) -> None:
    """Let transactions that are going to write begin so, as SQLAlchemy's documentation has it."""

    @event.listens_for(engine, "connect")
    def connected(connection: Any, _: Any) -> None:
        connection.isolation_level = None
        for setting in (*SETTINGS, f"synchronous = {synchronous}"):
            connection.execute(f"PRAGMA {setting}")

    @event.listens_for(engine, "begin")
    def begun(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


if __name__ == "__main__":
    serve(opened)
