"""An interrupt (Ctrl-C) at any place of a transaction: it comes out as such, and the next one finds all free."""

import gc
import itertools
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from types import FrameType
from typing import Any

import pytest
from sqlalchemy import func, select

from refundflow.store import Conflict, Store
from refundflow.store.pool import MOST
from tests.support.databases import Databases
from tests.support.market import LI, Market, prepare_live

SOON = 0.05  # seconds after which a lock that was left is given up


class Interrupt:
    """Raises KeyboardInterrupt at one of the places where Python looks for signals: calls, and returns from C."""

    def __init__(self, place: int) -> None:
        self._left, self.where = place, ""

    def __call__(self, frame: FrameType, event: str, called: Any) -> None:
        """Count a place."""
        if event in ("call", "c_return"):
            self._left -= 1
            if self._left == 0:
                self.where = f"{event} in {frame.f_code.co_qualname}, line {frame.f_lineno}"
                raise KeyboardInterrupt


@pytest.fixture(autouse=True)
def no_collector() -> Iterator[None]:
    """Keep Python from clearing up meanwhile: what it calls then is no part of the work, and swallows an interrupt."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def market(databases: Databases) -> Iterator[Market]:
    """Open a live database whose locks are not waited for."""
    market = Market(databases.copy_of("live", prepare_live))
    market.refunds.engine.store.close()
    market.refunds.engine.store = Store.open(market.url, wait_seconds=SOON)
    yield market
    market.close()


def places(work: Callable[[], object]) -> Iterator[str]:
    """Do a work again and again, each time interrupted one place later; tell where."""
    for place in itertools.count(1):
        interrupt = Interrupt(place)
        try:
            sys.setprofile(interrupt)
            work()
        except KeyboardInterrupt:
            pass
        finally:
            sys.setprofile(None)
        if not interrupt.where:
            return
        yield interrupt.where


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["move", "write", "wipe", "read"])
def test_after_an_interrupt_at_any_place_the_next_move_is_done(market: Market, kind: str) -> None:
    """Neither the lock nor a transaction nor a connection that only reads is left behind; no place is lost."""
    store, refund = market.refunds.engine.store, market.submit().id

    def work() -> None:
        if kind == "move":
            market.act(refund, "note", LI, message="interrupted")
            return
        with store.read() if kind == "read" else store.write(wipe=kind == "wipe") as tx:
            tx.meta("mode")

    seen = 0
    for where in places(work):
        seen += 1
        with store.write() as tx:  # nothing of it changes, but all of it is asked for
            tx.add_meta("mode", where)
        assert market.act(refund, "note", LI, message="next").id == refund, where
    assert seen > 30
    with ExitStack() as all_at_once:
        for _ in range(MOST):
            all_at_once.enter_context(store.look())
    market.require_sound()


def test_an_interrupt_that_was_handled_before_covers_nothing(postgres_databases: Databases) -> None:
    """Who clears up after an interrupt is told that the server went away."""
    url = postgres_databases.copy_of("live", prepare_live)
    with Store.open(url) as store:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            with pytest.raises(Conflict, match="went away"), store.write() as tx:
                tx.session.ask(select(func.pg_terminate_backend(func.pg_backend_pid())))
