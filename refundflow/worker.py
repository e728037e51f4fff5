"""The worker: keeps deadlines by itself, on one host or many; any of them may die at any time."""

import gc
import logging
import signal
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from types import FrameType

from refundflow import values
from refundflow.errors import Busy, ChangedMeanwhile, Misconfigured, RefundflowError
from refundflow.outbox import Receiver
from refundflow.proof import Cadence
from refundflow.service import NEAR, Refunds

log = logging.getLogger("refundflow.worker")
# How long a worker sleeps at the most. On SQLite nobody wakes it; on PostgreSQL a commit does that brings money to
# move or a moment within NEAR. Commits that only bring messages wake nobody, so who delivers them looks by himself.
LONGEST_SLEEP = {"sqlite": timedelta(seconds=1), "postgresql": NEAR}
LONGEST_DELIVERING = timedelta(seconds=1)
SHORTEST_SLEEP = timedelta(milliseconds=50)  # where what is due is held by somebody else
AFTER_TROUBLE = timedelta(seconds=2)
COUNT_EVERY = 5.0  # seconds between looks at new entries for the totals
LARGE_SKEW = timedelta(seconds=5)


class Worker:
    """Does what the system owes, round after round, until it is told to stop.

    Nothing is leased: a round that dies is rolled back by the database, and the next worker finds
    the same work. `report` gets what each round did and delivered. `cadence` says how often a checkpoint of the log
    is made, where there is a key to sign it.
    """

    def __init__(
        self,
        refunds: Refunds,
        *,
        receiver: Receiver | None = None,
        report: Callable[[values.Work, values.Delivered | None], None] | None = None,
        cadence: Cadence | None = None,
    ) -> None:
        self.refunds = refunds
        self.receiver = receiver
        self.report = report or (lambda done, delivered: None)
        self.cadence = cadence or Cadence()
        self._stop = threading.Event()
        self._count_at = 0.0

    def stop(self) -> None:
        """Let the running batch end, then return from `run`."""
        self._stop.set()

    def run(self) -> None:
        """Work until `stop`; a database that is busy, full, gone or forbids it for a while is tried again."""
        while not self._stop.is_set():
            try:
                pause = self._round()
            except (Busy, ChangedMeanwhile, Misconfigured) as problem:
                log.warning("%s; trying again", problem)
                pause = AFTER_TROUBLE
            if pause > timedelta(0) and not self._stop.is_set():
                self.refunds.wait_for_work(pause.total_seconds(), self._stop)

    def _round(self) -> timedelta:
        """Do what is to be done now; return how long to sleep."""
        stopped = self._stop.is_set
        done = self.refunds.work(stop=stopped)
        delivered = self.refunds.deliver(self.receiver, stop=stopped) if self.receiver is not None else None
        self.report(done, delivered)
        if not stopped() and time.monotonic() >= self._count_at:
            self._count_at = time.monotonic() + COUNT_EVERY
            self._look_after()
        if done or (delivered and delivered.delivered):
            return timedelta(0)
        return self._pause()

    def _look_after(self) -> None:
        """Count new entries, make a checkpoint when it is time, and compare the clocks."""
        self.refunds.count(stop=self._stop.is_set)
        self._checkpoint()
        skew = self.refunds.skew()
        if abs(skew) > LARGE_SKEW:
            log.warning("this host's clock is %+.1f s off the database's, which decides", skew.total_seconds())

    def _checkpoint(self) -> None:
        """Make and publish a checkpoint when it is time; that it cannot be stops no refund, and is told each time."""
        try:
            self.refunds.checkpoint_when_due(self.cadence, stop=self._stop.is_set)
        except (Busy, ChangedMeanwhile):
            raise
        except RefundflowError as problem:
            log.error("no checkpoint was published: %s", problem)

    def _pause(self) -> timedelta:
        """Return how long nothing is to be done, bounded."""
        delivering = self.receiver is not None
        longest = LONGEST_SLEEP[self.refunds.dialect]
        if delivering:
            longest = min(longest, LONGEST_DELIVERING)
        first = self.refunds.next_work_at(delivering=delivering)
        return longest if first is None else max(min(first - self.refunds.now(), longest), SHORTEST_SLEEP)


def settle() -> None:
    """Leave what this process has loaded out of every later garbage collection; call it once, before the work begins.

    Without it each full collection walks all modules again, in the middle of a batch that others wait for.
    """
    gc.collect()
    gc.freeze()


def run_until_signalled(worker: Worker) -> None:
    """Run a worker in the main thread; SIGTERM and SIGINT end it after the running batch."""

    def end(number: int, frame: FrameType | None) -> None:
        worker.stop()

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        worker.run()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
