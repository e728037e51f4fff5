"""What a refund weighs and how many moves a core carries, on both databases.

Run `python -m bench.size`. Every refund lives a whole life through the facade: order, claim with a text, review,
approval, payout, receipt, its messages delivered. CPU is that of the caller and of the server, without what they wait.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from sqlalchemy import text

from bench.scene import AGENT, sqlite_url
from bench.shop import buyer_of, claimed, open_shop
from refundflow import FakeChannel, migrations
from refundflow.outbox import Message
from refundflow.service import Refunds
from tests.support.postgres import PostgresServer

WEIGHT = {
    "sqlite": "SELECT name, sum(pgsize) FROM dbstat GROUP BY name",
    "postgresql": """
        SELECT CAST(COALESCE(i.inhparent, c.oid) AS regclass), sum(pg_table_size(c.oid)), sum(pg_indexes_size(c.oid))
        FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
        WHERE c.relkind = 'r' AND c.relnamespace = CAST('public' AS regnamespace) GROUP BY 1""",
}


class Nobody:
    """A receiver that takes every message."""

    def deliver(self, message: Message) -> None:
        """Take it."""


def main() -> None:
    """Measure both databases and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.size", description=__doc__)
    parser.add_argument("--refunds", type=int, default=2_000, help="how many (default %(default)s)")
    parser.add_argument("--partitions", type=int, help="on PostgreSQL, in so many partitions")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sqlite_url(Path(folder)) as url:
        open_shop(url)
        print(f"SQLite: {_measured(url, given.refunds, None)}\n")
    with PostgresServer(durable=True) as server:
        url = server.url("postgres")
        open_shop(url, partitions=given.partitions)
        print(f"PostgreSQL: {_measured(url, given.refunds, postmaster_of(server))}")


def _measured(url: str, count: int, postmaster: int | None) -> str:
    before = _weights(url)
    with Refunds.connect(url, gateways={"fake": FakeChannel()}) as refunds:
        found = claimed(refunds, count)
        begun, cpu, server = time.perf_counter(), time.process_time(), cpu_of_children(postmaster)
        for refund in found:
            refunds.begin_review(refund, actor=AGENT, key="begin")
            refunds.approve(refund, actor=AGENT, key="approve")
        moves = 2 * count
        wall, cpu = time.perf_counter() - begun, time.process_time() - cpu
        server = cpu_of_children(postmaster) - server
        refunds.work()
        for number, refund in enumerate(found):
            refunds.confirm_receipt(refund, actor=buyer_of(number), key="receipt")
        while refunds.deliver(Nobody()).delivered:
            pass
        entries = refunds.engine.read(lambda tx: tx.count_entries())
    grown = {name: size - before.get(name, 0) for name, size in _weights(url).items()}
    shares = sorted(((size / count, name) for name, size in grown.items() if size > 100 * count), reverse=True)
    told = ", ".join(f"{name} {size:,.0f}" for size, name in shares)
    return (
        f"{count:,} refunds, {entries / count:.1f} entries each; {sum(grown.values()) / count:,.0f} bytes per refund\n"
        f"  of it {told}\n"
        f"  {moves:,} moves in {wall:.1f} s: CPU per move {cpu / moves * 1e3:.2f} ms of the caller"
        f" and {server / moves * 1e3:.2f} ms of the server, {moves / (cpu + server):,.0f} moves/s per core"
    )


def _weights(url: str) -> dict[str, int]:
    """Return the bytes of each table and, with ` indexes` behind its name, of its indexes."""
    with migrations.connect(url) as connection:
        sqlite = connection.dialect.name == "sqlite"
        rows = connection.execute(text(WEIGHT[connection.dialect.name])).all()
    if sqlite:
        return {str(name): int(size) for name, size in rows}
    return {name: size for row in rows for name, size in _of_table(*row)}


def _of_table(name: str, table: int, indexes: int) -> Iterator[tuple[str, int]]:
    yield name, int(table)
    yield f"{name} indexes", int(indexes)


def postmaster_of(server: PostgresServer) -> int:
    """Return the process id of a server."""
    with server.connect() as connection:
        [directory] = connection.execute("SHOW data_directory").fetchone() or [""]
    return int((Path(directory) / "postmaster.pid").read_text().split()[0])


def cpu_of_children(postmaster: int | None) -> float:
    """Return the CPU seconds of a server's processes so far; without a server 0."""
    if postmaster is None:
        return 0.0
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # ended meanwhile
            fields = stat.read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12]) if int(fields[1]) == postmaster else 0
    return ticks / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
