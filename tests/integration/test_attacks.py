"""What an attacker tries through the facade: another buyer's refunds, texts that are not his to read."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from refundflow.errors import BadInput
from tests.support.market import AMOUNT, BUYER, LI, QIAN, SHOP, START, Market


def two_buyers(market: Market) -> tuple[str, str]:
    """Submit a refund of wang and one of zhang."""
    market.order("Z1", buyer_id="zhang")
    return market.submit().id, market.submit("Z1", actor="buyer:zhang").id


def test_a_service_that_acts_for_a_buyer_has_his_queue_and_his_list_only(market: Market) -> None:
    """Another buyer's refund neither shows up in a queue or a list nor keeps it from being shown."""
    own, _ = two_buyers(market)

    queue = market.refunds.queue(actor=SHOP, buyer="wang", at=market.at)
    page = market.refunds.list(actor=SHOP, buyer="wang", customer="zhang", at=market.at)

    assert [item.refund.id for item in queue] == [own] == [item.id for item in page.refunds]


def test_a_buyer_reads_no_text_of_the_staff_that_was_not_written_for_him(market: Market) -> None:
    """What accompanies an approval or the beginning of a review is internal, as in the messages that leave."""
    refund = market.submit().id
    market.act(refund, "begin_review", LI, message="INTERNAL one")
    market.act(refund, "approve", LI, message="INTERNAL two")

    assert not [entry.texts for entry in market.history(refund, BUYER) if entry.texts]
    assert [entry.texts for entry in market.history(refund) if entry.texts] == [
        {"message": "INTERNAL one"},
        {"message": "INTERNAL two"},
    ]


EAST = timezone(timedelta(hours=8))
ODD_TIMES = (START.replace(tzinfo=None), datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=EAST), 7)
PAYMENT = {"number": "n", "amount": AMOUNT, "currency": "CNY", "proof": "p"}
TIMED: dict[str, Callable[[Market, str, Any], Any]] = {
    "act": lambda m, r, t: m.refunds.begin_review(r, actor=LI, at=t),
    "read": lambda m, r, t: m.refunds.get(r, actor=LI, at=t),
    "work": lambda m, r, t: m.refunds.work(at=t),
    "occurred": lambda m, r, t: m.act(r, "payout_settled", QIAN, **PAYMENT, occurred_at=t),
    "arrived": lambda m, r, t: m.act(r, "answer_enquiry", LI, answer="CHANNEL_PROCESSING", arrived_at=t),
    "since": lambda m, r, t: m.refunds.list(actor=LI, since=t, at=m.at),
    "completed": lambda m, r, t: m.refunds.record_completed("A1", completed_at=t, actor=SHOP, at=m.at),
}


@pytest.mark.parametrize("name", TIMED)
def test_times_without_offset_or_beyond_every_calendar_are_bad_input(market: Market, name: str) -> None:
    """No such time is taken, neither does it fail otherwise nor keep the rehearsal from going on."""
    refund = market.submit().id
    for moment in ODD_TIMES:
        with pytest.raises(BadInput):
            TIMED[name](market, refund, moment)

    assert market.act(refund, "begin_review", LI).state == "under_review.reviewing"
