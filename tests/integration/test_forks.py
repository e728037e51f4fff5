"""A process that forks while the database is open: neither speaks on the other's connections or holds its lock."""

import os
import signal
import subprocess
import sys

from tests.support.databases import Databases
from tests.support.market import LI, SHOP, Market, order_row, prepare_live

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
with market.refunds.engine.store.write():
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


def test_a_lock_ends_with_the_process_that_held_it(sqlite_databases: Databases) -> None:
    """A child that was forked before holds nobody up once its parent was killed in the middle of a move."""
    market = Market(sqlite_databases.copy_of("live", prepare_live))
    with subprocess.Popen([sys.executable, "-c", _PARENT, market.url], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        try:
            assert parent.wait(_PATIENCE) == -signal.SIGKILL
            market.refunds.register_order(order_row("B2"), actor=SHOP)
        finally:
            os.kill(child, signal.SIGKILL)
    market.close()
