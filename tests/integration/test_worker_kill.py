"""kill -9 of workers at random, and a server that restarts and cuts them off: every deadline fired exactly once.

REFUNDFLOW_WORKER_KILLS sets the number of kills per database (hundreds take minutes), REFUNDFLOW_WORKER_REFUNDS
the number of refunds with two due deadlines each. Run with `-s` to see the counts.
"""

import json
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from random import Random

import pytest

from refundflow.errors import Busy, Misconfigured
from refundflow.service import Refunds
from refundflow.service.delivery import PATIENCE as BEGUN
from tests.integration.test_outage import DATABASE, crash, cut_connections
from tests.support import mortal_worker
from tests.support.aged import LAPSES, Inbox, lapses_of, waiting_for_evidence
from tests.support.databases import Databases
from tests.support.market import LI
from tests.support.postgres import PostgresServer

KILLS = int(os.environ.get("REFUNDFLOW_WORKER_KILLS", "12"))
REFUNDS = int(os.environ.get("REFUNDFLOW_WORKER_REFUNDS", "150"))
WORKERS = 2
SECONDS = 120.0


def start(url: str, outbox: Path) -> ForkServerProcess:
    """Start a worker in a process of its own."""
    forks = multiprocessing.get_context("forkserver")
    forks.set_forkserver_preload(["tests.support.mortal_worker"])
    worker = forks.Process(target=mortal_worker.run, args=(url, str(outbox)), daemon=True)
    worker.start()
    return worker


def end(worker: ForkServerProcess) -> None:
    """Kill one worker as the power cut does; it must have lived until then."""
    assert worker.is_alive(), f"a worker ended by itself: {worker.exitcode}"
    worker.kill()
    worker.join()


@contextmanager
def working(url: str, outbox: Path) -> Iterator[list[ForkServerProcess]]:
    """Keep two workers; they are killed at the end."""
    workers = [start(url, outbox) for _ in range(WORKERS)]
    try:
        yield workers
    finally:
        for worker in workers:
            worker.kill()
            worker.join()


def until(true: Callable[[], bool], what: str) -> None:
    """Wait until something holds; a database that is away meanwhile does not count."""
    last = time.monotonic() + SECONDS
    while True:
        try:
            if true():
                return
        except (Busy, Misconfigured):
            pass
        assert time.monotonic() < last, f"waited in vain for {what}"
        time.sleep(0.1)


def nothing_is_due(url: str) -> bool:
    """Tell whether every deadline has been fired."""
    with Refunds.connect(url) as refunds:
        return refunds.next_work_at() is None


def require_each_once(url: str, outbox: Path) -> str:
    """Require that nothing was lost and nothing fired twice, in the chains and in what left; the answer tells it."""
    lapses = lapses_of(url)
    assert len(lapses) == REFUNDS and set(map(tuple, lapses.values())) == {LAPSES}
    inbox = Inbox()
    with Refunds.connect(url) as refunds:
        assert not refunds.verify().findings
        waiting = refunds.effects(actor=LI, limit=100 * REFUNDS)
        refunds.deliver(inbox)
    told = [json.loads(line) for line in outbox.read_text().splitlines()] if outbox.exists() else []
    first: dict[str, dict[str, object]] = {}
    for message in told:
        first.setdefault(message["id"], message)
    # Who was killed between handing a message over and writing that down has both: it will come again.
    ended = {message["refund"] for message in first.values() if message["code"] == "APPEAL_WINDOW_CLOSED"}
    assert len(ended | {item.refund for item in waiting if item.code == "APPEAL_WINDOW_CLOSED"}) == REFUNDS
    numbers: dict[object, list[object]] = {}
    for message in first.values():
        numbers.setdefault(message["refund"], []).append(message["seq"])
    assert all(found == sorted(found, key=str) for found in numbers.values())
    return f"{2 * REFUNDS} deadlines fired once, {len(first)} effects left, {len(told) - len(first)} of them twice"


def test_every_deadline_is_fired_once_whoever_is_killed(databases: Databases, tmp_path: Path) -> None:
    """Two workers at a time die at random moments; in the end everything is done once, without a hand."""
    url = databases.copy_of("aged_many", lambda url: waiting_for_evidence(url, REFUNDS))
    outbox, moment, kills = tmp_path / "outbox.jsonl", Random(7), 0
    workers = [start(url, outbox) for _ in range(WORKERS)]
    time.sleep(1.0)
    while kills < KILLS:
        time.sleep(moment.uniform(0, 0.3))
        end(workers.pop(0))
        kills += 1
        workers.append(start(url, outbox))
    until(lambda: nothing_is_due(url), "the lapses")
    for worker in workers:
        end(worker)

    print(f"{kills} kills: {require_each_once(url, outbox)}; begun deliveries come again after {BEGUN}")


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """Run a server of this test's own, so that cutting it disturbs nobody else."""
    with PostgresServer() as running:
        with running.connect() as connection:
            connection.execute(f"CREATE DATABASE {DATABASE}")
        waiting_for_evidence(running.url(DATABASE), REFUNDS)
        yield running


def test_workers_outlive_a_server_that_restarts(server: PostgresServer, tmp_path: Path) -> None:
    """Connections cut in mid-batch and a server that crashes cost no deadline and no worker."""
    url, outbox = server.url(DATABASE), tmp_path / "outbox.jsonl"
    with working(url, outbox) as workers:
        for _ in range(3):
            time.sleep(0.3)
            cut_connections(server)
        crash(server)
        until(lambda: nothing_is_due(url), "the lapses")
        assert all(worker.is_alive() for worker in workers)

    print(f"3 cuts, 1 crash: {require_each_once(url, outbox)}")
