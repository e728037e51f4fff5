"""A worker in a process of its own that may be killed at any moment; what it delivers goes to a file."""

import time
from pathlib import Path

from refundflow.errors import Busy, Misconfigured
from refundflow.outbox import FileReceiver
from refundflow.service import Refunds
from refundflow.worker import Worker

PATIENCE = 30.0  # seconds in which a server may come back


def run(url: str, outbox: str) -> None:
    """Work until the end."""
    with connected(url) as refunds:
        Worker(refunds, receiver=FileReceiver(Path(outbox))).run()


def connected(url: str) -> Refunds:
    """Connect as soon as the server answers, as whoever restarts a worker would."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return Refunds.connect(url)
        except (Busy, Misconfigured):
            if time.monotonic() > end:
                raise
            time.sleep(0.1)
