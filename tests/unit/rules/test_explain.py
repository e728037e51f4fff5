"""Explaining: what each person could do now, before any terms are given."""

from typing import Any

import pytest

from states import codes, payout
from states.case import Actor
from states.decide import MOVES
from states.refund_v1 import TABLE
from tests.unit.rules.story import BUYER, CHANNEL, SHOP, SYSTEM, Story, agent, auditor, file, finance, supervisor

ASKED = {"kinds": ["screenshot"]}
STORIES: dict[str, Any] = {
    "submitted": lambda: Story().submit(),
    "under_review.reviewing": lambda: Story().reviewing(),
    "under_review.negotiating": lambda: Story().reviewing().must("offer", agent("li"), amount=100),
    "awaiting_evidence": lambda: Story().reviewing().must("request_evidence", agent("li"), **ASKED),
    "rejected.appealable": lambda: Story().rejected(),
    "appealed": lambda: Story().appealed(),
    "rejected.closed": lambda: Story().appealed().must("uphold", agent("wang"), grounds=["NO_NEW_GROUND"]),
    "approved.payable": lambda: Story().approved(),
    "approved.paying": lambda: Story().paying(),
    "approved.payout_failed": lambda: Story().paying().must("payout_refused", CHANNEL, proof="no", number=None),
    "paid_out.settled": lambda: Story().paid(),
    "paid_out.confirmed": lambda: Story().paid().must("confirm_receipt", BUYER),
    "withdrawn": lambda: Story().submit().must("withdraw", BUYER),
}
BESIDE = {"assign", "flag_risk", "note", "add_evidence"}  # of an agent before the approval
AGENT = {
    "submitted": {"begin_review", *BESIDE},
    "under_review.reviewing": {"request_evidence", "offer", "approve", "reject", *BESIDE},
    "under_review.negotiating": BESIDE,  # his side's offer stands
    "awaiting_evidence": {"end_request", *BESIDE},
    "rejected.appealable": BESIDE,
    "appealed": {"request_evidence", "offer", "uphold", "overturn", *BESIDE},
    "paid_out.settled": {"note", "add_evidence", "raise_enquiry"},
}
BUYERS = {
    "submitted": {"withdraw", "add_evidence"},
    "under_review.reviewing": {"withdraw", "add_evidence"},
    "under_review.negotiating": {"withdraw", "add_evidence", "counter_offer", "accept_offer", "decline_offer"},
    "awaiting_evidence": {"withdraw", "add_evidence", "provide_evidence"},
    "rejected.appealable": {"withdraw", "add_evidence", "appeal"},
    "appealed": {"withdraw", "add_evidence"},
    "approved.payable": {"add_evidence"},
    "approved.paying": {"add_evidence"},
    "approved.payout_failed": {"add_evidence"},
    "paid_out.settled": {"add_evidence", "confirm_receipt", "raise_enquiry"},
}


OFFERED: dict[str, Any] = {"amount": 100}
IN_THE_WAY: dict[str, Any] = {
    "nothing": lambda story: story,
    "a chargeback": lambda story: story.must("chargeback_opened", CHANNEL, chargeback="c1", amount=1),
    "usage": lambda story: story.must("usage_recorded", SHOP, usage="used"),
    "three offers": lambda story: declined(declined(declined(story))),
    "a counter-offer": lambda story: story.do("counter_offer", BUYER, amount=200),
    "evidence asked for": lambda story: story.do("request_evidence", agent("wang"), **ASKED)
    .do("provide_evidence", BUYER, evidence=[file()]).do("request_evidence", agent("wang"), **ASKED)
    .do("provide_evidence", BUYER, evidence=[file()]),
    "an enquiry": lambda story: story.at(days=2).do("raise_enquiry", BUYER),
    "a deadline moved": lambda story: story.do("extend", supervisor("zhao"), days=1, texts={"message": "Ill."}),
    "a void number": lambda story: story.do("void_attempt", finance("qian"), **proof_of(story)),
    "a first person": lambda story: story.do("pay_manually", finance("li"))
    .do("payout_settled", finance("li"), **proof_of(story)),
}  # fmt: skip


def declined(story: Story) -> Story:
    """Let an offer be made and declined."""
    return story.do("offer", agent("li"), **OFFERED).do("decline_offer", BUYER)


def proof_of(story: Story) -> dict[str, Any]:
    """Return what a payout of the newest number would be told with."""
    number = payout.current_number(story.case)
    amount = story.case["attempts"][number]["amount"] if number else 0
    return {"number": number, "amount": amount, "currency": "CNY", "proof": "p1"}


def possible(story: Story, actor: Actor) -> set[str]:
    """Return what nothing blocks for an actor."""
    return {event for event, codes in story.explained(actor).items() if not codes}


def test_there_is_a_story_for_every_state() -> None:
    """Each leaf of the chart is reached."""
    assert set(STORIES) == set(TABLE.leaves)
    for state, begin in STORIES.items():
        assert begin().state == state


@pytest.mark.parametrize("state", STORIES)
def test_an_agent_is_offered_what_he_can_do_in_each_state(state: str) -> None:
    """Moves whose terms are still open are offered; what only others may do is not."""
    assert possible(STORIES[state](), agent("zhao")) == AGENT.get(state, {"note", "add_evidence"})


@pytest.mark.parametrize("state", STORIES)
def test_a_supervisor_may_do_what_an_agent_may_and_more(state: str) -> None:
    """Extending and revoking are his; a final state offers neither."""
    more = possible(STORIES[state](), supervisor("zhao")) - possible(STORIES[state](), agent("zhao"))

    assert more <= {"extend", "revoke_approval"}
    assert ("extend" in more) is (state in AGENT and state != "paid_out.settled")
    assert ("revoke_approval" in more) is (state == "approved.payable")


@pytest.mark.parametrize("state", STORIES)
def test_a_buyer_is_offered_what_he_can_do_in_each_state(state: str) -> None:
    """After the end he can do nothing; a service can do for him all but negotiate, and leaves a note at any time."""
    story = STORIES[state]()
    by_a_service = {"note", *({"flag_risk"} & AGENT.get(state, set()))}

    assert possible(story, BUYER) == BUYERS.get(state, set())
    assert possible(story, SHOP) - by_a_service == BUYERS.get(state, set()) - {
        "counter_offer", "accept_offer", "decline_offer",
    }  # fmt: skip
    assert by_a_service <= possible(story, SHOP)


@pytest.mark.parametrize("state", STORIES)
def test_an_auditor_reads_only(state: str) -> None:
    """Every event is blocked by the role."""
    found = STORIES[state]().explained(auditor("shen"))

    assert set(found) >= {event for event in TABLE.events if event in MOVES}
    assert all(codes == ["ROLE_NOT_ALLOWED"] for codes in found.values())


@pytest.mark.parametrize("state", STORIES)
@pytest.mark.parametrize("obstacle", IN_THE_WAY)
def test_what_an_answer_allows_is_what_nothing_blocks(state: str, obstacle: str) -> None:
    """What is left out of judging because it blocks nobody who has named no terms yet blocks nothing in explaining."""
    story = IN_THE_WAY[obstacle](STORIES[state]())
    for actor in (Actor(role=role, name=name) for role in codes.ROLES for name in ("li", "wang", "b1")):
        assert story.allowed(actor) == tuple(event for event, found in story.explained(actor).items() if not found)


def test_asking_leaves_no_trace() -> None:
    """Neither entries nor documents change by being explained."""
    story = Story().reviewing()
    before, length = dict(story.case), len(story.entries)

    story.explained(agent())

    assert (dict(story.case), len(story.entries)) == (before, length)


def test_what_is_missing_now_is_told_beside_what_is_possible() -> None:
    """A used-up round, an open chargeback: the event is named with what blocks it."""
    story = Story().reviewing().must("chargeback_opened", CHANNEL, chargeback="c1", amount=1)

    found = story.explained(agent())

    assert found["approve"] == ["CHARGEBACK_OPEN", "NOT_COVERED_BY_LINE"]
    assert (found["offer"], found["reject"], found["overturn"]) == (["CHARGEBACK_OPEN"], [], ["WRONG_STATE"])
    assert story.explained(SYSTEM)["approve"] == [
        "CHARGEBACK_OPEN", "NOT_COVERED_BY_LINE", "ABOVE_SMALL_CLAIM", "CHARGEBACK_SEEN",
    ]  # fmt: skip


def test_explaining_looks_at_what_a_move_would_find() -> None:
    """Once the window is over the appeal is no longer offered, though nobody has swept."""
    story = Story().rejected()

    assert "appeal" in possible(story, BUYER)
    assert possible(story.at_due("appeal_window"), BUYER) == set()


def test_finance_is_offered_the_proof_that_would_move_something() -> None:
    """A payment can be told while it may still come, its return once it was made."""
    assert "payout_settled" in possible(Story().paying(), finance("fang"))
    assert "payout_settled" not in possible(Story().reviewing(), finance("fang"))
    assert "payout_reversed" in possible(Story().paid(), finance("fang"))
    assert "late_reversal" in possible(Story().paid().must("confirm_receipt", BUYER), finance("fang"))
