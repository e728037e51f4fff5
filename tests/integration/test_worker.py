"""The worker: does what is due wherever it runs, in batches, shares with others, stops in between, and recovers."""

import resource
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from refundflow.proof import Cadence
from refundflow.proof.folder import Folder
from refundflow.service import Refunds
from refundflow.service.sweep import BATCH
from refundflow.store import Store
from refundflow.worker import Worker
from tests.support.aged import LAPSES, Inbox, lapses_of, waiting_for_evidence
from tests.support.databases import Databases
from tests.support.market import CHEN, LI, Market
from tests.support.moves import a_case, a_line, at, register, submit

COUNT = 12
PATIENCE = 60.0


@pytest.fixture
def aged(databases: Databases) -> str:
    """Make a live database with a dozen refunds of which two deadlines each are due."""
    return databases.copy_of("aged", lambda url: waiting_for_evidence(url, COUNT))


@contextmanager
def running(refunds: Refunds, inbox: Inbox | None = None) -> Iterator[Worker]:
    """Run a worker in a thread of its own."""
    worker = Worker(refunds, receiver=inbox)
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        yield worker
    finally:
        worker.stop()
        thread.join(PATIENCE)
        assert not thread.is_alive(), "the worker did not stop"


def until(true: Callable[[], object]) -> None:
    """Wait until something holds."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def all_lapsed(url: str) -> bool:
    """Tell whether every deadline has been fired."""
    return set(map(tuple, lapses_of(url).values())) == {LAPSES}


def test_a_worker_does_what_is_due_and_tells_of_it(aged: str) -> None:
    """It fires every deadline once, and delivers what that brought about."""
    inbox = Inbox()
    with Refunds.connect(aged) as refunds, running(refunds, inbox):
        until(lambda: all_lapsed(aged))
        until(lambda: not refunds.effects(actor=LI))

        assert not refunds.verify().findings
    codes = [message.code for message in inbox.taken]
    assert codes.count("APPEAL_WINDOW_CLOSED") == COUNT
    assert len({message.id for message in inbox.taken}) == len(inbox.taken)


def test_workers_share_and_do_nothing_twice(aged: str) -> None:
    """Three workers at once leave each deadline fired once and each message delivered once."""
    inbox = Inbox()
    with Refunds.connect(aged) as one, Refunds.connect(aged) as two, Refunds.connect(aged) as three:
        with running(one, inbox), running(two, inbox), running(three, inbox):
            until(lambda: all_lapsed(aged) and not one.effects(actor=LI))
        assert not one.verify().findings

    assert len({message.id for message in inbox.taken}) == len(inbox.taken)
    for refund in lapses_of(aged):
        numbers = [message.seq for message in inbox.taken if message.refund == refund]
        assert numbers == sorted(numbers)


def test_a_held_line_is_left_to_its_holder_and_others_go_on(aged: str) -> None:
    """On PostgreSQL a line that somebody is changing is passed over; it is fired once he is done."""
    with Refunds.connect(aged) as refunds, Store.open(aged) as other:
        if refunds.dialect == "sqlite":
            pytest.skip("SQLite has one writer at a time")
        with other.write() as tx:
            assert tx.aggregate("W0", "1", lock=True) is not None
            assert refunds.work().lapsed == 2 * (COUNT - 1)
        assert refunds.work().lapsed == 2


def test_a_batch_that_others_hold_is_looked_past(aged: str) -> None:
    """A worker that finds the oldest held takes as many of those behind them."""
    with Refunds.connect(aged) as refunds, Store.open(aged) as other:
        if refunds.dialect == "sqlite":
            pytest.skip("SQLite has one writer at a time")
        with other.write() as tx:
            assert all(tx.hold([("W0", "1"), ("W1", "1")]))
            assert refunds.fire(Counter(), limit=2) == 2
        assert refunds.fire(Counter(), limit=COUNT) == COUNT - 2


def test_a_worker_stops_after_the_running_batch(aged: str) -> None:
    """Told to stop it begins nothing new, and nothing is half done."""
    with Refunds.connect(aged) as refunds:
        answers = iter([False, True])
        done = refunds.work(stop=lambda: next(answers, True))
        rest = refunds.work()

    assert (done.lapsed, done.warned, rest.lapsed) == (2 * min(COUNT, BATCH), 0, 0)


def test_a_batch_is_bounded(aged: str) -> None:
    """No transaction fires more lines than it was told to."""
    with Refunds.connect(aged) as refunds:
        steps, done = [], Counter[str]()
        while fired := refunds.fire(done, limit=5):
            steps.append(fired)

    assert steps == [5, 5, 2] and done == {"lapsed": 2 * COUNT}


def test_a_commit_that_brings_something_near_wakes_whoever_listens(postgres_databases: Databases) -> None:
    """A moment within the longest sleep is announced, and one that is found in time anyway is not."""
    url = postgres_databases.empty()
    with Store.create(url, rehearsal=False) as store, psycopg.connect(url, autocommit=True) as ears:
        ears.execute("LISTEN refundflow")
        heard = []
        for order, due_at in (("far", at(days=1)), ("near", at(seconds=20))):
            with store.write() as tx:
                register(tx, a_line(order))
                deadline = {"due_at": due_at, "event": "review_overdue", "rule": "", "calendar": "c", "set_at": at()}
                submit(tx, a_case(f"{order}-1-1", deadlines={"review": deadline}))
            heard.append(len(list(ears.notifies(timeout=0.5, stop_after=1))))

    assert heard == [0, 1]


def test_a_sleeping_worker_is_woken_by_a_commit(postgres_databases: Databases, live: Market) -> None:
    """An approval is paid long before the worker would have looked by itself."""
    if live.refunds.dialect == "sqlite":
        pytest.skip("SQLite wakes nobody")
    with Refunds.connect(live.url, gateways={"fake": live.channel}) as refunds, running(refunds):
        time.sleep(1.5)  # it sleeps, for half a minute if nobody wakes it
        refund = live.to("approved.payable")
        begun = time.monotonic()
        until(lambda: live.get(refund).state == "paid_out.settled")

    assert time.monotonic() - begun < 10


def test_the_skew_of_a_host_is_measured_against_the_database(live: Market) -> None:
    """A clock an hour ahead is told as such where the database has its own; nothing is judged by it."""
    skew = live.refunds.skew(host=lambda: datetime.now(UTC) + timedelta(hours=1))
    expected = timedelta(0) if live.refunds.dialect == "sqlite" else timedelta(hours=1)

    assert abs(skew - expected) < timedelta(seconds=5)
    assert abs(live.refunds.skew()) < timedelta(seconds=5)


WORK = """
import sys
from refundflow.service import Refunds
from refundflow.worker import Worker
Worker(Refunds.connect(sys.argv[1])).run()
"""


def test_a_full_disk_is_survived(sqlite_databases: Databases, tmp_path: Path) -> None:
    """A worker that can write nothing goes on trying, and does all once there is room, without a hand."""
    url = sqlite_databases.copy_of("aged", lambda url: waiting_for_evidence(url, COUNT))
    log = tmp_path / "log"
    with log.open("w") as told, subprocess.Popen([sys.executable, "-c", WORK, url], stderr=told) as worker:
        try:
            # room for what SQLite needs to read (32 KiB), and for hardly more
            resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, (36_864, resource.RLIM_INFINITY))
            until(lambda: "cannot write" in log.read_text())
            nothing = lapses_of(url)
            resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            until(lambda: all_lapsed(url))
        finally:
            worker.kill()

    assert not any(nothing.values())


def test_a_worker_makes_checkpoints_and_goes_on_where_it_cannot(
    live: Market, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """By itself, at its cadence; a folder that cannot be written is told in the log and stops no refund."""
    refunds = live.refunds
    refunds.signing_key, refunds.place = tmp_path / "log.key", Folder(tmp_path / "log")
    (tmp_path / "log").write_text("in the way", encoding="utf-8")
    refunds.key_create(actor=CHEN)
    worker = Worker(refunds, cadence=Cadence(after=timedelta(0)))
    worker._round()
    assert "no checkpoint was published" in caplog.text and len(refunds.checkpoints()) <= 1
    (tmp_path / "log").unlink()
    live.submit()
    worker._count_at = 0.0
    worker._round()

    newest = refunds.checkpoints()[-1]
    assert (tmp_path / "log" / "checkpoint").read_text(encoding="utf-8") == newest.note
    assert refunds.numbers().unsigned == 0 and refunds.numbers().checkpoint_age_seconds < PATIENCE
