"""What exports cost: rows per second and memory of each format, against the fastest way by hand, on both databases.

Run `python -m bench.export`; `--entries 1000000` is the promise. The log is that of the demo, its chains copied under
other orders in SQL. Every way runs in a process of its own, in turn, and the best of its turns counts.
"""

import argparse
import gc
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import text

from bench.clones import NUMBERS
from bench.memory import most_memory
from bench.scene import postgres_url, sqlite_url
from refundflow import migrations
from refundflow.service import Refunds

AUDITOR = "auditor:bai"
OURS = "refundflow"
FORMATS = ("jsonl", "csv", "parquet", "xes", "ocel")
PAGE = 100  # copies of the demo in one statement
_REGISTERS = 10  # entries at most of the demo that are not copied: of staff and keys


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.export", description=__doc__)
    parser.add_argument("--entries", type=int, default=60_000, help="at least so many (default %(default)s)")
    parser.add_argument("--turns", type=int, default=3, help="of each way (default %(default)s)")
    parser.add_argument("--only", choices=("sqlite", "postgresql"), help="one database alone")
    parser.add_argument("--format", action="append", choices=FORMATS, help="these formats alone")
    parser.add_argument("--one", nargs=4, metavar=("WAY", "FORMAT", "URL", "FILE"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(one(*given.one)))
        return
    for database, url in databases(given.only):
        entries = fill(url, given.entries)
        print(f"{database}, {entries:,} entries", flush=True)
        for form in given.format or FORMATS:
            print(f"  {compared(form, url, given.turns)}", flush=True)


@contextmanager
def _filled(only: str | None, kind: str) -> Iterator[str | None]:
    if only not in (None, kind):
        yield None
    elif kind == "sqlite":
        with tempfile.TemporaryDirectory() as room, sqlite_url(Path(room)) as url:
            yield url
    else:
        with postgres_url() as url:
            yield url


def databases(only: str | None) -> Iterator[tuple[str, str]]:
    """Yield a new database of each kind."""
    for name in ("SQLite", "PostgreSQL"):
        with _filled(only, name.lower()) as url:
            if url is not None:
                yield name, url


def fill(url: str, least: int) -> int:
    """Play the demo, copy its chains until there are at least so many entries, and number them all."""
    from refundflow.demo import CHANNELS, play
    from refundflow.gateways import FakeChannel

    Refunds.init(url, rehearsal=True)
    with Refunds.connect(url) as refunds:
        play(refunds, {name: FakeChannel(name) for name in CHANNELS})
        copies = -(-least // (refunds.checkpoint().size - _REGISTERS))
        for first in range(1, copies, PAGE):
            _copy(url, first, min(first + PAGE, copies) - 1)
        with migrations.connect(url, write=True) as connection:
            connection.execute(text("ANALYZE transitions"))  # as a server's autovacuum does
        return refunds.checkpoint().size


def _copy(url: str, first: int, last: int) -> None:
    """Copy every chain of the demo under other order ids; bodies and hashes stay."""
    with migrations.connect(url, write=True) as connection:
        found = connection.execute(text("SELECT * FROM transitions LIMIT 0")).keys()
        names = [name for name in found if name != "gid"]
        columns = ", ".join(names)
        copied = columns.replace("order_id", "t.order_id || 'x' || CAST(numbers.n AS text)", 1)
        alias = "numbers(n)" if connection.dialect.name == "postgresql" else "numbers"
        connection.execute(
            text(
                f"INSERT INTO transitions ({columns}) SELECT {copied} FROM transitions AS t"
                f" CROSS JOIN {NUMBERS[connection.dialect.name]} AS {alias}"
                " WHERE t.order_id <> '' AND t.order_id NOT LIKE '%x%' ORDER BY numbers.n, t.gid"
            ),
            {"first": first, "last": last},
        )


def compared(form: str, url: str, turns: int) -> str:
    """Measure a format and its counterparts in turn; say rates, memory, and the ratio to the fastest by hand.

    Processor time tells more than rows/s on a busy machine, but leaves out what a server does.
    """
    from bench.export_by_hand import WAYS

    best: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as room:
        for _ in range(turns):
            for way in (OURS, *WAYS.get(form, {})):
                told = _in_a_process(way, form, url, Path(room) / f"out.{form}")
                if told and told["rate"] > best.get(way, {"rate": 0})["rate"]:
                    best[way] = told
    ours = best.pop(OURS)
    said = f"{form}: {_said(ours)}"
    for way, told in best.items():
        said += f"; {way}: {_said(told)}"
    if best:
        said += f"; ratio to the fastest {ours['rate'] / max(told['rate'] for told in best.values()):.2f}"
    return said


def _said(told: dict[str, float]) -> str:
    return f"{told['rate']:,.0f} rows/s, {told['work']:.1f} µs of the processor, {told['rss']:.0f} MB"


def _in_a_process(way: str, form: str, url: str, output: Path) -> dict[str, float] | None:
    command = [sys.executable, "-m", "bench.export", "--one", way, form, url, str(output)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    for left in output.parent.iterdir():
        left.unlink()
    if done.returncode:
        print(f"  {form}, {way}: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        return None
    told: dict[str, float] = json.loads(done.stdout)
    return told


def one(way: str, form: str, url: str, output: str) -> dict[str, float]:
    """Export once; return rows per second, µs of this process's processor time a row, and its most memory in MiB."""
    if way == OURS:
        gc.freeze()  # as the command does
        with Refunds.connect(url) as refunds:
            begun, worked = time.perf_counter(), time.process_time()
            rows = refunds.export(format=form, output=output, actor=AUDITOR).entries
            seconds, work = time.perf_counter() - begun, time.process_time() - worked
    else:
        from bench.export_by_hand import WAYS

        begun, worked = time.perf_counter(), time.process_time()
        rows = WAYS[form][way](url, Path(output))
        with Path(output).open("rb") as file:
            hashlib.file_digest(file, "sha256")
        seconds, work = time.perf_counter() - begun, time.process_time() - worked
    return {"rate": rows / seconds, "work": work / rows * 1e6, "rss": most_memory()}


if __name__ == "__main__":
    main()
