"""Idempotency keys: the same call again gives the first answer, another call with the key is refused."""

from datetime import timedelta

import pytest

from refundflow.errors import Refused
from tests.support.market import AMOUNT, BUYER, CHEN, LI, QIAN, SHOP, ZHAO, Market, a_file


def test_the_same_call_again_gives_the_first_answer(market: Market) -> None:
    """After the refund moved on, time passed, the line changed and the process restarted, the answer is the same."""
    order = market.order()
    claim = {"note": "It does not work.", "evidence": [a_file()], "key": "k1"}
    first = market.submit(order, **claim)
    market.act(first.id, "begin_review", LI)
    market.act(first.id, "offer", LI, amount=100)
    market.later(days=3)
    market.refunds.record_usage(order, usage="used", actor=SHOP, at=market.at)
    market.refunds.record_captured(order, amount=40_000, actor=SHOP, at=market.at)
    market.restart()

    assert market.submit(order, **claim) == first
    assert len(market.history(first.id)) == 4  # submit, begin_review, offer, offer_lapsed


def test_a_repeat_may_say_the_time_of_the_first_call(market: Market) -> None:
    """A rehearsal's script run again with its old times gets the first answers."""
    order = market.order()
    first = market.submit(order, key="k1")
    said = market.now
    market.later(days=1)
    market.act(first.id, "begin_review", LI)

    assert market.refunds.submit(order, reason="CODE_INVALID", actor=BUYER, key="k1", at=said) == first


def test_the_answer_with_its_follow_ups_comes_again(market: Market) -> None:
    """A claim that was rejected in its own transaction answers with the rejection again."""
    order = market.order()
    market.later(days=30)
    first = market.submit(order, key="k1")
    market.later(days=10)

    assert first.state == "rejected.appealable"
    assert market.submit(order, key="k1") == first
    assert market.get(first.id).state == "rejected.closed"


def test_a_first_of_two_uses_up_its_key(market: Market) -> None:
    """The first approval repeated with its key is 1 of 2 again, also after the second person has moved."""
    refund = market.submit(market.order(amount_minor=150_000)).id
    market.act(refund, "begin_review", LI)
    first = market.act(refund, "approve", LI, key="a1")
    market.act(refund, "approve", ZHAO, key="a2")
    again = market.act(refund, "approve", LI, key="a1")

    assert first.waiting and again == first
    assert market.act(refund, "approve", ZHAO, key="a2").state == "approved.payable"


def test_a_fact_of_the_line_told_again_gives_its_first_answer(market: Market) -> None:
    """A keyed fact repeated after others came answers with the ledger as it was."""
    order = market.order()
    first = market.refunds.record_captured(order, amount=20_000, actor=SHOP, key="c1", at=market.at)
    market.refunds.record_captured(order, amount=25_000, actor=SHOP, key="c2", at=market.at)

    assert market.refunds.record_captured(order, amount=20_000, actor=SHOP, key="c1", at=market.at) == first
    assert market.line(order).captured_minor == 25_000


@pytest.mark.parametrize(
    ("event", "actor", "terms"),
    [
        ("begin_review", CHEN, {}),  # another actor
        ("note", LI, {"message": "hello"}),  # another event
        ("begin_review", LI, {"message": "other words"}),  # other parameters
    ],
)
def test_another_request_with_a_used_key_is_refused(
    market: Market, event: str, actor: str, terms: dict[str, str]
) -> None:
    """KEY_REUSED names the event that used the key up, and the attempt is recorded."""
    refund = market.to("submitted")
    market.act(refund, "begin_review", LI, key="k1")
    with pytest.raises(Refused) as refused:
        market.act(refund, event, actor, key="k1", **terms)
    newest = market.history(refund)[-1]

    assert [(item.code, item.params) for item in refused.value.blockers] == [("KEY_REUSED", {"event": "begin_review"})]
    assert (newest.kind, newest.event, newest.key) == ("refused", event, None)


def test_other_evidence_is_another_request(market: Market) -> None:
    """The same kind with other content under a used key is refused, the same content is the first answer."""
    refund = market.to("under_review.reviewing")
    first = market.act(refund, "add_evidence", BUYER, evidence=[a_file(content=b"one")], key="e1")

    assert market.act(refund, "add_evidence", BUYER, evidence=[a_file(content=b"one")], key="e1") == first
    with pytest.raises(Refused, match="KEY_REUSED"):
        market.act(refund, "add_evidence", BUYER, evidence=[a_file(content=b"two")], key="e1")


def test_the_key_of_a_claim_belongs_to_its_line(market: Market) -> None:
    """One key claims on two lines, never twice on one; for other acts it belongs to the refund."""
    one, two = market.order(), market.order()
    first, second = market.submit(one, key="k1"), market.submit(two, key="k1")
    market.act(first.id, "begin_review", LI, key="k1")
    with pytest.raises(Refused, match="KEY_REUSED"):
        market.submit(one, key="k1", amount=1)

    assert first.id != second.id
    assert market.submit(one, key="k1") == first


def test_a_refused_act_does_not_use_up_its_key(market: Market) -> None:
    """What was refused may be done under the same key once it is possible."""
    refund = market.to("submitted")
    with pytest.raises(Refused, match="WRONG_STATE"):
        market.act(refund, "approve", LI, key="k1")
    market.act(refund, "begin_review", LI)

    assert market.act(refund, "approve", LI, key="k1").state == "approved.payable"


def test_a_key_is_looked_up_before_what_is_due_and_before_the_role(market: Market) -> None:
    """A repeat gives its answer although a deadline has lapsed meanwhile, and applies nothing."""
    refund = market.to("submitted")
    first = market.act(refund, "withdraw", BUYER, key="w1")
    other = market.submit().id
    begun = market.act(other, "begin_review", LI, key="b1")
    market.now = begun.deadlines[0].due_at + timedelta(days=1)

    assert market.act(refund, "withdraw", BUYER, key="w1") == first
    assert market.act(other, "begin_review", LI, key="b1") == begun
    stored = [entry.event for entry in market.history(other) if not entry.pending]
    assert stored == ["submit", "begin_review"]


def test_a_stray_payment_answers_the_same_again(market: Market) -> None:
    """A proof that moved the line as well answers with the same line when it comes again under its key."""
    refund = market.to("approved.paying")
    [attempt] = market.get(refund).attempts
    proof = {"number": attempt.number, "amount": AMOUNT, "currency": "CNY", "proof": "p1"}
    market.act(refund, "payout_refused", QIAN, number=attempt.number, proof="no", void=True)
    market.act(refund, "revoke_approval", CHEN, message="paid by voucher")
    market.act(refund, "payout_settled", QIAN, **proof, key="q1")
    first = market.act(refund, "payout_settled", "finance:sun", **proof, key="s1")
    market.act(refund, "note", LI, message="the channel paid a void number")
    order = market.get(refund).order_id

    assert market.act(refund, "payout_settled", "finance:sun", **proof, key="s1") == first
    assert (market.line(order).settled_minor, market.line(order).excess_minor) == (AMOUNT, AMOUNT)


def test_keys_of_a_live_database_survive_a_restart(live: Market) -> None:
    """On a live database a repeated claim gives the first answer after the process came back."""
    order = live.order()
    first = live.submit(order, note="It does not work.", key="k1")
    live.act(first.id, "begin_review", LI, key="k2")
    live.restart()

    assert live.submit(order, note="It does not work.", key="k1") == first
    assert live.act(first.id, "begin_review", LI, key="k2").state == "under_review.reviewing"
    assert len(live.history(first.id)) == 2
