"""Many writers at once, in threads and in processes: every move is done once, and the proof stands."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest

from refundflow import audit
from refundflow.store import Conflict, Store
from refundflow.vault import Vault
from tests.support.databases import Databases
from tests.support.moves import ORDER, POLICY, REFUND, a_case, a_line, change, register, submit

ROOT = Path(__file__).parents[2]
WRITERS, MOVES = 4, 25

# A process that moves one refund again and again, and says so after each commit.
PROGRAM = """
import sys
from refundflow.store import Store
from tests.integration.test_writers import move
with Store.open(sys.argv[1]) as store:
    for number in range(int(sys.argv[3])):
        move(store, sys.argv[2])
        print(number, flush=True)
"""


def prepare(url: str) -> None:
    """Make one refund on the shared line, and one for each writer."""
    with Store.create(url, rehearsal=False) as store, store.write() as tx:
        for order_id in (ORDER, *(f"w{number}" for number in range(WRITERS))):
            register(tx, a_line(order_id))
            submit(tx, a_case(f"{order_id}-1-1", policy=POLICY))
        tx.put_policy(POLICY, "{}")


@pytest.fixture
def url(databases: Databases) -> str:
    """Copy the prepared database."""
    return databases.copy_of("writers", prepare)


def move(store: Store, refund: str, times: int = 1) -> None:
    """Add entries to a refund, each again until nobody was in the way."""
    done = 0
    while done < times:
        try:
            with store.write() as tx:
                change(tx, refund)
        except Conflict:
            continue
        done += 1


def start(url: str, refund: str, moves: int) -> subprocess.Popen[str]:
    """Start a process that moves a refund."""
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, url, refund, str(moves)],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def at_once(works: Sequence[Callable[[], None]]) -> None:
    """Run works in threads that begin together; an exception in one of them fails the test."""
    barrier = threading.Barrier(len(works))
    problems: list[BaseException] = []

    def run(work: Callable[[], None]) -> None:
        try:
            barrier.wait()
            work()
        except BaseException as problem:  # noqa: BLE001
            problems.append(problem)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []


def length(store: Store, refund: str) -> int:
    """Prove the database and return how many entries a refund has."""
    with store.read() as tx:
        assert audit.verify(tx, Vault(store.secret, store.rehearsal)).findings == ()
        return tx.head(refund.split("-")[0], refund).seq


def test_processes_on_one_refund_lose_no_move(url: str) -> None:
    """Every move that was acknowledged stands in the chain, once, and no other."""
    writers = [start(url, REFUND, MOVES) for _ in range(WRITERS)]
    told = [len((writer.communicate(timeout=120))[0].split()) for writer in writers]
    with Store.open(url) as store:
        assert told == [MOVES] * WRITERS and length(store, REFUND) == 1 + WRITERS * MOVES


def test_threads_share_a_store(url: str) -> None:
    """One store serves many threads, on their own lines and on one that all want."""
    with Store.open(url) as store:
        refunds = [*(f"w{number}-1-1" for number in range(WRITERS)), *[REFUND] * WRITERS]
        at_once([partial(move, store, refund, MOVES) for refund in refunds])
        assert length(store, REFUND) == 1 + WRITERS * MOVES
        assert {length(store, f"w{number}-1-1") for number in range(WRITERS)} == {1 + MOVES}


def test_readers_are_not_in_the_way(url: str) -> None:
    """A long read neither stops a writer nor sees what it does."""
    with Store.open(url) as store, store.read() as tx:
        before = tx.head(ORDER, REFUND)
        at_once([lambda: move(store, REFUND)])
        assert tx.head(ORDER, REFUND) == before
        with store.read() as later:
            assert later.head(ORDER, REFUND).seq == before.seq + 1


def test_what_a_killed_writer_told_is_kept(url: str) -> None:
    """A process killed under load loses nothing that it acknowledged and leaves nothing half done."""
    other = start(url, "w1-1-1", MOVES)
    with start(url, REFUND, 10_000) as writer:
        assert writer.stdout is not None
        told = [int(writer.stdout.readline()) for _ in range(MOVES)]
        writer.kill()
        told += [int(line) for line in writer.stdout]  # `communicate` knows nothing of what `readline` holds
    other.communicate(timeout=120)
    with Store.open(url) as store:
        kept = length(store, REFUND) - 1
        assert kept in (told[-1] + 1, told[-1] + 2)  # the last one may have been committed and not told
        move(store, REFUND)
        assert length(store, "w1-1-1") == 1 + MOVES


def test_a_lock_that_does_not_come_free_is_busy(url: str) -> None:
    """A writer that waited long enough is told so, and nothing was done."""
    with Store.open(url) as store, store.write() as tx, Store.open(url, wait_seconds=0.05) as impatient:
        change(tx)
        with pytest.raises(Conflict) as raised, impatient.write() as other:
            change(other)
    with Store.open(url) as store:
        assert raised.value.reason == "busy" and length(store, REFUND) == 2
