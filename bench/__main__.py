"""Run the benchmark: `python -m bench`, or `make bench`."""

import argparse
import sys
import tempfile
from pathlib import Path

from bench.by_hand import PostgresHand
from bench.measure import Result, measure
from bench.report import page
from bench.scene import postgres_url, sqlite_url

QUICK = 150  # pairs per move: under two minutes on two cores


def main() -> None:
    """Measure, print the page, write it where asked."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--pairs", type=int, default=QUICK, help="repetitions per move and way (default %(default)s)")
    parser.add_argument("--only", choices=("sqlite", "postgresql"), help="one database alone")
    parser.add_argument("--folder", type=Path, help="where the SQLite file lies while it is measured")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the page to a file too")
    given = parser.parse_args()
    if given.pairs < 2:
        parser.error("at least 2 pairs are needed")
    results, postgres = _measured(given.pairs, given.only, given.folder)
    written = page(results, given.pairs, postgres)
    print(written)
    if given.markdown:
        given.markdown.write_text(written, encoding="utf-8")


def _measured(pairs: int, only: str | None, folder: Path | None) -> tuple[list[Result], str | None]:
    results: list[Result] = []
    postgres = None
    if only != "postgresql":
        with tempfile.TemporaryDirectory(dir=folder) as room, sqlite_url(Path(room)) as url:
            _say("SQLite")
            results += measure("SQLite", url, pairs)
    if only != "sqlite":
        with postgres_url() as url:
            _say("PostgreSQL")
            results += measure("PostgreSQL", url, pairs)
            hand = PostgresHand(url)
            postgres = str(hand.run("SHOW server_version").fetchone()[0])
            hand.close()
    return results, postgres


def _say(database: str) -> None:
    print(f"{database} ...", file=sys.stderr)


if __name__ == "__main__":
    main()
