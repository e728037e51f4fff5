"""An erasure, or an import, in a process of its own that dies after a number of transactions."""

import os
import signal
from collections.abc import Callable
from typing import Any

from refundflow.service import Refunds
from refundflow.store import Tx
from tests.support.market import CHEN


def dying(refunds: Refunds, after: int) -> None:
    """Let the process die right after a number of committed transactions that write."""
    write, left = refunds.engine.write, after

    def counted(work: Callable[[Tx], Any], *, wipe: bool = False) -> Any:
        nonlocal left
        answer = write(work, wipe=wipe)
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    refunds.engine.write = counted  # type: ignore[method-assign]


def erase(url: str, buyer: str, after: int) -> None:
    """Erase a buyer, one order line in each transaction, until death."""
    with Refunds.connect(url) as refunds:
        dying(refunds, after)
        refunds.privacy_erase(buyer, reason="request 7", actor=CHEN, batch=1)


def take_in(url: str, path: str, after: int) -> None:
    """Import a history, three cases in each transaction, until death."""
    with Refunds.connect(url) as refunds:
        dying(refunds, after)
        refunds.history_import(path, actor="service:shop", batch=3)
