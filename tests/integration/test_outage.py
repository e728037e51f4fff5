"""PostgreSQL that cuts connections or restarts in the middle: typed errors, then everything goes on."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from refundflow.errors import Busy
from tests.support.market import LI, Market, prepare_live
from tests.support.postgres import PostgresServer

DATABASE = "outage"
CUTS = 12


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """Run a server of this test's own, so that cutting it disturbs nobody else."""
    with PostgresServer() as running:
        with running.connect() as connection:
            connection.execute("CREATE DATABASE outage")
        prepare_live(running.url(DATABASE))
        yield running


@pytest.fixture
def market(server: PostgresServer) -> Iterator[Market]:
    """Open the live database of that server."""
    opened = Market(server.url(DATABASE))
    yield opened
    opened.close()


def backends(server: PostgresServer) -> list[int]:
    """Name the server's processes that serve the database."""
    with server.connect() as connection:
        asked = "SELECT pid FROM pg_stat_activity WHERE datname = %s"
        return [row[0] for row in connection.execute(asked, [DATABASE])]


def cut_connections(server: PostgresServer) -> None:
    """End every connection to the database, whatever it is doing."""
    with server.connect() as connection:
        for pid in backends(server):
            connection.execute("SELECT pg_terminate_backend(%s)", [pid])


def crash(server: PostgresServer) -> None:
    """Kill one server process, at which the server ends all others and recovers as after a crash."""
    for pid in backends(server)[:1]:
        os.kill(pid, signal.SIGKILL)
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            server.connect().close()
        except psycopg.OperationalError:
            time.sleep(0.05)
        else:
            return


def until_done(call: Callable[[], Any]) -> Any:
    """Make a call again for as long as the database is busy."""
    end = time.monotonic() + 30
    while True:
        try:
            return call()
        except Busy:
            assert time.monotonic() < end, "busy for too long"
            time.sleep(0.02)


@pytest.mark.parametrize("disturb", [cut_connections, crash])
def test_idle_connections_that_died_are_replaced(
    server: PostgresServer, market: Market, disturb: Callable[[PostgresServer], None]
) -> None:
    """After the server has cut all connections the next calls work, reads and acts alike."""
    refund = market.to("submitted")
    disturb(server)

    assert until_done(lambda: market.get(refund)).state == "submitted"
    disturb(server)
    assert until_done(lambda: market.act(refund, "begin_review", LI, key="b")).state == "under_review.reviewing"
    market.require_sound()


@pytest.mark.parametrize(("disturb", "times"), [(cut_connections, CUTS), (crash, 2)])
def test_acts_in_the_middle_of_an_outage(
    server: PostgresServer, market: Market, disturb: Callable[[PostgresServer], None], times: int
) -> None:
    """Each call answers or says Busy; called again with its key until it answers, everything is done once."""
    refund, stop, done = market.to("under_review.reviewing"), threading.Event(), [0, 0]
    problems: list[BaseException] = []

    def act(lane: int) -> None:
        try:
            while not stop.is_set():
                key = f"{lane}.{done[lane]}"
                until_done(lambda: market.act(refund, "note", LI, message=key, key=key))  # noqa: B023
                done[lane] += 1
        except BaseException as problem:  # noqa: BLE001
            problems.append(problem)

    lanes = [threading.Thread(target=act, args=(lane,)) for lane in range(2)]
    for lane in lanes:
        lane.start()
    for _ in range(times):
        time.sleep(0.15)
        disturb(server)
    time.sleep(0.3)
    stop.set()
    for lane in lanes:
        lane.join()
    notes = [entry.key for entry in until_done(lambda: market.history(refund)) if entry.event == "note"]

    assert problems == []
    assert sorted(notes) == sorted(f"{lane}.{number}" for lane in range(2) for number in range(done[lane]))
    assert min(done) > 0
    market.require_sound()


def test_a_server_that_is_gone_is_told_as_busy(server: PostgresServer) -> None:
    """Calls while nobody answers are refused as busy, never with the driver's own error."""
    market = Market(server.url(DATABASE))
    refund = market.to("submitted")
    server.stop()
    with pytest.raises(Busy):
        market.get(refund)
    with pytest.raises(Busy):
        market.act(refund, "begin_review", LI)
    market.close()


def test_a_statement_that_takes_the_server_too_long_is_told_as_busy(server: PostgresServer, market: Market) -> None:
    """Where the server has a limit for statements, what it breaks off has not happened and can be tried again."""
    refund = market.to("submitted")
    with server.connect() as connection:
        connection.execute(f"ALTER DATABASE {DATABASE} SET statement_timeout = 200")
    market.restart()
    with psycopg.connect(server.url(DATABASE)) as other:
        other.execute("SET LOCAL statement_timeout = 0")
        other.execute("SELECT 1 FROM order_lines FOR UPDATE")
        with pytest.raises(Busy):
            market.act(refund, "begin_review", LI)

    assert market.get(refund).state == "submitted"
    assert market.act(refund, "begin_review", LI).state == "under_review.reviewing"
    market.require_sound()
