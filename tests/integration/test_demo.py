"""The demo shows every branch, ends with work to do, and is the same on both databases."""

from collections import Counter
from pathlib import Path

import pytest

from refundflow.demo import CHANNELS, Demo, play
from refundflow.errors import BadInput
from refundflow.gateways import FakeChannel
from refundflow.service import Refunds
from refundflow.values import HistoryEntry
from states.clocks import EVENTS as LAPSES
from states.codes import PRODUCT_TYPES, REASONS
from states.decide import EVENTS
from states.line import FACTS
from states.refund_v1 import TABLE
from tests.support.databases import Databases

BAI = "auditor:bai"
OPERATIONS = {"effect_discarded"}  # a marketplace where nothing breaks has none of these


def prepare(url: str) -> None:
    """Play the demo in a database."""
    Refunds.init(url, rehearsal=True)
    with Refunds.connect(url) as refunds:
        played(refunds)


def played(refunds: Refunds) -> Demo:
    """Play the demo with channels in memory."""
    return play(refunds, {name: FakeChannel(name) for name in CHANNELS})


def entries(refunds: Refunds, *subjects: str) -> list[HistoryEntry]:
    """Return the entries of chains."""
    return [entry for subject in subjects for entry in refunds.history(subject, actor=BAI)]


def exported(url: str, output: Path) -> bytes:
    """Return every entry of every chain."""
    with Refunds.connect(url) as refunds:
        refunds.export(format="jsonl", output=str(output), actor=BAI)
    return output.read_bytes()


def test_the_demo_shows_every_branch(databases: Databases) -> None:
    """Every product type, reason, state, event, lapse and fact of a line occurs, and every chain holds."""
    with Refunds.connect(databases.copy_of("demo", prepare)) as refunds:
        found = refunds.list(actor=BAI, limit=500).refunds
        done = [entry for entry in entries(refunds, *(item.id for item in found)) if entry.kind != "refused"]
        facts = entries(refunds, *(f"{item.order_id}/{item.line}" for item in found))

        assert {item.product_type for item in found} == set(PRODUCT_TYPES)
        assert {item.reason for item in found} == set(REASONS)
        assert {entry.after for entry in done} >= set(TABLE.leaves)
        assert {entry.event for entry in done} >= {*EVENTS, *LAPSES.values()}
        assert {entry.event for entry in facts} >= set(FACTS) - OPERATIONS | {"registered", "stray_payment"}
        assert refunds.verify().ok


def test_the_demo_ends_with_work_to_do(databases: Databases) -> None:
    """The queue holds overdue, due today, waiting for the buyer, a clear appeal first, and a failed payout."""
    with Refunds.connect(databases.copy_of("demo", prepare)) as refunds:
        queue = refunds.queue(actor="agent:lin")

    assert queue[0].refund.state == "appealed"
    assert queue[0].refund.clear_evidence
    urgencies = Counter(item.urgency for item in queue)
    assert urgencies["overdue"] >= 1
    assert urgencies["due_today"] >= 1
    assert urgencies["waiting"] >= 2
    assert any(item.refund.state == "approved.payout_failed" for item in queue)
    assert any(item.refund.hold for item in queue)


def test_the_demo_is_the_same_everywhere(
    sqlite_databases: Databases, postgres_databases: Databases, tmp_path: Path
) -> None:
    """A seed gives one history, to the byte, on SQLite and on PostgreSQL."""
    first = exported(sqlite_databases.copy_of("demo", prepare), tmp_path / "first.jsonl")
    second = exported(postgres_databases.copy_of("demo", prepare), tmp_path / "second.jsonl")

    assert first == second
    assert first.count(b"\n") > 500


def test_another_seed_tells_another_month(sqlite_url: str) -> None:
    """Whatever the seed, the month plays to its end; progress says how far it is."""
    Refunds.init(sqlite_url, rehearsal=True)
    steps: list[tuple[int, int]] = []

    with Refunds.connect(sqlite_url) as refunds:
        channels = {name: FakeChannel(name) for name in CHANNELS}
        demo = play(refunds, channels, seed=7, progress=lambda done, total: steps.append((done, total)))

        assert len(refunds.list(actor=BAI, limit=500).refunds) == demo.refunds
        assert demo.orders >= 70
        assert steps[-1][0] == steps[-1][1]
        assert refunds.verify().ok
        with pytest.raises(BadInput, match="empty"):
            play(refunds, channels)


def test_a_live_database_is_no_place_for_a_demo(sqlite_url: str) -> None:
    """The demo says its own times: a live database refuses before anything is done."""
    Refunds.init(sqlite_url)

    with Refunds.connect(sqlite_url) as refunds, pytest.raises(BadInput, match="rehearsal"):
        played(refunds)
