"""A process that forks while the database is open: neither speaks on the other's connections or holds its lock."""

import gc
import os
import signal
import subprocess
import sys
import traceback
from contextlib import ExitStack

import pytest

from refundflow.store import Tx
from refundflow.store.registers import REACH_TIME
from refundflow.store.sessions import LookingSession, Writes
from tests.support.databases import Databases
from tests.support.market import LI, SHOP, Market, prepare_live

MOVES = 40
_PATIENCE = 30  # seconds

# Forks a child that does nothing for a long time, then dies in the middle of a move.
_PARENT = """
import os, signal, sys, time
from tests.support.market import SHOP, Market, order_row
market = Market(sys.argv[1])
market.refunds.register_order(order_row("B1"), actor=SHOP)
child = os.fork()
if child == 0:
    time.sleep(600)
print(child, flush=True)
with market.refunds.engine.store.write() as tx:
    tx.aggregate("B1", "1", lock=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_parent_and_child_go_on_side_by_side(live: Market) -> None:
    """What was opened before the fork is used by the parent alone; both find their own refund, and lose no move."""
    refunds = [live.submit().id, live.submit().id]
    child = os.fork()
    mine = refunds[1 if child else 0]
    if child == 0:
        signal.alarm(_PATIENCE)
        try:
            _note(live, mine)
        except BaseException:  # noqa: BLE001
            os._exit(1)
        os._exit(0)
    _note(live, mine)
    _, status = os.waitpid(child, 0)

    assert status == 0
    assert [len(live.history(refund)) for refund in refunds] == [1 + MOVES] * 2
    live.require_sound()


def _note(market: Market, refund: str) -> None:
    for number in range(MOVES):
        assert market.act(refund, "note", LI, message=str(number)).id == refund
        assert market.get(refund).id == refund


def test_a_lock_ends_with_the_process_that_held_it(databases: Databases) -> None:
    """A child that was forked before holds nobody up once its parent was killed in the middle of a move."""
    market = Market(databases.copy_of("live", prepare_live))
    with subprocess.Popen([sys.executable, "-c", _PARENT, market.url], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        try:
            assert parent.wait(_PATIENCE) == -signal.SIGKILL
            assert market.refunds.record_usage("B1", usage="used", actor=SHOP).usage == "used"
        finally:
            os.kill(child, signal.SIGKILL)
    market.close()


@pytest.mark.parametrize("kind", ["write", "read", "act", "look"])
def test_a_transaction_stays_with_the_process_that_began_it(live: Market, kind: str) -> None:
    """A child that was forked within it can neither go on with it nor end it, and begins its own."""
    store, refund = live.refunds.engine.store, live.submit().id
    with ExitStack() as stack:
        tx = stack.enter_context(getattr(store, kind)())
        mode = tx.meta("mode")
        if kind == "write":
            tx.add_meta("by", "parent")
        child = os.fork()
        if child == 0:
            signal.alarm(_PATIENCE)
            os._exit(_go_on(live, refund, tx, stack.pop_all()))
        _, status = os.waitpid(child, 0)
        assert (status, tx.meta("mode")) == (0, mode)
    with store.read() as tx:
        assert tx.meta("by") == ("parent" if kind == "write" else None)


def _go_on(market: Market, refund: str, tx: Tx, within: ExitStack) -> int:
    """Go on in a child; return 0 where all was refused that had to be."""
    rows: Writes = {REACH_TIME: [{"key": "by", "value": "child"}]}
    try:
        with pytest.raises(RuntimeError, match="the parent's"):
            tx.meta("mode")
        with pytest.raises((RuntimeError, TypeError)):  # who looks may not write anyway
            tx.session.write(rows)
        if not isinstance(tx.session, LookingSession):
            with pytest.raises(RuntimeError, match="the parent's"):
                within.close()
        within.close()
        assert market.get(refund).id == refund
        gc.collect()
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
        return 1
    return 0
