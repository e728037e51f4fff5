"""The claim: every blocker of `submit`, the windows to the microsecond, rejection at once, risk flags."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from states import times
from tests.unit.rules.story import (
    BUYER,
    CHANNEL,
    INSTANT,
    MONDAY,
    SHOP,
    SYSTEM,
    Story,
    agent,
    file,
    local,
    with_policy,
)


def refused(story: Story, actor: Any = BUYER, **params: Any) -> list[str]:
    """Return the codes that a claim meets."""
    return story.do("submit", actor, **({"reason": "CANNOT_LOG_IN"} | params)).codes


def test_a_claim_reserves_its_amount_and_stands_under_one_deadline() -> None:
    """An accepted claim is submitted, reserved on the line, pinned to its policy, and promised a review."""
    story = Story().submit(amount=4000)

    assert (story.state, story.refund, story.ledger.reserved) == ("submitted", "A1-1-1", 4000)
    assert (story.case["claimed"], story.case["reserved"], story.case["usage"]) == (4000, 4000, "unused")
    assert story.case["policy"] == story.rules.policy.version
    assert list(story.case["deadlines"]) == ["review"]
    assert story.told() == ["SUBMITTED"]


def test_a_refund_keeps_the_policy_of_its_submit() -> None:
    """What comes later is judged by it and says so, whatever is in force by then, as it is for a fact of the line."""
    story = Story().submit()
    pinned, newer = story.rules, with_policy(offer_hours=1)
    story.rules = replace(newer, policies={**pinned.policies, **newer.policies})

    story.must("begin_review", agent("li")).must("offer", agent("li"), amount=1)
    story.must("usage_recorded", SHOP, usage="activated")

    assert story.due("offer") == "2026-11-04 10:00"
    assert [entry.policy for entry in story.entries] == [pinned.policy.version] * 3 + ["changed"]


def test_a_claim_without_an_amount_is_for_all_that_is_left() -> None:
    """The default amount is what nobody else has."""
    story = Story().paid(amount=4000)

    assert story.submit().case["claimed"] == 6000


def test_goods_that_never_arrived_can_be_claimed_for_reasons_that_need_no_completion() -> None:
    """NOT_COMPLETED names the reasons that need none; with one of these the claim is opened."""
    story = Story(completed_at=None)

    assert refused(story) == ["NOT_COMPLETED"]
    assert story.blockers["NOT_COMPLETED"].params == {
        "reasons": ["NOT_DELIVERED", "NOT_PROVISIONED", "DUPLICATE_PAYMENT"]
    }
    assert refused(story, reason="NOT_DELIVERED") == []


def test_what_was_not_paid_cannot_be_claimed() -> None:
    """NOT_PAID comes alone: completion is not asked before payment."""
    assert refused(Story(paid_at=None, completed_at=None)) == ["NOT_PAID"]


def test_an_unknown_reason_is_answered_with_the_known_ones() -> None:
    """UNKNOWN_REASON says what was given and what there is."""
    story = Story()

    assert refused(story, reason="BORED") == ["UNKNOWN_REASON"]
    assert story.blockers["UNKNOWN_REASON"].params["reason"] == "BORED"
    assert "OTHER" in story.blockers["UNKNOWN_REASON"].params["allowed"]


def test_a_reason_must_fit_the_product() -> None:
    """REASON_NOT_FOR_PRODUCT names both."""
    story = Story()

    assert refused(story, reason="WRONG_FACE_VALUE") == ["REASON_NOT_FOR_PRODUCT"]
    assert story.blockers["REASON_NOT_FOR_PRODUCT"].params == {"reason": "WRONG_FACE_VALUE", "product": "membership"}


def test_other_needs_a_text() -> None:
    """TEXT_REQUIRED stands until something is written; blanks are nothing."""
    assert refused(Story(), reason="OTHER", note="  ") == ["TEXT_REQUIRED"]
    assert refused(Story(), reason="OTHER", note="The seller asked me to.") == []


@pytest.mark.parametrize(
    ("amount", "codes"),
    [(0, ["AMOUNT_NOT_POSITIVE"]), (-5, ["AMOUNT_NOT_POSITIVE"]), (10001, ["AMOUNT_EXCEEDS_LEFT"]), (10000, [])],
)
def test_the_amount_is_above_zero_and_within_what_is_left(amount: int, codes: list[str]) -> None:
    """0 < amount ≤ left, both ends exact."""
    assert refused(Story(), amount=amount) == codes


def test_nothing_left_is_said_even_without_an_amount() -> None:
    """A line that was paid back whole has nothing to claim."""
    story = Story().paid()

    assert refused(story) == ["AMOUNT_EXCEEDS_LEFT"]
    assert story.blockers["AMOUNT_EXCEEDS_LEFT"].params == {"amount": 10000, "left": 0}


def test_one_refund_in_progress_blocks_the_next() -> None:
    """REFUND_IN_PROGRESS names refund and state; where only a person can end it, no time is promised."""
    story = Story().submit(amount=4000)

    assert refused(story, amount=1000) == ["REFUND_IN_PROGRESS"]
    blocker = story.blockers["REFUND_IN_PROGRESS"]
    assert (blocker.params, blocker.until) == ({"refund": "A1-1-1", "state": "submitted"}, None)


def test_a_rejection_that_can_be_appealed_blocks_until_its_window_closes() -> None:
    """The blocker says until when, and at that moment the next claim is opened."""
    story = Story().rejected(amount=4000)
    closes = story.deadline("appeal_window")["due_at"]

    assert refused(story, amount=1000) == ["REFUND_IN_PROGRESS"]
    assert story.blockers["REFUND_IN_PROGRESS"].until == closes
    assert refused(story.at(closes).at(microseconds=-1), amount=1000) == ["REFUND_IN_PROGRESS"]
    assert refused(story.at(closes), amount=1000) == []
    assert story.aggregate.refunds["A1-1-1"]["state"] == "rejected.closed"


@pytest.mark.parametrize(("brought", "ends"), [(False, True), (True, False)])
def test_silence_in_an_appeal_ends_by_itself_unless_something_came(brought: bool, ends: bool) -> None:
    """Awaiting evidence in the appeal blocks until its deadline, which closes the refund if nothing came."""
    story = Story().appealed().must("request_evidence", agent("wang"), kinds=["login_log"])
    if brought:
        story.must("add_evidence", BUYER, evidence=[file("screenshot")])
    else:
        story.must("add_evidence", agent("wang"), evidence=[file("screenshot")])

    refused(story, amount=1)

    assert (story.blockers["REFUND_IN_PROGRESS"].until is not None) is ends


def test_a_settled_refund_lets_the_next_one_in() -> None:
    """Settled is not in progress."""
    assert refused(Story().paid(amount=4000), amount=1000) == []


def test_five_claims_are_accepted_on_a_line() -> None:
    """CLAIM_LIMIT_REACHED counts accepted claims, withdrawn ones too, and refused ones not."""
    story = Story()
    for _ in range(5):
        story.do("submit", BUYER, reason="BORED")
        story.submit(amount=100).must("withdraw", BUYER)

    assert refused(story, amount=100) == ["CLAIM_LIMIT_REACHED"]
    assert story.blockers["CLAIM_LIMIT_REACHED"].params == {"count": 5, "limit": 5}


def test_the_claim_limit_ends_with_the_ninetieth_day() -> None:
    """In time until 24:00 of the 90th civil day after completion, not accepted at that moment."""
    limit = "2027-01-31 00:00"  # completed on Sunday 1 November 2026

    assert refused(Story().at(limit).at(microseconds=-1)) == []
    story = Story().at(limit)
    assert refused(story) == ["CLAIM_TOO_LATE"]
    params = story.blockers["CLAIM_TOO_LATE"].params
    assert (local(params["ended_at"]), params["days"]) == (limit, 90)


def test_the_claim_limit_counts_from_payment_where_nothing_was_completed() -> None:
    """An order that never completed is too late 90 days after payment."""
    story = Story(completed_at=None, paid_at=MONDAY - timedelta(days=91))

    assert refused(story, reason="NOT_DELIVERED") == ["CLAIM_TOO_LATE"]


def test_legal_reasons_are_never_too_late() -> None:
    """MINOR_SPENDING and FRAUD pass every window, the channel's too: they are paid by hand."""
    year = MONDAY - timedelta(days=400)

    for reason in ("MINOR_SPENDING", "FRAUD"):
        story = Story(completed_at=year, paid_at=year, channel="wechat_pay")
        assert refused(story, reason=reason) == []
        assert story.state == "submitted"


def test_the_channel_window_ends_on_its_own_day() -> None:
    """A payment at WeChat Pay can be claimed for 365 civil days; the blocker names channel and end."""
    paid = MONDAY - timedelta(days=365)
    line: dict[str, Any] = {"paid_at": paid, "completed_at": MONDAY, "channel": "wechat_pay"}
    end = MONDAY.replace(hour=0) + timedelta(days=1)

    assert refused(Story(**line).at(end - INSTANT)) == []
    story = Story(**line).at(end)
    assert refused(story) == ["CHANNEL_WINDOW_OVER"]
    assert story.blockers["CHANNEL_WINDOW_OVER"].params == {"channel": "wechat_pay", "ended_at": times.text(end)}


def test_an_open_chargeback_blocks_and_a_won_one_does_not() -> None:
    """CHARGEBACK_OPEN names the ids; what was lost stays counted as gone."""
    story = Story().must("chargeback_opened", CHANNEL, chargeback="c1", amount=3000)

    assert refused(story, amount=1000) == ["CHARGEBACK_OPEN"]
    assert story.blockers["CHARGEBACK_OPEN"].params == {"ids": ["c1"]}
    story.must("chargeback_closed", CHANNEL, chargeback="c1", amount=3000, outcome="lost")
    assert refused(story, amount=8000) == ["AMOUNT_EXCEEDS_LEFT"]
    assert refused(story, amount=7000) == []


def test_what_an_offer_settled_is_not_claimed_again_for_the_same_reason() -> None:
    """SETTLED_BY_OFFER names the refund; another reason is open, a legal one always."""
    story = Story().reviewing(reason="CANNOT_LOG_IN").must("offer", agent(), amount=0, compensation=500)
    story.must("accept_offer", BUYER)

    assert refused(story, amount=100) == ["SETTLED_BY_OFFER"]
    assert story.blockers["SETTLED_BY_OFFER"].params == {"refund": "A1-1-1"}
    assert refused(story, amount=100, reason="RIGHTS_NOT_AS_DESCRIBED") == []


def test_a_legal_reason_is_claimed_again_after_an_offer() -> None:
    """SETTLED_BY_OFFER does not hold for legal reasons."""
    story = Story().reviewing(reason="FRAUD").must("offer", agent(), amount=0, compensation=500)
    story.must("accept_offer", BUYER)

    assert refused(story, amount=100, reason="FRAUD") == []


def test_a_currency_without_numbers_is_refused_naming_the_key() -> None:
    """CURRENCY_NOT_CONFIGURED says which key of the policy is missing."""
    story = Story(currency="EUR")

    assert refused(story) == ["CURRENCY_NOT_CONFIGURED"]
    assert story.blockers["CURRENCY_NOT_CONFIGURED"].params == {"currency": "EUR", "key": "money.EUR"}


def test_every_blocker_is_told_at_once() -> None:
    """A hopeless claim is told everything that stands against it."""
    story = Story(completed_at=None, currency="EUR", usage="used")

    codes = refused(story, reason="OTHER", amount=0, evidence=[file("diary", size=11 * 1024**2)])

    assert codes == [
        "NOT_COMPLETED", "ALREADY_CONSUMED", "TEXT_REQUIRED", "AMOUNT_NOT_POSITIVE", "CURRENCY_NOT_CONFIGURED",
        "UNKNOWN_KIND", "FILE_TOO_LARGE",
    ]  # fmt: skip


def test_a_refused_claim_is_kept_in_the_chain_of_the_line_and_changes_nothing() -> None:
    """The refusal is an entry of the line with its blockers; of files it says how many."""
    story = Story()
    line, ledger = story.aggregate.line, story.ledger

    refused(story, amount=0, evidence=[file()])

    (entry,) = story.entries
    assert (entry.subject, entry.kind, entry.event, entry.patch, entry.ledger) == ("A1/1", "refused", "submit", {}, {})
    assert [blocker.code for blocker in entry.blockers] == ["AMOUNT_NOT_POSITIVE"]
    assert entry.params == {"reason": "CANNOT_LOG_IN", "amount": 0, "evidence": 1}
    assert story.aggregate.refunds == {}
    assert story.ledger == ledger
    assert story.aggregate.line == line | {"seq": 2, "effective_at": times.text(MONDAY)}


@pytest.mark.parametrize("role", ["agent", "supervisor", "finance", "auditor", "system", "channel"])
def test_only_a_buyer_or_a_service_claims(role: str) -> None:
    """ROLE_NOT_ALLOWED is of the kind role and names the roles that may."""
    story = Story().submit(agent("li").__class__(role=role, name="li"))

    assert story.answer.refusal is not None
    assert story.answer.refusal.kind == "role"
    assert story.blockers["ROLE_NOT_ALLOWED"].params["roles"] == ["buyer", "service"]


# the claim window


def test_a_claim_after_the_window_is_rejected_at_once_and_can_be_appealed() -> None:
    """In time until 24:00 of the 7th civil day after completion; at that moment it is OUT_OF_WINDOW."""
    completed = MONDAY - timedelta(days=1)
    ends = MONDAY.replace(hour=0) + timedelta(days=7)

    assert Story(completed_at=completed).at(ends - INSTANT).submit().state == "submitted"
    story = Story(completed_at=completed).at(ends).submit()
    assert (story.state, story.case["rejection"]["grounds"]) == ("rejected.appealable", ["OUT_OF_WINDOW"])
    assert story.events() == ["submit", "auto_reject"]
    assert story.entries[1].cause == 1
    assert story.entries[1].actor == SYSTEM
    assert story.effects[-1].params["appeal_until"] == story.deadline("appeal_window")["due_at"]


def test_a_late_claim_for_activated_goods_has_both_grounds() -> None:
    """Every ground that holds is told."""
    story = Story(usage="activated", completed_at=MONDAY - timedelta(days=20)).submit(reason="WRONG_PRODUCT")

    assert story.case["rejection"]["grounds"] == ["OUT_OF_WINDOW", "ALREADY_ACTIVATED"]


@pytest.mark.parametrize("reason", ["MINOR_SPENDING", "FRAUD", "DUPLICATE_PAYMENT"])
def test_some_reasons_have_no_claim_window(reason: str) -> None:
    """Legal reasons and a duplicate payment are reviewed long after completion."""
    assert Story(completed_at=MONDAY - timedelta(days=60)).submit(reason=reason).state == "submitted"


def test_a_fault_of_the_platform_has_no_window_while_the_order_never_completed() -> None:
    """Days after payment NOT_DELIVERED is reviewed."""
    story = Story(completed_at=None, paid_at=MONDAY - timedelta(days=60))

    assert story.submit(reason="NOT_DELIVERED").state == "submitted"


# returned payouts


def test_a_returned_payout_is_claimed_anew_by_a_service_for_exactly_what_came_back() -> None:
    """The amount is what came back, also when it is not said; usage, windows and limits do not count."""
    story = _bounced().must("usage_recorded", SHOP, usage="used").at(days=200)

    story.must("submit", SHOP, reason="PAYOUT_RETURNED", returned="A1-1-1")

    assert (story.case["claimed"], story.case["returned"], story.state) == (4000, "A1-1-1", "submitted")


def test_a_returned_payout_needs_no_completion() -> None:
    """What was paid back for a double payment of an order that never completed can come back too."""
    story = Story(completed_at=None).paid(reason="DUPLICATE_PAYMENT").must("confirm_receipt", BUYER)

    story.prove("late_reversal").must("submit", SHOP, reason="PAYOUT_RETURNED", returned="A1-1-1")


def test_a_returned_payout_is_not_claimed_by_a_buyer() -> None:
    """Only a service knows that a payment came back."""
    assert refused(_bounced(), reason="PAYOUT_RETURNED", returned="A1-1-1") == ["ROLE_NOT_ALLOWED"]


@pytest.mark.parametrize("params", [{}, {"returned": "A1-1-9"}, {"returned": "A1-1-1", "amount": 3999}])
def test_a_returned_payout_must_be_known_and_whole(params: dict[str, Any]) -> None:
    """RETURNED_PAYMENT_UNKNOWN: none named, none such, or not what came back."""
    codes = refused(_bounced(), SHOP, reason="PAYOUT_RETURNED", **params)

    assert codes == ["RETURNED_PAYMENT_UNKNOWN"]


def test_a_returned_payout_is_claimed_once() -> None:
    """A late reversal is used up by its claim."""
    story = _bounced().must("submit", SHOP, reason="PAYOUT_RETURNED", returned="A1-1-1").must("withdraw", BUYER)

    assert refused(story, SHOP, reason="PAYOUT_RETURNED", returned="A1-1-1") == ["RETURNED_PAYMENT_UNKNOWN"]


def _bounced() -> Story:
    return Story().paid(amount=4000).must("confirm_receipt", BUYER).prove("late_reversal")


# risk, parties, check


@pytest.mark.parametrize(
    ("line", "facts", "flags"),
    [
        ({}, {"claims_before": 1}, []),
        ({}, {"claims_before": 2}, ["FREQUENT_CLAIMS"]),
        ({"usage": "unknown"}, {}, ["USAGE_UNKNOWN"]),
        ({}, {"abuse_before": True}, ["ABUSE_SUSPECTED"]),
    ],
)
def test_risk_flags_are_set_at_submit(line: dict[str, Any], facts: dict[str, Any], flags: list[str]) -> None:
    """The third claim in 30 days, unknown usage and earlier abuse raise a flag, and the review to 3 days."""
    story = Story(**line).submit(facts=facts)

    assert list(story.case["flags"]) == flags
    assert story.due("review") == ("2026-11-06 00:00" if flags else "2026-11-05 00:00")


def test_the_reason_of_a_claim_is_judged_before_it_is_made() -> None:
    """`check` says verdict, needed evidence, windows, what is left and what blocks, and changes nothing."""
    story = Story(usage="activated")

    found = story.outlook("WRONG_PRODUCT")

    assert (found.verdict, found.grounds, found.blockers, found.left) == (
        "reject:ALREADY_ACTIVATED", ("ALREADY_ACTIVATED",), (), 10000,
    )  # fmt: skip
    assert local(found.window_ends) == "2026-11-09 00:00"
    assert [blocker.code for blocker in story.outlook("WRONG_FACE_VALUE").blockers] == ["REASON_NOT_FOR_PRODUCT"]
    assert story.outlook("OTHER").blockers == ()  # a text that was not yet written is not missed
    assert story.aggregate.refunds == {}


def test_check_looks_at_the_line_as_a_claim_would_find_it() -> None:
    """A rejection whose window is over no longer blocks, though nobody has swept."""
    story = Story().rejected(amount=4000)

    assert [blocker.code for blocker in story.outlook("CANNOT_LOG_IN").blockers] == ["REFUND_IN_PROGRESS"]
    assert story.at_due("appeal_window").outlook("CANNOT_LOG_IN").blockers == ()


def test_the_policy_stays_with_the_refund() -> None:
    """A refund keeps the policy of its submit whatever is in force later."""
    story = Story().submit()
    old = story.rules
    new = with_policy(appeal_window_days=9)
    story.rules = new.__class__(policy=new.policy, policies={**old.policies, **new.policies}, calendars=new.calendars)

    story.must("begin_review", agent()).must("reject", agent(), grounds=["NOT_COVERED"], message="No.")

    assert story.due("appeal_window") == "2026-11-06 00:00"
