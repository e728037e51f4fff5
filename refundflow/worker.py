"""The worker: keeps deadlines by itself, on one host or many; any of them may die at any time."""

import logging
import signal
import threading
from collections.abc import Callable
from datetime import timedelta
from types import FrameType

from refundflow import values
from refundflow.errors import Busy, ChangedMeanwhile
from refundflow.outbox import Receiver
from refundflow.service import Refunds

log = logging.getLogger("refundflow.worker")
# How long a worker sleeps at the most: on SQLite nobody wakes it, on PostgreSQL a commit does.
LONGEST_SLEEP = {"sqlite": timedelta(seconds=1), "postgresql": timedelta(seconds=30)}
AFTER_TROUBLE = timedelta(seconds=2)


class Worker:
    """Does what the system owes, round after round, until it is told to stop.

    Nothing is leased: a round that dies is rolled back by the database, and the next worker finds
    the same work. `report` gets what each round did and delivered.
    """

    def __init__(
        self,
        refunds: Refunds,
        *,
        receiver: Receiver | None = None,
        report: Callable[[values.Work, values.Delivered | None], None] | None = None,
    ) -> None:
        self.refunds = refunds
        self.receiver = receiver
        self.report = report or (lambda done, delivered: None)
        self._stop = threading.Event()

    def stop(self) -> None:
        """Let the running round end, then return from `run`."""
        self._stop.set()

    def run(self) -> None:
        """Work until `stop`; a database that is busy or gone for a while is tried again."""
        while not self._stop.is_set():
            try:
                done = self.refunds.work()
                delivered = self.refunds.deliver(self.receiver) if self.receiver is not None else None
                self.report(done, delivered)
                pause = timedelta(0) if done or (delivered and delivered.delivered) else self._pause()
            except (Busy, ChangedMeanwhile) as problem:
                log.warning("%s; trying again", problem)
                pause = AFTER_TROUBLE
            if pause > timedelta(0) and not self._stop.is_set():
                self.refunds.wait_for_work(pause.total_seconds(), self._stop)

    def _pause(self) -> timedelta:
        """Return how long nothing is to be done, bounded."""
        longest = LONGEST_SLEEP[self.refunds.dialect]
        first = self.refunds.next_work_at()
        return longest if first is None else max(min(first - self.refunds.now(), longest), timedelta(0))


def run_until_signalled(worker: Worker) -> None:
    """Run a worker in the main thread; SIGTERM and SIGINT end it after the running round."""

    def end(number: int, frame: FrameType | None) -> None:
        worker.stop()

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        worker.run()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
