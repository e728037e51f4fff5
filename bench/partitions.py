"""What partitions cost a move: the same moves on whole tables and on partitioned ones, in turn on one server.

Run `python -m bench.partitions`. CPU is that of the caller and of the server together. With `--generic` the partitioned
databases plan once for any values (`plan_cache_mode`), instead of at every call for its own.
"""

import argparse
import statistics
import time
from collections.abc import Sequence
from contextlib import ExitStack
from operator import truediv

from psycopg import sql

from bench.scene import AGENT
from bench.shop import claimed, open_shop
from bench.size import cpu_of_children, postmaster_of
from refundflow.service import Refunds
from refundflow.store import Tx
from tests.support.postgres import PostgresServer

TURN = 25  # moves of one turn
DUE = 100  # at most, of which there are none
LOOKS = 20


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.partitions", description=__doc__)
    parser.add_argument("--turns", type=int, default=12, help="of 25 moves each (default %(default)s)")
    parser.add_argument("--counts", type=int, nargs="+", default=[16, 64], help="partitions (default %(default)s)")
    parser.add_argument("--generic", action="store_true", help="let them plan once for any values")
    given = parser.parse_args()
    with PostgresServer(durable=True) as server, ExitStack() as opened:
        postmaster = postmaster_of(server)
        shops: dict[int, tuple[Refunds, Sequence[str]]] = {}
        for count in (0, *given.counts):
            url = server.url(_created(server, count, generic=given.generic and count > 0))
            open_shop(url, partitions=count or None)
            refunds = opened.enter_context(Refunds.connect(url))
            shops[count] = refunds, claimed(refunds, given.turns * TURN)
        walls: dict[int, list[float]] = {count: [] for count in shops}
        cpus: dict[int, list[float]] = {count: [] for count in shops}
        for turn in range(given.turns):
            for count in sorted(shops, reverse=bool(turn % 2)):
                refunds, found = shops[count]
                wall, cpu = _measured(refunds, found[turn * TURN : (turn + 1) * TURN], postmaster)
                walls[count].append(wall)
                cpus[count].append(cpu)
        print("| partitions | a move, ms | ratio | CPU, ms | ratio | finding what is due, ms |")
        print("| ---: | ---: | ---: | ---: | ---: | ---: |")
        for count, (refunds, _) in shops.items():
            wall, cpu = statistics.median(walls[count]), statistics.median(cpus[count])
            slower, dearer = (statistics.median(map(truediv, took[count], took[0])) for took in (walls, cpus))
            look = _finding(refunds)
            print(f"| {count or '–'} | {wall:.2f} | {slower:.2f} | {cpu:.2f} | {dearer:.2f} | {look:.2f} |")


def _created(server: PostgresServer, count: int, *, generic: bool) -> str:
    name = f"shop_{count}"
    with server.connect() as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        if generic:
            setting = sql.SQL("ALTER DATABASE {} SET plan_cache_mode = force_generic_plan")
            connection.execute(setting.format(sql.Identifier(name)))
    return name


def _measured(refunds: Refunds, found: Sequence[str], postmaster: int) -> tuple[float, float]:
    """Return wall and CPU milliseconds of a move: each refund is taken into review and approved."""
    wall, cpu = time.perf_counter(), time.process_time() + cpu_of_children(postmaster)
    for refund in found:
        refunds.begin_review(refund, actor=AGENT, key="begin")
        refunds.approve(refund, actor=AGENT, key="approve")
    took = time.perf_counter() - wall, time.process_time() + cpu_of_children(postmaster) - cpu
    return took[0] / len(found) / 2 * 1e3, took[1] / len(found) / 2 * 1e3


def _finding(refunds: Refunds) -> float:
    """Return the milliseconds of a look for what is due where nothing is."""

    def timed(tx: Tx) -> float:
        now, took = tx.now(), []
        for _ in range(LOOKS):
            begun = time.perf_counter()
            tx.due(now, DUE)
            took.append((time.perf_counter() - begun) * 1e3)
        return statistics.median(took)

    return refunds.engine.read(timed)


if __name__ == "__main__":
    main()
