"""The ledger of an order line, row by row as the workflow has it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from states import money
from states.case import Actor, Ledger
from states.ledger import settled_and_excess
from tests.unit.rules.story import BUYER, CHANNEL, SHOP, SYSTEM, Story, agent, finance, supervisor

FANG, GAO = finance("fang"), finance("gao")
LESS: dict[str, Any] = {"amount": 6000}  # of the 10000 that were captured
MINOR = st.integers(min_value=0, max_value=50)


def money_of(story: Story) -> Ledger:
    """Return the ledger of a story, which must be the sum of what its entries changed."""
    _, columns, _ = story.replayed()
    assert Ledger(**columns) == story.ledger
    return story.ledger


def left(story: Story) -> int:
    """Return what may still be claimed."""
    return money.left(story.aggregate.line, story.ledger)


def test_submit_reserves_what_is_claimed() -> None:
    """Reserved rises by the claim, and no more than what is left can be claimed."""
    story = Story().submit(**LESS)
    assert money_of(story) == Ledger(reserved=6000) and left(story) == 4000
    assert not money.overpaid(story.aggregate.line, story.ledger)


def test_dispatch_moves_what_is_approved_from_reserved_to_in_flight() -> None:
    """What was claimed beyond it stays reserved."""
    story = Story().reviewing(**LESS).must("offer", agent("li"), amount=2000).must("accept_offer", BUYER)
    story.must("dispatch_payout", SYSTEM)
    assert money_of(story) == Ledger(reserved=4000, in_flight=2000) and left(story) == 4000


def test_a_refused_payout_moves_it_back() -> None:
    """In flight falls, reserved rises."""
    story = Story().paying(**LESS).must("payout_refused", CHANNEL, proof="no")
    assert money_of(story) == Ledger(reserved=6000)


def test_a_refusal_from_payable_moves_nothing() -> None:
    """Nothing was in flight."""
    story = Story().approved(**LESS).must("payout_refused", SYSTEM, rule="CHANNEL_COUNT_USED", proof="rule")
    assert money_of(story) == Ledger(reserved=6000)


def test_a_payment_moves_what_is_approved_to_settled_and_releases_the_rest() -> None:
    """Of a claim of 60 that was approved over 20, 80 are left."""
    story = Story().reviewing(**LESS).must("offer", agent("li"), amount=2000).must("accept_offer", BUYER)
    story.must("dispatch_payout", SYSTEM).prove("payout_settled")
    assert money_of(story) == Ledger(settled=2000) and left(story) == 8000


def test_a_payment_that_comes_back_moves_from_settled_to_reserved() -> None:
    """Nothing is free again: the refund will be paid another way."""
    story = Story().paid(**LESS).prove("payout_reversed")
    assert money_of(story) == Ledger(reserved=6000) and left(story) == 4000


def test_a_late_return_moves_from_settled_to_left() -> None:
    """The refund is over; what came back may be claimed anew."""
    story = Story().paid(**LESS).must("confirm_receipt", BUYER).prove("late_reversal")
    assert money_of(story) == Ledger() and left(story) == 10000


def test_a_stray_payment_raises_settled_and_excess_and_its_return_lowers_both() -> None:
    """What nobody asked for is out, and the line has no right to it."""
    story = Story().paying(**LESS).must("payout_refused", CHANNEL, proof="no", void=True)
    story.must("revoke_approval", supervisor("zhao"), message="wrong").prove("payout_settled")
    assert money_of(story) == Ledger(reserved=6000, settled=6000, excess=6000)
    assert left(story) == 0 and money.overpaid(story.aggregate.line, story.ledger)

    story.prove("payout_reversed")

    assert money_of(story) == Ledger(reserved=6000) and left(story) == 4000


@pytest.mark.parametrize(
    "events",
    [
        [("withdraw", BUYER, {})],
        [("reject", agent("li"), {"grounds": ["DELIVERY_PROVEN"], "message": "It was."}), ("withdraw", BUYER, {})],
    ],
)
def test_a_withdrawal_frees_what_is_reserved_at_once(events: list[Any]) -> None:
    """A rejection that can be appealed keeps it, a withdrawal does not."""
    story = Story().reviewing(**LESS)
    for event, actor, params in events:
        assert money_of(story) == Ledger(reserved=6000)
        story.must(event, actor, **params)
    assert money_of(story) == Ledger() and left(story) == 10000


def test_a_rejection_keeps_the_claim_until_its_appeal_window_closes() -> None:
    """Whoever may still appeal has his money kept for him."""
    story = Story().rejected(**LESS)
    assert money_of(story) == Ledger(reserved=6000)
    assert money_of(story.at_due("appeal_window").sweep()) == Ledger()


def test_upholding_a_rejection_frees_the_claim() -> None:
    """Every final state releases what is still reserved."""
    story = Story().appealed(**LESS).must("uphold", agent("wang"), grounds=["NO_NEW_GROUND"])
    assert story.state == "rejected.closed" and money_of(story) == Ledger()


def test_a_compensation_stands_outside_the_ledger() -> None:
    """An accepted offer without a refund part frees the claim and moves nothing else."""
    story = Story().reviewing(**LESS).must("offer", agent("li"), amount=0, compensation=1000)
    story.must("accept_offer", BUYER)
    assert story.state == "paid_out.settled" and money_of(story) == Ledger()


def test_a_revoked_approval_keeps_the_claim_reserved() -> None:
    """The claim goes on in its instance."""
    story = Story().approved(**LESS).must("revoke_approval", supervisor("zhao"), message="wrong")
    assert money_of(story) == Ledger(reserved=6000)


def test_a_lowered_capture_is_excess_until_what_is_out_falls() -> None:
    """Excess is what reserved + in flight + settled has too much; it falls with them, and with a higher capture."""
    story = Story().paid(amount=6000).submit(amount=4000, reason="CREDITED_WRONG_ACCOUNT")
    story.must("captured", SHOP, captured=5000)
    assert money_of(story) == Ledger(reserved=4000, settled=6000, excess=5000)

    assert money_of(story.must("withdraw", BUYER)) == Ledger(settled=6000, excess=1000)
    assert money_of(story.must("captured", SHOP, captured=5500)) == Ledger(settled=6000, excess=500)
    assert money_of(story.must("captured", SHOP, captured=10000)) == Ledger(settled=6000)


def test_a_stray_payment_within_a_lowered_capture_is_not_counted_twice() -> None:
    """Its excess and the one of the capture add up to what is out beyond the captured amount."""
    story = Story().paying(**LESS).must("payout_refused", CHANNEL, proof="no", void=True)
    story.must("revoke_approval", supervisor("zhao"), message="wrong").prove("payout_settled")
    story.must("captured", SHOP, captured=5000)
    assert money_of(story) == Ledger(reserved=6000, settled=6000, excess=7000)


def resolved(story: Story, how: str, amount: int, proof: str = "slip") -> Ledger:
    """Resolve excess by two persons."""
    params: dict[str, Any] = {"how": how, "amount": amount, "proof": proof}
    return money_of(story.must("excess_resolved", FANG, **params).must("excess_resolved", GAO, **params))


def stray() -> Story:
    """Return a line with a stray payment of 60 and nothing reserved."""
    story = Story().paying(**LESS).must("payout_refused", CHANNEL, proof="no", void=True)
    story.must("revoke_approval", supervisor("zhao"), message="wrong").prove("payout_settled")
    return story.must("withdraw", BUYER)


def test_excess_that_the_buyer_returned_lowers_settled_too() -> None:
    """What is back was not paid after all, and may be claimed again."""
    story = stray()
    assert resolved(story, "returned", 2000) == Ledger(settled=4000, excess=4000)
    assert resolved(story, "returned", 4000) == Ledger() and left(story) == 10000


def test_excess_that_is_written_off_stays_settled() -> None:
    """The money is gone: it counts against what is left."""
    story = stray()
    assert resolved(story, "written_off", 6000) == Ledger(settled=6000) and left(story) == 4000


def test_what_was_written_off_is_not_paid_a_second_time() -> None:
    """Written off, money is as gone as before: neither its own refund nor a claim beside it is covered by it again."""
    story = Story().paying().must("payout_refused", CHANNEL, proof="no", void=True)
    story.must("revoke_approval", supervisor("zhao"), message="wrong").prove("payout_settled")
    assert resolved(story, "written_off", 10000) == Ledger(reserved=10000)

    assert story.do("approve", agent("bai")).blockers["NOT_COVERED_BY_LINE"].params["available"] == 0
    assert story.do("offer", agent("bai"), amount=1).codes == ["NOT_COVERED_BY_LINE"]
    story.must("offer", agent("bai"), amount=0, compensation=100)


def test_writing_off_beyond_the_capture_hides_it_from_settled() -> None:
    """Reserved + in flight + settled ≤ captured + excess wins: settled falls only as far as that asks."""
    story = Story().paid(**LESS).must("captured", SHOP, captured=5000)
    assert money_of(story) == Ledger(settled=6000, excess=1000)
    assert resolved(story, "written_off", 1000) == Ledger(settled=5000)
    assert left(story) == 0 and story.case["settled"] == 6000

    story.must("captured", SHOP, captured=10000)

    assert money_of(story) == Ledger(settled=6000) and left(story) == 4000


def test_a_payment_that_comes_back_after_its_excess_was_resolved() -> None:
    """No column falls below 0: 20 were returned by hand and all 60 by the channel, so the 20 were told twice."""
    story = Story().paid(**LESS).must("captured", SHOP, captured=4000)
    assert resolved(story, "returned", 2000) == Ledger(settled=4000)
    assert money_of(story.prove("payout_reversed")) == Ledger(reserved=6000, excess=2000)

    story.must("captured", SHOP, captured=6000).must("pay_manually", FANG).must("pay_manually", GAO)

    assert money_of(story.prove("payout_settled")) == Ledger(settled=6000) and left(story) == 0
    assert story.submit(amount=2000, reason="FRAUD").codes == ["AMOUNT_EXCEEDS_LEFT"]


def test_a_stray_payment_that_comes_back_after_it_was_written_off() -> None:
    """Nothing was lost in the end, and nothing stays written off."""
    story = stray()
    resolved(story, "written_off", 6000)
    assert money_of(story.prove("payout_reversed")) == Ledger() and left(story) == 10000
    assert story.aggregate.line["written_off"] == 0


@pytest.mark.parametrize("confirmed", [False, True])
def test_a_payment_that_comes_back_after_it_was_written_off(*, confirmed: bool) -> None:
    """Nothing stays written off that could hide from finance what is paid, or lowered, later."""
    story = Story().paid(**LESS).must("captured", SHOP, captured=1000)
    assert resolved(story, "written_off", 5000) == Ledger(settled=1000)
    if confirmed:
        story.must("confirm_receipt", BUYER).prove("late_reversal").must("captured", SHOP, captured=10000)
        story.submit(SHOP, reason="PAYOUT_RETURNED", returned=story.refund, amount=6000)
        story.must("begin_review", agent("li")).must("approve", agent("li")).must("dispatch_payout", SYSTEM)
    else:
        story.prove("payout_reversed").must("captured", SHOP, captured=10000)
        story.must("pay_manually", FANG).must("pay_manually", GAO)
    assert [entry.params["lost"] for entry in story.entries if entry.event == "resolved_came_back"] == [5000]
    assert money_of(story.prove("payout_settled")) == Ledger(settled=6000)

    story.must("captured", SHOP, captured=1000)

    assert money_of(story) == Ledger(settled=6000, excess=5000)
    assert "OVERPAID" in [effect.code for effect in story.effects]


def test_of_what_was_written_off_only_what_came_back_is_taken_back() -> None:
    """What is still out stays written off."""
    story = Story().paid(**LESS).submit(amount=4000, reason="CREDITED_WRONG_ACCOUNT")
    story.must("begin_review", agent("li")).must("approve", agent("li")).must("dispatch_payout", SYSTEM)
    story.prove("payout_settled").must("captured", SHOP, captured=0)
    resolved(story, "written_off", 7000)

    story.prove("payout_reversed")

    assert story.aggregate.line["written_off"] == 6000
    assert money_of(story) == Ledger(reserved=4000, excess=4000)


@pytest.mark.parametrize("how", ["returned", "written_off"])
def test_no_more_is_stray_than_is_out(how: str) -> None:
    """20 of 60 were returned by hand, then all 60 came back: a stray 60 is resolved with the 40 that are still out."""
    story = Story().paying(**LESS).must("payout_refused", CHANNEL, proof="no", void=True)
    first = story.number
    story.must("pay_manually", FANG).must("pay_manually", GAO).prove("payout_settled", Actor("channel", "bank_manual"))
    story.must("captured", SHOP, captured=4000)
    resolved(story, "returned", 2000)
    second = story.number
    story.prove("payout_settled", number=first).prove("payout_reversed", number=second)
    assert money_of(story) == Ledger(reserved=6000, settled=4000, excess=6000)

    assert resolved(story, how, 4000, "all of it").excess == 2000  # what the claim exceeds the capture by
    story.must("revoke_approval", supervisor("zhao"), message="wrong").must("withdraw", BUYER)

    assert money_of(story) == Ledger(settled=0 if how == "returned" else 4000)


def test_the_same_return_told_by_finance_and_by_the_channel_counts_once() -> None:
    """Finance tells 60 of the stray payment as returned, the channel proves it afterwards: it came back once."""
    story = stray()
    resolved(story, "returned", 6000)

    story.prove("payout_reversed")

    assert money_of(story) == Ledger() and left(story) == 10000
    assert story.aggregate.line["beside"] == story.aggregate.line["returned_by_hand"] == 0


def test_what_finance_told_of_one_return_lowers_no_other() -> None:
    """Of two stray payments the first came back by hand and then by the channel; the second only by the channel."""
    story = stray()
    resolved(story, "returned", 6000)
    story.prove("payout_reversed")
    story.submit(amount=3000).must("begin_review", agent("li")).must("approve", agent("li"))
    story.must("dispatch_payout", SYSTEM).must("payout_refused", CHANNEL, proof="no", void=True)
    story.must("revoke_approval", supervisor("zhao"), message="wrong").prove("payout_settled").must("withdraw", BUYER)
    assert money_of(story) == Ledger(settled=3000, excess=3000)

    assert money_of(story.prove("payout_reversed")) == Ledger()


def test_left_is_never_shown_below_zero() -> None:
    """A chargeback over all that was captured, beside a settled refund, leaves nothing; the line is overpaid."""
    story = Story().paid(**LESS).must("chargeback_opened", CHANNEL, chargeback="c1", amount=10000)
    assert left(story) == 0 and money.overpaid(story.aggregate.line, story.ledger)
    assert money.overpaid_by(story.aggregate.line, story.ledger) == 6000
    assert money_of(story) == Ledger(settled=6000, charged_back=10000)


def test_two_refunds_of_a_line_never_take_more_than_it_has() -> None:
    """The second claim is bounded by what the first left, and what the first frees is there for the next."""
    story = Story().paid(**LESS).submit(amount=4001, reason="CREDITED_WRONG_ACCOUNT")
    assert story.codes == ["AMOUNT_EXCEEDS_LEFT"] and story.blockers["AMOUNT_EXCEEDS_LEFT"].params["left"] == 4000
    story.submit(amount=4000, reason="CREDITED_WRONG_ACCOUNT").must("begin_review", agent("li"))
    story.must("approve", agent("li")).must("dispatch_payout", SYSTEM)
    assert money_of(story) == Ledger(in_flight=4000, settled=6000)


@given(captured=MINOR, committed=MINOR, paid=MINOR, stray=MINOR, written_off=MINOR)
def test_the_line_bears_what_is_out(captured: int, committed: int, paid: int, stray: int, written_off: int) -> None:
    """Whatever is true of a line, settled and excess keep the bound, and settled hides no more than was written off."""
    settled, excess = settled_and_excess(
        captured=captured, committed=committed, paid=paid, stray=stray, written_off=written_off
    )
    assert committed + settled <= captured + excess
    assert excess >= 0 and 0 <= paid - settled <= written_off
    assert settled == paid or committed + settled >= captured
