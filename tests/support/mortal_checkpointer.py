"""Makes notes and checkpoints in a process of its own that may be killed at any moment."""

from pathlib import Path

from refundflow.errors import Busy, ChangedMeanwhile
from refundflow.service import Refunds
from tests.support.market import LI


def run(url: str, key: str, place: str, refund: str, name: str) -> None:
    """Go on until the end: a note, then a checkpoint over what there is, published."""
    number = 0
    with Refunds.connect(url, signing_key=Path(key), checkpoints=place) as refunds:
        while True:
            number += 1
            try:
                refunds.note(refund, message=f"{name} {number}", actor=LI)
                refunds.checkpoint()
            except (Busy, ChangedMeanwhile):
                continue
