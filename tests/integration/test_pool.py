"""The pool: how many connections are in use at once, and who gets the next one that comes back."""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from queue import Empty, SimpleQueue

import pytest

from refundflow.store import Conflict, Store
from refundflow.store import pool as pools
from refundflow.store.pool import KEPT, MOST, Lent
from tests.support.databases import Databases

SOON = 5.0  # seconds, of thirty that a turn is waited for


@pytest.fixture
def store(databases: Databases) -> Iterator[Store]:
    """Open a fresh live database."""
    with Store.open(databases.copy_of("pool", prepare)) as opened:
        yield opened


def prepare(url: str) -> None:
    """Make the database that each test gets a copy of."""
    Store.create(url, rehearsal=False).close()


def hold(store: Store, count: int) -> ExitStack:
    """Begin so many looks."""
    with ExitStack() as begun:
        for _ in range(count):
            begun.enter_context(store.look())
        return begun.pop_all()


def test_who_finds_all_in_use_is_told(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only so many transactions run at once; when they have ended there is room again."""
    monkeypatch.setattr(pools, "WAIT_SECONDS", 0.01)
    with hold(store, MOST), pytest.raises(Conflict) as raised:
        store.look()
    assert raised.value.reason == "busy"
    hold(store, MOST).close()


def test_who_waits_gets_the_next_one_that_comes_back(store: Store) -> None:
    """Threads that find all in use go on one after the other, also where a connection came back broken."""
    held, done = hold(store, MOST), threading.Semaphore(0)

    def look() -> None:
        with store.look() as tx:
            tx.meta("mode")
        done.release()

    waiting = [threading.Thread(target=look) for _ in range(4)]
    with pytest.raises(KeyboardInterrupt), store_is_full(held, store, waiting):
        raise KeyboardInterrupt
    for thread in waiting:
        thread.join()
    assert all(done.acquire(blocking=False) for _ in waiting)


def store_is_full(held: ExitStack, store: Store, waiting: list[threading.Thread]) -> ExitStack:
    """Let threads wait behind all that are held."""
    for thread in waiting:
        thread.start()
    while len(store._pool._waiting) < len(waiting):
        pass
    return held


def test_who_begins_to_wait_while_one_comes_back_gets_it(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever gives it back has just seen that nobody waits."""
    held, done = hold(store, MOST - 1), threading.Event()
    last = store.look()

    def look() -> None:
        with store.look() as tx:
            tx.meta("mode")
        done.set()

    waiter = threading.Thread(target=look, daemon=True)

    class Waiting(deque[SimpleQueue[Lent]]):
        def __bool__(self) -> bool:
            seen = len(self) > 0
            if not seen and not waiter.ident:
                waiter.start()
                while not len(self) and not done.is_set():
                    pass
            return seen

    monkeypatch.setattr(store._pool, "_waiting", Waiting())
    with last as tx:
        tx.meta("mode")
    assert done.wait(SOON)
    held.close()


def test_what_comes_in_the_last_moment_is_taken(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has given up waiting just when his turn came loses nothing."""
    held = hold(store, MOST - 1)
    last = store.look()
    last.__enter__()

    class Late(SimpleQueue[Lent]):
        def get(self, block: bool = True, timeout: float | None = None) -> Lent:
            if not held_last:
                return super().get(block, timeout)
            held_last.pop().__exit__(None, None, None)
            raise Empty

    held_last = [last]
    monkeypatch.setattr(pools, "SimpleQueue", Late)
    with store.look() as tx:
        tx.meta("mode")
    held.close()
    assert len(store._pool._all) == KEPT


def test_only_few_stay_open(store: Store) -> None:
    """After many at once, what nobody uses is closed."""
    hold(store, MOST).close()
    assert len(store._pool._idle) == len(store._pool._all) == KEPT


def test_what_is_never_begun_takes_no_place(store: Store) -> None:
    """A connection that was dropped on the way to its transaction is closed and not counted."""
    for _ in range(MOST + 1):
        store.act()
    hold(store, MOST).close()
