"""Statements that are prepared once and run below the driver's cursors: the same values, rows and errors."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import errors
from psycopg.types.numeric import Int8Dumper

from refundflow.store import prepared
from refundflow.store.prepared import Prepared

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(min_value=-(2**63), max_value=2**63 - 1),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    st.binary(),
    st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30), timezones=st.just(UTC)),  # noqa: DTZ001
)
TYPES = {bool: "boolean", int: "bigint", str: "text", bytes: "bytea", datetime: "timestamptz", type(None): "text"}


@pytest.fixture
def connection(postgres_url: str) -> Iterator[psycopg.Connection[Any]]:
    """Open a connection as the store does."""
    with psycopg.connect(postgres_url, autocommit=True) as opened:
        opened.adapters.register_dumper(int, Int8Dumper)
        opened.execute("SET timezone = 'UTC'")
        yield opened


@pytest.fixture
def runs(connection: psycopg.Connection[Any]) -> Prepared:
    """Run statements on the connection."""
    return Prepared(connection)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(rows=st.lists(st.lists(VALUES, min_size=1, max_size=4), min_size=1, max_size=4))
def test_values_come_back_as_a_cursor_brings_them(
    connection: psycopg.Connection[Any], runs: Prepared, rows: list[list[Any]]
) -> None:
    """Whatever kinds of values follow one another under one statement."""
    for row in rows:
        text = "SELECT " + ", ".join(f"%s::{TYPES[type(value)]}" for value in row) + ", '100%%'"
        expected = connection.execute(text.encode(), row).fetchall()
        assert runs.execute(text, row).fetchall() == expected == [(*row, "100%")]


def test_what_is_no_text_is_refused_and_nothing_is_lost(connection: psycopg.Connection[Any], runs: Prepared) -> None:
    """No text is cut at a zero byte; the next statement finds the connection as before."""
    with pytest.raises(psycopg.DataError):
        runs.execute("SELECT %s::text", ["a\0b"])
    with pytest.raises(UnicodeEncodeError):
        runs.execute("SELECT %s::text", ["\ud800"])
    assert runs.execute("SELECT %s::text", ["a"]).fetchone() == ("a",)


def test_an_error_is_the_servers_and_leaves_no_transaction(connection: psycopg.Connection[Any], runs: Prepared) -> None:
    """A statement that fails is raised by its code; the same statement runs again."""
    for divisor, expected in ((0, None), (2, 5), (0, None), (5, 2)):
        if expected is None:
            with pytest.raises(errors.DivisionByZero):
                runs.execute("SELECT 10 / %s::bigint", [divisor])
        else:
            assert runs.execute("SELECT 10 / %s::bigint", [divisor]).fetchone() == (expected,)
    with pytest.raises(errors.UndefinedTable):
        runs.execute("SELECT * FROM nowhere WHERE %s", [True])
    assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    assert runs.execute("SELECT 1").fetchall() == [(1,)]
    assert runs.fetchall() == [], "what was read is not held"


def test_a_statement_that_the_server_lost_is_prepared_again(
    connection: psycopg.Connection[Any], runs: Prepared
) -> None:
    """Somebody threw all of them away, or a table has changed under a plan."""
    connection.execute("CREATE TABLE told (a bigint); INSERT INTO told VALUES (1)")
    assert runs.execute("SELECT * FROM told WHERE a = %s", [1]).fetchall() == [(1,)]
    connection.execute("DEALLOCATE ALL")
    assert runs.execute("SELECT * FROM told WHERE a = %s", [1]).fetchall() == [(1,)]
    connection.execute("ALTER TABLE told ADD COLUMN b text")
    assert runs.execute("SELECT * FROM told WHERE a = %s", [1]).fetchall() == [(1, None)]


def test_the_server_keeps_so_many_statements(connection: psycopg.Connection[Any], runs: Prepared) -> None:
    """The oldest is given up for the newest, and prepared again when it comes again."""
    for _ in range(2):
        for number in range(prepared.KEPT + 10):
            assert runs.execute(f"SELECT {number} + %s::bigint", [1]).fetchone() == (number + 1,)
    kept = connection.execute("SELECT count(*) FROM pg_prepared_statements").fetchone()
    assert kept == (prepared.KEPT,)


def test_an_interrupt_ends_the_wait(connection: psycopg.Connection[Any], runs: Prepared) -> None:
    """Whoever waits for the server can be interrupted; what he waited for is cancelled."""
    begun = time.monotonic()
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        runs.execute("SELECT pg_sleep(%s::bigint)", [60])
    timer.join()
    assert time.monotonic() - begun < 30
    assert runs.execute("SELECT 1").fetchall() == [(1,)]


def test_a_server_that_goes_away_is_told(
    connection: psycopg.Connection[Any], runs: Prepared, postgres_url: str
) -> None:
    """It is an operational error, and the connection knows that it is closed."""
    runs.execute("SELECT %s::bigint", [1])
    with psycopg.connect(postgres_url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", [connection.info.backend_pid])
    for _ in range(2):
        with pytest.raises(psycopg.OperationalError):
            runs.execute("SELECT %s::bigint", [1])
    assert connection.closed
