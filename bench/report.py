"""The report of the benchmark: a Markdown page with the machine, the versions and the table."""

import os
import platform
import sqlite3
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from bench.measure import Result
from refundflow import __version__

_HEAD = (
    "database", "move", "rows", "by hand, ms", "refundflow, ms", "ratio", "CPU by hand, ms", "CPU refundflow, ms",
    "CPU ratio", "statements", "commits",
)  # fmt: skip

_ABOUT = """\
One move through the facade (roles, rules, deadlines, idempotency key, entry, effects, the answer with what is possible
next) against the same rows written by hand with the bare driver: the same entry chained and hashed, the refund's row
compared and set, the ledger of the line where it moves, the effects, in one transaction. Both are durable (SQLite: WAL,
`synchronous=FULL`; PostgreSQL: every commit flushed), both work on one database in turn, and that database verifies
afterwards. Medians, in brackets what nine of ten did not exceed; CPU is that of the calling process; statements and
commits are by hand / refundflow, BEGIN, COMMIT and settings included. On PostgreSQL refundflow sends its statements
together, the hand one after the other. On a busy machine both wait for the disk, and the ratio of wall times falls:
believe it at a load of about 1, and the ratio of CPU times always.
"""


def page(results: Sequence[Result], pairs: int, postgres: str | None) -> str:
    """Write the whole page."""
    title = "# Benchmark\n\nWritten by `python -m bench --markdown docs/benchmark.md` (`make bench` only prints it).\n"
    return "\n".join([title, _ABOUT, table(results), "", machine(pairs, postgres)]) + "\n"


def table(results: Sequence[Result]) -> str:
    """Write one line per move and database."""
    lines = [_HEAD, ("---", "---", *["---:"] * (len(_HEAD) - 2)), *(_cells(result) for result in results)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cells(result: Result) -> tuple[str, ...]:
    hand, facade = result.hand, result.facade
    counts = (result.hand_count, result.facade_count)
    return (
        result.database, f"`{result.move}`", str(result.rows),
        f"{hand.median:.2f} ({hand.p90:.2f})", f"{facade.median:.2f} ({facade.p90:.2f})",
        f"**{facade.median / hand.median:.2f}**",
        f"{hand.cpu_median:.2f}", f"{facade.cpu_median:.2f}", f"{facade.cpu_median / hand.cpu_median:.2f}",
        " / ".join(str(count.statements) for count in counts), " / ".join(str(count.commits) for count in counts),
    )  # fmt: skip


def machine(pairs: int, postgres: str | None) -> str:
    """Write what it was measured on, and how often."""
    versions = [
        f"Python {platform.python_version()}", f"refundflow {__version__}",
        f"SQLite {sqlite3.sqlite_version}",
        *([f"PostgreSQL {postgres}", f"psycopg {version('psycopg')}"] if postgres else []),
        f"SQLAlchemy {version('SQLAlchemy')}",
    ]  # fmt: skip
    return (
        f"{pairs} pairs per move. {_processor()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, "
        f"{platform.system()} {platform.machine()}. {', '.join(versions)}."
    )


def _processor() -> str:
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown processor"
