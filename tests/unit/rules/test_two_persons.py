"""Two persons: the first is recorded, the second moves; when a first falls, and what it counts for."""

from typing import Any

import pytest

from tests.unit.rules.story import BUYER, CHANNEL, SYSTEM, Story, agent, entries_of, file, finance, supervisor

LARGE: dict[str, Any] = {"captured": 150000}


def first_of_two() -> Story:
    """Return a story with a large claim approved by li, who waits for a second person."""
    return Story(**LARGE).reviewing().must("approve", agent("li"))


def test_the_first_is_recorded_and_the_state_stays() -> None:
    """The answer says 1 of 2; the standing deadline goes on."""
    story = Story(**LARGE).reviewing()
    due = story.deadline("review")

    story.must("approve", agent("li"))

    assert (story.answer.waiting, story.state, story.deadline("review")) == (True, "under_review.reviewing", due)
    (entry,) = entries_of(story, "approve")
    assert (entry.kind, entry.params) == ("applied", {"first": True})
    assert story.case["firsts"]["approve"]["name"] == "li"


def test_another_person_moves() -> None:
    """The second of two with the same terms opens the approval, and no first stays behind."""
    story = first_of_two().must("approve", supervisor("wang"))

    assert (story.answer.waiting, story.state, story.case["firsts"]) == (False, "approved.payable", {})
    assert story.case["decided"] == {"review": ["li", "wang"]}


@pytest.mark.parametrize("role", [agent, supervisor])
def test_one_person_is_never_both(role: Any) -> None:
    """SECOND_PERSON_NEEDED, compared by name, whatever the role."""
    story = first_of_two().do("approve", role("li"))

    assert story.codes == ["SECOND_PERSON_NEEDED"]
    assert story.blockers["SECOND_PERSON_NEEDED"].params == {"first": "li"}


@pytest.mark.parametrize(("amount", "waiting"), [(100000, False), (100001, True)])
def test_two_persons_are_asked_above_the_limit_only(amount: int, waiting: bool) -> None:
    """Exactly the limit is decided by one."""
    assert Story(**LARGE).reviewing(amount=amount).must("approve", agent()).answer.waiting is waiting


@pytest.mark.parametrize(
    ("event", "params"),
    [("approve", {}), ("overturn", {"ground": "New facts."}), ("offer", {"amount": 120000})],
)
def test_large_decisions_take_two(event: str, params: dict[str, Any]) -> None:
    """Approve, overturn and offer above the limit."""
    story = Story(**LARGE).appealed() if event == "overturn" else Story(**LARGE).reviewing()

    assert story.must(event, agent("wang"), **params).answer.waiting
    assert not story.must(event, agent("zhao"), **params).answer.waiting


def test_other_terms_take_the_place_of_the_first() -> None:
    """An offer of another amount is a new first; the old one is gone."""
    story = Story(**LARGE).reviewing().must("offer", agent("li"), amount=120000)

    story.must("offer", agent("wang"), amount=130000)
    assert (story.answer.waiting, story.case["firsts"]["offer"]["name"]) == (True, "wang")
    story.must("offer", agent("li"), amount=130000, compensation=0)
    assert (story.answer.waiting, story.case["offers"]["1"]["amount"]) == (False, 130000)


def test_every_guard_is_judged_at_both_calls() -> None:
    """What was possible for the first may be blocked for the second."""
    story = first_of_two().must("chargeback_opened", CHANNEL, chargeback="c1", amount=150000)

    assert story.do("approve", agent("wang")).codes == ["CHARGEBACK_OPEN", "NOT_COVERED_BY_LINE"]
    assert "approve" in story.case["firsts"]


def test_one_first_per_event() -> None:
    """A first approval and a first offer stand side by side; the move of one lets the other fall."""
    story = first_of_two().must("offer", agent("li"), amount=120000)
    assert set(story.case["firsts"]) == {"approve", "offer"}

    story.must("offer", agent("wang"), amount=120000)

    assert story.case["firsts"] == {}
    (fell,) = entries_of(story, "first_fell")
    assert (fell.params["event"], fell.params["name"], fell.cause) == ("approve", "li", story.case["seq"] - 1)


@pytest.mark.parametrize(
    ("event", "actor", "params"),
    [
        ("reject", agent("wang"), {"grounds": ["NOT_COVERED"], "message": "No."}),
        ("request_evidence", agent("wang"), {"kinds": ["other"]}),
        ("withdraw", BUYER, {}),
    ],
)
def test_a_first_falls_when_the_refund_leaves_the_state(event: str, actor: Any, params: dict[str, Any]) -> None:
    """The fall is an entry of its own with the move as its cause."""
    story = first_of_two().must(event, actor, **params)

    assert (story.case["firsts"], story.events()[-2:]) == ({}, [event, "first_fell"])


def test_a_first_falls_when_evidence_is_added() -> None:
    """Who approved did so without seeing it; the same file again changes nothing."""
    story = Story(**LARGE).reviewing(evidence=[file("other", "x")]).must("approve", agent("li"))

    story.must("add_evidence", BUYER, evidence=[file("other", "x")])
    assert "approve" in story.case["firsts"]
    story.must("add_evidence", BUYER, evidence=[file("other", "y")])
    assert (story.case["firsts"], story.events()[-2:]) == ({}, ["add_evidence", "first_fell"])


def test_evidence_lets_only_deciding_firsts_fall() -> None:
    """A proof of payment of the first of two stands though evidence is added."""
    story = Story().paying().prove("payout_settled", finance("fang"))
    assert story.answer.waiting

    story.must("add_evidence", BUYER, evidence=[file()])

    assert "payout_settled" in story.case["firsts"]


def test_its_giver_takes_a_first_back() -> None:
    """`take_back` is the entry of the fall; nobody else's first can be taken back, and none twice."""
    story = first_of_two()

    assert story.do("take_back", agent("wang")).codes == ["NOTHING_TO_TAKE_BACK"]
    story.must("take_back", agent("li"))
    assert story.case["firsts"] == {}
    assert story.do("take_back", agent("li")).codes == ["NOTHING_TO_TAKE_BACK"]
    assert story.must("approve", agent("wang")).answer.waiting


def test_a_lapse_that_stays_keeps_the_first() -> None:
    """An overdue review moves nothing: the second person may still come."""
    story = first_of_two().at_due("review").sweep()

    assert not story.must("approve", agent("wang")).answer.waiting


def test_a_first_that_fell_has_decided() -> None:
    """Who gave a first approval in the review decides nothing in the appeal."""
    story = first_of_two().must("reject", agent("wang"), grounds=["NOT_COVERED"], message="No.")
    story.must("appeal", BUYER, argument="It is covered after all.")

    assert story.do("overturn", agent("li")).codes == ["DECIDED_IN_REVIEW"]


def test_the_system_is_never_one_of_two() -> None:
    """Assisted review cannot be the second: the amount is above every small claim."""
    assert first_of_two().do("approve", SYSTEM).codes == ["ABOVE_SMALL_CLAIM"]


def test_explain_tells_who_is_waited_for() -> None:
    """To the first person a second is needed, and no answer offers him the same again; another may go on."""
    story = first_of_two()

    assert "approve" in story.allowed(agent("wang")) and "approve" not in story.allowed(agent("li"))
    assert "take_back" in story.allowed(agent("li")) and "take_back" not in story.allowed(agent("wang"))

    assert story.explained(agent("li"))["approve"] == ["SECOND_PERSON_NEEDED"]
    assert story.explained(agent("wang"))["approve"] == []
    assert story.explained(agent("li"))["take_back"] == []


def test_a_first_falls_with_the_lapse_that_leaves_the_state() -> None:
    """A counter-offer that waits for its second person too long lapses, and the first falls at that moment."""
    story = Story(**LARGE).reviewing().must("offer", agent("li"), amount=100)
    story.must("counter_offer", BUYER, amount=120000).must("accept_offer", agent("li"))
    assert story.answer.waiting

    story.at_due("offer", hours=5).sweep()

    lapsed, fell = story.entries[-2:]
    assert (lapsed.event, fell.event, story.case["firsts"]) == ("offer_lapsed", "first_fell", {})
    assert (fell.effective_at, fell.cause) == (lapsed.effective_at, lapsed.seq)
