"""An idle poll costs nothing: its plans use the partial indexes alone and read no row."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from bench.clones import clone
from refundflow import migrations
from refundflow.service.work import SYSTEM_KINDS
from refundflow.store.queries import FIRST_DUE, FIRST_WARNING, READ_DUE, READ_WARNINGS
from refundflow.store.sessions import Session
from refundflow.store.statements import Compiled, compiled_once
from refundflow.store.tx import Tx
from states import times
from tests.support.aged import waiting_for_evidence
from tests.support.databases import Databases

MANY = 4_000
LATER = times.text(datetime.now(UTC) + timedelta(days=90))
INDEXES = {"ix_refunds_due", "ix_refunds_warn", "ix_effects_kind", "ix_effects_waiting"}


def prepare(url: str) -> None:
    """Make a live database with many open refunds and waiting messages, none of them due."""
    waiting_for_evidence(url, 1)
    clone(url, "W0", MANY, prefix="N", due=LATER)
    with migrations.connect(url, write=True) as connection:
        connection.execute(text("UPDATE refunds SET next_due_at = :later, next_warn_at = :later"), {"later": LATER})
        connection.execute(text("DELETE FROM effects"))
        columns = "order_id, subject, seq, kind, code, params, effective_at, recorded_at, tries, next_try_at"
        connection.execute(
            text(
                f"INSERT INTO effects ({columns}) SELECT order_id, id, 1, 'buyer_message', 'SUBMITTED', '{{}}',"
                " submitted_at, submitted_at, 0, next_due_at FROM refunds"
            )
        )
    with migrations.connect(url) as connection:
        connection.execute(text("ANALYZE"))


class Listening(Session):
    """A session that keeps the statements of questions instead of asking them."""

    def __init__(self, dialect: Any) -> None:
        super().__init__(None, dialect)
        self.asked: list[tuple[str, Any]] = []

    def ask(self, statement: Any) -> list[Any]:
        """Keep the statement."""
        made = Compiled(statement, self.dialect)
        self.asked.append((made.text, made.bound({})))
        return []

    def one(self, statement: Any, **values: Any) -> None:
        """Answer that there is nothing."""


def polled(dialect: Any) -> Iterator[tuple[str, Any]]:
    """Yield the statements of an idle round with their values."""
    now = times.text(datetime.now(UTC))
    for statement in (READ_DUE, READ_WARNINGS):
        made = compiled_once(statement, dialect)
        yield made.text, made.bound({"before": now, "page": 200})
    for statement in (FIRST_DUE, FIRST_WARNING):
        made = compiled_once(statement, dialect)
        yield made.text, made.bound({})
    listening = Listening(dialect)
    tx = Tx(listening)
    tx.effects(50, kinds=SYSTEM_KINDS, before=datetime.now(UTC))
    tx.deliverable(datetime.now(UTC), 50, without=SYSTEM_KINDS)
    tx.next_work_at(SYSTEM_KINDS)
    tx.next_work_at(None)
    yield from listening.asked


def scans(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the scans of a plan of PostgreSQL that were run."""
    if "Scan" in plan["Node Type"] and plan["Actual Loops"]:
        yield plan
    for part in plan.get("Plans", ()):
        yield from scans(part)


@pytest.fixture
def connection(databases: Databases) -> Iterator[Connection]:
    """Open the prepared database past the store."""
    with migrations.connect(databases.copy_of("idle", prepare)) as opened:
        yield opened


@pytest.mark.partitioned(False)
def test_an_idle_poll_uses_the_partial_indexes_and_reads_no_row(connection: Connection) -> None:
    """Among thousands of open refunds and waiting messages, of which nothing is due, no row of a table is read."""
    driver: Any = connection.connection.driver_connection
    sqlite = connection.dialect.name == "sqlite"
    for asked, values in polled(connection.dialect.name):
        if sqlite:
            plan = [row[3] for row in driver.execute(f"EXPLAIN QUERY PLAN {asked}", values)]
            tables = [step for step in plan if step.startswith(("SCAN", "SEARCH")) and "earlier" not in step]
            assert tables and all(any(name in step for name in INDEXES) for step in tables), (asked, plan)
            continue
        [[found]] = driver.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {asked}", values).fetchall()
        document = json.loads(found) if isinstance(found, str) else found
        for scan in scans(document[0]["Plan"]):
            # the first moment alone is read from the index, without its row
            only = scan["Node Type"] == "Index Only Scan" or scan["Actual Rows"] == 0
            assert scan.get("Index Name") in INDEXES and only, (asked, scan)
