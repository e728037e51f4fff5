"""Many refunds at once: one that was lived is copied row by row in SQL, with an order of its own each.

The copies have no entries before the first that is written: they are to be found and to lapse, not to be verified.
`bench.lived` copies whole histories, which verify.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, text

from refundflow import migrations

PAGE = 50_000
FIRST = 10_000_000  # order numbers of one shop have one length
NUMBERS = {
    "sqlite": (
        "(WITH RECURSIVE up(n) AS (SELECT :first UNION ALL SELECT n + 1 FROM up WHERE n < :last) SELECT n FROM up)"
    ),
    "postgresql": "generate_series(CAST(:first AS bigint), CAST(:last AS bigint))",
}
_CLONED = ("order_id", "id", "document")


def clone_name(prefix: str, number: int) -> str:
    """Name the order of a copy by its number from 0 on."""
    return f"{prefix}{FIRST + number}"


def clone(url: str, order: str, count: int, *, prefix: str, due: str | None = None) -> None:
    """Copy an order line and its refund `count` times as the orders of `clone_name`; `due` moves their due moment."""
    for first in range(FIRST, FIRST + count, PAGE):
        with migrations.connect(url, write=True) as connection:
            bounds = {"first": first, "last": min(first + PAGE, FIRST + count) - 1, "order": order, "prefix": prefix}
            for table in ("order_lines", "refunds"):
                changes = {"next_due_at": due} if due is not None and table == "refunds" else {}
                _clone(connection, table, bounds, changes)
    with migrations.connect(url) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("ANALYZE refunds"))


def _clone(connection: Connection, table: str, bounds: Mapping[str, Any], changes: Mapping[str, str]) -> None:
    asked = text(f"SELECT * FROM {table} WHERE order_id = :order")
    columns = list(connection.execute(asked, {"order": bounds["order"]}).keys())
    number = "CAST(numbers.n AS text)"
    copied = f"REPLACE({{0}}, :order, :prefix || {number})"
    written = {name: copied.format(f"model.{name}") if name in _CLONED else f"model.{name}" for name in columns}
    moment = "CAST(:{0} AS timestamptz)" if connection.dialect.name == "postgresql" else ":{0}"
    written |= {name: moment.format(name) for name in changes}
    numbers = NUMBERS[connection.dialect.name]
    alias = "numbers(n)" if connection.dialect.name == "postgresql" else "numbers"
    statement = (
        f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(written[name] for name in columns)}"
        f" FROM {table} AS model CROSS JOIN {numbers} AS {alias} WHERE model.order_id = :order"
    )
    connection.execute(text(statement), {**bounds, **changes})
