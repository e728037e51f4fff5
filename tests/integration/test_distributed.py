"""Nothing stands in the schema or in a statement that a PostgreSQL of several servers refuses (docs/why/015)."""

import importlib
import pkgutil
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import Delete, Insert, Select, Table, Update, bindparam, text
from sqlalchemy.sql import operators, visitors
from sqlalchemy.sql.elements import BinaryExpression, BindParameter

from refundflow import migrations, store
from refundflow.doctor import examine
from refundflow.errors import Misconfigured
from refundflow.tables import Base
from tests.support.databases import Databases
from tests.support.documents import ROOT
from tests.support.market import BUYER, CHEN, LI, Market, a_file, prepare_live

OF_ORDERS = {name for name, table in Base.metadata.tables.items() if "order_id" in table.c}
# What a service's role needs.
GRANTS = (
    "GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA public TO {0}",
    "GRANT UPDATE ON order_lines, refunds, effects, payouts, meta, staff, buyers, totals TO {0}",
    "GRANT DELETE ON effects, personal, evidence_content TO {0}",
)


def statements() -> Iterator[tuple[str, Any]]:
    """Yield every statement that a module of the store keeps, with its name."""
    for found in pkgutil.iter_modules(store.__path__, f"{store.__name__}."):
        module = importlib.import_module(found.name)
        for name, value in vars(module).items():
            for statement in value.values() if isinstance(value, dict) else (value,):
                if isinstance(statement, Select | Update | Delete | Insert):
                    yield f"{found.name}.{name}", statement


def tables_of(statement: Any) -> set[str]:
    """Name the tables that a statement speaks of."""
    return {item.name for item in visitors.iterate(statement) if isinstance(item, Table)}


def is_of_one_order(statement: Any) -> bool:
    """Tell whether a statement asks for one order id, given as a parameter."""
    return any(
        isinstance(item, BinaryExpression)
        and item.operator is operators.eq
        and getattr(item.left, "name", None) == "order_id"
        and isinstance(item.right, BindParameter)
        for item in visitors.iterate(statement)
    )


ONE_SERVER = {f"refundflow.store.moves.{name}_LINES" for name in ("LOCK", "TAKE")}  # see test_one_partition.py
LOCKING = [(name, item) for name, item in statements() if isinstance(item, Select) and item._for_update_arg is not None]


@pytest.mark.parametrize(("name", "statement"), LOCKING, ids=[name.rpartition(".")[2] for name, _ in LOCKING])
def test_rows_are_locked_in_one_order_at_a_time(name: str, statement: Any) -> None:
    """No `FOR UPDATE`, with SKIP LOCKED or without, spans orders; every server has the rows of buyers."""
    assert is_of_one_order(statement) or not tables_of(statement) & OF_ORDERS or name in ONE_SERVER


def test_there_are_statements_that_lock() -> None:
    """The test above sees the locks of moves and of effects, and knows one that spans orders."""
    assert {"TAKE_LINE", "LOCK_LINE", "HOLD_EFFECT", "CHECK_LINE"} <= {name.rpartition(".")[2] for name, _ in LOCKING}
    lines = Base.metadata.tables["order_lines"]
    assert not is_of_one_order(lines.select().where(lines.c.buyer == bindparam("buyer")).with_for_update())


@pytest.mark.parametrize("table", sorted(OF_ORDERS))
def test_keys_hold_the_order_id(table: str, postgres_databases: Databases) -> None:
    """A server can only keep unique what begins at one order, and refers only to rows of the same order."""
    url = postgres_databases.copy_of("live", prepare_live)
    query = """
        SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = to_regclass(:table) AND indisunique
        UNION ALL SELECT pg_get_constraintdef(oid) FROM pg_constraint
        WHERE conrelid = to_regclass(:table) AND contype = 'f'"""
    with migrations.connect(url) as connection:
        found = connection.execute(text(query), {"table": table}).scalars().all()
    assert found and all(definition.partition("(")[2].startswith("order_id,") for definition in found), found


def test_no_trigger_is_of_a_row(postgres_databases: Databases) -> None:
    """Triggers are of statements, foreign keys apart."""
    url = postgres_databases.copy_of("live", prepare_live)
    query = "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgtype & 1 = 1"
    with migrations.connect(url) as connection:
        assert connection.execute(text(query)).scalars().all() == []


def test_what_a_role_needs_is_what_the_page_says() -> None:
    """The privileges that are tried here are those that operators are told to grant."""
    page = (ROOT / "docs" / "how-to" / "postgresql.md").read_text(encoding="utf-8")
    assert all(f"{grant.format('service')};" in page for grant in GRANTS)


@pytest.mark.parametrize("kind", ["postgres_databases", "partitioned_databases"])
def test_without_triggers_privileges_keep_entries(request: pytest.FixtureRequest, kind: str) -> None:
    """Where a server takes no triggers a role with what the service needs lives a whole life and changes no entry."""
    databases: Databases = request.getfixturevalue(kind)
    url = databases.copy_of("live", prepare_live)
    role = f"service_{kind}"
    with migrations.connect(url, write=True) as connection:
        for table in ("transitions", "tiles", "checkpoints"):
            connection.execute(text(f"DROP TRIGGER {table}_append_only ON {table}"))
        connection.execute(text("DROP TRIGGER payouts_no_delete ON payouts"))
        for statement in (f"CREATE ROLE {role} LOGIN", *(grant.format(role) for grant in GRANTS)):
            connection.execute(text(statement))
    served = url.replace("postgres@", f"{role}@")
    try:
        with closing(Market(served)) as market:
            refund = market.submit(note="It does not work.", evidence=[a_file()], key="k").id
            market.act(refund, "begin_review", LI)
            market.act(refund, "approve", LI)
            market.refunds.work()
            market.act(refund, "confirm_receipt", BUYER)
            market.refunds.checkpoint()
            market.refunds.privacy_erase("wang", reason="REQUESTED", actor=CHEN)
            market.require_sound()
        for statement in ("UPDATE transitions SET event = 'x'", "DELETE FROM payouts", "TRUNCATE checkpoints"):
            with pytest.raises(Misconfigured, match="permission denied"), migrations.connect(served) as held:
                held.execute(text(statement))
        assert next(found for found in examine(served) if found.what == "privileges").verdict == "ok"
    finally:
        with migrations.connect(url, write=True) as connection:
            connection.execute(text(f"DROP OWNED BY {role}"))
            connection.execute(text(f"DROP ROLE {role}"))
