"""A damaged row on both databases: what is wrong with one refund keeps no other from lapsing or being paid."""

import logging
from collections import Counter

import pytest
from sqlalchemy import text

from refundflow import migrations
from refundflow.service.sweep import LOOK_AHEAD
from tests.support.aged import Inbox
from tests.support.market import LI, Market

DAMAGES = (
    "UPDATE refunds SET document = '{}' WHERE id = :id",
    "UPDATE refunds SET head = 'torn' WHERE id = :id",  # it lapses on, and verification finds it
    'UPDATE refunds SET document = replace(document, \'"policy":"\', \'"policy":"0\') WHERE id = :id',
    "UPDATE order_lines SET document = '{\"torn\": 1}' WHERE order_id || '-1-1' = :id",
    "INSERT INTO transitions (order_id, subject, seq, kind, event, effective_at, recorded_at, actor_role, actor_name,"
    " body, hash) SELECT order_id, subject, seq + 1, kind, event, effective_at, recorded_at, actor_role, actor_name,"
    " body, hash FROM transitions WHERE subject = :id AND seq = (SELECT max(seq) FROM transitions WHERE subject = :id)",
)


@pytest.fixture(autouse=True)
def _nothing_stands_still() -> None:
    """Here lines stand still on purpose."""


def damage(market: Market, statement: str, refund: str) -> None:
    """Change a row past the service."""
    with migrations.connect(market.url, write=True) as connection:
        connection.execute(text(statement), {"id": refund})


@pytest.mark.parametrize("statement", DAMAGES)
def test_a_damaged_refund_keeps_no_other_waiting(
    market: Market, statement: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The others of its batch lapse, later ones are warned of and paid, round after round, and it is told once."""
    damaged, *others = (market.to("rejected.appealable") for _ in range(4))
    damage(market, statement, damaged)
    paid = market.to("approved.payable")
    market.later(days=4)
    with caplog.at_level(logging.WARNING, "refundflow.work"):
        done = [market.refunds.work(at=market.at) for _ in range(2)]

    assert {market.get(refund).state for refund in others} == {"rejected.closed"}
    assert market.get(paid).state == "paid_out.settled"
    assert (done[0].settled, done[1].lapsed) == (1, 0)
    assert market.history(others[0], LI)[-1].event == "appeal_window_closed"
    told = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(told) <= 1 and market.refunds.verify().findings


def test_more_damaged_lines_than_are_read_at_once_keep_no_other_waiting(market: Market) -> None:
    """A sweep looks behind whole pages of them, for what is due and for what is to be warned of."""
    *damaged, sound = (market.to("rejected.appealable") for _ in range(2 * LOOK_AHEAD + 1))
    for refund in damaged:
        damage(market, DAMAGES[0], refund)
    done = Counter[str]()
    for sweep, days in ((market.refunds.warn, 3), (market.refunds.fire, 1)):
        market.later(days=days)
        while sweep(done, at=market.at, limit=1):
            pass

    assert done == {"lapsed": 1, "warned": 1} and market.get(sound).state == "rejected.closed"


def test_a_damaged_refund_that_is_owed_something_stops_no_payout(market: Market) -> None:
    """What the system owes others is done, and once the row is what it was, it is done too."""
    first, second = market.to("approved.payable"), market.to("approved.payable")
    with migrations.connect(market.url) as connection:
        kept = connection.execute(text("SELECT document FROM refunds WHERE id = :id"), {"id": first}).scalar()
    damage(market, DAMAGES[0], first)
    market.refunds.work(at=market.at)
    assert market.get(second).state == "paid_out.settled"

    with migrations.connect(market.url, write=True) as connection:
        connection.execute(text("UPDATE refunds SET document = :was WHERE id = :id"), {"was": kept, "id": first})
    market.refunds.work(at=market.at)
    assert market.get(first).state == "paid_out.settled"
    market.require_sound()


def test_beside_a_damaged_line_no_more_are_fired_than_were_asked_for(market: Market) -> None:
    """Whoever is to stop after a batch need not wait for more."""
    damaged, *sound = (market.to("rejected.appealable") for _ in range(3))
    damage(market, DAMAGES[0], damaged)
    market.later(days=4)
    left = [market.refunds.fire(Counter(), at=market.at, limit=1) for _ in range(3)]
    assert left == [1, 1, 0] and {market.get(refund).state for refund in sound} == {"rejected.closed"}


def test_what_a_channel_tells_of_a_damaged_refund_waits(market: Market, caplog: pytest.LogCaptureFixture) -> None:
    """Others are paid, the log names the damaged one once, and what was told of it is taken in once it is whole."""
    order = market.order()
    market.channel.script(f"pay-{order}", "reverse")
    told = market.submit(order).id
    for event in ("begin_review", "approve"):
        market.act(told, event, LI)
    market.refunds.work(at=market.at)
    paid = market.to("approved.payable")
    market.later(days=2)
    with migrations.connect(market.url) as connection:
        kept = connection.execute(text("SELECT document FROM refunds WHERE id = :id"), {"id": told}).scalar()
    damage(market, DAMAGES[0], told)
    for _ in range(2):
        market.refunds.work(at=market.at)

    assert market.get(paid).state == "paid_out.settled"
    assert [record.message for record in caplog.records if record.levelno == logging.ERROR] == [
        f"{order}/1 stands still: KeyError('id'); look with: refundflow audit verify"
    ]
    with migrations.connect(market.url, write=True) as connection:
        connection.execute(text("UPDATE refunds SET document = :was WHERE id = :id"), {"was": kept, "id": told})
    market.refunds.work(at=market.at)
    assert market.get(told).state == "approved.payout_failed"
    market.require_sound()


def test_a_damaged_refund_keeps_no_message_of_others(market: Market) -> None:
    """What was to be said of others is delivered; its own message waits, and is no dead letter."""
    first, second = market.to("rejected.appealable"), market.to("rejected.appealable")
    damage(market, DAMAGES[3], first)
    inbox = Inbox()
    for _ in range(2):
        market.refunds.deliver(inbox, at=market.at)

    assert {message.refund for message in inbox.taken} >= {second}
    assert "REJECTED" not in {message.code for message in inbox.taken if message.refund == first}
    assert market.refunds.numbers().dead == 0
