"""Reading one refund with what is allowed now, against one indexed SELECT of the raw driver."""

import itertools
from collections.abc import Mapping

from bench.by_hand import open_hand
from bench.report import Section
from bench.rounds import Times, turns
from bench.scene import AGENT, Scene
from refundflow.service import Refunds

OURS, SELECT = "refundflow", "one SELECT"
STATEMENT = "SELECT document, version FROM refunds WHERE order_id = {0} AND id = {0}"


def measure(scene: Scene, *, rounds: int = 20, calls: int = 10) -> Mapping[str, Times]:
    """Read refunds all over the database, others each time."""
    places = itertools.cycle(scene.rest)
    hand = open_hand(scene.url, scene.synchronous)
    statement = STATEMENT.format(hand.mark)
    options = {} if scene.url.startswith("sqlite:") else {"prepare": True}
    with Refunds.connect(scene.url) as refunds:
        times = turns(
            {
                OURS: lambda: refunds.get(next(places).refund, actor=AGENT).allowed,
                SELECT: lambda: hand.connection.execute(statement, next(places), **options).fetchone(),
            },
            rounds=rounds, calls=calls,
        )  # fmt: skip
    hand.close()
    return times


def section(measured: Mapping[str, Mapping[str, Times]]) -> Section:
    """Write the table of all databases."""
    rows = []
    for database, times in measured.items():
        ours, select = times[OURS], times[SELECT]
        rows.append((
            database, f"{select.median():.3f} ({select.p90():.3f})", f"{ours.median():.3f} ({ours.p90():.3f})",
            f"**{ours.ratio(select):.2f}**", f"{ours.ratio(select, 'cpu'):.2f}",
        ))  # fmt: skip
    return Section(
        title="Reading one refund", names=1, rows=rows, head=("database", SELECT, OURS, "ratio", "ratio of CPU"),
        about="One refund with what is allowed now, as its handler sees it, against `SELECT document, version` by key.",
    )  # fmt: skip
