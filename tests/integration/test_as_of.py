"""The past: every refund and ledger as it was at a moment, by effective and by recorded time."""

import csv
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from refundflow import migrations
from refundflow.errors import BadInput, NotFound
from refundflow.export.as_of import COLUMNS
from tests.support.market import BUYER, LI, WU, Market

pytestmark = pytest.mark.partitioned


def rows(market: Market, path: Path, **asked: Any) -> list[dict[str, Any]]:
    """Export the past as JSON Lines and read it back."""
    market.refunds.export_as_of(format="jsonl", output=str(path), actor=WU, at=market.at, **asked)
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_every_moment_of_a_life_is_told_as_it_was(market: Market) -> None:
    """At each moment state, money and deadline are those that a read showed then."""
    refund = market.submit().id
    order = market.get(refund).order_id
    seen = {market.now: (market.get(refund), market.line(order))}
    for act in (("begin_review", LI), ("approve", LI)):
        market.later(hours=1)
        market.act(refund, *act)
        seen[market.now] = market.get(refund), market.line(order)
    market.later(hours=1)
    market.refunds.work(at=market.at)
    seen[market.now] = market.get(refund), market.line(order)
    market.later(days=30)

    for moment, (shown, line) in seen.items():
        assert market.refunds.get(refund, actor=LI, at=market.at, as_of=moment) == shown
        assert market.refunds.line(order, actor=LI, at=market.at, as_of=moment) == line


def test_a_lapse_counts_from_its_due_moment_whenever_it_is_recorded(market: Market) -> None:
    """By effective time an offer has lapsed at its moment; by recorded time nobody knew it until somebody looked."""
    refund = market.to("under_review.negotiating")
    due_at = market.get(refund).deadlines[0].due_at
    market.later(days=9)
    before, after = due_at - timedelta(microseconds=1), due_at + timedelta(hours=1)

    def state(as_of: datetime) -> str:
        return market.refunds.get(refund, actor=LI, at=market.at, as_of=as_of).state

    unrecorded = state(before), state(due_at)
    market.act(refund, "note", LI, message="Looked at it.")

    assert unrecorded == ("under_review.negotiating", "under_review.reviewing") == (state(before), state(after))
    known = market.refunds.get(refund, actor=LI, at=market.at, as_of=market.now, known_at=before)
    assert known.state == "under_review.reviewing"  # what was due is told, though nobody had recorded it
    assert known.seq < market.get(refund).seq


def test_what_was_not_there_is_not_found_and_what_is_to_come_is_no_past(market: Market) -> None:
    """A refund before its submit does not exist; a moment that has not come is bad input."""
    order = market.order()
    ordered = market.now
    market.later(hours=1)
    refund = market.submit(order).id
    for early, what in ((ordered, refund), (ordered - timedelta(days=1), refund)):
        with pytest.raises(NotFound):
            market.refunds.get(what, actor=LI, at=market.at, as_of=early)
    with pytest.raises(NotFound):
        market.refunds.line(order, actor=LI, at=market.at, as_of=ordered - timedelta(seconds=1))
    for name in ("as_of", "known_at"):
        with pytest.raises(BadInput, match="has not come yet"):
            market.refunds.get(refund, actor=LI, at=market.at, **{name: market.now + timedelta(seconds=1)})  # type: ignore[arg-type]
    assert market.refunds.line(order, actor=BUYER, at=market.at, as_of=ordered).refunds == ()


def test_the_export_of_a_past_has_every_line_and_refund_of_then(market: Market, tmp_path: Path) -> None:
    """Each row says what a read said then, and names the entry that it follows from."""
    first = market.to("approved.payable")
    market.order("B1")
    moment, then = market.now, market.get(first)
    line = market.line(then.order_id)
    market.later(hours=2)
    market.refunds.work(at=market.at)
    market.submit("B1")
    market.later(days=40)
    found = rows(market, tmp_path / "past.jsonl", as_of=moment)

    assert [(row["what"], row["order_id"], row["refund"]) for row in found] == [
        ("line", then.order_id, None), ("refund", then.order_id, first), ("line", "B1", None),
    ]  # fmt: skip
    refund, ledger = found[1], found[0]
    assert (refund["state"], refund["approved"], refund["reserved"]) == (
        then.state, then.approved_minor, then.reserved_minor,
    )  # fmt: skip
    assert refund["deadline"] == "payout" and ledger["left"] == line.left_minor and ledger["reserved"] == 30_000
    entries = market.refunds.history(first, actor=WU, at=market.at)
    assert refund["hash"] == next(entry.hash for entry in entries if entry.seq == refund["seq"] == then.seq)
    later = rows(market, tmp_path / "later.jsonl", as_of=market.now)
    assert {row["refund"]: row["unstored"] > 0 for row in later if row["refund"]} == {first: True, "B1-1-1": True}
    assert {row["state"] for row in later if row["refund"] == first} == {market.get(first).state}


def test_the_csv_of_a_past_opens_in_a_spreadsheet(market: Market, tmp_path: Path) -> None:
    """The same rows stand in CSV, one column for each key, and the file appears whole."""
    market.to("rejected.appealable")
    path = tmp_path / "past.csv"
    written = market.refunds.export_as_of(format="csv", output=str(path), actor=WU, as_of=market.now)
    with path.open(encoding="utf-8-sig", newline="") as file:
        found = list(csv.DictReader(file))

    assert tuple(found[0]) == COLUMNS and len(found) == written == 2
    assert found[1]["state"] == "rejected.appealable" and found[1]["deadline"] == "appeal_window"
    with pytest.raises(BadInput, match="say the moment"):
        market.refunds.export_as_of(format="csv", output=str(path), actor=WU)
    with pytest.raises(NotFound):
        market.refunds.export_as_of(format="csv", output=str(path), actor=BUYER, as_of=market.now)


def test_replay_finds_stored_and_replayed_state_equal(market: Market) -> None:
    """All chains, and those of one refund's line alone, give what is stored."""
    refund = market.to("paid_out.settled")
    market.to("withdrawn")
    told: list[int] = []
    whole, one = market.refunds.replay(progress=told.append), market.refunds.replay(refund)

    assert whole.ok and one.ok and (whole.chains, whole.rows) == (4, 4) and (one.chains, one.rows) == (2, 2)
    assert sum(told) == whole.entries > one.entries
    assert one == market.refunds.replay(f"{market.get(refund).order_id}/1")
    for unknown in ("A9-1-1", "A9/1", "rubbish", "A9/1\n"):
        with pytest.raises(NotFound):
            market.refunds.replay(unknown)


@pytest.mark.parametrize(
    ("statement", "field", "stored", "replayed"),
    [
        ("UPDATE refunds SET state = 'withdrawn', next_due_at = NULL WHERE id = 'R-1-1'", "state", "withdrawn",
         "under_review.reviewing"),
        ("UPDATE refunds SET document = replace(document, '\"claimed\":30000', '\"claimed\":3')", "document.claimed", 3,
         30_000),
        ("UPDATE order_lines SET reserved = 1", "reserved", 1, 30_000),
        ("UPDATE order_lines SET document = 'x'", "document", "x", None),
        ("DELETE FROM refunds", "row", "(missing)", "a chain"),
    ],
)  # fmt: skip
def test_replay_names_each_difference(
    market: Market, statement: str, field: str, stored: object, replayed: object
) -> None:
    """A row that was changed past the service is told by field, stored and replayed value."""
    refund = market.submit(market.order("R")).id
    market.act(refund, "begin_review", LI)
    market.close()
    with migrations.connect(market.url, write=True) as connection:
        connection.exec_driver_sql(statement)
    market.restart()
    found = market.refunds.replay(refund)

    assert not found.ok
    named = {item.field: item for item in found.differences}
    assert named[field].stored == stored and replayed in (None, named[field].replayed)
