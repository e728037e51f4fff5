"""Races about the money of one line on both databases: whatever two processes do at once, somebody was first."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.market import AMOUNT, BUYER, CHEN, LI, QIAN, SHOP, SUN, Market, require_ledger
from tests.support.racers import Call, Racers, Result, call

ROUNDS = 3
Two = tuple[Call, Call]


@pytest.fixture(scope="module")
def racers() -> Iterator[Racers]:
    """Keep a few processes for the races of this module."""
    with Racers() as running:
        yield running


def proof(market: Market, refund: str) -> dict[str, Any]:
    """Return what proves the newest payment of a refund, or its return."""
    return {"number": market.get(refund).attempts[-1].number, "amount": AMOUNT, "currency": "CNY", "proof": "slip"}


def failed(market: Market) -> str:
    """Make a refund whose only number is void, and which one person of finance already wants to pay by hand."""
    refund = market.to("approved.payout_failed")
    market.act(refund, "pay_manually", QIAN)
    return refund


def too_much(market: Market) -> tuple[str, str, dict[str, Any]]:
    """Make a line of which nothing is captured any more; return refund, order, and how finance resolves it."""
    refund = market.to("paid_out.settled")
    order = market.get(refund).order_id
    market.refunds.record_captured(order, amount=0, actor=SHOP)
    how: dict[str, Any] = {"amount": AMOUNT, "how": "written_off", "proof": "minutes"}
    market.refunds.excess_resolved(order, actor=QIAN, **how)
    return refund, order, how


def told_paid_and_refused(market: Market) -> Two:
    """One of finance has the proof of a payment, the other that it failed for good."""
    refund = market.to("approved.paying")
    told = proof(market, refund)
    no = {"number": told["number"], "proof": "no", "void": True}
    return call("payout_settled", refund, actor=QIAN, **told), call("payout_refused", refund, actor=SUN, **no)


def paid_by_hand_and_revoked(market: Market) -> Two:
    """The second person opens a transfer while a supervisor takes the approval back."""
    refund = failed(market)
    revoke = call("revoke_approval", refund, message="The account is in use.", actor=CHEN)
    return call("pay_manually", refund, actor=SUN), revoke


def paid_by_hand_and_elsewhere(market: Market) -> Two:
    """The second person opens a transfer, and sends the refund to another channel."""
    refund = failed(market)
    other = {"channel": "balance", "message": "The bank is closed."}
    market.act(refund, "reroute_payout", QIAN, **other)
    return call("pay_manually", refund, actor=SUN), call("reroute_payout", refund, actor=SUN, **other)


def paid_by_hand_and_told_paid(market: Market) -> Two:
    """The second person opens a transfer while the other finds that the dead number has paid."""
    refund = failed(market)
    told = call("payout_settled", refund, actor=QIAN, **proof(market, refund))
    return call("pay_manually", refund, actor=SUN), told


def paid_by_hand_and_charged_back(market: Market) -> Two:
    """The second person opens a transfer while the buyer's bank takes the money back."""
    refund = failed(market)
    back = call("chargeback_opened", market.get(refund).order_id, chargeback="c", amount=1, actor=QIAN)
    return call("pay_manually", refund, actor=SUN), back


def came_back_and_confirmed(market: Market) -> Two:
    """The payment comes back while the buyer confirms that it arrived."""
    refund = market.to("paid_out.settled")
    back = call("payout_reversed", refund, actor=QIAN, **proof(market, refund))
    return back, call("confirm_receipt", refund, actor=BUYER)


def written_off_and_came_back(market: Market) -> Two:
    """Finance writes off what comes back at the same moment."""
    refund, order, how = too_much(market)
    back = call("payout_reversed", refund, actor=QIAN, **proof(market, refund))
    return call("excess_resolved", order, actor=SUN, **how), back


def written_off_and_captured(market: Market) -> Two:
    """Finance writes off what the shop captures again at the same moment."""
    _, order, how = too_much(market)
    return call("excess_resolved", order, actor=SUN, **how), call("record_captured", order, amount=1_000, actor=SHOP)


def resolved_in_two_ways(market: Market) -> Two:
    """The same person agrees to a loss and says in another process that the buyer returned it."""
    _, order, how = too_much(market)
    other = call("excess_resolved", order, actor=SUN, **how | {"how": "returned"})
    return call("excess_resolved", order, actor=SUN, **how), other


def approved_and_captured_less(market: Market) -> Two:
    """An agent approves what the shop captures less of."""
    refund = market.to("under_review.reviewing")
    less = call("record_captured", market.get(refund).order_id, amount=AMOUNT - 1, actor=SHOP)
    return call("approve", refund, actor=LI), less


def claimed_twice_what_came_back(market: Market) -> Two:
    """The shop claims what came back after the end, and the buyer claims what is left, which is the same money."""
    refund = market.to("paid_out.confirmed")
    market.act(refund, "late_reversal", QIAN, **proof(market, refund))
    order = market.get(refund).order_id
    back: dict[str, Any] = {"reason": "PAYOUT_RETURNED", "returned": refund, "amount": AMOUNT}
    mine = call("submit", order, reason="CODE_INVALID", amount=AMOUNT, actor=BUYER)
    return call("submit", order, buyer="wang", actor=SHOP, **back), mine


STORIES = (
    told_paid_and_refused, paid_by_hand_and_revoked, paid_by_hand_and_elsewhere, paid_by_hand_and_told_paid,
    paid_by_hand_and_charged_back, came_back_and_confirmed, written_off_and_came_back, written_off_and_captured,
    resolved_in_two_ways, approved_and_captured_less, claimed_twice_what_came_back,
)  # fmt: skip


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_somebody_was_first(racers: Racers, live: Market, story: Callable[[Market], Two]) -> None:
    """What two acts at once leave is what one of them leaves before the other."""
    serial = []
    for first in (0, 1):
        two = story(live)
        answers: dict[int, Result] = {}
        for turn in (first, 1 - first):
            [[answers[turn]]] = racers.race(live.url, [two[turn]])
        serial.append(left_by(live, two, [answers[0], answers[1]]))
    made = [story(live) for _ in range(ROUNDS)]

    rounds = racers.race(live.url, *zip(*made, strict=True))

    live.require_sound()
    for two, results in zip(made, rounds, strict=True):
        assert left_by(live, two, results) in serial


def left_by(market: Market, two: Two, results: list[Result]) -> Any:
    """Return what can be told apart: who was refused and why, every state, every amount."""
    order = two[0].args[0].split("-")[0]
    line = market.line(order)
    require_ledger(line)
    refunds = [market.get(refund) for refund in line.refunds]
    return (
        [(result.code, result.blockers) for result in results],
        (line.captured_minor, line.reserved_minor, line.in_flight_minor, line.settled_minor),
        (line.charged_back_minor, line.excess_minor, line.left_minor, line.waiting),
        [(item.state, item.approved_minor, item.settled_minor, [f.name for f in item.firsts]) for item in refunds],
        [[(number.state, number.void) for number in item.attempts] for item in refunds],
    )
