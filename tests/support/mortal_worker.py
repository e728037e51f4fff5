"""A worker in a process of its own that may be killed at any moment; what it delivers goes to a file."""

from pathlib import Path

from refundflow.outbox import FileReceiver
from refundflow.service import Refunds
from refundflow.worker import Worker


def run(url: str, outbox: str) -> None:
    """Work until the end."""
    with Refunds.connect(url) as refunds:
        Worker(refunds, receiver=FileReceiver(Path(outbox))).run()
