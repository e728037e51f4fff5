"""Every method of the facade once, on both databases: it reaches the rules and what it answers is stored."""

import csv
import inspect
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from refundflow.errors import BadInput, Refused, RoleNotAllowed
from refundflow.service.line_acts import LineActs
from refundflow.service.payout_acts import PayoutActs
from refundflow.service.review_acts import ReviewActs
from states.chart import phase_of
from states.refund_v1 import TABLE
from tests.support.market import (
    AMOUNT,
    BUYER,
    CHEN,
    LI,
    NEVER,
    QIAN,
    SHOP,
    SUN,
    WAY,
    WU,
    ZHAO,
    Market,
    a_file,
    order_row,
)  # fmt: skip

pytestmark = pytest.mark.partitioned


@pytest.mark.parametrize("state", sorted(TABLE.leaves))
def test_a_refund_can_be_driven_to_every_state(market: Market, state: str) -> None:
    """Every leaf of the chart is reached by acts of the facade, and what is stored verifies."""
    refund = market.to(state)
    found = market.get(refund)

    assert (found.state, found.phase) == (state, phase_of(state))
    assert (found.deadline is None) == (state in TABLE.final)
    market.require_sound()


def test_every_state_has_its_way() -> None:
    """The factory knows a way to every leaf of the chart."""
    assert set(WAY) == set(TABLE.leaves)


def test_an_entry_says_what_was_asked_and_no_more(market: Market) -> None:
    """An act without terms has none in its entry, one with files names the new ones."""
    refund = market.to("submitted")
    market.act(refund, "begin_review", LI)
    market.act(refund, "add_evidence", BUYER, evidence=[a_file()])
    begun, added = market.history(refund)[-2:]

    assert begun.params == {} and [item["kind"] for item in added.params["evidence"]] == ["screenshot"]


def test_a_claim_reserves_its_amount(market: Market) -> None:
    """`submit` answers with the refund, and the line has the amount put aside."""
    order = market.order()
    refund = market.submit(order, amount=12_000, note="It does not work.", evidence=[a_file()])
    line = market.line(order)

    assert (refund.id, refund.state, refund.claimed_minor) == (f"{order}-1-1", "submitted", 12_000)
    assert (line.reserved_minor, line.left_minor) == (12_000, AMOUNT - 12_000)
    assert [(item.kind, item.media_type, item.size) for item in refund.evidence] == [("screenshot", "image/png", 6)]


def test_a_claim_after_the_window_is_answered_with_its_rejection(market: Market) -> None:
    """A claim later than 7 civil days is opened and rejected at once, with ground and appeal window."""
    order = market.order()
    market.later(days=10)
    refund = market.submit(order)

    assert (refund.state, refund.grounds) == ("rejected.appealable", ("OUT_OF_WINDOW",))
    assert refund.deadline is not None and refund.deadline.name == "appeal_window"


def test_evidence_is_asked_for_given_and_the_request_ended(market: Market) -> None:
    """`request_evidence`, `provide_evidence`, `end_request` and `add_evidence` move and keep what they must."""
    refund = market.to("awaiting_evidence")
    assert market.get(refund, BUYER).requested_evidence == ("screenshot",)
    given = market.act(refund, "provide_evidence", BUYER, evidence=[a_file()])
    market.act(refund, "request_evidence", LI, kinds=["chat_log"], message="and the talk")
    ended = market.act(refund, "end_request", LI, message="found it ourselves")
    added = market.act(refund, "add_evidence", LI, evidence=[a_file("usage_meter")], audience="internal")

    assert (given.state, ended.state) == ("under_review.reviewing", "under_review.reviewing")
    assert [item.audience for item in added.evidence] == ["buyer", "internal"]


def test_all_i_have_ends_a_request(market: Market) -> None:
    """`provide_evidence` with `all` returns to the review although a kind is missing."""
    refund = market.to("awaiting_evidence")
    with pytest.raises(Refused, match="EVIDENCE_INCOMPLETE"):
        market.act(refund, "provide_evidence", BUYER)

    assert market.act(refund, "provide_evidence", BUYER, all=True).state == "under_review.reviewing"


def test_an_offer_is_countered_and_the_counter_offer_accepted(market: Market) -> None:
    """`offer`, `counter_offer`, `accept_offer`: the amount agreed upon is approved."""
    refund = market.to("under_review.negotiating")
    countered = market.act(refund, "counter_offer", BUYER, amount=15_000, message="half")
    accepted = market.act(refund, "accept_offer", LI, offer=2)

    assert countered.offer is not None and countered.offer.counter and countered.offer.refund_minor == 15_000
    assert (accepted.state, accepted.approved_minor) == ("approved.payable", 15_000)


def test_an_offer_is_declined(market: Market) -> None:
    """`decline_offer` returns to the review."""
    refund = market.to("under_review.negotiating")

    assert market.act(refund, "decline_offer", BUYER, offer="1", message="no").state == "under_review.reviewing"


def test_an_appeal_is_overturned_by_another_person(market: Market) -> None:
    """`overturn` by who did not decide in the review approves the claim."""
    refund = market.to("appealed")
    with pytest.raises(Refused, match="DECIDED_IN_REVIEW"):
        market.act(refund, "overturn", LI, message="I was wrong")

    assert market.act(refund, "overturn", ZHAO, message="the code was never sent").state == "approved.payable"


def test_two_persons_approve_a_large_claim(market: Market) -> None:
    """Above the limit the first approval is recorded as 1 of 2, and the second person moves."""
    refund = market.submit(market.order(amount_minor=150_000)).id
    market.act(refund, "begin_review", LI)
    first = market.act(refund, "approve", LI)
    with pytest.raises(Refused, match="SECOND_PERSON_NEEDED"):
        market.act(refund, "approve", LI)
    second = market.act(refund, "approve", ZHAO)

    assert (first.waiting, first.state, [item.name for item in first.firsts]) == (
        True, "under_review.reviewing", ["li"],
    )  # fmt: skip
    assert (second.waiting, second.state, second.firsts) == (False, "approved.payable", ())


def test_a_first_of_two_is_taken_back(market: Market) -> None:
    """`take_back` removes one's own first."""
    refund = market.submit(market.order(amount_minor=150_000)).id
    market.act(refund, "begin_review", LI)
    market.act(refund, "approve", LI)

    assert market.act(refund, "take_back", LI, event="approve").firsts == ()


def test_entries_beside_the_chart_change_facts_only(market: Market) -> None:
    """`assign`, `flag_risk`, `note` and `extend` leave the state where it is."""
    market.refunds.staff_add("zhao", roles=["agent"], actor=CHEN)
    refund = market.to("under_review.reviewing")
    before = market.get(refund)
    market.act(refund, "assign", CHEN, to="zhao")
    market.act(refund, "flag_risk", LI, flag="MANY_ACCOUNTS", message="seen before")
    market.act(refund, "note", LI, message="called", contact="phone")
    after = market.act(refund, "extend", CHEN, days=2, message="a holiday of the supplier")

    assert (after.assignee, after.flags, after.state) == ("zhao", ("MANY_ACCOUNTS",), "under_review.reviewing")
    assert before.deadline is not None and after.deadline is not None
    assert after.deadline.due_at == before.deadline.due_at + timedelta(days=2)


def test_work_pays_and_assumes_the_receipt(market: Market) -> None:
    """`work` dispatches, sends, hears of the payment, and after 7 days the arrival is assumed."""
    refund = market.to("approved.payable")
    market.refunds.work(at=market.later(minutes=1))
    settled = market.get(refund)
    market.refunds.work(at=market.later(days=9))

    assert (settled.state, settled.settled_minor, settled.reserved_minor) == ("paid_out.settled", AMOUNT, 0)
    assert market.channel.paid(f"pay-{settled.order_id}") == AMOUNT
    assert market.get(refund).state == "paid_out.confirmed"


def test_a_worker_fires_what_is_due_and_knows_when_to_come_back(market: Market) -> None:
    """`next_work_at` names the next deadline, and `fire` applies what is due and nothing else."""
    refund = market.to("under_review.negotiating")
    offer = market.get(refund).deadlines[0]
    [standing] = [item for item in (market.refunds.next_work_at(),) if item is not None]
    market.now = offer.due_at

    assert standing <= offer.due_at
    assert market.refunds.fire(Counter(), at=market.at) == 1
    assert market.refunds.fire(Counter(), at=market.at) == 0
    assert market.history(refund)[-1].event == "offer_lapsed"


def test_finance_proves_a_payment_by_two_persons(market: Market) -> None:
    """`payout_settled` by finance needs two persons with the same proof."""
    refund = market.to("approved.paying")
    [attempt] = market.get(refund).attempts
    proof = {"number": attempt.number, "amount": AMOUNT, "currency": "CNY", "proof": "bill-7"}
    first = market.act(refund, "payout_settled", QIAN, **proof)

    assert first.waiting
    assert market.act(refund, "payout_settled", SUN, **proof).state == "paid_out.settled"


def test_a_refused_payout_is_retried(market: Market) -> None:
    """`payout_refused` and `retry_payout` keep the number."""
    refund = market.to("approved.paying")
    [attempt] = market.get(refund).attempts
    failed = market.act(refund, "payout_refused", QIAN, number=attempt.number, proof="answer-1")
    again = market.act(refund, "retry_payout", QIAN)

    assert (failed.state, again.state) == ("approved.payout_failed", "approved.payable")
    assert [item.number for item in again.attempts] == [attempt.number]


def test_a_void_number_is_rerouted_or_paid_by_hand(market: Market) -> None:
    """`reroute_payout` and `pay_manually` take two persons of finance and an old number that is void."""
    rerouted, by_hand = market.to("approved.payout_failed"), market.to("approved.payout_failed")
    for person in (QIAN, SUN):
        there = market.act(rerouted, "reroute_payout", person, channel="balance", message="account closed")
        hand = market.act(by_hand, "pay_manually", person, message="account closed")

    assert (there.state, there.channel) == ("approved.payable", "balance")
    assert (hand.state, hand.attempts[-1].channel) == ("approved.paying", "bank_manual")


def test_a_number_is_told_void(market: Market) -> None:
    """`void_attempt` with its proof makes a number void."""
    refund = market.to("approved.paying")
    [attempt] = market.get(refund).attempts
    market.act(refund, "payout_refused", QIAN, number=attempt.number, proof="answer-1")

    assert market.act(refund, "void_attempt", QIAN, number=attempt.number, proof="bill-8").attempts[0].void


def test_an_approval_is_revoked(market: Market) -> None:
    """`revoke_approval` by a supervisor returns to the instance that approved."""
    refund = market.to("approved.payable")
    revoked = market.act(refund, "revoke_approval", CHEN, message="paid by voucher")

    assert (revoked.state, revoked.approved_minor) == ("under_review.reviewing", 0)


def test_a_payout_comes_back(market: Market) -> None:
    """`payout_reversed` while settled, `late_reversal` after the end: the ledger follows."""
    settled, confirmed = market.to("paid_out.settled"), market.to("paid_out.confirmed")
    for refund, event in ((settled, "payout_reversed"), (confirmed, "late_reversal")):
        [attempt] = market.get(refund).attempts
        back = market.act(refund, event, QIAN, number=attempt.number, amount=AMOUNT, currency="CNY", proof="back-1")
        assert back.settled_minor == 0
    anew = market.refunds.submit(
        market.get(confirmed).order_id, reason="PAYOUT_RETURNED", returned=confirmed, actor=SHOP, at=market.at
    )

    assert market.get(settled).state == "approved.payout_failed"
    assert (anew.state, anew.claimed_minor) == ("submitted", AMOUNT)
    market.require_sound()


def test_an_enquiry_is_raised_and_answered(market: Market) -> None:
    """`raise_enquiry` stands instead of the receipt until `answer_enquiry`."""
    refund = market.to("paid_out.settled")
    raised = market.act(refund, "raise_enquiry", BUYER, message="nothing came")
    answered = market.act(refund, "answer_enquiry", LI, answer="ARRIVED_PER_CHANNEL")

    assert [item.name for item in raised.deadlines] == ["enquiry"]
    assert [item.name for item in answered.deadlines] == ["receipt"]


def test_a_caller_cannot_dispatch(market: Market) -> None:
    """`dispatch_payout` is the system's; a caller is refused by role, and that is recorded."""
    refund = market.to("approved.payable")
    with pytest.raises(RoleNotAllowed):
        market.act(refund, "dispatch_payout", QIAN)

    assert market.history(refund)[-1].kind == "refused"


def test_facts_of_the_line_are_told_once(market: Market) -> None:
    """Usage, completion and capture change the line; the same fact again changes nothing."""
    order = market.order(completed_at=None)
    told: dict[str, dict[str, Any]] = {
        "record_usage": {"usage": "activated"}, "record_completed": {"completed_at": market.now},
        "record_captured": {"amount": 20_000},
    }  # fmt: skip
    for method, fact in told.items():
        changed = [getattr(market.refunds, method)(order, actor=SHOP, at=market.at, **fact).changed for _ in range(2)]
        assert changed == [True, False], method
    line = market.line(order)

    assert (line.usage, line.completed_at, line.captured_minor) == ("activated", market.now, 20_000)


def test_chargebacks_are_counted_once_and_told_in_every_refund(market: Market) -> None:
    """An open chargeback blocks the approval; won, it is counted no more."""
    refund = market.to("under_review.reviewing")
    order = market.get(refund).order_id
    opened = market.refunds.chargeback_opened(order, chargeback="cb1", amount=AMOUNT, actor=QIAN, at=market.at)
    with pytest.raises(Refused, match="CHARGEBACK_OPEN"):
        market.act(refund, "approve", LI)
    closed = market.refunds.chargeback_closed(
        order, chargeback="cb1", amount=AMOUNT, outcome="won", actor=QIAN, at=market.at
    )

    assert (opened.charged_back_minor, closed.charged_back_minor) == (AMOUNT, 0)
    assert [entry.event for entry in market.history(refund)][2:] == [
        "chargeback_opened", "approve", "chargeback_closed",
    ]  # fmt: skip


def test_excess_is_resolved_by_two_persons(market: Market) -> None:
    """What was paid out beyond the capture is excess until two of finance write it off."""
    order = market.get(market.to("paid_out.confirmed")).order_id
    lowered = market.refunds.record_captured(order, amount=20_000, actor=SHOP, at=market.at)
    terms = {"amount": 10_000, "how": "written_off", "proof": "memo-3"}
    first = market.refunds.excess_resolved(order, actor=QIAN, at=market.at, **terms)  # type: ignore[arg-type]
    second = market.refunds.excess_resolved(order, actor=SUN, at=market.at, **terms)  # type: ignore[arg-type]

    assert (lowered.excess_minor, lowered.overpaid) == (10_000, True)
    assert (first.waiting, first.excess_minor, second.excess_minor) == (True, 10_000, 0)


def test_registering_again_tells_what_has_changed(market: Market) -> None:
    """The same row again changes nothing; new facts are entries; what cannot change is refused."""
    row = order_row("A1", completed_at=None)
    first = market.refunds.register_order(row, actor=SHOP, at=market.at)
    again = market.refunds.register_order(row, actor=SHOP, at=market.at)
    changed = market.refunds.register_order(order_row("A1", usage="used"), actor=SHOP, at=market.at)
    with pytest.raises(BadInput, match="payment_no"):
        market.refunds.register_order(order_row("A1", payment_no="other"), actor=SHOP, at=market.at)

    assert (first.changed, again.changed, changed.changed) == (True, False, True)
    assert [entry.event for entry in market.history("A1/1")] == ["registered", "usage_recorded", "completed"]


def test_lists_find_by_order_customer_payment_state_and_date(market: Market) -> None:
    """Each filter of `list` finds its refund, and pages follow each other."""
    first, second = market.to("submitted"), market.to("withdrawn")
    market.later(hours=1)
    third = market.submit(market.order(buyer_id="ma"), actor="buyer:ma").id

    def found(**wanted: object) -> list[str]:
        return [item.id for item in market.refunds.list(actor=LI, at=market.at, **wanted).refunds]  # type: ignore[arg-type]

    assert found() == [first, second, third]
    assert found(order="A2") == [second] == found(state="withdrawn") == found(payment="pay-A2")
    assert found(customer="ma") == [third] == found(since=market.now)
    page = market.refunds.list(actor=LI, at=market.at, limit=2)
    assert [item.id for item in market.refunds.list(actor=LI, at=market.at, after=page.after).refunds] == [third]


def test_the_queue_puts_a_clear_appeal_first(market: Market) -> None:
    """Appeals with clear evidence come first, the rest by due moment; others see whose move it is."""
    waiting, appealed = market.to("awaiting_evidence"), market.to("rejected.appealable")
    market.act(appealed, "appeal", BUYER, evidence=[a_file("platform_promise")])
    items = market.refunds.queue(actor=LI, at=market.at)

    assert [(item.refund.id, item.turn) for item in items] == [(appealed, "agent"), (waiting, "buyer")]
    assert [item.refund.id for item in market.refunds.queue(actor=LI, at=market.at, turn="buyer")] == [waiting]


def test_explain_names_what_is_possible_and_what_blocks(market: Market) -> None:
    """Every event is either possible or has its blockers."""
    refund = market.to("under_review.reviewing")
    said = market.refunds.explain(refund, actor=LI, at=market.at)

    assert {"approve", "reject", "offer", "request_evidence"} <= set(said.possible)
    assert said.blocked["uphold"][0].code == "WRONG_STATE" and said.blocked["withdraw"][0].code == "ROLE_NOT_ALLOWED"


def test_check_says_before_the_claim_what_it_would_meet(market: Market) -> None:
    """`check` names rule, evidence and window for one reason or for each, and leaves no trace."""
    order = market.order()
    [one] = market.refunds.check(order, reason="CODE_INVALID", actor=BUYER, at=market.at)
    each = {item.reason: item.outcome for item in market.refunds.check(order, actor=BUYER, at=market.at)}

    assert (one.outcome, one.left_minor, one.currency) == ("accepted", AMOUNT, "CNY")
    assert (each["CODE_INVALID"], each["WRONG_FACE_VALUE"]) == ("accepted", "blocked")
    assert len(market.history(f"{order}/1")) == 1


def test_the_export_holds_every_entry(market: Market, tmp_path: Path) -> None:
    """CSV and JSON Lines hold one row per entry of every chain."""
    market.to("paid_out.confirmed")
    counted = market.refunds.verify().entries
    for form in ("csv", "jsonl"):
        path = tmp_path / f"entries.{form}"
        assert market.refunds.export(format=form, output=str(path), actor=WU).entries == counted
    with (tmp_path / "entries.csv").open(encoding="utf-8", newline="") as file:
        assert len(list(csv.reader(file))) == counted + 1


def test_the_register_of_staff(market: Market) -> None:
    """Persons are added, listed and disabled; every change is an entry of its own chain."""
    market.refunds.staff_add("li", roles=["agent"], actor=CHEN)
    market.refunds.staff_add("li", roles=["agent", "finance"], actor=CHEN)
    market.refunds.staff_disable("li", actor=CHEN)

    assert [(who.name, who.roles, who.active) for who in market.refunds.staff_list()] == [
        ("li", ("agent", "finance"), False)
    ]
    assert market.refunds.verify().entries == 3


def test_a_change_of_the_register_is_made_once_per_key(market: Market) -> None:
    """The same call with the same key changes nothing, even after later changes; another one with it is refused."""
    first = market.refunds.staff_add("li", roles=["agent"], actor=CHEN, key="staff-1")
    market.refunds.staff_disable("li", actor=CHEN, key="staff-2")

    again = market.refunds.staff_add("li", roles=["agent"], actor=CHEN, key="staff-1")

    assert again == first
    assert [who.active for who in market.refunds.staff_list()] == [False]
    with pytest.raises(Refused, match="KEY_REUSED"):
        market.refunds.staff_add("li", roles=["finance"], actor=CHEN, key="staff-1")
    proven = market.refunds.verify()
    assert (proven.ok, proven.entries) == (True, 2)


@pytest.mark.parametrize("acts", [ReviewActs, PayoutActs, LineActs])
def test_every_act_is_called_on_both_databases(acts: type) -> None:
    """No act of the facade stands outside these tests of the facade."""
    told = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    told += inspect.getsource(Market) + str(WAY)

    assert [name for name in vars(acts) if not name.startswith("_") and name not in told] == []


def test_a_payout_that_never_answers_is_handed_to_finance(market: Market) -> None:
    """An unknown outcome is asked again on the ladder, never guessed, and then handed over."""
    order = market.order()
    market.channel.script(f"pay-{order}", NEVER)
    refund = market.submit(order).id
    market.act(refund, "begin_review", LI)
    market.act(refund, "approve", LI)
    for _ in range(12):
        market.refunds.work(at=market.later(hours=12))

    assert market.get(refund).state == "approved.paying"
    assert "handed_to_finance" in [entry.event for entry in market.history(refund)]


def test_a_history_shows_what_is_due_without_storing_it(market: Market) -> None:
    """A read shows what a move would find: lapses by then follow as pending, and the next move stores the same."""
    refund = market.to("rejected.appealable")
    stored = market.history(refund)
    later = market.later(days=5)

    shown = market.refunds.history(refund, actor=LI, at=later)
    market.act(refund, "note", LI, message="Asked again.")

    after = market.history(refund)
    assert [(entry.event, entry.pending, entry.hash == "") for entry in shown[len(stored) :]] == [
        ("appeal_window_closed", True, True)
    ]
    assert [entry.event for entry in after[len(stored) :]] == ["appeal_window_closed", "note"]
    assert after[len(stored)].effective_at == shown[-1].effective_at and not any(entry.pending for entry in after)
