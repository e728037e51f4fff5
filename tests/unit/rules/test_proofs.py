"""Proofs from outside, in every order in which they can arrive: each counts once, none is refused."""

from typing import Any

import pytest

from states import times
from tests.unit.rules.story import BUYER, CHANNEL, SHOP, SYSTEM, Story, agent, finance, supervisor

OUTSIDE = "2026-11-01T08:00:00.000000Z"
FANG, GAO, ZHAO = finance("fang"), finance("gao"), supervisor("zhao")


def money(story: Story) -> tuple[int, int, int, int]:
    """Return reserved, in flight, settled and excess of the line."""
    ledger = story.ledger
    return ledger.reserved, ledger.in_flight, ledger.settled, ledger.excess


def kept(story: Story) -> str:
    """Return why the newest proof was kept; finance must have been told."""
    assert story.answer.refusal is None and story.answer.entry is not None
    assert "PROOF_KEPT" in story.told("staff_task")
    return str(story.answer.entries[story.answer.entry].params["why"])


def two_numbers(event: str = "reroute_payout") -> tuple[Story, str]:
    """Return the story of a second number in flight, and the first one, which was said to be void."""
    story = Story().paying().must("payout_refused", CHANNEL, proof="no", void=True)
    first = story.number
    params: dict[str, Any] = {"channel": "fake", "message": "again"} if event == "reroute_payout" else {}
    story.must(event, FANG, **params).must(event, GAO, **params)
    return (story.must("dispatch_payout", SYSTEM) if event == "reroute_payout" else story), first


def revoked() -> tuple[Story, str]:
    """Return the story of an approval that was revoked after its number was said to be void."""
    story = Story().paying().must("payout_refused", CHANNEL, proof="no", void=True)
    return story.must("revoke_approval", ZHAO, message="wrong order"), story.number


# payment


def test_a_payment_settles_and_releases_the_rest_of_the_claim() -> None:
    """What was approved is settled, what was claimed beyond it is free again."""
    story = Story().reviewing().must("offer", agent("li"), amount=4000).must("accept_offer", BUYER)
    story.must("dispatch_payout", SYSTEM)
    assert money(story) == (6000, 4000, 0, 0)

    story.prove("payout_settled")

    assert story.state == "paid_out.settled" and money(story) == (0, 0, 4000, 0)
    assert story.told("buyer_message") == ["SETTLED"]


@pytest.mark.parametrize("before", ["paying", "payable", "payout_failed"])
def test_a_payment_settles_from_every_state_of_the_approval(before: str) -> None:
    """The proof may come after a refusal, or after a retry that was not sent yet."""
    story = Story().paying()
    if before != "paying":
        story.must("payout_refused", CHANNEL, proof="no")
    if before == "payable":
        story.must("retry_payout", FANG)

    story.prove("payout_settled")

    assert story.state == "paid_out.settled" and money(story) == (0, 0, 10000, 0)


@pytest.mark.parametrize("proof", ["", " ", "\u3000\t"])
@pytest.mark.parametrize("event", ["payout_settled", "payout_refused", "payout_reversed", "late_reversal"])
def test_a_proof_has_to_be_there(event: str, proof: str) -> None:
    """The only thing that blocks a proof is that there is none, and blanks are none."""
    assert Story().paying().prove(event, proof=proof).codes == ["PROOF_REQUIRED"]


def test_a_payment_told_again_adds_nothing() -> None:
    """A notification that repeats itself gets the first answer, whatever has happened since."""
    story = Story().paid()
    seq = story.case["seq"]
    assert story.prove("payout_settled").answer.known == seq and story.answer.entries == ()
    story.must("confirm_receipt", BUYER)
    assert story.prove("payout_settled", proof="another").answer.known == seq


def test_finance_tells_a_payment_by_two_persons() -> None:
    """One word of finance moves no money, two do; the channel's own word is enough."""
    story = Story().paying().prove("payout_settled", FANG)
    assert story.answer.waiting and money(story) == (0, 10000, 0, 0)
    assert story.prove("payout_settled", FANG).codes == ["SECOND_PERSON_NEEDED"]
    assert story.prove("payout_settled", GAO).state == "paid_out.settled"


def test_the_channel_confirms_what_a_first_person_told() -> None:
    """Then the first is confirmed, not fallen."""
    story = Story().paying().prove("payout_settled", FANG).prove("payout_settled")
    assert story.state == "paid_out.settled" and story.case["firsts"] == {}
    assert "first_fell" not in story.events()


@pytest.mark.parametrize(
    ("change", "why"),
    [({"amount": 9999}, "AMOUNT"), ({"currency": "USD"}, "CURRENCY"), ({"number": "rf0"}, "UNKNOWN_NUMBER")],
)
@pytest.mark.parametrize("event", ["payout_settled", "payout_reversed", "late_reversal"])
def test_a_proof_that_does_not_match_is_kept(event: str, change: dict[str, Any], why: str) -> None:
    """Number, amount and currency must be the attempt's; else finance is told, nothing moves, and once is enough."""
    story = Story().paying()
    told = {"number": story.number} | change

    assert kept(story.prove(event, **told)) == why
    assert story.state == "approved.paying" and money(story) == (0, 10000, 0, 0)
    seq = story.case["seq"]
    assert story.prove(event, **told).answer.known == seq


def test_one_of_finance_is_enough_to_tell_what_is_only_kept() -> None:
    """A proof that moves nothing waits for nobody."""
    story = Story().paying().prove("payout_settled", FANG, amount=1)
    assert not story.answer.waiting and kept(story) == "AMOUNT"


@pytest.mark.parametrize(
    "begin",
    [
        lambda: Story().paying().prove("payout_settled", occurred_at=OUTSIDE),
        lambda: Story().paying().prove("payout_settled", FANG, occurred_at=OUTSIDE),
        lambda: Story().paid().prove("payout_reversed", occurred_at=OUTSIDE),
        lambda: Story().paid().must("confirm_receipt", BUYER).prove("late_reversal", occurred_at=OUTSIDE),
        lambda: Story().paying().prove("payout_settled", amount=1, occurred_at=OUTSIDE),
        lambda: revoked()[0].prove("payout_settled", occurred_at=OUTSIDE),
        lambda: Story().must("chargeback_opened", CHANNEL, chargeback="c1", amount=1, occurred_at=OUTSIDE),
    ],
    ids=["payment", "first of two", "return", "late return", "kept", "stray", "chargeback"],
)
def test_when_it_happened_outside_is_kept_and_judges_nothing(begin: Any) -> None:
    """The entry says it as data; what counts is when it was told."""
    story = begin()
    told = [entry for entry in story.answer.entries if entry.actor.role in ("channel", "finance")]
    assert {entry.occurred_at for entry in told} == {OUTSIDE}
    assert {times.moment(entry.effective_at) for entry in told} == {story.now}


def test_a_payment_arrived_when_the_channel_says_so() -> None:
    """Without its word it is the moment at which it was told."""
    for occurred_at, paid_at in ((OUTSIDE, OUTSIDE), (None, times.text(Story().now))):
        story = Story().paying().prove("payout_settled", occurred_at=occurred_at)
        assert story.case["attempts"][story.number]["paid_at"] == paid_at


# a payment that nobody expected


def test_a_number_said_void_that_pays_settles_all_the_same() -> None:
    """It belongs to the present approval: the money has arrived."""
    story = Story().paying().must("payout_refused", CHANNEL, proof="no", void=True).prove("payout_settled")
    assert story.state == "paid_out.settled" and money(story) == (0, 0, 10000, 0)
    assert story.case["attempts"][story.number]["void"] is False


def test_an_older_number_that_pays_settles_and_leaves_the_newer_unanswered() -> None:
    """Nothing stays in flight in the ledger, and finance is told of the number whose answer is still to come."""
    story, first = two_numbers()

    story.prove("payout_settled", number=first)

    assert story.state == "paid_out.settled" and money(story) == (0, 0, 10000, 0)
    assert story.case["attempts"][story.number]["state"] == "unanswered"
    assert "NUMBER_UNANSWERED" in story.told("staff_task")


def test_when_the_newer_number_pays_too_it_is_a_stray_payment() -> None:
    """Settled and excess of the line rise, the refund stays, finance is told, and the line is overpaid."""
    story, first = two_numbers()
    story.prove("payout_settled", number=first)

    story.prove("payout_settled")

    assert story.state == "paid_out.settled" and money(story) == (0, 0, 20000, 10000)
    assert story.told("staff_task") == ["OVERPAID"]
    assert [entry.event for entry in story.answer.entries] == ["payout_settled", "stray_payment"]
    assert story.answer.entries[1].subject == "A1/1"


def test_a_stray_payment_told_again_adds_nothing() -> None:
    """It is counted once."""
    story, number = revoked()
    seq = story.prove("payout_settled", number=number).case["seq"]
    assert story.prove("payout_settled", number=number, proof="again").answer.known == seq
    assert money(story) == (10000, 0, 10000, 10000)


def test_a_number_of_a_revoked_approval_that_pays_is_a_stray_payment() -> None:
    """The refund is under review again: nothing is settled in it, and nothing more is paid while there is excess."""
    story, number = revoked()

    story.prove("payout_settled", number=number)

    assert story.state == "under_review.reviewing" and money(story) == (10000, 0, 10000, 10000)
    assert story.do("approve", agent("wang")).codes == ["NOT_COVERED_BY_LINE"]


def test_a_number_of_a_revoked_approval_pays_while_the_next_is_in_flight() -> None:
    """Both payments are counted: the present one settles, the old one is stray, in either order."""
    story, old = revoked()
    story.must("approve", agent("wang")).must("dispatch_payout", SYSTEM)
    story.prove("payout_settled", number=old)
    assert story.state == "approved.paying" and money(story) == (0, 10000, 10000, 10000)
    story.prove("payout_settled")
    assert story.state == "paid_out.settled" and money(story) == (0, 0, 20000, 10000)


def test_a_stray_payment_by_finance_needs_two_persons() -> None:
    """It raises settled of the line as any other payment does; the first is confirmed, not fallen."""
    story, number = revoked()
    assert story.prove("payout_settled", FANG, number=number).answer.waiting
    story.prove("payout_settled", GAO, number=number)
    assert money(story) == (10000, 0, 10000, 10000) and story.case["firsts"] == {}
    assert "first_fell" not in story.events() and story.told("staff_task") == ["OVERPAID"]
    assert story.case["attempts"][number]["proof"] == f"payout_settled-{number}"


def test_a_stray_payment_that_comes_back_lowers_both() -> None:
    """Its return is told like any other; told twice it counts once."""
    story, number = revoked()
    story.prove("payout_settled", number=number)

    story.prove("payout_reversed", number=number)

    assert money(story) == (10000, 0, 0, 0) and story.case["attempts"][number]["void"] is True
    assert story.answer.entries[1].event == "stray_payment_returned"
    assert story.prove("payout_reversed", number=number).answer.entries == ()
    assert story.must("approve", agent("wang")).state == "approved.payable"


# a payment that comes back


def test_a_payment_that_comes_back_fails_and_is_reserved_again() -> None:
    """Its number is void; what came back is what the refund claims from now on."""
    story = Story().paid().prove("payout_reversed")

    assert story.state == "approved.payout_failed" and money(story) == (10000, 0, 0, 0)
    assert story.case["attempts"][story.number]["void"] is True
    assert story.told("buyer_message") == ["PAYOUT_FAILED"] and story.told("staff_task") == ["PAYOUT_REVERSED"]
    assert story.do("retry_payout", FANG).codes == ["NUMBER_VOID"]


def test_what_came_back_of_a_smaller_offer_is_what_is_claimed() -> None:
    """After the return of 40 of 100 the approval of the whole is one of 40."""
    story = Story().reviewing().must("offer", agent("li"), amount=4000).must("accept_offer", BUYER)
    story.must("dispatch_payout", SYSTEM).prove("payout_settled").prove("payout_reversed")
    story.must("revoke_approval", ZHAO, message="wrong").must("approve", agent("wang"))
    assert story.case["approved"] == 4000 and money(story) == (4000, 0, 0, 0)


@pytest.mark.parametrize("before", ["paying", "payable", "payout_failed"])
def test_a_return_before_its_payment_fails_the_payout(before: str) -> None:
    """The number is void, and the payment that is told afterwards is a fact already known: nothing stays paid."""
    story = Story().paying()
    if before != "paying":
        story.must("payout_refused", CHANNEL, proof="no")
    if before == "payable":
        story.must("retry_payout", FANG)

    story.prove("payout_reversed")

    assert story.state == "approved.payout_failed" and money(story) == (10000, 0, 0, 0)
    seq = story.case["seq"]
    assert story.prove("payout_settled").answer.known == seq and story.state == "approved.payout_failed"


def test_a_return_of_an_older_number_is_kept_while_another_is_in_flight() -> None:
    """It says nothing of the number in flight; the payment that belongs to it is no payment any more."""
    story, first = two_numbers()

    assert kept(story.prove("payout_reversed", number=first)) == "STATE"

    assert story.state == "approved.paying" and money(story) == (0, 10000, 0, 0)
    assert story.prove("payout_settled", number=first).answer.entries == ()
    assert story.prove("payout_settled").state == "paid_out.settled" and money(story) == (0, 0, 10000, 0)


def test_a_return_before_its_payment_after_a_revocation() -> None:
    """Payment and return of an old number cancel out in either order."""
    story, number = revoked()
    assert kept(story.prove("payout_reversed", number=number)) == "STATE"
    assert story.prove("payout_settled", number=number).answer.entries == ()
    assert money(story) == (10000, 0, 0, 0)


def test_a_return_told_again_adds_nothing() -> None:
    """A bounce is counted once."""
    story = Story().paid().prove("payout_reversed")
    seq = story.case["seq"]
    assert story.prove("payout_reversed", proof="again").answer.known == seq
    assert story.prove("late_reversal").answer.known == seq


def test_a_payment_may_come_back_twice_under_two_numbers() -> None:
    """Each number settles once and comes back once."""
    story = Story().paid().prove("payout_reversed").must("pay_manually", FANG).must("pay_manually", GAO)
    story.prove("payout_settled", FANG).prove("payout_settled", GAO).prove("payout_reversed", FANG)
    assert story.state == "approved.payout_failed" and money(story) == (10000, 0, 0, 0)
    assert [item["state"] for item in story.case["attempts"].values()] == ["reversed", "reversed"]


def test_a_return_of_the_settled_number_while_a_stray_payment_stands() -> None:
    """The number that paid beside it is never sent again, and nothing is paid before the excess is resolved."""
    story, first = two_numbers()
    story.prove("payout_settled", number=first).prove("payout_settled").prove("payout_reversed", number=first)
    assert story.state == "approved.payout_failed" and money(story) == (10000, 0, 10000, 10000)
    assert story.do("retry_payout", FANG).codes == ["NUMBER_VOID"]
    assert story.do("pay_manually", FANG).codes == ["NOT_COVERED_BY_LINE"]

    resolved: dict[str, Any] = {"amount": 10000, "how": "returned", "proof": "slip"}
    story.must("excess_resolved", FANG, **resolved).must("excess_resolved", GAO, **resolved)
    story.must("pay_manually", FANG).must("pay_manually", GAO)

    assert len(story.case["attempts"]) == 3 and money(story) == (0, 10000, 0, 0)


def test_a_return_lets_a_first_proof_of_its_payment_fall() -> None:
    """What somebody said was paid has come back: he is not waited for, and finance is told."""
    story = Story().paying().must("payout_refused", CHANNEL, proof="no").prove("payout_settled", FANG)

    story.prove("payout_reversed")

    assert story.events()[-1] == "first_fell" and story.case["firsts"] == {}
    assert "PROOF_FELL" in story.told("staff_task")


def test_a_payment_under_another_number_lets_a_first_proof_fall() -> None:
    """The first said that one number paid, the channel says it was the other."""
    story, first = two_numbers()
    story.prove("payout_settled", FANG, number=first).prove("payout_settled")
    assert story.state == "paid_out.settled" and story.case["firsts"] == {}
    assert "first_fell" in story.events() and "PROOF_FELL" in story.told("staff_task")


# after the end


def test_a_late_return_frees_the_amount_and_is_claimed_anew_by_a_service() -> None:
    """Confirmed stays confirmed; settled goes down to left, finance is told, a service submits what came back."""
    story = Story().paid().must("confirm_receipt", BUYER).prove("late_reversal")
    assert story.state == "paid_out.confirmed" and money(story) == (0, 0, 0, 0)
    assert story.told("staff_task") == ["LATE_REVERSAL"]
    seq = story.case["seq"]
    assert story.prove("late_reversal", proof="again").answer.known == seq

    old = story.refund
    story.submit(SHOP, reason="PAYOUT_RETURNED", returned=old, amount=10000)

    assert story.refund != old and money(story) == (10000, 0, 0, 0)


def test_a_return_is_kept_where_it_moves_nothing() -> None:
    """`payout_reversed` of a confirmed refund and `late_reversal` of a settled one are kept, and finance decides."""
    settled = Story().paid()
    assert kept(settled.prove("late_reversal")) == "STATE" and settled.state == "paid_out.settled"
    confirmed = settled.must("confirm_receipt", BUYER)
    assert kept(confirmed.prove("payout_reversed")) == "STATE" and money(confirmed) == (0, 0, 10000, 0)
    assert confirmed.prove("late_reversal", proof="bill").case["settled"] == 0


def test_a_late_return_of_a_number_in_flight_is_kept() -> None:
    """Only a confirmed refund has a late return."""
    story = Story().paying()
    assert kept(story.prove("late_reversal")) == "STATE"
    assert story.state == "approved.paying" and money(story) == (0, 10000, 0, 0)


@pytest.mark.parametrize("event", ["payout_settled", "payout_reversed", "late_reversal"])
def test_only_channel_and_finance_tell_proofs(event: str) -> None:
    """A buyer or an agent cannot say that something was paid or came back."""
    assert Story().paying().prove(event, BUYER).codes == ["ROLE_NOT_ALLOWED"]
    assert Story().paying().prove(event, agent("li")).codes == ["ROLE_NOT_ALLOWED"]
