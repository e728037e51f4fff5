"""Review and appeal: who may do what from where, what blocks it, where it leads."""

from typing import Any

import pytest

from states.case import Actor
from tests.unit.rules.story import (
    BUYER,
    CHANNEL,
    SHOP,
    SYSTEM,
    Story,
    agent,
    file,
    service,
    supervisor,
    with_policy,
)

REJECT: dict[str, Any] = {"grounds": ["DELIVERY_PROVEN"], "message": "The card was redeemed."}


def test_begin_review_leads_to_reviewing_under_the_same_deadline() -> None:
    """The review's deadline counts from submit, whoever begins when."""
    story = Story().submit()
    due = story.due("review")

    story.at(hours=5).must("begin_review", SYSTEM)

    assert (story.state, story.due("review")) == ("under_review.reviewing", due)


@pytest.mark.parametrize("role", ["agent", "supervisor", "system"])
def test_approve_opens_an_approval_for_exactly_what_is_reserved(role: str) -> None:
    """An approval has a number, an amount and an instance; the buyer and the shop are told."""
    story = Story().reviewing(amount=4000).must("approve", Actor(role=role, name="wang"))

    assert (story.state, story.case["approved"], story.case["approvals"]) == ("approved.payable", 4000, 1)
    assert story.told()[:2] == ["APPROVED", "ENTITLEMENT_REVOKE"]


@pytest.mark.parametrize(
    ("event", "roles"),
    [
        ("begin_review", {"agent", "supervisor", "system"}),
        ("request_evidence", {"agent", "supervisor", "system"}),
        ("provide_evidence", {"buyer", "service"}),
        ("end_request", {"agent", "supervisor"}),
        ("offer", {"agent", "supervisor"}),
        ("counter_offer", {"buyer"}),
        ("accept_offer", {"buyer", "agent", "supervisor"}),
        ("decline_offer", {"buyer", "agent", "supervisor"}),
        ("approve", {"agent", "supervisor", "system"}),
        ("reject", {"agent", "supervisor", "system"}),
        ("withdraw", {"buyer", "service"}),
        ("appeal", {"buyer", "service"}),
        ("uphold", {"agent", "supervisor"}),
        ("overturn", {"agent", "supervisor"}),
        ("assign", {"agent", "supervisor"}),
        ("flag_risk", {"agent", "supervisor", "service", "system"}),
        ("note", {"agent", "supervisor", "service", "finance"}),
        ("extend", {"supervisor"}),
    ],
)
def test_each_move_has_its_roles(event: str, roles: set[str]) -> None:
    """Whoever has another role is told which ones may, before anything else is judged."""
    story = Story().submit()

    for role in ("buyer", "service", "agent", "supervisor", "finance", "auditor", "channel", "system"):
        somebody = Actor(role=role, name=f"some {role}")
        assert ("ROLE_NOT_ALLOWED" in story.explained(somebody)[event]) is (role not in roles), role
        if role not in roles:
            story.do(event, somebody)
            assert story.answer.refusal is not None
            assert (story.answer.refusal.kind, story.codes) == ("role", ["ROLE_NOT_ALLOWED"])
            assert set(story.blockers["ROLE_NOT_ALLOWED"].params["roles"]) == roles


def test_a_wrong_state_is_a_blocker_beside_the_others() -> None:
    """WRONG_STATE says the state and what is possible there; what else stands against it is told too."""
    story = Story().submit().must("chargeback_opened", CHANNEL, chargeback="c1", amount=10)

    story.do("approve", agent())

    assert story.codes == ["WRONG_STATE", "CHARGEBACK_OPEN", "NOT_COVERED_BY_LINE"]
    assert story.blockers["WRONG_STATE"].params == {"state": "submitted", "possible": ["begin_review", "withdraw"]}


def test_approve_needs_a_line_that_covers_the_amount() -> None:
    """NOT_COVERED_BY_LINE says what was wanted, what there is, and the excess."""
    story = Story().reviewing(amount=9000).must("captured", SHOP, captured=5000)

    story.do("approve", agent())

    assert story.codes == ["NOT_COVERED_BY_LINE"]
    assert story.blockers["NOT_COVERED_BY_LINE"].params == {"amount": 9000, "available": 5000, "excess": 4000}


@pytest.mark.parametrize(
    ("amount", "before", "codes"),
    [
        (5000, None, []),
        (5001, None, ["ABOVE_SMALL_CLAIM"]),
        (100, "flag", ["RISK_FLAGGED"]),
        (100, "chargeback", ["CHARGEBACK_SEEN"]),
    ],
)
def test_assisted_review_approves_small_claims_only(amount: int, before: str | None, codes: list[str]) -> None:
    """The system is blocked above the small claim, by a risk flag, and by a chargeback that was ever seen."""
    story = Story().reviewing(amount=amount)
    if before == "flag":
        story.must("flag_risk", agent(), flag="GUESSED_CODES")
    if before == "chargeback":
        story.must("chargeback_closed", CHANNEL, chargeback="c1", amount=10, outcome="won")

    assert story.do("approve", SYSTEM).codes == codes
    if codes:
        assert story.do("approve", agent()).codes == []


def test_a_chargeback_ever_stops_assisted_review() -> None:
    """Even one that was won before the claim was made."""
    story = Story().must("chargeback_closed", CHANNEL, chargeback="c1", amount=10, outcome="won")

    assert story.reviewing(amount=100).do("approve", SYSTEM).codes == ["CHARGEBACK_SEEN"]


def test_reject_tells_the_buyer_grounds_and_appeal_window() -> None:
    """A rejection leads to appealable and keeps the amount reserved."""
    story = Story().reviewing(amount=4000).must("reject", agent("li"), **REJECT)

    assert (story.state, story.ledger.reserved) == ("rejected.appealable", 4000)
    told = story.effects[-1]
    assert (told.kind, told.code) == ("buyer_message", "REJECTED")
    assert told.params == {"grounds": ["DELIVERY_PROVEN"], "appeal_until": story.deadline("appeal_window")["due_at"]}


@pytest.mark.parametrize(
    ("params", "codes"),
    [
        ({}, ["GROUND_REQUIRED", "TEXT_REQUIRED"]),
        ({"grounds": [], "message": "No."}, ["GROUND_REQUIRED"]),
        ({"grounds": ["BORED"], "message": "No."}, ["UNKNOWN_GROUND"]),
        ({"grounds": ["NOT_COVERED"], "message": " "}, ["TEXT_REQUIRED"]),
    ],
)
def test_reject_needs_grounds_and_a_text(params: dict[str, Any], codes: list[str]) -> None:
    """At least one known ground, and a text that the buyer can read."""
    assert Story().reviewing().do("reject", agent(), **params).codes == codes


def test_the_system_rejects_only_on_listed_grounds_and_never_with_evidence_unread() -> None:
    """A ground that the policy does not list is unknown to the system; any evidence stops it."""
    rules = with_policy(system_grounds=("OUT_OF_WINDOW",))
    story = Story(rules=rules).reviewing()

    assert story.do("reject", SYSTEM, **REJECT).codes == ["UNKNOWN_GROUND"]
    story.must("add_evidence", BUYER, evidence=[file()])
    assert story.do("reject", SYSTEM, grounds=["OUT_OF_WINDOW"], message="No.").codes == ["EVIDENCE_UNREAD"]
    assert Story(rules=rules).reviewing().do("reject", SYSTEM, grounds=["OUT_OF_WINDOW"], message="No.").codes == []


@pytest.mark.parametrize(
    "begin",
    [
        lambda: Story().submit(),
        lambda: Story().reviewing(),
        lambda: Story().reviewing().must("offer", agent("li"), amount=100),
        lambda: Story().reviewing().must("request_evidence", agent("li"), kinds=["screenshot"]),
        lambda: Story().rejected(),
        lambda: Story().appealed(),
    ],
)
def test_withdraw_is_open_until_the_decision_and_frees_the_amount(begin: Any) -> None:
    """From every state before the approval the buyer withdraws; nothing stays reserved or due."""
    story = begin().must("withdraw", BUYER)

    assert (story.state, story.ledger.reserved, story.case["deadlines"]) == ("withdrawn", 0, {})
    assert "standing" not in story.case
    assert "request" not in story.case


@pytest.mark.parametrize("begin", [Story.approved, Story.paying, Story.paid])
def test_withdraw_is_over_with_the_approval(begin: Any) -> None:
    """What is approved is not withdrawn."""
    assert begin(Story()).do("withdraw", BUYER).codes == ["WRONG_STATE"]


# the appeal


def test_an_appeal_is_the_instance_of_others() -> None:
    """An appeal stands under its own deadline; the assignment of the review ends."""
    story = Story().reviewing().must("assign", agent("li"), to="li", facts={"assignee_registered": True})
    story.must("reject", agent("li"), **REJECT).must("appeal", BUYER, argument="The card was never shown to me.")

    assert (story.state, story.case["instance"], list(story.case["deadlines"])) == (
        "appealed", "appeal", ["appeal_review"],
    )  # fmt: skip
    assert "assignee" not in story.case


@pytest.mark.parametrize(
    ("given", "codes"),
    [
        ({}, ["NO_NEW_GROUND"]),
        ({"argument": "not  a  fair"}, ["NO_NEW_GROUND"]),
        ({"argument": "not that fair"}, []),
        ({"argument": "ten letter"}, ["NO_NEW_GROUND"]),
        ({"argument": "ten letters"}, []),
        ({"argument": "I was abroad on that day."}, []),
        ({"argument": "卡密从未被使用过，请核实"}, []),
        ({"evidence": [file("chat_log")]}, []),
        ({"evidence": [file("screenshot", "old")]}, ["NO_NEW_GROUND"]),
    ],
)
def test_an_appeal_needs_evidence_since_the_rejection_or_an_argument(given: dict[str, Any], codes: list[str]) -> None:
    """A sentence or a new file; what was there before the rejection is no new ground."""
    story = Story().rejected(evidence=[file("screenshot", "old")])

    assert story.do("appeal", BUYER, **given).codes == codes


def test_evidence_given_after_the_rejection_is_ground_enough() -> None:
    """The buyer may add it first and appeal then; what the staff adds is no ground of the buyer."""
    assert Story().rejected().must("add_evidence", BUYER, evidence=[file()]).do("appeal", BUYER).codes == []
    story = Story().rejected().must("add_evidence", agent("li"), evidence=[file()])
    assert story.do("appeal", BUYER).codes == ["NO_NEW_GROUND"]


@pytest.mark.parametrize(
    ("before", "since", "clear"),
    [
        ([], ["login_log"], True),
        (["login_log"], ["login_log"], False),
        (["login_log"], ["platform_promise"], True),
        ([], ["screenshot"], False),
        ([], [], False),
    ],
)
@pytest.mark.parametrize("early", [True, False])
def test_clear_evidence_is_a_needed_kind_that_was_missing(
    before: list[str], since: list[str], clear: bool, early: bool
) -> None:
    """A software account needs a login log: clear where none came before the rejection; a promise always is."""
    story = Story(product_type="software_account")
    story.rejected(evidence=[file(kind, "old") for kind in before])
    new = [file(kind, "new") for kind in since]
    if early and new:
        story.must("add_evidence", BUYER, evidence=new)

    story.must("appeal", BUYER, evidence=[] if early else new, argument="This is my account, look.")

    assert story.case.get("clear_evidence", False) is clear
    assert story.effects[-1].params["clear_evidence"] is clear


@pytest.mark.parametrize("event", ["add_evidence", "provide_evidence"])
def test_clear_evidence_may_come_during_the_appeal(event: str) -> None:
    """A needed kind that comes while the appeal runs brings it forward in the queue."""
    story = Story(product_type="software_account").appealed()
    if event == "provide_evidence":
        story.must("request_evidence", agent("wang"), kinds=["login_log"])

    story.must(event, BUYER, evidence=[file("login_log")])

    assert story.case["clear_evidence"] is True


def test_uphold_closes_and_frees_the_amount() -> None:
    """Upheld is final: no window any more, nothing reserved."""
    story = Story().appealed().must("uphold", agent("wang"), grounds=["NO_NEW_GROUND"])

    assert (story.state, story.ledger.reserved, story.case["deadlines"]) == ("rejected.closed", 0, {})
    assert story.effects[-1].params == {"grounds": ["NO_NEW_GROUND"], "appeal_until": None}


@pytest.mark.parametrize(
    ("params", "codes"),
    [
        ({}, ["GROUND_REQUIRED"]),
        ({"grounds": ["BORED"]}, ["UNKNOWN_GROUND"]),
        ({"message": "Nothing new was said."}, []),
    ],
)
def test_uphold_needs_its_grounds(params: dict[str, Any], codes: list[str]) -> None:
    """Grounds are given by code or in words."""
    assert Story().appealed().do("uphold", agent("wang"), **params).codes == codes


def test_overturn_approves_in_the_appeal() -> None:
    """An overturned rejection is payable; its approval is of the appeal."""
    story = Story().appealed(amount=4000).must("overturn", agent("wang"))

    assert story.state == "approved.payable"
    assert story.case["approval"]["instance"] == "appeal"


@pytest.mark.parametrize(
    ("appeal", "state"), [(False, "under_review.reviewing"), (True, "appealed")]
)  # fmt: skip
def test_a_revoked_approval_returns_to_where_it_was_decided(appeal: bool, state: str) -> None:
    """`revoke_approval` gives the goods back and leads to the instance of the approval."""
    story = Story().appealed().must("overturn", agent("wang")) if appeal else Story().approved()

    story.must("revoke_approval", supervisor("zhao"), message="The wrong order.")

    assert (story.state, story.case["approved"]) == (state, 0)
    assert "ENTITLEMENT_RESTORE" in story.told("entitlement_restore")


# persons


def test_the_claimant_never_decides_whatever_his_role() -> None:
    """CLAIMANT_DECIDES names the person, compared by name."""
    story = Story().reviewing()
    claimant = Actor(role="agent", name="b1", is_claimant=True)

    for event, params in (("approve", {}), ("reject", REJECT), ("offer", {"amount": 100})):
        assert story.do(event, claimant, **params).codes == ["CLAIMANT_DECIDES"]
    assert story.blockers["CLAIMANT_DECIDES"].params == {"name": "b1"}


@pytest.mark.parametrize(
    ("event", "params"),
    [("add_evidence", {"evidence": [file()]}), ("withdraw", None), ("submit", None)],
)
def test_who_acted_for_the_claimant_never_decides(event: str, params: Any) -> None:
    """A service person who did anything for the buyer cannot decide as an agent later."""
    story = Story()
    if event == "submit":
        story.submit(SHOP)
    else:
        story.submit().do(event, SHOP, **(params or {}))
    if event == "withdraw":
        assert story.case["parties"] == ["shop"]
        return

    story.must("begin_review", agent("li"))

    assert story.do("approve", agent("shop")).codes == ["CLAIMANT_DECIDES"]


def test_nobody_of_several_who_acted_for_the_claimant_decides() -> None:
    """One service submits and another adds evidence: both are his side from then on."""
    story = Story().submit(SHOP).must("add_evidence", service("desk"), evidence=[file()])
    story.must("begin_review", agent("li"))

    for name in ("shop", "desk"):
        assert story.do("approve", agent(name)).codes == ["CLAIMANT_DECIDES"]


def test_a_service_that_appeals_or_answers_for_the_buyer_is_a_party() -> None:
    """Appealing and providing evidence for the buyer count too, flagging a risk does not."""
    story = Story().reviewing().must("flag_risk", SHOP, flag="X").must("note", SHOP, message="Called.")
    assert story.case["parties"] == []

    story.must("reject", agent("li"), **REJECT).must("appeal", SHOP, argument="He was abroad then.")

    assert story.case["parties"] == ["shop"]
    assert story.do("overturn", agent("shop")).codes == ["CLAIMANT_DECIDES"]


@pytest.mark.parametrize("how", ["reject", "offer", "first approval"])
def test_who_decided_in_the_review_never_decides_the_appeal(how: str) -> None:
    """DECIDED_IN_REVIEW: an offer or the first of two approvals is deciding as much as the rejection."""
    story = Story(captured=150000).reviewing()
    if how == "offer":
        story.must("offer", agent("zhao"), amount=100).must("decline_offer", BUYER)
    if how == "first approval":
        story.must("approve", agent("zhao"))
    story.must("reject", agent("zhao" if how == "reject" else "li"), **REJECT)
    story.must("appeal", BUYER, argument="It was not me who did that.")

    for event, params in (("uphold", {"grounds": ["NO_NEW_GROUND"]}), ("overturn", {}), ("offer", {"amount": 100})):
        assert story.do(event, supervisor("zhao"), **params).codes == ["DECIDED_IN_REVIEW"]
    assert story.blockers["DECIDED_IN_REVIEW"].params == {"name": "zhao"}
    story.must("overturn", agent("chen"))


def test_each_person_is_noted_once_and_the_system_never() -> None:
    """Who decided is a list of persons: an offer and a rejection by li are one li."""
    story = Story().reviewing().must("offer", agent("li"), amount=100).must("decline_offer", BUYER)
    assert story.must("reject", agent("li"), **REJECT).case["decided"] == {"review": ["li"]}

    assert Story().reviewing(amount=100).must("approve", SYSTEM).case["decided"] == {}


def test_handling_is_not_deciding() -> None:
    """Who began the review and asked for evidence may decide the appeal."""
    story = (
        Story().submit().must("begin_review", agent("zhao")).must("request_evidence", agent("zhao"), kinds=["other"])
    )
    story.must("end_request", agent("zhao"), message="Not needed.").must("reject", agent("li"), **REJECT)

    story.must("appeal", BUYER, argument="It was not me who did that.").must("overturn", agent("zhao"))
