"""The test harness itself: both databases answer, and no two tests share one."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from tests.support.databases import Databases
from tests.support.postgres import PostgresServer

Executed = list[tuple[object, ...]]
_seen: set[str] = set()


def execute(url: str, *statements: str) -> Executed:
    """Run statements with the plain driver; the answer is the last one's rows."""
    if url.startswith("sqlite:///"):
        with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
            *_, last = [connection.execute(statement) for statement in statements]
            rows = last.fetchall()
        connection.close()
        return rows
    with psycopg.connect(url) as connection_:
        *_, last_ = [connection_.execute(statement.encode()) for statement in statements]
        return last_.fetchall() if last_.description else []


def test_both_databases_answer(database_url: str) -> None:
    """A fresh URL reaches a database that takes and gives back rows."""
    rows = execute(database_url, "CREATE TABLE t (n INTEGER)", "INSERT INTO t VALUES (7)", "SELECT n FROM t")

    assert rows == [(7,)]


@pytest.mark.parametrize("turn", [1, 2])
def test_two_tests_get_different_databases(database_url: str, turn: int) -> None:
    """What one test creates, the next one does not find: creating it again succeeds, under another URL."""
    execute(database_url, f"CREATE TABLE left_behind AS SELECT {turn} AS turn")

    assert database_url not in _seen
    _seen.add(database_url)


def test_a_prepared_database_is_prepared_once_and_copied(databases: Databases) -> None:
    """Copies hold what was prepared, and what one copy changes the other does not see."""
    prepared: list[str] = []

    def prepare(url: str) -> None:
        prepared.append(url)
        execute(url, "CREATE TABLE greeting AS SELECT 'hello' AS word")

    first, second = (databases.copy_of("greeting", prepare) for _ in range(2))
    execute(first, "DELETE FROM greeting")

    assert len(prepared) == 1
    assert execute(second, "SELECT word FROM greeting") == [("hello",)]


def test_postgresql_is_new_enough_and_keeps_time_in_utc(postgres_server: PostgresServer) -> None:
    """The server is PostgreSQL 15 or newer and counts time in UTC."""
    with postgres_server.connect() as connection:
        version = connection.info.server_version
        zone = connection.execute("SHOW timezone").fetchone()

    assert version >= 150_000
    assert zone == ("UTC",)


def test_a_killed_test_run_leaves_no_server() -> None:
    """When the process that started a server is killed, the server stops and its folder goes."""
    program = (
        "from tests.support.postgres import PostgresServer; import os, signal; s = PostgresServer();"
        "print(s.port, s._room.folder, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    port, folder = killed.stdout.split()

    assert killed.returncode == -9
    wait_until_gone(Path(folder))
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(f"postgresql://postgres@127.0.0.1:{port}/postgres")


def wait_until_gone(path: Path) -> None:
    """Wait at most ten seconds for a path to vanish."""
    wait = 'for i in $(seq 100); do [ -e "$0" ] || exit 0; sleep 0.1; done; exit 1'
    subprocess.run(["/bin/sh", "-c", wait, os.fspath(path)], check=True)
