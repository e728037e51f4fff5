"""Evidence: requests in rounds, what is enough, what may be attached, what is already known."""

from typing import Any

import pytest

from tests.unit.rules.story import BUYER, SHOP, SYSTEM, Story, agent, file

MIB = 1024 * 1024


def asked(*kinds: str) -> Story:
    """Return a story whose buyer was asked for evidence."""
    return Story().reviewing().must("request_evidence", agent("li"), kinds=list(kinds or ("screenshot",)))


def test_a_request_tells_kinds_until_when_and_what_silence_causes() -> None:
    """The buyer has 48 hours; silence rejects in the review and closes in the appeal."""
    story = asked("screenshot", "chat_log")

    assert (story.state, story.due("evidence")) == ("awaiting_evidence", "2026-11-04 10:00")
    assert story.effects[-1].params == {
        "kinds": ["screenshot", "chat_log"], "due_at": story.deadline("evidence")["due_at"], "silence": "rejected",
    }  # fmt: skip
    appeal = Story().appealed().must("request_evidence", SYSTEM, kinds=["other"])
    assert appeal.effects[-1].params["silence"] == "closed"


@pytest.mark.parametrize(
    ("kinds", "code"), [([], "KINDS_REQUIRED"), (None, "KINDS_REQUIRED"), (["diary"], "UNKNOWN_KIND")]
)
def test_a_request_names_known_kinds(kinds: Any, code: str) -> None:
    """KINDS_REQUIRED and UNKNOWN_KIND say what there is."""
    story = Story().reviewing().do("request_evidence", agent(), kinds=kinds)

    assert story.codes == [code]
    assert "screenshot" in story.blockers[code].params["allowed"]


def test_evidence_is_asked_for_twice_in_each_instance() -> None:
    """EVIDENCE_ROUNDS_USED counts the review and the appeal apart."""
    story = Story().reviewing()
    for _ in range(2):
        story.must("request_evidence", agent("li"), kinds=["other"]).must("provide_evidence", BUYER, all=True)

    assert story.do("request_evidence", agent("li"), kinds=["other"]).codes == ["EVIDENCE_ROUNDS_USED"]
    assert story.blockers["EVIDENCE_ROUNDS_USED"].params == {"used": 2, "limit": 2}
    story.must("reject", agent("li"), grounds=["EVIDENCE_MISSING"], message="No.")
    story.must("appeal", BUYER, argument="There is none, believe me.")
    story.must("request_evidence", agent("wang"), kinds=["other"])


def test_all_kinds_asked_for_must_be_in() -> None:
    """EVIDENCE_INCOMPLETE names what is missing; what was added meanwhile counts."""
    story = asked("screenshot", "chat_log", "login_log").must("add_evidence", BUYER, evidence=[file("login_log")])

    assert story.do("provide_evidence", BUYER, evidence=[file("screenshot")]).codes == ["EVIDENCE_INCOMPLETE"]
    assert story.blockers["EVIDENCE_INCOMPLETE"].params == {"missing": ["chat_log"]}
    story.must("provide_evidence", BUYER, evidence=[file("screenshot"), file("chat_log")])
    assert story.state == "under_review.reviewing"
    assert [item["kind"] for item in story.case["evidence"].values()] == ["login_log", "screenshot", "chat_log"]


def test_a_refused_answer_brings_nothing_in() -> None:
    """Files of a refused act are not attached: only how many they were is kept."""
    story = asked("chat_log")
    story.do("provide_evidence", BUYER, evidence=[file("screenshot")])

    assert story.case["evidence"] == {}
    assert story.entries[-1].params == {"evidence": 1}


@pytest.mark.parametrize("actor", [BUYER, SHOP])
def test_this_is_all_i_have_is_always_enough(actor: Any) -> None:
    """The buyer, or a service for him, ends the wait with whatever there is."""
    assert asked().must("provide_evidence", actor, all=True).state == "under_review.reviewing"


def test_evidence_returns_to_the_instance_that_asked() -> None:
    """In the appeal the answer leads back to the appeal."""
    story = Story().appealed().must("request_evidence", agent("wang"), kinds=["other"])

    assert story.must("provide_evidence", BUYER, all=True).state == "appealed"


def test_a_request_is_ended_with_a_reason() -> None:
    """REASON_REQUIRED; then the refund is back in its instance and takes in no file."""
    story = asked()

    assert story.do("end_request", agent("wang")).codes == ["REASON_REQUIRED"]
    story.must("end_request", agent("wang"), message="Found it ourselves.", evidence=[file("screenshot")])
    assert (story.state, "request" in story.case, story.case["evidence"]) == ("under_review.reviewing", False, {})


@pytest.mark.parametrize(
    ("changes", "code", "params"),
    [
        ({"kind": "diary"}, "UNKNOWN_KIND", {"kinds": ["diary"]}),
        ({"media_type": "image/gif"}, "MEDIA_TYPE_NOT_ALLOWED", {"type": "image/gif"}),
        ({"size": 10 * MIB + 1}, "FILE_TOO_LARGE", {"size": 10 * MIB + 1, "limit": 10 * MIB}),
        ({"size": 10 * MIB}, None, {}),
    ],
)
@pytest.mark.parametrize("event", ["add_evidence", "provide_evidence", "appeal", "submit"])
def test_files_are_judged_wherever_they_come(
    event: str, changes: dict[str, Any], code: str | None, params: Any
) -> None:
    """Kind, media type and size are the same everywhere."""
    begin: dict[str, Any] = {"add_evidence": Story.reviewing, "appeal": Story.rejected, "submit": lambda story: story}
    story = asked() if event == "provide_evidence" else begin[event](Story())

    story.do(event, BUYER, reason="CANNOT_LOG_IN", all=True, evidence=[file() | changes])

    assert story.codes == ([code] if code else [])
    if code:
        assert story.blockers[code].params.items() >= params.items()


def test_a_refund_has_ten_files_at_most() -> None:
    """TOO_MANY_FILES counts what is there and what comes; a file that is already there costs nothing."""
    story = Story().reviewing(evidence=[file("other", str(n)) for n in range(9)])

    many = [file("other", "8"), file("other", "9"), file("other", "10")]
    assert story.do("add_evidence", BUYER, evidence=many).codes == ["TOO_MANY_FILES"]
    assert story.blockers["TOO_MANY_FILES"].params == {"count": 11, "limit": 10}
    story.must("add_evidence", BUYER, evidence=many[:2])
    assert len(story.case["evidence"]) == 10


def test_the_same_kind_and_content_again_is_known() -> None:
    """A known file is answered with the entry that brought it and adds none; another kind is another file."""
    story = Story().reviewing().must("add_evidence", BUYER, evidence=[file("screenshot", "x")])
    first = story.case["seq"]
    story.must("note", agent(), message="Looked at it.")
    length = len(story.entries)

    story.must("add_evidence", BUYER, evidence=[file("screenshot", "x")])
    assert (story.answer.known, len(story.entries)) == (first, length)
    both = [file("screenshot", "x"), file("chat_log", "x")]
    story.must("add_evidence", BUYER, evidence=both)
    assert story.entries[-1].params == {"evidence": [{"kind": "chat_log", "commit": "x"}]}
    assert story.must("add_evidence", BUYER, evidence=both).answer.known == story.case["seq"] > first


@pytest.mark.parametrize(
    "end",
    [
        lambda story: story.submit().must("withdraw", BUYER),
        lambda story: story.appealed().must("uphold", agent("wang"), grounds=["NO_NEW_GROUND"]),
        lambda story: story.paid().must("confirm_receipt", BUYER),
    ],
)
def test_after_the_end_only_the_staff_adds_evidence(end: Any) -> None:
    """A buyer, or a service for him, adds evidence before the end; the staff at any time."""
    story = end(Story())

    for actor in (BUYER, SHOP):
        assert story.do("add_evidence", actor, evidence=[file()]).codes == ["WRONG_STATE"]
    story.must("add_evidence", agent(), evidence=[file()])


def test_evidence_has_an_audience() -> None:
    """What the buyer brings he may see; what the staff adds is internal unless said otherwise."""
    story = Story().reviewing(evidence=[file("other", "1")])
    story.must("add_evidence", agent(), evidence=[file("other", "2")])
    story.must("add_evidence", agent(), evidence=[file("other", "3")], audience="buyer")

    assert [item["audience"] for item in story.case["evidence"].values()] == ["buyer", "internal", "buyer"]


# the lapse


def test_what_came_before_the_silence_is_no_new_ground() -> None:
    """An appeal brings something since the rejection, also where nobody but the clock rejected."""
    story = Story().reviewing(evidence=[file("chat_log")]).must("request_evidence", agent("li"), kinds=["screenshot"])
    story.at_due("evidence").sweep()

    assert story.do("appeal", BUYER).codes == ["NO_NEW_GROUND"]
    story.must("appeal", BUYER, evidence=[file("screenshot")])


def test_silence_in_the_review_rejects_for_missing_evidence() -> None:
    """At the due moment, not before, the refund is rejected with EVIDENCE_MISSING and can be appealed."""
    story = asked()
    due = story.deadline("evidence")["due_at"]

    assert story.at_due("evidence", microseconds=-1).sweep().state == "awaiting_evidence"
    story.at(microseconds=1).sweep()
    assert (story.state, story.case["rejection"]["grounds"]) == ("rejected.appealable", ["EVIDENCE_MISSING"])
    assert story.entries[-1].effective_at == due
    assert story.told("buyer_message") == ["REJECTED"]


def test_silence_in_the_appeal_closes() -> None:
    """In the appeal the same silence is final and frees the amount."""
    story = Story().appealed().must("request_evidence", agent("wang"), kinds=["other"]).at_due("evidence").sweep()

    assert (story.state, story.ledger.reserved) == ("rejected.closed", 0)


@pytest.mark.parametrize("appeal", [False, True])
def test_something_that_came_returns_to_the_instance(appeal: bool) -> None:
    """One file of the buyer in this round is enough to be read."""
    story = Story().appealed() if appeal else Story().reviewing()
    story.must("request_evidence", agent("wang"), kinds=["screenshot", "other"])
    story.must("add_evidence", BUYER, evidence=[file("screenshot")]).at_due("evidence").sweep()

    assert story.state == ("appealed" if appeal else "under_review.reviewing")


def test_only_what_the_buyer_gave_in_this_round_counts() -> None:
    """Evidence from before the request, and what the staff adds, is silence of the buyer."""
    story = Story().reviewing(evidence=[file("chat_log")]).must("request_evidence", agent(), kinds=["screenshot"])
    story.must("add_evidence", agent(), evidence=[file("screenshot")]).at_due("evidence").sweep()

    assert story.state == "rejected.appealable"
