"""What the worker costs: finding what is due, a sweep against the same rows by hand, and how long others wait.

Run `python -m bench.worker`; `--full` is a million refunds and ten thousand deadlines.
"""

import argparse
import multiprocessing
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path

from bench.by_hand import newest, open_hand, record
from bench.clones import clone, clone_name
from bench.recorded import Place
from bench.scene import postgres_url, sqlite_url
from refundflow.service import Refunds
from refundflow.service.sweep import BATCH
from refundflow.service.work import LET_IN
from refundflow.store import Store
from refundflow.worker import settle
from states import times
from tests.support.aged import waiting_for_evidence
from tests.support.market import LI, a_file

FOUND = 100
LOOKS = 40
TURN = 5 * BATCH  # deadlines of one turn, so that both ways meet the same weather
MODEL = "W0"  # the order that is copied; W1 records what its lapses write
PAST, FUTURE = (times.text(datetime.now(UTC) + timedelta(days=days)) for days in (-20, 400))


def main() -> None:
    """Measure on both databases and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.worker", description=__doc__)
    parser.add_argument("--refunds", type=int, default=100_000, help="the many among which few are due (%(default)s)")
    parser.add_argument("--deadlines", type=int, default=2_000, help="how many lapse at once (default %(default)s)")
    parser.add_argument("--full", action="store_true", help="1,000,000 refunds, 10,000 deadlines")
    parser.add_argument("--only", choices=("sqlite", "postgresql"), help="one database alone")
    given = parser.parse_args()
    refunds, deadlines = (1_000_000, 10_000) if given.full else (given.refunds, given.deadlines)
    for kind, measured in (("finding", finding), ("sweeping", sweeping), ("waiting", waiting)):
        for database, url in urls(given.only):
            print(f"{database}, {kind}: {measured(url, refunds if kind == 'finding' else deadlines)}", flush=True)


def urls(only: str | None) -> Iterator[tuple[str, str]]:
    """Yield a new database of each kind in which three refunds wait for evidence since long."""
    if only != "postgresql":
        with tempfile.TemporaryDirectory() as room, sqlite_url(Path(room)) as url:
            waiting_for_evidence(url, 3)
            yield "SQLite", url
    if only != "sqlite":
        with postgres_url() as url:
            waiting_for_evidence(url, 3)
            yield "PostgreSQL", url


def finding(url: str, many: int) -> str:
    """Compare finding a hundred due refunds among few with finding them among many."""
    few = many // 100 if many >= 1_000_000 else many // 10
    clone(url, MODEL, FOUND, prefix="D")
    medians = []
    for count, prefix in ((few, "F"), (many - few, "G")):
        clone(url, MODEL, count, prefix=prefix, due=FUTURE)
        with Store.open(url) as store, store.read() as tx:
            now = tx.now()
            assert len(tx.due(now, FOUND)) == FOUND
            medians.append(statistics.median(_seconds(lambda: tx.due(now, FOUND)) for _ in range(LOOKS)))  # noqa: B023
    ratio = medians[1] / medians[0]
    found = f"{FOUND} due among {few:,}: {medians[0] * 1e3:.2f} ms, among {many:,}: {medians[1] * 1e3:.2f} ms"
    return f"{found}; ratio {ratio:.2f}"


def sweeping(url: str, count: int) -> str:
    """Compare a sweep of due deadlines with the same rows written by hand, in batches of the same size, in turn."""
    hand = open_hand(url)
    model = Place("W1", "W1-1-1")
    seq = newest(hand, model)
    clone(url, MODEL, 1, prefix="V", due=FUTURE)  # the worker leaves this one alone
    settle()
    shares: list[tuple[float, float, float, float]] = []
    with Refunds.connect(url) as refunds:
        refunds.work()
        lapses = record(hand, model, seq)
        clone(url, clone_name("V", 0), count, prefix="N", due=PAST)
        clone(url, clone_name("V", 0), count, prefix="H", due=FUTURE)
        for start in range(0, count, TURN):
            orders = [clone_name("H", number) for number in range(start, start + TURN)]
            places = [Place(order, f"{order}-1-1") for order in orders]

            def write() -> None:
                for first in range(0, TURN, BATCH):
                    hand.begin()
                    for place in places[first : first + BATCH]:  # noqa: B023
                        hand.write(lapses, place)
                    hand.commit()

            def fire() -> None:
                done: Counter[str] = Counter()
                while done["lapsed"] < TURN * len(lapses.bodies) and refunds.fire(done):
                    time.sleep(LET_IN)

            both = (fire, write) if start // TURN % 2 else (write, fire)
            timed = {way.__name__: _measured(way) for way in both}
            shares.append(timed["fire"] + timed["write"])
    hand.close()
    worker, floor = (statistics.median(share[which] for share in shares) / TURN * 1e3 for which in (0, 2))
    wall = statistics.median(share[0] / share[2] for share in shares)
    cpu = statistics.median(share[1] / share[3] for share in shares)
    return (
        f"{count} refunds, {lapses.rows} rows each: worker {worker:.3f} ms, by hand {floor:.3f} ms;"
        f" ratio {wall:.2f}, of CPU {cpu:.2f}"
    )


def _measured(work: Callable[[], object]) -> tuple[float, float]:
    """Return wall and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def waiting(url: str, count: int) -> str:
    """Let another process act on other refunds while many lapse at once; compare its longest wait with a batch."""
    clone(url, MODEL, count, prefix="D")
    spawn = multiprocessing.get_context("spawn")
    mine, theirs = spawn.Pipe()
    other = spawn.Process(target=_act, args=(url, theirs), daemon=True)
    other.start()
    assert mine.recv() == "ready"
    batches: list[float] = []
    done: Counter[str] = Counter()
    with Refunds.connect(url) as refunds:
        while True:
            begun = time.perf_counter()
            if not refunds.fire(done):
                break
            batches.append(time.perf_counter() - begun)
            time.sleep(0.002)
    mine.send("stop")
    waits: list[float] = mine.recv()
    other.join()
    longest, wait = max(batches), max(waits)
    typical = statistics.median(waits)
    return (
        f"{done['lapsed']} lapses in {len(batches)} batches, the longest {longest * 1e3:.0f} ms; {len(waits)} single"
        f" moves meanwhile, median {typical * 1e3:.1f} ms, the longest {wait * 1e3:.0f} ms; ratio {wait / longest:.2f}"
    )


def _act(url: str, told: Connection) -> None:
    """Add notes to one refund until told to stop; tell how long each took."""
    waits: list[float] = []
    with Refunds.connect(url) as refunds:
        refund = refunds.submit("S0", reason="FRAUD", note="Not me.", evidence=[a_file()], actor="buyer:calm").id
        told.send("ready")
        while not told.poll():
            waits.append(_seconds(lambda: refunds.note(refund, message="called", actor=LI)))
            time.sleep(0.005)
    told.send(waits)


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
