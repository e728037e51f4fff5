"""What a scrape costs over many closed refunds, and whether memory stays flat while deadlines are fired.

Run `python -m bench.numbers`; `--closed 1000000 --fired 1000000` is the full size (hours).
"""

import argparse
import gc
import resource
import statistics
import time

from sqlalchemy import text

from bench.clones import clone, clone_name
from bench.worker import FUTURE, MODEL, PAST, urls
from refundflow import metrics, migrations
from refundflow.service import Refunds

OPEN = 1_000
SCRAPES = 15


def main() -> None:
    """Measure on both databases and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.numbers", description=__doc__)
    parser.add_argument("--closed", type=int, default=50_000, help="closed refunds (default %(default)s)")
    parser.add_argument("--fired", type=int, default=4_000, help="refunds, two deadlines each (default %(default)s)")
    parser.add_argument("--only", choices=("sqlite", "postgresql"), help="one database alone")
    given = parser.parse_args()
    for database, url in urls(given.only):
        print(f"{database}, a scrape: {scraping(url, given.closed)}", flush=True)
    for database, url in urls(given.only):
        print(f"{database}, memory: {memory(url, given.fired)}", flush=True)


def scraping(url: str, many: int) -> str:
    """Compare a scrape over few closed refunds with one over many, a thousand open ones beside them."""
    few = min(10_000, many // 5)
    with Refunds.connect(url) as refunds:
        refunds.work()
        refunds.count()
        clone(url, MODEL, few, prefix="C")
        clone_open(url)
        medians = [_scrapes(refunds, url)]
        clone(url, MODEL, many - few, prefix="E")
        medians.append(_scrapes(refunds, url))
    few_ms, many_ms = (median * 1e3 for median in medians)
    return f"over {few:,} closed {few_ms:.1f} ms, over {many:,} closed {many_ms:.1f} ms; ratio {many_ms / few_ms:.2f}"


def clone_open(url: str) -> None:
    """Copy one refund a thousand times and let the copies stand open."""
    clone(url, MODEL, OPEN, prefix="O")
    with migrations.connect(url, write=True) as connection:
        moment = "CAST(:later AS timestamptz)" if connection.dialect.name == "postgresql" else ":later"
        change = f"UPDATE refunds SET state = 'submitted', next_due_at = {moment} WHERE order_id LIKE 'O%'"
        connection.execute(text(change), {"later": FUTURE})


def _scrapes(refunds: Refunds, url: str) -> float:
    with migrations.connect(url, write=True) as connection:
        connection.execute(text("ANALYZE"))
    seconds = []
    for _ in range(SCRAPES):
        begun = time.perf_counter()
        metrics.text(refunds)
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds)


def memory(url: str, count: int) -> str:
    """Fire deadlines in ten rounds and tell the greatest memory after the second and after the last."""
    clone(url, MODEL, 1, prefix="V", due=FUTURE)
    peaks = []
    with Refunds.connect(url) as refunds:
        for number in range(10):
            clone(url, clone_name("V", 0), count // 10, prefix=f"M{number}x", due=PAST)
            refunds.work()
            refunds.count()
            gc.collect()
            peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    return f"{2 * count:,} deadlines: {peaks[1]:.0f} MiB after a fifth, {peaks[-1]:.0f} MiB at the end"


if __name__ == "__main__":
    main()
