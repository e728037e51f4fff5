"""Reading one refund with what is allowed now, against one indexed SELECT of the raw driver.

Between the two stands what such a read cannot do without, by hand: its statement, the documents, the rules.
`python -m bench.reading` measures it alone, on 100,000 refunds.
"""

import argparse
import itertools
from collections.abc import Mapping
from datetime import UTC, datetime

import orjson

from bench.by_hand import open_hand
from bench.recorded import Place
from bench.report import Section, table
from bench.rounds import Times, turns
from bench.scene import AGENT, Scene, Wanted, build, fresh
from refundflow.service import Refunds
from refundflow.store.moves import READ_SIGHT
from refundflow.store.statements import compiled_once
from states.case import LEDGER_COLUMNS, Actor, Aggregate, Ledger
from states.judge import allowed_on
from states.lapses import nothing_due

OURS, BY_HAND, SELECT = "refundflow", "by hand", "one SELECT"
STATEMENT = "SELECT document, version FROM refunds WHERE order_id = {0} AND id = {0}"
_REFUND = 1 + len(LEDGER_COLUMNS)  # where its document stands in the row, behind the line and its ledger


def main() -> None:
    """Measure each database and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.reading", description=__doc__)
    parser.add_argument("--refunds", type=int, default=100_000, help="in the database (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=60, help="of ten reads each way (default: %(default)s)")
    given = parser.parse_args()
    measured = {}
    for kind in ("sqlite", "postgresql"):
        with fresh(kind) as url:
            scene = build(kind, url, Wanted(given.refunds, 0, events=()), [OURS])
            measured[kind] = measure(scene, rounds=given.rounds)
    print(table(section(measured)))


def measure(scene: Scene, *, rounds: int = 20, calls: int = 10) -> Mapping[str, Times]:
    """Read refunds all over the database, others each time."""
    places = itertools.cycle(scene.rest)
    # a connection of its own for each way, as ours has: none finds the pages that another has read
    hand, plain = (open_hand(scene.url, scene.synchronous) for _ in range(2))
    statement = STATEMENT.format(plain.mark)
    dialect = "sqlite" if scene.url.startswith("sqlite:") else "postgresql"
    sight = compiled_once(READ_SIGHT[dialect], dialect)
    options = {} if dialect == "sqlite" else {"prepare": True}
    role, _, name = AGENT.partition(":")
    who = Actor(role, name)
    with Refunds.connect(scene.url) as refunds:
        rules = refunds.engine.known_rules

        def ours(place: Place) -> tuple[str, ...]:
            return refunds.get(place.refund, actor=AGENT).allowed

        def by_hand(place: Place) -> tuple[str, ...]:
            asked = {"order_id": place.order_id, "line": "1", "staff": name, "newer": 2}
            [row] = hand.connection.execute(sight.text, sight.bound(asked), **options).fetchall()
            case = orjson.loads(row[_REFUND])
            line = Aggregate(orjson.loads(row[0]), Ledger(*row[1:_REFUND]), {case["id"]: case})
            now = datetime.now(UTC)
            if not nothing_due(line, rules, now):
                raise RuntimeError(f"something is due on {place.refund}")
            return allowed_on(line, case, who, rules, now)

        if by_hand(scene.rest[0]) != ours(scene.rest[0]):
            raise RuntimeError("by hand something else is allowed")
        times = turns(
            {
                BY_HAND: lambda: by_hand(next(places)),
                OURS: lambda: ours(next(places)),
                SELECT: lambda: plain.connection.execute(statement, next(places), **options).fetchone(),
            },
            rounds=rounds, calls=calls,
        )  # fmt: skip
    hand.close()
    plain.close()
    return times


def section(measured: Mapping[str, Mapping[str, Times]]) -> Section:
    """Write the table of all databases."""
    rows = []
    for database, times in measured.items():
        ours, hand, select = times[OURS], times[BY_HAND], times[SELECT]
        rows.append((
            database, *(f"{taken.median():.3f} ({taken.p90():.3f})" for taken in (select, hand, ours)),
            f"{hand.ratio(select):.2f}", f"**{ours.ratio(select):.2f}**", f"{ours.ratio(select, 'cpu'):.2f}",
        ))  # fmt: skip
    return Section(
        title="Reading one refund", names=1, rows=rows, about=_ABOUT,
        head=("database", SELECT, BY_HAND, "refundflow", "ratio by hand", "ratio", "ratio of CPU"),
    )  # fmt: skip


_ABOUT = """\
One refund with what is allowed now, as its handler sees it, against `SELECT document, version` by key. By hand: what
such a read cannot do without, the same statement by the raw driver (line, refund, buyer, role, calendars), both
documents parsed, what is due and what is allowed judged by the same rules; no facade, no answer."""


if __name__ == "__main__":
    main()
