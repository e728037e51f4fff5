"""Run the benchmark: `make bench`, `make bench ARGS=--full`."""

import argparse
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from bench import counts, deciding, goals, growth, moves, processes, reading
from bench.counts import Costs, count
from bench.moves import PEERS_PYTHON, Run, Size
from bench.report import Section, page
from bench.rounds import Times
from bench.scene import fresh
from tests.support.postgres import PostgresServer

QUICK, FULL = Size(refunds=10_000, rounds=10, moves=10), Size(refunds=100_000, rounds=30, moves=20, sizes=growth.SIZES)
NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


def main() -> None:
    """Measure, print the page, write it where asked."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--full", action="store_true", help="100,000 refunds, growth up to a million (an hour)")
    parser.add_argument("--without-growth", action="store_true", help="`python -m bench.growth` measures it alone")
    parser.add_argument("--only", choices=tuple(NAMES), help="one database alone")
    parser.add_argument("--folder", type=Path, help="where the SQLite files lie while they are measured")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the page to a file too")
    given = parser.parse_args()
    if not PEERS_PYTHON.exists():
        print("Without Django and DBOS: `make bench` installs them.", file=sys.stderr)
    kinds = [given.only] if given.only else list(NAMES)
    size = FULL if given.full else QUICK
    if given.without_growth:
        size = size._replace(sizes=())
    sections, versions = measured(kinds, given.folder, size)
    asked = [option for option, named in (("--full", given.full), ("--without-growth", given.without_growth)) if named]
    command = " ".join(["make bench", *([f'ARGS="{" ".join(asked)}"'] if asked else [])])
    written = page(sections, command, f"{size.rounds} rounds of {size.moves} moves", versions)
    print(written)
    if given.markdown:
        given.markdown.write_text(written, encoding="utf-8")


def measured(kinds: Iterable[str], folder: Path | None, size: Size) -> tuple[list[Section], Mapping[str, str]]:
    """Measure everything on the kinds of database; return the tables, and what took part in which version."""
    runs: list[Run] = []
    reads: dict[str, Mapping[str, Times]] = {}
    together, costs, grown = {}, {}, {}
    decided: Mapping[str, Times] = {}
    for kind in kinds:
        name = NAMES[kind]
        _say(f"{name}: one move")
        with fresh(kind, folder) as url:
            for run in moves.runs(kind, url, size):
                runs.append(run)
                reads[run.scene.name] = reading.measure(run.scene, rounds=size.rounds)
                decided = decided or deciding.measure(run.scene)
        _say(f"{name}: {processes.PROCESSES} processes")
        with fresh(kind, folder) as url:
            together[name] = processes.measure(url, refunds=size.refunds, rounds=size.rounds // 2, moves=size.moves * 2)
        _say(f"{name}: counting")
        costs[name] = _counted(kind, folder)
        if size.sizes:
            _say(f"{name}: growth")
            grown[name] = growth.measure(kind, size.sizes, size.rounds // 3, folder)
    sections = [
        goals.section(runs, costs, decided, reads, together, grown),
        *moves.sections(runs), counts.section(costs), deciding.section(decided), reading.section(reads),
        processes.section(together), *([growth.section(grown)] if grown else []),
    ]  # fmt: skip
    return sections, {name: number for run in runs for name, number in run.versions.items()}


def _counted(kind: str, folder: Path | None) -> Mapping[str, Costs]:
    if kind == "postgresql":
        with PostgresServer() as server:  # flushes nothing and writes no whole pages: what is counted stays the same
            return count(server.url("postgres"))
    with fresh(kind, folder) as url:
        return count(url)


def _say(begun: str) -> None:
    print(f"{begun} ...", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
