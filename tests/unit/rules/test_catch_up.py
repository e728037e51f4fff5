"""A deadline binds at the move itself: what is due comes first, whoever looks whenever."""

from typing import Any

import pytest

from states.case import Act
from states.decide import decide, due
from tests.unit.rules.story import BUYER, CHANNEL, SHOP, SYSTEM, Story, agent, entries_of, finance, local


def test_an_act_is_judged_in_the_state_that_it_finds() -> None:
    """The buyer who accepts too late finds the offer lapsed; lapse and refusal are committed together."""
    story = Story().reviewing().must("offer", agent(), amount=100).at_due("offer", hours=1)

    story.do("accept_offer", BUYER)

    assert [(entry.kind, entry.event) for entry in story.answer.entries] == [
        ("applied", "offer_lapsed"), ("refused", "accept_offer"),
    ]  # fmt: skip
    assert (story.state, story.blockers["WRONG_STATE"].params["state"]) == (
        "under_review.reviewing", "under_review.reviewing",
    )  # fmt: skip


def test_what_is_due_is_applied_again_and_again_until_nothing_is() -> None:
    """A week of silence: evidence lapses, the refund is rejected, the window to appeal closes from there."""
    story = Story().reviewing().must("request_evidence", agent(), kinds=["other"])

    story.at(days=10).sweep()

    found = [(entry.event, local(entry.effective_at)) for entry in story.answer.entries]
    assert found == [("evidence_lapsed", "2026-11-04 10:00"), ("appeal_window_closed", "2026-11-08 00:00")]
    assert story.state == "rejected.closed"


def test_a_read_shows_what_a_move_would_find() -> None:
    """`due` answers without anybody having moved; the stored documents are not touched."""
    story = Story().rejected().at(days=10)
    stored = story.aggregate

    read = due(stored, rules=story.rules, now=story.now)

    assert read.aggregate.refunds["A1-1-1"]["state"] == "rejected.closed"
    assert stored.refunds["A1-1-1"]["state"] == "rejected.appealable"
    assert read.aggregate.refunds == story.sweep().aggregate.refunds


def test_deciding_changes_nothing_that_it_was_given() -> None:
    """The aggregate that was read stays as it is: a lost race can begin anew."""
    story = Story().paying()
    before, ledger = story.case.copy(), story.ledger
    act = Act(event="payout_refused", actor=SYSTEM, refund="A1-1-1", params={"proof": "x", "void": True})

    decide(story.aggregate, act, rules=story.rules, now=story.now)

    assert (story.case, story.ledger) == (before, ledger)
    assert story.case["attempts"][story.number]["state"] == "open"


@pytest.mark.parametrize(
    ("event", "actor", "params"),
    [
        ("submit", BUYER, {"reason": "CANNOT_LOG_IN", "amount": 1000}),
        ("usage_recorded", SHOP, {"usage": "used"}),
        ("chargeback_opened", CHANNEL, {"chargeback": "c1", "amount": 1}),
    ],
)
def test_facts_and_claims_first_do_what_is_due(event: str, actor: Any, params: dict[str, Any]) -> None:
    """An older refund of the line lapses before a claim or a fact of the line is judged."""
    story = Story().rejected(amount=4000).at(days=10)

    story.must(event, actor, **params)

    assert (story.answer.entries[0].subject, story.answer.entries[0].event) == ("A1-1-1", "appeal_window_closed")
    assert story.aggregate.refunds["A1-1-1"]["state"] == "rejected.closed"


def test_refunds_of_a_line_lapse_in_order_of_due_moment() -> None:
    """The receipt of one and the review of another are applied as they fall due."""
    story = Story().paid(amount=4000).submit(amount=1000).at(days=9).sweep()

    found = [(entry.subject, entry.event) for entry in story.answer.entries]
    assert found == [
        ("A1-1-2", "review_overdue"), ("A1-1-2", "review_overdue"), ("A1-1-2", "review_overdue"),
        ("A1-1-1", "receipt_assumed"), ("A1-1-2", "review_overdue"), ("A1-1-2", "review_overdue"),
    ]  # fmt: skip
    assert [entry.effective_at for entry in story.answer.entries] == sorted(
        entry.effective_at for entry in story.answer.entries
    )


def test_at_equal_due_moments_the_smaller_refund_goes_first() -> None:
    """Two receipts of the same day end in order of refund id."""
    story = Story().paid(amount=4000).paid(amount=1000).at(days=9).sweep()

    assert [entry.subject for entry in story.answer.entries] == ["A1-1-1", "A1-1-2"]


def test_at_equal_due_moments_the_standing_deadline_goes_before_the_enquiry() -> None:
    """An enquiry that falls due with the payout's promise lapses after it."""
    story = Story().paying().at_due("payout").sweep().at(hours=23).must("raise_enquiry", BUYER)

    assert story.deadline("payout")["due_at"] == story.deadline("enquiry")["due_at"]
    story.at_due("payout").sweep()

    assert [entry.event for entry in story.answer.entries] == ["payout_overdue", "enquiry_overdue"]


def test_messages_overtaken_within_one_catch_up_are_not_sent() -> None:
    """After a week of silence the buyer hears only how it ended."""
    story = Story().reviewing().must("request_evidence", agent(), kinds=["other"]).at(days=10).sweep()

    assert story.told("buyer_message") == ["APPEAL_WINDOW_CLOSED"]


def test_what_the_system_owes_overtakes_no_message() -> None:
    """The buyer hears that his offer lapsed though an assisted review was asked for afterwards."""
    story = Story().reviewing().must("offer", agent("li"), amount=100).at(days=10).sweep()

    assert story.told("buyer_message") == ["OFFER_LAPSED"] and "approve" in story.told("system_act")


def test_tasks_about_different_matters_do_not_overtake_each_other() -> None:
    """Finance hears of the payout and the supervisor of the enquiry, each once."""
    story = Story().paying().at_due("payout").must("raise_enquiry", BUYER).at(days=3).sweep()

    assert sorted(story.told("staff_task")) == ["ESCALATED", "PAYOUT_OVERDUE"]


def test_sweeping_changes_no_entry() -> None:
    """Every hour or never: the chains are the same to the last field."""
    calm, swept = Story(), Story()
    for story in (calm, swept):
        story.reviewing().must("offer", agent("li"), amount=100)
    for _ in range(24 * 9):
        swept.at(hours=1).sweep()

    calm.at(swept.now)
    for story in (calm, swept):
        story.must("reject", agent("li"), grounds=["NOT_COVERED"], message="No.")

    assert calm.entries == swept.entries
    assert len(entries_of(calm, "review_overdue")) > 1


# refused attempts and known facts


def test_a_refused_attempt_is_an_entry_and_changes_nothing_else() -> None:
    """Its blockers stand in the entry, its patch is empty, the answer says what is possible instead."""
    story = Story().submit(amount=4000)
    before, ledger = dict(story.case), story.ledger

    story.do("approve", agent())

    entry = story.entries[-1]
    assert (entry.kind, entry.event, entry.patch, entry.ledger) == ("refused", "approve", {}, {})
    assert [blocker.code for blocker in entry.blockers] == ["WRONG_STATE"]
    assert (entry.before, entry.after, story.effects) == ("submitted", "submitted", [])
    assert {**story.case, "seq": 1} == before
    assert story.ledger == ledger
    assert story.answer.refusal is not None
    assert set(story.answer.refusal.possible) == {"begin_review", "assign", "add_evidence", "flag_risk", "note"}


def test_what_is_possible_depends_on_who_asks() -> None:
    """The answer of a refusal names only what this person can do."""
    story = Story().submit()

    story.do("approve", BUYER)
    assert story.answer.refusal is not None
    assert set(story.answer.refusal.possible) == {"withdraw", "add_evidence"}
    story.do("approve", finance())
    assert story.answer.refusal is not None
    assert set(story.answer.refusal.possible) == {"add_evidence", "note"}


def test_a_known_flag_is_answered_with_its_first_entry() -> None:
    """The same fact again adds nothing, even after the decision."""
    story = Story().reviewing().must("flag_risk", agent(), flag="X")
    first, length = story.case["seq"], len(story.entries)

    assert story.must("flag_risk", SHOP, flag="X").answer.known == first
    story.must("approve", agent()).must("flag_risk", agent(), flag="X")
    assert (story.answer.known, len(story.entries)) == (first, length + 1)


def test_nothing_happens_before_what_has_happened() -> None:
    """A host whose clock is behind acts at the moment of the newest entry: deadlines count from there."""
    story = Story().submit()
    newest = story.case["effective_at"]

    story.at(seconds=-3).must("begin_review", agent()).must("offer", agent(), amount=1)

    assert story.entries[-1].effective_at == newest
    assert story.due("offer") == "2026-11-04 10:00"


# entries beside the chart


def test_assign_routes_work_and_locks_nothing() -> None:
    """Another than the assignee decides; the assignee must be registered and no party."""
    story = Story().submit(SHOP).must("begin_review", agent("li"))
    known = {"assignee_registered": True}

    assert story.do("assign", agent("li"), to="nobody").codes == ["NOT_REGISTERED"]
    assert story.do("assign", agent("li"), to="shop", facts=known).codes == ["CLAIMANT_DECIDES"]
    story.must("assign", agent("li"), to="wang", facts=known)
    assert (story.case["assignee"], story.told()) == ("wang", ["ASSIGNED"])
    story.must("approve", agent("li"))
    assert story.do("assign", agent("li"), to="wang", facts=known).codes == ["WRONG_STATE"]


@pytest.mark.parametrize("begin", [Story.approved, Story.paid])
def test_a_risk_is_flagged_before_the_approval(begin: Any) -> None:
    """Later it would stop nothing."""
    assert begin(Story()).do("flag_risk", agent(), flag="X").codes == ["WRONG_STATE"]


def test_a_note_is_possible_in_any_state() -> None:
    """One for the buyer is a message, an internal one stays inside; the text itself is not in the entry."""
    story = Story().submit().must("withdraw", BUYER)

    story.must("note", agent(), message="He called.", audience="internal", contact="phone")
    assert (story.effects, story.entries[-1].texts) == ([], ("message",))
    assert "He called." not in str(story.entries[-1].params)
    story.must("note", finance(), message="We called back.", audience="buyer", contact="phone")
    assert story.told("buyer_message") == ["NOTE"]


def test_a_chargeback_is_told_in_every_refund_of_the_line() -> None:
    """Assisted review is stopped for good, even when the chargeback is won."""
    story = Story().paid(amount=4000).submit(amount=1000)

    story.must("chargeback_opened", CHANNEL, chargeback="c1", amount=100)

    assert [entry.subject for entry in entries_of(story, "chargeback_opened")] == ["A1/1", "A1-1-1", "A1-1-2"]
    assert story.case["chargeback_seen"]


@pytest.mark.parametrize("event", ["approve", "submit"])
def test_a_key_of_another_request_is_refused_naming_what_it_did(event: str) -> None:
    """KEY_REUSED comes alone, before the rules are asked."""
    story = Story().reviewing().do(event, agent(), facts={"key_reused": "offer"})

    assert story.codes == ["KEY_REUSED"]
    assert story.blockers["KEY_REUSED"].params == {"event": "offer"}
    assert (story.entries[-1].kind, story.entries[-1].patch) == ("refused", {})
