"""Payout: numbers, retries, other ways, voids, and what blocks each of them."""

from datetime import timedelta
from typing import Any

import pytest

from states.times import text
from tests.unit.rules.story import (
    BUYER,
    CHANNEL,
    MONDAY,
    SHOP,
    SYSTEM,
    Story,
    agent,
    finance,
    local,
    supervisor,
    with_policy,
)

FANG, GAO, ZHAO = finance("fang"), finance("gao"), supervisor("zhao")


def failed(void: bool = False, **params: Any) -> Story:
    """Return the story of a payout that the channel refused."""
    return Story().paying(**params).must("payout_refused", CHANNEL, proof="no", void=void)


def manual() -> Story:
    """Return the story of a payout that finance makes by hand."""
    return failed(void=True).must("pay_manually", FANG).must("pay_manually", GAO)


# dispatch


def test_dispatch_commits_an_attempt_and_sends_it() -> None:
    """The number, channel, amount and currency stand in the refund before anything leaves the process."""
    story = Story().paying()

    attempt = story.case["attempts"][story.number]
    assert story.state == "approved.paying"
    assert (attempt["state"], attempt["channel"], attempt["amount"], attempt["currency"]) == (
        "open",
        "fake",
        10000,
        "CNY",
    )
    sent = next(effect for effect in story.effects if effect.kind == "payout")
    assert (
        sent.params["number"] == story.number and sent.params["payment_no"] == "P1" and sent.params["amount"] == 10000
    )
    assert story.told("buyer_message") == ["PAYING"]


def test_a_number_suits_every_channel() -> None:
    """Our number is at most 64 letters and digits, another one for each refund and attempt."""
    one, two = Story().paying(), failed(void=True).must("reroute_payout", FANG, channel="fake", message="again")
    two.must("reroute_payout", GAO, channel="fake", message="again").must("dispatch_payout", SYSTEM)
    assert one.number.isalnum() and len(one.number) <= 64
    assert len({one.number, *two.case["attempts"]}) == 2 and one.number in two.case["attempts"]


def test_only_the_system_dispatches() -> None:
    """Nobody can send a payout by hand over a channel."""
    assert Story().approved().do("dispatch_payout", FANG).codes == ["ROLE_NOT_ALLOWED"]


def test_spacing_on_one_payment_is_kept() -> None:
    """A minute has to lie between two payouts on one payment of WeChat Pay, over all its lines."""
    story = Story(channel="wechat_pay").approved()

    story.do("dispatch_payout", SYSTEM, facts={"last_dispatched_at": text(story.now - timedelta(seconds=59))})

    assert story.codes == ["CHANNEL_SPACING"]
    assert story.blockers["CHANNEL_SPACING"].until == text(story.now + timedelta(seconds=1))
    story.at(seconds=1).must(
        "dispatch_payout", SYSTEM, facts={"last_dispatched_at": text(MONDAY - timedelta(seconds=59))}
    )


def test_the_count_of_payouts_on_one_payment_ends() -> None:
    """The fifty-first refund of a payment is not sent; a number that is sent again is no new one."""
    story = Story(channel="wechat_pay").approved().do("dispatch_payout", SYSTEM, facts={"payment_count": 50})
    assert story.codes == ["CHANNEL_COUNT_USED"]
    assert story.blockers["CHANNEL_COUNT_USED"].params == {"count": 50, "limit": 50}

    again = (
        Story(channel="wechat_pay").paying().must("payout_refused", CHANNEL, proof="busy").must("retry_payout", FANG)
    )
    again.must("dispatch_payout", SYSTEM, facts={"payment_count": 50})
    assert len(again.case["attempts"]) == 1


def test_the_window_of_a_channel_ends() -> None:
    """A payment of more than 365 days ago is not refunded over WeChat Pay; a legal claim is then paid by hand."""
    old = MONDAY - timedelta(days=367)
    story = Story(channel="wechat_pay", paid_at=old, completed_at=old).approved(reason="FRAUD")

    assert story.do("dispatch_payout", SYSTEM).codes == ["CHANNEL_WINDOW_OVER"]
    assert local(story.blockers["CHANNEL_WINDOW_OVER"].params["ended_at"]) == "2026-11-01 00:00"
    story.must("payout_refused", SYSTEM, rule="CHANNEL_WINDOW_OVER", proof="rule of the channel")
    assert story.state == "approved.payout_failed"
    story.must("pay_manually", FANG).must("pay_manually", GAO)
    assert story.state == "approved.paying"


def test_the_window_of_a_channel_is_exact() -> None:
    """A microsecond before its end a payout is sent, at its end none is."""
    old = MONDAY - timedelta(days=365)
    before, at_end = (Story(channel="wechat_pay", paid_at=old).approved() for _ in range(2))
    before.at("2026-11-03T00:00").at(microseconds=-1).must("dispatch_payout", SYSTEM)
    assert at_end.at("2026-11-03T00:00").do("dispatch_payout", SYSTEM).codes == ["CHANNEL_WINDOW_OVER"]


def test_nothing_is_dispatched_on_bank_manual() -> None:
    """A transfer is made by hand: from payable the way leads over payout_failed."""
    story = Story(channel="bank_manual").approved()
    assert story.do("dispatch_payout", SYSTEM).codes == ["MANUAL_CHANNEL"]

    story.must("payout_refused", SYSTEM, rule="MANUAL_CHANNEL", proof="rule of the channel")

    assert story.do("retry_payout", FANG).codes == ["NUMBER_VOID"]
    assert story.do("retry_payout", SYSTEM).codes == ["NUMBER_VOID", "RETRIES_USED"]


def test_an_open_chargeback_stops_a_payout() -> None:
    """While the buyer's bank asks for the money too, nothing is sent, by channel or by hand."""
    story = Story().approved().must("chargeback_opened", CHANNEL, chargeback="c1", amount=100)
    assert story.do("dispatch_payout", SYSTEM).codes == ["CHARGEBACK_OPEN", "NOT_COVERED_BY_LINE"]
    assert story.blockers["CHARGEBACK_OPEN"].params == {"ids": ["c1"]}

    other = failed(void=True).must("chargeback_opened", CHANNEL, chargeback="c1", amount=100)
    assert other.do("pay_manually", FANG).codes == ["CHARGEBACK_OPEN", "NOT_COVERED_BY_LINE"]


def test_an_amount_that_the_line_does_not_cover_is_not_sent() -> None:
    """A capture that was lowered after the approval stops the payout, by channel or by hand."""
    story = Story().approved().must("captured", SHOP, captured=9000)

    assert story.do("dispatch_payout", SYSTEM).codes == ["NOT_COVERED_BY_LINE"]
    assert story.blockers["NOT_COVERED_BY_LINE"].params == {"amount": 10000, "available": 9000, "excess": 1000}
    other = failed(void=True).must("captured", SHOP, captured=9000)
    assert other.do("pay_manually", FANG).codes == ["NOT_COVERED_BY_LINE"]


# refusal by the channel


def test_a_refused_payout_fails_and_keeps_its_number() -> None:
    """A definite failure brings the money back to reserved; unless the channel says so the number is not void."""
    story = failed()

    assert story.state == "approved.payout_failed"
    assert (story.ledger.reserved, story.ledger.in_flight) == (10000, 0)
    attempt = story.case["attempts"][story.number]
    assert (attempt["state"], attempt["void"], attempt["proof"]) == ("refused", False, "no")
    assert story.told("buyer_message") == ["PAYOUT_FAILED"] and story.told("staff_task") == ["PAYOUT_FAILED"]


def test_a_refusal_needs_its_proof() -> None:
    """Without a proof the outcome is unknown, and the channel is asked again."""
    assert Story().paying().do("payout_refused", CHANNEL, proof="").codes == ["PROOF_REQUIRED"]


def test_a_refusal_names_the_number_in_flight_or_none() -> None:
    """A refusal of a number that was never ours says nothing of the one in flight."""
    story = Story().paying().do("payout_refused", CHANNEL, number="rf0", proof="no")
    assert story.codes == ["UNKNOWN_NUMBER"] and story.state == "approved.paying"


def test_what_paid_is_not_refused_afterwards() -> None:
    """A number that paid, though nobody expected it, stays counted: a refusal of it is no fact."""
    story = failed(void=True)
    old = story.number
    story.must("revoke_approval", ZHAO, message="why").prove("payout_settled", number=old)
    resolved: dict[str, Any] = {"amount": 10000, "how": "returned", "proof": "slip"}
    story.must("excess_resolved", FANG, **resolved).must("excess_resolved", GAO, **resolved)
    story.must("approve", agent("wang"))
    assert story.do("payout_refused", CHANNEL, number=old, proof="closed", void=True).codes == ["NUMBER_PAID"]
    story.must("dispatch_payout", SYSTEM)
    assert story.do("payout_refused", CHANNEL, number=old, proof="closed", void=True).codes == ["NUMBER_PAID"]


def test_from_payable_only_what_time_does_not_lift_fails() -> None:
    """Spacing passes by itself; a window that is over does not."""
    story = Story().approved()
    assert story.do("payout_refused", SYSTEM, rule="CHANNEL_SPACING", proof="rule").codes == ["FAILURE_NOT_LASTING"]
    assert story.do("payout_refused", SYSTEM, proof="rule").codes == ["FAILURE_NOT_LASTING"]
    story.must("payout_refused", SYSTEM, rule="CHANNEL_COUNT_USED", proof="rule")
    assert story.state == "approved.payout_failed" and story.ledger.reserved == 10000


def test_a_late_word_that_a_number_is_void_counts_from_payable() -> None:
    """After a retry the channel says that the number will never pay: the payout fails, and the number is void."""
    story = failed().must("retry_payout", FANG)

    story.must("payout_refused", CHANNEL, number=story.number, void=True, proof="closed")

    assert story.state == "approved.payout_failed" and story.case["attempts"][story.number]["void"] is True


def test_a_refusal_told_again_adds_nothing() -> None:
    """The same refusal of a number that is not in flight is a fact already known, in any state."""
    story = Story().paying()
    told: dict[str, Any] = {"number": story.number, "proof": "no"}
    seq = story.must("payout_refused", CHANNEL, **told).case["seq"]
    assert story.do("payout_refused", CHANNEL, **told).answer.known == seq
    assert story.must("retry_payout", FANG).do("payout_refused", CHANNEL, **told).answer.known == seq
    assert story.state == "approved.payable" and story.answer.entries == ()


@pytest.mark.parametrize("told", [{"void": True}, {"never_sent": True}])
def test_a_number_is_void_when_the_channel_says_so_or_it_was_never_sent(told: dict[str, bool]) -> None:
    """Such a number is never used again."""
    story = Story().paying().must("payout_refused", SYSTEM, proof="no", **told)
    assert story.case["attempts"][story.number]["void"] is True


def test_what_failed_by_hand_is_void() -> None:
    """A transfer that was not made is made anew, under another number."""
    story = manual().must("payout_refused", FANG, proof="account closed")
    assert story.case["attempts"][story.number]["void"] is True and story.state == "approved.payout_failed"


# retry


def test_a_retry_sends_the_same_number_again() -> None:
    """As long as a number may pay no other one is opened."""
    story = failed()
    number = story.number

    story.must("retry_payout", FANG).must("dispatch_payout", SYSTEM)

    assert list(story.case["attempts"]) == [number]
    assert next(effect for effect in story.effects if effect.kind == "payout").params["again"] is True


def test_a_void_number_is_not_retried() -> None:
    """What will never pay, or was made by hand, needs another way."""
    story = failed(void=True).do("retry_payout", FANG)
    assert story.codes == ["NUMBER_VOID"] and story.blockers["NUMBER_VOID"].params == {"number": story.number}
    assert manual().must("payout_refused", FANG, proof="no").do("retry_payout", FANG).codes == ["NUMBER_VOID"]


def test_the_system_retries_three_times_and_finance_as_often_as_it_likes() -> None:
    """A machine gives up; a person may know better."""
    story = failed()
    for _ in range(3):
        story.must("retry_payout", SYSTEM).must("dispatch_payout", SYSTEM)
        story.must("payout_refused", CHANNEL, proof="busy")
    assert story.do("retry_payout", SYSTEM).codes == ["RETRIES_USED"]
    assert story.blockers["RETRIES_USED"].params == {"used": 3, "limit": 3}
    assert story.must("retry_payout", FANG).state == "approved.payable"


def test_what_a_person_retries_is_not_counted() -> None:
    """After a retry by finance the system has its three left."""
    story = failed().must("retry_payout", FANG)
    assert story.case["attempts"][story.number]["retries"] == 0


def test_the_system_does_not_retry_what_a_rule_of_the_channel_forbids() -> None:
    """Where no number was ever opened a retry would fail for ever; finance decides."""
    story = Story().approved().must("payout_refused", SYSTEM, rule="CHANNEL_COUNT_USED", proof="rule")
    assert story.do("retry_payout", SYSTEM).codes == ["RETRIES_USED"]
    assert story.must("retry_payout", FANG).state == "approved.payable"


# other ways


def test_another_channel_needs_two_of_finance() -> None:
    """The first call changes nothing, the second leads to payable, and the next number goes over the new channel."""
    story = failed(void=True).must("reroute_payout", FANG, channel="balance", message="account closed")
    assert story.answer.waiting and story.state == "approved.payout_failed"
    assert story.do("reroute_payout", FANG, channel="balance", message="again").codes == ["SECOND_PERSON_NEEDED"]

    story.must("reroute_payout", GAO, channel="balance", message="I agree").must("dispatch_payout", SYSTEM)

    assert story.case["attempts"][story.number]["channel"] == "balance" and len(story.case["attempts"]) == 2


@pytest.mark.parametrize("channel", [None, "bank_manual", "cash"])
def test_another_channel_is_named_and_is_one(channel: str | None) -> None:
    """A transfer by hand is no channel to reroute to."""
    story = failed(void=True).do("reroute_payout", FANG, channel=channel, message="why")
    assert story.codes == ["CHANNEL_REQUIRED"]


def test_another_channel_needs_a_reason() -> None:
    """Finance says why."""
    assert failed(void=True).do("reroute_payout", FANG, channel="balance").codes == ["REASON_REQUIRED"]


@pytest.mark.parametrize(
    ("event", "actor"), [("reroute_payout", FANG), ("pay_manually", FANG), ("revoke_approval", ZHAO)]
)
def test_no_other_way_while_a_number_may_pay(event: str, actor: Any) -> None:
    """Two ways at once would pay twice: every earlier number has to be void."""
    story = failed().do(event, actor, channel="balance", message="why")
    assert story.codes == ["NUMBER_NOT_VOID"]
    assert story.blockers["NUMBER_NOT_VOID"].params == {"numbers": [story.number]}


def test_by_hand_an_attempt_is_opened_before_the_transfer() -> None:
    """Two of finance open an attempt on bank_manual; its proof settles it, told by two again."""
    story = manual()
    assert story.state == "approved.paying" and story.told("staff_task") == ["PAY_MANUALLY"]
    assert story.case["attempts"][story.number]["channel"] == "bank_manual"
    assert "payout" not in [effect.kind for effect in story.effects]

    story.prove("payout_settled", FANG)
    assert story.state == "approved.paying" and story.answer.waiting
    assert story.prove("payout_settled", GAO).state == "paid_out.settled"


# revoke


def test_a_supervisor_revokes_before_anything_was_sent() -> None:
    """The refund goes back to its review, the buyer keeps his claim, and the product is given back to him."""
    story = Story().approved().must("revoke_approval", ZHAO, message="wrong order")

    assert story.state == "under_review.reviewing" and story.ledger.reserved == 10000
    assert story.case["approved"] == 0 and "approval" not in story.case
    assert story.told("entitlement_restore") == ["ENTITLEMENT_RESTORE"]
    assert story.case["decided"]["review"] == ["li", "zhao"]


def test_an_approval_of_the_appeal_is_revoked_into_the_appeal() -> None:
    """The instance in which it was decided takes it back."""
    story = Story().appealed().must("overturn", agent("wang"), ground="record of another account")
    story.must("revoke_approval", ZHAO, message="wrong order")
    assert story.state == "appealed" and list(story.case["deadlines"]) == ["appeal_review"]


def test_a_revocation_needs_a_reason_and_a_supervisor() -> None:
    """An agent asks a supervisor, who says why."""
    assert Story().approved().do("revoke_approval", ZHAO).codes == ["REASON_REQUIRED"]
    assert Story().approved().do("revoke_approval", agent("li"), message="why").codes == ["ROLE_NOT_ALLOWED"]


def test_a_payout_in_flight_is_not_revoked() -> None:
    """From paying there is no way back but the channel's answer."""
    assert Story().paying().do("revoke_approval", ZHAO, message="stop").codes == ["WRONG_STATE", "NUMBER_NOT_VOID"]


# void


def test_void_attempt_opens_the_other_ways() -> None:
    """Finance tells with the channel's bill that a number will never pay."""
    story = failed()
    story.must("void_attempt", FANG, number=story.number, proof="bill")
    assert story.case["attempts"][story.number]["void"] is True and story.state == "approved.payout_failed"
    assert story.must("pay_manually", FANG).answer.waiting


def test_void_attempt_in_payable_lets_the_next_number_be_opened() -> None:
    """After a retry a void number is replaced at the next dispatch."""
    story = failed().must("retry_payout", FANG)
    story.must("void_attempt", CHANNEL, number=story.number, proof="query").must("dispatch_payout", SYSTEM)
    assert len(story.case["attempts"]) == 2


def test_void_attempt_told_again_gives_the_first_answer() -> None:
    """A number is void once."""
    story = failed()
    story.must("void_attempt", FANG, number=story.number, proof="bill")
    seq = story.case["seq"]
    assert story.do("void_attempt", GAO, number=story.number, proof="other bill").answer.known == seq
    assert story.answer.entries == ()


def test_what_blocks_void_attempt() -> None:
    """A number has to be known, not in flight, not one that paid, and the channel's word has to be there."""
    paying, paid = Story().paying(), Story().paid()
    assert paying.do("void_attempt", FANG, number="rf0", proof="bill").codes == ["UNKNOWN_NUMBER"]
    assert paying.do("void_attempt", FANG, number=paying.number, proof="bill").codes == ["NUMBER_IN_FLIGHT"]
    assert paid.do("void_attempt", FANG, number=paid.number, proof="bill").codes == ["NUMBER_PAID"]
    refused = failed()
    assert refused.do("void_attempt", FANG, number=refused.number).codes == ["PROOF_REQUIRED"]


# a first proof of payment


@pytest.mark.parametrize(
    ("event", "actor"),
    [("retry_payout", FANG), ("reroute_payout", FANG), ("pay_manually", FANG), ("revoke_approval", ZHAO)],
)
def test_while_a_first_proof_stands_no_other_way_is_taken(event: str, actor: Any) -> None:
    """One of finance says that it was paid: nothing that could pay again, or take it back, is done meanwhile."""
    story = failed(void=True).prove("payout_settled", GAO)
    assert story.answer.waiting
    story.do(event, actor, channel="balance", message="why")
    assert "PROOF_PENDING" in story.codes and story.blockers["PROOF_PENDING"].params == {"first": "gao"}


def test_while_a_first_proof_stands_nothing_is_sent_or_refused() -> None:
    """Dispatch and a refusal wait too."""
    payable = failed().must("retry_payout", FANG).prove("payout_settled", GAO)
    assert payable.do("dispatch_payout", SYSTEM).codes == ["PROOF_PENDING"]
    paying = Story().paying().prove("payout_settled", GAO)
    assert paying.do("payout_refused", CHANNEL, proof="no").codes == ["PROOF_PENDING"]


def test_a_first_proof_that_is_taken_back_is_told_to_finance() -> None:
    """Then everything is possible again, and somebody looks at it."""
    story = failed(void=True).prove("payout_settled", GAO).must("take_back", GAO)
    assert story.told("staff_task") == ["PROOF_FELL"] and story.case["firsts"] == {}
    assert story.must("pay_manually", FANG).answer.waiting


def test_what_was_handed_to_finance_stays_in_paying() -> None:
    """When the channel has not answered for a day a person asks, and the number stays in flight."""
    story = Story().paying().must("handed_to_finance", SYSTEM)
    assert story.state == "approved.paying" and story.told("staff_task") == ["HANDED_TO_FINANCE"]
    assert Story().approved().do("handed_to_finance", SYSTEM).codes == ["WRONG_STATE"]


def test_the_buyer_confirms_the_receipt() -> None:
    """With that the refund is over."""
    story = Story().paid().must("confirm_receipt", BUYER)
    assert story.state == "paid_out.confirmed" and story.case["deadlines"] == {}
    assert story.do("confirm_receipt", BUYER).codes == ["WRONG_STATE"]


def test_the_payout_deadline_counts_from_the_last_entry_into_approved() -> None:
    """A failure within the approval does not set it anew, a payment that came back does."""
    story = failed()
    assert story.due("payout") == "2026-11-03 10:00"
    story.at(hours=2).must("retry_payout", FANG).must("dispatch_payout", SYSTEM).prove("payout_settled")
    assert story.at(hours=1).prove("payout_reversed").due("payout") == "2026-11-03 13:00"


def test_a_policy_may_allow_no_automatic_retry() -> None:
    """The limit is the policy's."""
    story = Story(rules=with_policy(automatic_retries=0)).paying().must("payout_refused", CHANNEL, proof="no")
    assert story.do("retry_payout", SYSTEM).codes == ["RETRIES_USED"]
