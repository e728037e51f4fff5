"""What a workflow engine offers: DBOS, one durable workflow per move with one transactional step.

The same unit of work as `request_evidence`, on tables of the same width: in the step the register of staff, the order
line with its ledger (locked on PostgreSQL), the refund and its buyer are read, the request is judged, the document and
its deadline change, the entry is chained and hashed, the refund is compared and set, the effect is added; the answer is
the document with the events that the chart `refund/1` has next. The workflow's id is the idempotency key: no look-up of
a key of one's own.

More than refundflow: DBOS itself writes the workflow's begin, the step's result and the workflow's end, in commits of
their own, and its threads look for work meanwhile; what was begun is taken up again after a crash. Less: DBOS has no
chart, it is a look-up here; the row is not read back; a key that was used for another request is not noticed; the
tables have no CHECKs, no foreign keys, no guards against changed entries and only those indexes that the move touches;
and what `bench.arms.orm` says it does less.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import sqlalchemy as sa
from dbos import DBOS, SetWorkflowID, SQLAlchemyDatasource

from bench.arms import beside, unit
from bench.lived import place, settle
from bench.serving import Move, serve

METADATA = sa.MetaData()


def _columns(kind: Any, *names: str, **options: Any) -> list[sa.Column[Any]]:
    return [sa.Column(name, kind, **options) for name in names]


def _where_set(name: str, *columns: str) -> sa.Index:
    condition = sa.text(f"{columns[0]} IS NOT NULL")
    return sa.Index(name, *columns, sqlite_where=condition, postgresql_where=condition)


NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")  # SQLite numbers rows only in a column of that name
MOMENT = sa.DateTime(timezone=True)
STAFF = sa.Table(
    "staff", METADATA,
    sa.Column("name", sa.Text, primary_key=True), *_columns(sa.Text, "roles", "document"),
    sa.Column("active", sa.Boolean),
)  # fmt: skip
BUYERS = sa.Table(
    "buyers", METADATA,
    sa.Column("ref", sa.Text, primary_key=True), sa.Column("lookup", sa.Text, unique=True),
    *_columns(sa.LargeBinary, "key", "cipher"),
)  # fmt: skip
LINES = sa.Table(
    "order_lines", METADATA,
    *_columns(sa.Text, "order_id", "line", primary_key=True), sa.Column("payment_no", sa.Text, index=True),
    *_columns(sa.Text, "buyer", "channel", "currency", "document", "head", "refusal"),
    *_columns(sa.BigInteger, "captured", "reserved", "in_flight", "settled", "charged_back", "excess", "seq",
              "version", "repeats"),
)  # fmt: skip
REFUNDS = sa.Table(
    "refunds", METADATA,
    *_columns(sa.Text, "order_id", "id", primary_key=True),
    *_columns(sa.Text, "line", "state", "buyer", "assignee", "document", "head", "refusal"),
    *_columns(MOMENT, "submitted_at", "next_due_at", "next_warn_at", "warned_at", "clear_due_at"),
    *_columns(sa.BigInteger, "claimed", "approved", "in_flight", "settled", "seq", "version", "repeats"),
    sa.Column("abused", sa.Boolean), _where_set("due", "next_due_at", "id", "state"),
    _where_set("warn", "next_warn_at", "id"),
)  # fmt: skip
TRANSITIONS = sa.Table(
    "transitions", METADATA,
    sa.Column("gid", NUMBER, primary_key=True),
    *_columns(sa.Text, "order_id", "subject", "kind", "event", "before", "after", "actor_role", "actor_name",
              "key_scope", "key", "request_hash", "hash"),
    sa.Column("seq", sa.BigInteger), *_columns(MOMENT, "effective_at", "recorded_at"),
    sa.Column("body", sa.LargeBinary), sa.UniqueConstraint("order_id", "subject", "seq"),
)  # fmt: skip
EFFECTS = sa.Table(
    "effects", METADATA,
    sa.Column("id", NUMBER, primary_key=True),
    *_columns(sa.Text, "order_id", "subject", "kind", "code", "params", "problem"),
    *_columns(sa.BigInteger, "seq", "tries"), *_columns(MOMENT, "effective_at", "recorded_at", "next_try_at"),
    _where_set("waiting", "next_try_at"), sa.Index("of_kind", "kind", "next_try_at"),
    sa.Index("of_subject", "order_id", "subject", "id"),
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
        for table, rows in beside.rows(plan):
            connection.execute(METADATA.tables[table].insert(), rows)
    settle(plan["url"])
    chart: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))  # source, event: targets
    for event, origin, target, _ in plan["chart"]:
        chart[origin][event].add(target)

    @source.transaction(isolation_level="SERIALIZABLE" if sqlite else "READ COMMITTED")
    def change(order_id: str, refund_id: str) -> dict[str, Any]:
        session, request = source.sql_session(), unit.Request(order_id, refund_id)
        at_line = (LINES.c.order_id == order_id) & (LINES.c.line == "1")
        line = session.execute(sa.select(LINES).where(at_line).with_for_update()).one()
        at_refund = (REFUNDS.c.order_id == order_id) & (REFUNDS.c.id == refund_id)
        refund = session.execute(sa.select(REFUNDS).where(at_refund)).one()
        buyer = session.execute(sa.select(BUYERS).where(BUYERS.c.ref == line.buyer)).one()
        staff = session.execute(sa.select(STAFF).where(STAFF.c.name == request.name)).one_or_none()
        before, now = json.loads(refund.document), datetime.now(UTC)
        targets = chart[refund.state][unit.EVENT]
        if staff is None or not unit.may_act(request.role, staff.roles, staff.active):
            raise unit.Refused("ROLE_NOT_ALLOWED")
        if not targets:
            raise unit.Refused("WRONG_STATE")
        if not unit.is_in_time(before, now):
            raise unit.Refused("DEADLINE_LAPSED")
        if not unit.are_kinds(request.kinds):
            raise unit.Refused("UNKNOWN_KIND")
        if not unit.has_rounds_left(before):
            raise unit.Refused("EVIDENCE_ROUNDS_USED")
        [state] = targets
        patch = unit.changes(before, request, now) | {"state": state}
        after, digest = unit.changed(before, patch, now), unit.named(request, buyer.key)
        entry = unit.entry(request, before, patch, digest=digest, head=refund.head, now=now)
        changes = {**unit.columns(after, entry["hash"]), "state": state, "version": refund.version + 1}
        as_read = at_refund & (REFUNDS.c.version == refund.version)
        if session.execute(REFUNDS.update().where(as_read).values(changes)).rowcount != 1:
            raise unit.Refused("CHANGED_MEANWHILE")
        session.execute(TRANSITIONS.insert().values(entry))
        session.execute(EFFECTS.insert().values(unit.effect(request, after, now)))
        return {"document": after, "possible": list(chart[state])}

    @DBOS.workflow()
    def request_evidence(order_id: str, refund_id: str) -> dict[str, Any]:
        answer: dict[str, Any] = change(order_id, refund_id)
        return answer

    DBOS.launch()

    def make(_: str, number: int) -> None:
        order_id, refund_id = place("N", plan["numbers"][number])
        with SetWorkflowID(f"{refund_id}:{unit.EVENT}"):
            request_evidence(order_id, refund_id)

    yield make, {"DBOS": version("dbos")}
    DBOS.destroy()


if __name__ == "__main__":
    serve(opened)
