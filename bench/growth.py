"""Whether figures grow as refunds pile up: the same calls on databases of several sizes, in turn.

Run `python -m bench.growth`; `--sizes 10000 100000 1000000` is what `make bench ARGS=--full` shows. All refunds stand
open, which is the worst case for queues and due moments. Each has three entries: a million refunds are three million.
"""

import argparse
import itertools
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psycopg
from psycopg import sql

from bench.recorded import BATCH
from bench.report import Section, table
from bench.rounds import Times, turns
from bench.scene import AGENT, CHIEF, SETTINGS, Scene, Wanted, build, move
from refundflow.service import Refunds
from tests.support.postgres import PostgresServer

SIZES = (10_000, 100_000, 1_000_000)
EVENT, AUDITOR = "approve", "auditor:wu"
DUE = f"{BATCH} due found and fired"
CALLS = {"a move": 10, "show": 10, "explain": 10, DUE: 1, "queue": 1}  # of one round
ROUNDS = {"queue": 2}  # at most
SINGLE = ("a move", "show", "explain")  # figures of one refund


@dataclass(frozen=True, kw_only=True)
class Grown:
    """What was measured on one kind of database: by figure and size; exports in entries a second, by size."""

    times: Mapping[str, Mapping[int, Times]]
    exports: Mapping[int, float]

    def ratio(self, figure: str) -> float:
        """Return how many times longer a figure takes on the largest database than on the smallest."""
        times = list(self.times[figure].values())
        return times[-1].ratio(times[0])


def main() -> None:
    """Measure on both databases and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.growth", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES[:2], help="refunds (default 10000 100000)")
    parser.add_argument("--rounds", type=int, default=10, help="rounds in turn (default %(default)s)")
    parser.add_argument("--only", choices=("sqlite", "postgresql"), help="one database alone")
    parser.add_argument("--folder", type=Path, help="where the SQLite files and the exports lie")
    given = parser.parse_args()
    for kind in [given.only] if given.only else ["sqlite", "postgresql"]:
        print(table(section({kind: measure(kind, given.sizes, given.rounds, given.folder)})), flush=True)


def measure(kind: str, sizes: Sequence[int], rounds: int, folder: Path | None) -> Grown:
    """Build a database of each size, call on all of them in turn, then export each whole."""
    with tempfile.TemporaryDirectory(dir=folder) as room, ExitStack() as stack:
        scenes = {}
        for size, url in zip(sizes, stack.enter_context(_urls(kind, len(sizes), Path(room))), strict=True):
            wanted = Wanted(size, (rounds + 1) * CALLS["a move"], rounds + 1, events=(EVENT,))
            scenes[size] = build("", url, wanted, ("refundflow",))
        opened = {size: stack.enter_context(Refunds.connect(scene.url)) for size, scene in scenes.items()}
        ways = {size: _ways(opened[size], scenes[size]) for size in sizes}
        times = {
            figure: turns(
                {size: ways[size][figure] for size in sizes},
                rounds=min(rounds, ROUNDS.get(figure, rounds)),
                calls=calls,
            )
            for figure, calls in CALLS.items()
        }
        exports = {size: _export(opened[size], Path(room) / "entries.jsonl") for size in sizes}
    return Grown(times=times, exports=exports)


@contextmanager
def _urls(kind: str, count: int, room: Path) -> Iterator[list[str]]:
    if kind == "sqlite":
        yield [f"sqlite:///{room / f'{number}.db'}" for number in range(count)]
        return
    with PostgresServer(durable=True, settings=SETTINGS) as server:
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            for number in range(count):
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(f"grown{number}")))
        yield [server.url(f"grown{number}") for number in range(count)]


def _ways(refunds: Refunds, scene: Scene) -> dict[str, partial[object]]:
    """Return the calls by figure; each call takes another refund."""
    to_move, to_read = iter(scene.places["refundflow"][EVENT]), itertools.cycle(scene.rest)
    return {
        "a move": partial(lambda: move(refunds, EVENT, next(to_move))),
        "show": partial(lambda: refunds.get(next(to_read).refund, actor=AGENT).allowed),
        "explain": partial(lambda: refunds.explain(next(to_read).refund, actor=AGENT)),
        DUE: partial(_fire, refunds),
        "queue": partial(refunds.queue, actor=AGENT),  # when nothing that is due is left
    }


def _fire(refunds: Refunds) -> None:
    fired = refunds.fire(Counter())
    if fired != BATCH:
        raise RuntimeError(f"{fired} refunds were due instead of {BATCH}")


def _export(refunds: Refunds, path: Path) -> float:
    """Return how many entries are exported a second."""
    refunds.staff_add("wu", roles=["auditor"], actor=CHIEF)
    refunds.checkpoint()  # which an export makes by itself, of what came since the last one
    begun = time.perf_counter()
    refunds.export(format="jsonl", output=str(path), actor=AUDITOR)
    taken = time.perf_counter() - begun
    with path.open("rb") as lines:
        entries = sum(1 for _ in lines)
    path.unlink()
    return entries / taken


def section(measured: Mapping[str, Grown]) -> Section:
    """Write the table of all databases; the last column compares the largest with the smallest."""
    rows = []
    for database, grown in measured.items():
        for figure, times in grown.times.items():
            ratio = grown.ratio(figure)
            shown = [f"{taken.median():.2f} ({taken.p90():.2f})" for taken in times.values()]
            rows.append((database, f"{figure}, ms", *shown, f"**{ratio:.2f}**" if figure in SINGLE else f"{ratio:.2f}"))
        moves = [1000 / taken.median() for taken in grown.times["a move"].values()]
        rows.append((database, "moves/s of one process", *(f"{rate:,.0f}" for rate in moves), ""))
        rates = list(grown.exports.values())
        shown = [f"{rate:,.0f}" for rate in rates]
        rows.append((database, "export as JSON Lines, entries/s", *shown, f"{rates[0] / rates[-1]:.2f}"))
    sizes = list(next(iter(measured.values())).exports)
    return Section(
        title="Growth", about=_ABOUT, rows=rows,
        head=("database", "what", *(f"{size:,} refunds" for size in sizes), "largest to smallest"),
    )  # fmt: skip


_ABOUT = """\
The same calls on databases of these sizes, in turn; every refund is open and has three entries. The last column is how
many times longer it takes on the largest than on the smallest (of one refund: at most 1.3)."""


if __name__ == "__main__":
    main()
