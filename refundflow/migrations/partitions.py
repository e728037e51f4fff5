"""Hash partitions of PostgreSQL: every table of an order is split by the order's id when it is made."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Table, event, text

from refundflow.errors import BadInput

KEY = "order_id"
FEWEST, MOST = 2, 64  # more would need more locks than a server grants as it comes
OLDEST_POSTGRES = 170000  # before it partitioned tables cannot number their rows by themselves


def members(connection: Connection, table: str) -> list[str]:
    """Name a table and its partitions: what holds for it on PostgreSQL is often to be said of each."""
    if connection.dialect.name == "sqlite":
        return [table]
    query = text(
        "SELECT CAST(CAST(inhrelid AS regclass) AS text) FROM pg_inherits"
        " WHERE inhparent = to_regclass(:table) ORDER BY inhrelid"
    )
    return [table, *connection.execute(query, {"table": table}).scalars()]


def holders(connection: Connection, table: str) -> list[str]:
    """Name what holds the rows of a table: its partitions, or itself where it is whole."""
    return members(connection, table)[1:] or [table]


def partitions_of(connection: Connection) -> int:
    """Count the partitions of each table of an order; 0: the tables are whole."""
    return len(members(connection, "transitions")) - 1


def check_partitions(connection: Connection, count: int) -> None:
    """Check that the tables of a new database can be made in so many partitions.

    Raises:
        BadInput: no; it is said why.
    """
    if connection.dialect.name == "sqlite":
        raise BadInput("only PostgreSQL has partitions", field="partitions")
    version = int(str(connection.exec_driver_sql("SHOW server_version_num").scalar()))
    if version < OLDEST_POSTGRES:
        raise BadInput(
            f"partitions need PostgreSQL {OLDEST_POSTGRES // 10000} or newer, this is {version // 10000}",
            field="partitions",
        )
    if not FEWEST <= count <= MOST:
        raise BadInput(f"{count} partitions: from {FEWEST} to {MOST}", field="partitions")


@contextmanager
def partitioned(connection: Connection, count: int) -> Iterator[None]:
    """Make every table of an order that is created on a connection meanwhile in so many partitions; 0: whole."""

    def ours(table: Table, over: Connection) -> bool:
        return count > 0 and over is connection and KEY in table.c

    def before(table: Table, over: Connection, **_: Any) -> None:
        if ours(table, over):
            table.dialect_options["postgresql"]["partition_by"] = f"HASH ({KEY})"

    def after(table: Table, over: Connection, **_: Any) -> None:
        for number in range(count if ours(table, over) else 0):
            over.exec_driver_sql(
                f"CREATE TABLE {table.name}_p{number} PARTITION OF {table.name}"
                f" FOR VALUES WITH (MODULUS {count}, REMAINDER {number})"
            )

    event.listen(Table, "before_create", before)
    event.listen(Table, "after_create", after)
    try:
        yield
    finally:
        event.remove(Table, "before_create", before)
        event.remove(Table, "after_create", after)
