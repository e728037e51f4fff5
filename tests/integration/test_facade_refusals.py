"""Refused attempts: recorded with every blocker, counted when repeated, and nothing else changes."""

from collections import Counter

import pytest

from refundflow.errors import NotFound, Refused, RoleNotAllowed
from tests.support.market import BUYER, CHEN, LI, SHOP, Market


def test_a_refused_attempt_is_an_entry_of_the_refund(market: Market) -> None:
    """The entry holds actor, event, blockers and the time; state and ledger stay."""
    refund = market.to("submitted")
    before = market.get(refund)
    market.later(minutes=5)
    with pytest.raises(Refused) as refused:
        market.act(refund, "approve", LI)
    newest, after = market.history(refund)[-1], market.get(refund)

    assert (newest.kind, newest.event, newest.actor_name, newest.before, newest.after) == (
        "refused", "approve", "li", "submitted", "submitted",
    )  # fmt: skip
    assert (newest.effective_at, newest.blockers) == (market.now, refused.value.blockers)
    assert (after.state, after.reserved_minor, after.seq) == (before.state, before.reserved_minor, before.seq + 1)
    assert set(refused.value.possible) == {"begin_review", "add_evidence", "assign", "flag_risk", "note"}


def test_a_repeated_refusal_is_counted_and_the_next_entry_carries_the_count(market: Market) -> None:
    """The same refusal with nothing between adds no entry."""
    refund = market.to("submitted")
    for _ in range(4):
        with pytest.raises(Refused):
            market.act(refund, "approve", LI)
    market.act(refund, "begin_review", LI)
    told = [(entry.kind, entry.event, entry.repeats) for entry in market.history(refund)]

    assert told == [("applied", "submit", 0), ("refused", "approve", 0), ("applied", "begin_review", 3)]
    market.require_sound()


@pytest.mark.parametrize("swept", [False, True])
def test_what_lapses_on_another_chain_of_the_line_is_nothing_between(market: Market, *, swept: bool) -> None:
    """The worker decides nothing: a refusal is a repeat whether it was there before it or not."""
    order = market.order()
    refund = market.submit(order).id
    for _ in range(2):
        with pytest.raises(Refused):
            market.submit(order)
        market.later(days=3)
        if swept:
            market.refunds.fire(Counter(), at=market.at)
    market.refunds.record_usage(order, usage="activated", actor=SHOP, at=market.at)

    told = [(entry.kind, entry.event, entry.repeats) for entry in market.history(f"{order}/1")]
    assert told == [("fact", "registered", 0), ("refused", "submit", 0), ("fact", "usage_recorded", 1)]
    assert "review_overdue" in [entry.event for entry in market.history(refund)]
    market.require_sound()


def test_another_refusal_or_another_actor_is_a_new_entry(market: Market) -> None:
    """Only the same refusal counts as a repeat."""
    refund = market.to("submitted")
    for event, actor in (("approve", LI), ("approve", CHEN), ("uphold", CHEN), ("approve", LI)):
        with pytest.raises(Refused):
            market.act(refund, event, actor)

    assert [entry.kind for entry in market.history(refund)] == ["applied", *["refused"] * 4]


def test_a_lapse_carries_the_count_of_repeats_too(market: Market) -> None:
    """Whatever entry comes next says how often the refusal before it was repeated."""
    refund = market.to("rejected.appealable")
    for _ in range(3):
        with pytest.raises(Refused):
            market.act(refund, "approve", LI)
    market.refunds.fire(Counter(), at=market.later(days=9))
    told = [(entry.kind, entry.event, entry.repeats) for entry in market.history(refund)[-2:]]

    assert told == [("refused", "approve", 0), ("applied", "appeal_window_closed", 2)]
    market.require_sound()


def test_a_refused_claim_is_an_entry_of_the_line(market: Market) -> None:
    """The line's chain tells who claimed what in vain; a repeat is counted there."""
    order = market.order()
    for _ in range(3):
        with pytest.raises(Refused, match="AMOUNT_EXCEEDS_LEFT"):
            market.submit(order, amount=999_999)
    market.refunds.record_usage(order, usage="activated", actor=SHOP, at=market.at)
    told = [(entry.kind, entry.event, entry.repeats) for entry in market.history(f"{order}/1")]

    assert told == [("fact", "registered", 0), ("refused", "submit", 0), ("fact", "usage_recorded", 2)]
    market.require_sound()


def test_a_role_that_may_not_is_refused_and_recorded(market: Market) -> None:
    """A buyer who approves is refused by role, with the roles that may."""
    refund = market.to("under_review.reviewing")
    with pytest.raises(RoleNotAllowed) as refused:
        market.act(refund, "approve", BUYER)

    assert refused.value.blockers[0].code == "ROLE_NOT_ALLOWED"
    assert market.history(refund)[-1].kind == "refused"


def test_what_is_unknown_leaves_no_trace(market: Market) -> None:
    """No refund, no line, no id at all: not found, and nothing is recorded."""
    refund = market.to("submitted")
    entries = market.refunds.verify().entries
    for wrong in ("A1-1-2", "A1-2-1", "Z9-1-1", "nonsense", ""):
        with pytest.raises(NotFound):
            market.act(wrong, "begin_review", LI)
    with pytest.raises(NotFound):
        market.submit("Z9")

    assert market.get(refund).state == "submitted"
    assert market.refunds.verify().entries == entries


def test_lapses_before_a_refusal_are_committed_with_it(market: Market) -> None:
    """An act that comes too late finds the state that the deadline left, and both are entries."""
    refund = market.to("under_review.negotiating")
    market.later(days=2)
    with pytest.raises(Refused, match="WRONG_STATE"):
        market.act(refund, "accept_offer", BUYER)
    told = [(entry.kind, entry.event) for entry in market.history(refund)][-2:]

    assert told == [("applied", "offer_lapsed"), ("refused", "accept_offer")]
