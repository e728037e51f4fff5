"""Negotiation: what an offer may be, who answers it how, and what it promises."""

from typing import Any

import pytest

from states.case import Actor
from tests.unit.rules.story import BUYER, CHANNEL, INSTANT, SHOP, Story, agent, supervisor


def offered(**params: Any) -> Story:
    """Return a story with a standing offer of 40.00 (or what is given) by li."""
    return Story().reviewing().must("offer", agent("li"), **({"amount": 4000} | params))


def countered(amount: int = 6000, **line: Any) -> Story:
    """Return a story whose buyer answered the offer with a counter-offer."""
    story = Story(**line).reviewing().must("offer", agent("li"), amount=4000)
    return story.must("counter_offer", BUYER, amount=amount)


def test_an_offer_stands_for_two_days_and_says_all_it_means() -> None:
    """The buyer is told number, amounts, the usage it was made on, and until when."""
    story = offered(compensation=500)

    assert (story.state, story.case["standing"], story.due("offer")) == (
        "under_review.negotiating", "1", "2026-11-04 10:00",
    )  # fmt: skip
    assert story.effects[-1].params == {
        "offer": "1", "amount": 4000, "compensation": 500, "currency": "CNY", "usage": "unused",
        "due_at": story.deadline("offer")["due_at"], "pro_rata_minor": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("params", "codes"),
    [
        ({"amount": 0, "compensation": 0}, ["OFFER_EMPTY"]),
        ({"amount": -1}, ["AMOUNT_NEGATIVE"]),
        ({"amount": 100, "compensation": -1}, ["AMOUNT_NEGATIVE"]),
        ({"amount": 10001}, ["AMOUNT_EXCEEDS_CLAIM", "NOT_COVERED_BY_LINE"]),
        ({"amount": 10000}, []),
        ({"amount": 100, "compensation": 2000}, []),
        ({"amount": 100, "compensation": 2001}, ["COMPENSATION_ABOVE_LIMIT"]),
    ],
)
def test_the_terms_of_an_offer_have_bounds(params: dict[str, Any], codes: list[str]) -> None:
    """0 ≤ refund part ≤ claimed, not both parts 0, compensation within the agent's limit."""
    assert Story().reviewing().do("offer", agent(), **params).codes == codes


@pytest.mark.parametrize(("compensation", "codes"), [(10000, []), (10001, ["COMPENSATION_ABOVE_LIMIT"])])
def test_a_supervisor_compensates_more(compensation: int, codes: list[str]) -> None:
    """The limit is that of the role."""
    assert Story().reviewing().do("offer", supervisor(), amount=0, compensation=compensation).codes == codes


def test_an_offer_is_a_promise_checked_before_it_is_made() -> None:
    """An open chargeback or an uncovered line blocks the offer; without a refund part cover is not asked."""
    story = Story().reviewing().must("chargeback_opened", CHANNEL, chargeback="c1", amount=9000)
    assert story.do("offer", agent(), amount=4000).codes == ["CHARGEBACK_OPEN", "NOT_COVERED_BY_LINE"]
    assert story.do("offer", agent(), amount=0, compensation=100).codes == ["CHARGEBACK_OPEN"]


def test_three_rounds_of_offers_in_each_instance() -> None:
    """OFFER_ROUNDS_USED says used and limit; the appeal counts anew."""
    story = Story().reviewing()
    for _ in range(3):
        story.must("offer", agent("li"), amount=100).must("decline_offer", BUYER)

    assert story.do("offer", agent("li"), amount=100).codes == ["OFFER_ROUNDS_USED"]
    assert story.blockers["OFFER_ROUNDS_USED"].params == {"used": 3, "limit": 3}
    story.must("reject", agent("li"), grounds=["NOT_COVERED"], message="No.")
    story.must("appeal", BUYER, argument="Three offers were too low.").must("offer", agent("wang"), amount=100)


def test_a_counter_offer_takes_the_place_of_the_offer_and_its_time_begins_anew() -> None:
    """State stays, the deadline is set anew, the offer no longer binds its maker."""
    story = offered().at(hours=20).must("counter_offer", BUYER, amount=6000)

    assert (story.state, story.case["standing"], story.due("offer")) == (
        "under_review.negotiating", "2", "2026-11-05 06:00",
    )  # fmt: skip
    assert story.case["offers"]["1"]["ended"] == "countered"
    assert story.told("staff_task") == ["COUNTER_OFFER"]


@pytest.mark.parametrize(
    ("amount", "codes"),
    [(0, ["AMOUNT_NOT_POSITIVE"]), (-1, ["AMOUNT_NOT_POSITIVE"]), (10001, ["AMOUNT_EXCEEDS_CLAIM"]), (10000, [])],
)
def test_a_counter_offer_is_above_zero_and_within_the_claim(amount: int, codes: list[str]) -> None:
    """0 < it ≤ claimed."""
    assert offered().do("counter_offer", BUYER, amount=amount).codes == codes


def test_a_counter_offer_is_made_once_per_round() -> None:
    """COUNTER_ALREADY_MADE names the standing one; the next round has its own."""
    story = countered()

    assert story.do("counter_offer", BUYER, amount=5000).codes == ["COUNTER_ALREADY_MADE"]
    assert story.blockers["COUNTER_ALREADY_MADE"].params == {"offer": "2"}
    story.must("decline_offer", agent("li")).must("offer", agent("li"), amount=4500)
    story.must("counter_offer", BUYER, amount=5000)


# acceptance


def test_the_buyer_accepts_and_the_refund_part_is_approved() -> None:
    """The approval is of the offer's amount; the compensation is granted beside the ledger."""
    story = offered(compensation=500).must("accept_offer", BUYER, offer="1")

    assert (story.state, story.case["approved"], story.case["reserved"]) == ("approved.payable", 4000, 10000)
    granted = next(effect for effect in story.effects if effect.kind == "grant_compensation")
    assert granted.params["amount"] == 500
    assert story.case["offers"]["1"]["ended"] == "accepted"


def test_a_compensation_alone_settles_without_a_payout() -> None:
    """Refund part 0 leads to settled at once: nothing stays reserved, receipt stands."""
    story = offered(amount=0, compensation=500).must("accept_offer", BUYER)

    assert (story.state, story.ledger.reserved, list(story.case["deadlines"])) == ("paid_out.settled", 0, ["receipt"])


def test_the_rest_of_the_claim_is_free_once_the_offer_is_paid() -> None:
    """Of a claim of 100.00 settled at 40.00 the line has 60.00 left."""
    story = offered().must("accept_offer", BUYER)
    story.must("dispatch_payout", Actor(role="system", name="system")).prove("payout_settled")

    assert (story.ledger.settled, story.ledger.reserved) == (4000, 0)


@pytest.mark.parametrize("event", ["accept_offer", "decline_offer"])
def test_the_offer_named_must_be_the_one_that_stands(event: str) -> None:
    """OFFER_NOT_STANDING says which was named and which stands; without a name it is the standing one."""
    story = countered()

    assert story.do(event, agent("wang"), offer="1").codes == ["OFFER_NOT_STANDING"]
    assert story.blockers["OFFER_NOT_STANDING"].params == {"named": "1", "standing": "2"}
    story.must(event, agent("wang"), offer="2")


@pytest.mark.parametrize("event", ["accept_offer", "decline_offer"])
def test_nobody_answers_his_own_offer(event: str) -> None:
    """OWN_OFFER: the platform's by the staff, the counter-offer by the buyer, or by the buyer as an agent."""
    assert offered().do(event, agent("wang")).codes == ["OWN_OFFER"]
    story = countered()
    assert story.do(event, BUYER).codes == ["OWN_OFFER"]
    assert "OWN_OFFER" in story.do(event, Actor(role="agent", name="b1", is_claimant=True)).codes


def test_an_offer_holds_for_the_usage_that_it_was_made_on() -> None:
    """USAGE_CHANGED says then and now; the offer can still be declined."""
    story = offered().must("usage_recorded", SHOP, usage="partly_used")

    assert story.do("accept_offer", BUYER).codes == ["USAGE_CHANGED"]
    assert story.blockers["USAGE_CHANGED"].params == {"then": "unused", "now": "partly_used"}
    story.must("decline_offer", BUYER)


def test_an_open_chargeback_blocks_acceptance() -> None:
    """What was promised is not paid while the bank has taken it back."""
    story = offered().must("chargeback_opened", CHANNEL, chargeback="c1", amount=10)

    assert story.do("accept_offer", BUYER).codes == ["CHARGEBACK_OPEN"]


def test_an_accepted_counter_offer_is_judged_like_an_approval() -> None:
    """Covered, eligible, decided by a person who may: for the amount of the counter-offer."""
    story = countered().must("captured", SHOP, captured=10000 - 1)
    assert story.do("accept_offer", agent("li")).codes == ["NOT_COVERED_BY_LINE"]

    story = countered().must("accept_offer", agent("li"))
    assert (story.state, story.case["approved"]) == ("approved.payable", 6000)


@pytest.mark.parametrize(("amount", "codes"), [(10000, ["PARTLY_USED"]), (9999, [])])
def test_a_counter_offer_of_the_whole_is_not_open_for_partly_used_goods(amount: int, codes: list[str]) -> None:
    """PARTLY_USED blocks the whole only: a part is what negotiation is for."""
    assert countered(amount, usage="partly_used").do("accept_offer", agent("li")).codes == codes


def test_a_large_counter_offer_needs_two_persons() -> None:
    """Above the limit the first acceptance waits for a second person."""
    story = countered(100001, captured=200000).must("accept_offer", agent("li"))

    assert (story.answer.waiting, story.state) == (True, "under_review.negotiating")
    story.must("accept_offer", agent("wang"), offer="2")
    assert story.state == "approved.payable"


def test_a_buyer_accepts_alone_whatever_the_amount() -> None:
    """Two persons have already made a large offer."""
    story = Story(captured=200000).reviewing()
    story.must("offer", agent("li"), amount=150000).must("offer", agent("wang"), amount=150000)

    assert story.must("accept_offer", BUYER).state == "approved.payable"


# the end of an offer


@pytest.mark.parametrize(("appeal", "state"), [(False, "under_review.reviewing"), (True, "appealed")])
@pytest.mark.parametrize("end", ["declined", "lapsed"])
def test_a_declined_or_lapsed_offer_returns_to_its_instance(appeal: bool, state: str, end: str) -> None:
    """The claim is whole again, reviewed where it was."""
    story = Story().appealed() if appeal else Story().reviewing()
    story.must("offer", agent("wang"), amount=4000)

    if end == "declined":
        story.must("decline_offer", BUYER)
    else:
        story.at_due("offer").sweep()

    assert (story.state, story.case["offers"]["1"]["ended"]) == (state, end)
    assert "standing" not in story.case
    assert story.case["reserved"] == 10000


def test_an_offer_can_be_accepted_until_its_moment_exactly() -> None:
    """One microsecond before the due moment it stands, at the due moment it has lapsed."""
    assert offered().at_due("offer").at(offered_due() - INSTANT).do("accept_offer", BUYER).codes == []
    story = offered().at(offered_due()).do("accept_offer", BUYER)
    assert story.codes == ["WRONG_STATE", "OFFER_NOT_STANDING"]
    assert story.events()[-2:] == ["offer_lapsed", "accept_offer"]


def offered_due() -> Any:
    """Return the due moment of the offer of `offered`."""
    return offered().at_due("offer").now


def test_both_sides_are_told_of_the_other_sides_answer() -> None:
    """A decline by the buyer is a task of the staff, one by the staff a message to the buyer."""
    assert offered().must("decline_offer", BUYER).told("staff_task") == ["OFFER_DECLINED"]
    assert countered().must("decline_offer", agent("li")).told("buyer_message") == ["OFFER_DECLINED"]


def test_accepting_a_counter_offer_is_deciding() -> None:
    """Neither who acted for the claimant nor who decided in the review accepts it; who accepts has decided."""
    story = Story().rejected().must("appeal", SHOP, argument="He was abroad on that day.")
    story.must("offer", agent("wang"), amount=4000).must("counter_offer", BUYER, amount=6000)

    assert story.do("accept_offer", agent("shop")).codes == ["CLAIMANT_DECIDES"]
    assert story.do("accept_offer", agent("li")).codes == ["DECIDED_IN_REVIEW"]
    story.must("accept_offer", agent("zhao"))
    assert story.case["decided"] == {"review": ["li"], "appeal": ["wang", "zhao"]}
