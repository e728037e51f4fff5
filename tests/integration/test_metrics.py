"""Metrics: every entry is counted once whoever counts, a scrape recounts nothing, the ready files name what exists."""

import json
import re
import threading
from collections import Counter
from pathlib import Path

import psycopg

from refundflow import metrics, totals
from refundflow.service import Refunds
from refundflow.store import Store
from refundflow.store.statements import compiled_once
from refundflow.store.totals import DEAD, FIRST_TRY, OPEN, WAITING
from tests.support.databases import Databases
from tests.support.market import Market

OPERATIONS = Path(__file__).parents[2] / "docs" / "operations"


def recounted(url: str) -> Counter[totals.Key]:
    """Count everything anew from the chains."""
    found: Counter[totals.Key] = Counter()
    with Store.open(url) as store, store.read() as tx:
        chains: dict[tuple[str, str], int] = {}
        for entry in tx.scan_entries():
            chains[entry.order_id, entry.subject] = entry.seq
        for (order_id, subject), last in chains.items():
            found.update(totals.count(tx.chain_for_totals(order_id, subject, last), frozenset(range(1, last + 1))))
    return found


def stored(refunds: Refunds) -> dict[totals.Key, int]:
    """Return the totals as they are kept."""
    return {key: value for key, value in refunds.numbers().totals.items() if value}


def live_a_little(market: Market) -> None:
    """Drive a few refunds, some of them late."""
    market.to("paid_out.confirmed")
    market.to("withdrawn")
    market.to("under_review.negotiating")
    market.later(days=9)
    market.refunds.work(at=market.at)


def test_totals_are_what_a_recount_finds(market: Market) -> None:
    """Counted on in three steps, everything adds up to what the chains hold, and a further step adds nothing."""
    for _ in range(3):
        live_a_little(market)
        market.refunds.count()
    again = market.refunds.count()

    assert again == 0 and market.refunds.numbers().uncounted == 0
    assert stored(market.refunds) == {key: value for key, value in recounted(market.url).items() if value}


def test_many_who_count_at_once_count_once(market: Market) -> None:
    """Workers that count at the same time add each entry once."""
    live_a_little(market)
    counting = [threading.Thread(target=market.refunds.count) for _ in range(4)]
    for thread in counting:
        thread.start()
    for thread in counting:
        thread.join()
    market.refunds.count()

    assert stored(market.refunds) == {key: value for key, value in recounted(market.url).items() if value}


def test_an_entry_that_becomes_visible_late_is_counted(postgres_databases: Databases, live: Market) -> None:
    """On PostgreSQL a transaction that began before others and ends after them is not passed over."""
    if live.refunds.dialect == "sqlite":
        return
    early, later = live.order(), live.order()
    with psycopg.connect(live.url) as slow:  # its entry gets its number now and is seen at the end
        slow.execute("UPDATE order_lines SET repeats = repeats WHERE order_id = %s", [early])
        slow.execute(
            "INSERT INTO transitions (order_id, subject, seq, kind, event, effective_at, recorded_at, actor_role,"
            " actor_name, body, hash) SELECT order_id, subject, 99, kind, 'slow', effective_at, recorded_at,"
            " actor_role, actor_name, body, hash FROM transitions WHERE order_id = %s",
            [early],
        )
        live.submit(later)
        live.refunds.count()
        slow.commit()
    for _ in range(2):
        live.refunds.count()

    assert live.refunds.numbers().totals["moves", ("slow", "fact")] == 1
    assert live.refunds.numbers().totals["moves", ("submit", "applied")] == 1


def test_the_exposition_tells_every_number(market: Market) -> None:
    """Counters, histograms and gauges stand in the text with their values."""
    live_a_little(market)
    market.refunds.count()
    text = metrics.text(market.refunds)

    assert 'refundflow_promises_total{outcome="kept",promise="payout"} 1.0' in text
    assert 'refundflow_state_seconds_bucket{le="+Inf",state="submitted"}' in text
    assert 'refundflow_open_refunds{state="under_review.reviewing"} 1.0' in text
    assert "refundflow_effects_dead 0.0" in text and "refundflow_worker_lag_seconds 0.0" in text
    assert re.search(r"refundflow_calendar_days_left 2\d\d", text)
    assert 'refundflow_clock_skew_seconds{host="' in text


def test_the_ready_files_name_metrics_that_exist(market: Market) -> None:
    """Every metric that an alert or a panel asks for is exposed."""
    market.to("submitted")
    text = metrics.text(market.refunds)
    exposed = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    exposed |= {f"{name}_{end}" for name in exposed for end in ("bucket", "sum", "count")}
    asked = set()
    for name in ("alerts.yml", "dashboard.json"):
        asked |= set(re.findall(r"refundflow_\w+", (OPERATIONS / name).read_text(encoding="utf-8")))
    panels = json.loads((OPERATIONS / "dashboard.json").read_text(encoding="utf-8"))["panels"]

    assert asked <= exposed and len(asked) > 10
    assert len({panel["id"] for panel in panels}) == len(panels) > 8


def test_a_scrape_reads_along_small_indexes(sqlite_url: str) -> None:
    """What stands open, what waits and what was given up is counted on the partial indexes alone."""
    with Store.create(sqlite_url, rehearsal=False) as store, store.read() as tx:
        made = compiled_once(OPEN, "sqlite")
        [step] = tx.session._connection.execute(f"EXPLAIN QUERY PLAN {made.text}", made.bound({})).fetchall()[:1]
        assert "USING COVERING INDEX ix_refunds_due" in step[3]
        for statement in (WAITING, DEAD, FIRST_TRY):
            made = compiled_once(statement, "sqlite")
            plan = [row[3] for row in tx.session._connection.execute(f"EXPLAIN QUERY PLAN {made.text}", made.bound({}))]
            assert any("INDEX ix_effects_" in step for step in plan), plan
