"""Partitioned tables are the same tables, columns, keys, checks and guards; and when there can be none."""

from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from refundflow import errors, migrations
from refundflow.doctor import examine
from refundflow.service import Refunds
from refundflow.tables import Base
from tests.support.databases import PARTITIONS, Databases
from tests.support.market import prepare_live

PARTITIONED = sorted(name for name, table in Base.metadata.tables.items() if "order_id" in table.c)
COLUMNS = """
    SELECT attname, format_type(atttypid, atttypmod), attnotnull, attidentity, attcollation
    FROM pg_attribute WHERE attrelid = to_regclass(:table) AND attnum > 0 ORDER BY attnum"""
CONSTRAINTS = """
    SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE conrelid = to_regclass(:table) AND conparentid = 0 ORDER BY conname"""
INDEXES = """
    SELECT CAST(indexrelid AS regclass), replace(pg_get_indexdef(indexrelid), ' ON ONLY ', ' ON ')
    FROM pg_index WHERE indrelid = to_regclass(:table) ORDER BY 1"""
GUARDS = """
    SELECT tgname, tgtype, tgenabled, CAST(tgfoid AS regproc) FROM pg_trigger
    WHERE tgrelid = to_regclass(:table) AND NOT tgisinternal ORDER BY tgname"""
OPTIONS = "SELECT reloptions FROM pg_class WHERE oid = to_regclass(:table)"


@pytest.fixture
def url(partitioned_databases: Databases) -> str:
    """Make a live database on partitioned tables."""
    return partitioned_databases.copy_of("live", prepare_live)


def asked(url: str, query: str, table: str) -> list[tuple[Any, ...]]:
    """Ask the catalogue about a table."""
    with migrations.connect(url) as connection:
        return [tuple(row) for row in connection.execute(text(query), {"table": table})]


def own(item: Any, name: str | None, kind: str, *_: Any) -> bool:
    """Leave out the partitions, and the keys that refer to one of them."""
    if kind == "foreign_key_constraint":
        return all(element.target_fullname.split(".")[0] in Base.metadata.tables for element in item.elements)
    return kind != "table" or name in Base.metadata.tables


def test_the_migrations_make_what_the_tables_say(url: str) -> None:
    """Nothing is left to migrate on partitioned tables either."""
    with migrations.connect(url) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "include_object": own})
        assert compare_metadata(context, Base.metadata) == []


@pytest.mark.parametrize("query", [COLUMNS, CONSTRAINTS, INDEXES, GUARDS], ids=["columns", "keys", "indexes", "guards"])
def test_a_partitioned_table_is_the_whole_table(url: str, postgres_databases: Databases, query: str) -> None:
    """Columns, keys, checks, indexes and guards are those of an ordinary database, to the letter."""
    whole = postgres_databases.copy_of("live", prepare_live)
    for table in PARTITIONED:
        assert asked(url, query, table) == asked(whole, query, table)


@pytest.mark.parametrize("table", PARTITIONED)
def test_a_partition_has_all_that_its_table_has(url: str, table: str) -> None:
    """Columns and guards are the table's own; of keys, checks and indexes there are as many."""
    for number in range(PARTITIONS):
        partition = f"{table}_p{number}"
        for query in (COLUMNS, GUARDS):
            # a partition takes numbers from the table's sequence, and no others
            assert asked(url, query, partition) == asked(url, query, table)
        assert len(asked(url, INDEXES, partition)) == len(asked(url, INDEXES, table))


@pytest.mark.parametrize("table", PARTITIONED)
def test_what_holds_rows_is_stored_alike(url: str, postgres_databases: Databases, table: str) -> None:
    """Room in pages and the time of vacuums are set on each partition, as on a whole table."""
    [[options]] = asked(postgres_databases.copy_of("live", prepare_live), OPTIONS, table)
    assert (options is not None) == (table in ("order_lines", "refunds", "payouts"))
    for number in range(PARTITIONS):
        assert asked(url, OPTIONS, f"{table}_p{number}") == [(options,)]


@pytest.mark.parametrize(
    "statement",
    ["UPDATE transitions_p1 SET event = 'x'", "DELETE FROM transitions_p2", "TRUNCATE payouts_p0", "TRUNCATE payouts"],
)
def test_a_partition_is_append_only_by_its_own_name(url: str, statement: str) -> None:
    """Whoever names the partition instead of the table is refused too."""
    with pytest.raises(DBAPIError, match="append-only"), migrations.connect(url, write=True) as connection:
        connection.execute(text(statement))


def test_a_guard_that_one_partition_lacks_is_found(url: str) -> None:
    """The check names the partition, and so does doctor."""
    with migrations.connect(url, write=True) as connection:
        connection.execute(text("ALTER TABLE transitions_p3 DISABLE TRIGGER transitions_append_only"))
    guards = next(found for found in examine(url) if found.what == "guards")
    assert guards.verdict == "failed" and "transitions_append_only of transitions_p3" in guards.detail


def test_doctor_tells_how_a_database_is_split(url: str) -> None:
    """The number of partitions stands beside the schema."""
    assert f"{PARTITIONS} partitions" in next(found for found in examine(url) if found.what == "database").detail


def test_a_role_needs_nothing_on_partitions(url: str) -> None:
    """What may be done to a table is asked of the table alone; a right on a partition is beyond that."""
    with migrations.connect(url, write=True) as connection:
        connection.execute(text("CREATE ROLE teller"))
        connection.execute(text("GRANT SELECT, INSERT ON transitions TO teller"))
        assert _beyond(connection) == ()
        connection.execute(text("GRANT DELETE ON transitions_p1 TO teller"))
        assert _beyond(connection) == ("DELETE",)
        connection.rollback()


def _beyond(connection: Connection) -> tuple[str, ...]:
    connection.execute(text("SET LOCAL ROLE teller"))
    found = migrations.privileges_beyond(connection)
    connection.execute(text("RESET ROLE"))
    return found


def test_the_number_of_partitions_is_for_ever(url: str) -> None:
    """The same call again changes nothing, without a number too; another number is refused."""
    Refunds.init(url, partitions=PARTITIONS)
    Refunds.init(url)
    with pytest.raises(errors.BadInput, match=f"has {PARTITIONS} partitions, for ever"):
        Refunds.init(url, partitions=PARTITIONS * 2)


def test_a_whole_database_is_not_split(postgres_databases: Databases) -> None:
    """A database that was made without partitions stays so."""
    with pytest.raises(errors.BadInput, match="has no partitions, for ever"):
        Refunds.init(postgres_databases.copy_of("live", prepare_live), partitions=PARTITIONS)


@pytest.mark.parametrize("count", [-1, 0, 1, 65])
def test_there_are_from_2_to_64_partitions(postgres_url: str, count: int) -> None:
    """Another number is refused before anything is made."""
    with pytest.raises(errors.BadInput, match="from 2 to 64") as refusal:
        Refunds.init(postgres_url, partitions=count)
    assert refusal.value.field == "partitions" and migrations.pending(postgres_url)


def test_sqlite_has_no_partitions(sqlite_url: str) -> None:
    """A file is whole."""
    with pytest.raises(errors.BadInput, match="only PostgreSQL"):
        Refunds.init(sqlite_url, partitions=2)
    with pytest.raises(errors.NotInitialised):
        Refunds.connect(sqlite_url)
