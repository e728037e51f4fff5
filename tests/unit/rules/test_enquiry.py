"""Enquiries: where is the money? One at a time, answered by a code, overtaken by the money itself."""

import pytest

from states import codes
from tests.unit.rules.story import BUYER, CHANNEL, SHOP, SYSTEM, Story, agent, finance, supervisor


def late(story: Story) -> Story:
    """Let the promise of 24 hours be broken."""
    return story.at_due("payout")


@pytest.mark.parametrize("state", ["payable", "paying", "payout_failed"])
def test_an_enquiry_waits_for_the_promise_to_be_broken(state: str) -> None:
    """Within 24 hours nobody has to ask; from then on each state of the approval takes an enquiry."""
    story = Story().approved() if state == "payable" else Story().paying()
    if state == "payout_failed":
        story.must("payout_refused", CHANNEL, proof="no")
    assert story.do("raise_enquiry", BUYER).codes == ["PROMISE_NOT_BROKEN"]
    assert story.blockers["PROMISE_NOT_BROKEN"].until == story.deadline("payout")["due_at"]

    late(story).must("raise_enquiry", BUYER)

    assert story.state == f"approved.{state}" and sorted(story.case["deadlines"]) == ["enquiry", "payout"]
    assert story.due("enquiry") == "2026-11-03 11:00" and "ENQUIRY" in story.told("staff_task")


@pytest.mark.parametrize("actor", [BUYER, SHOP, agent("li"), supervisor("zhao")])
def test_who_may_ask(actor: object) -> None:
    """The buyer, the shop for him, and whoever serves him."""
    assert Story().paid().must("raise_enquiry", actor).case["enquiry"]["role"]  # type: ignore[arg-type]


def test_in_settled_an_enquiry_stands_instead_of_the_receipt() -> None:
    """Nothing is assumed while the buyer asks; from the answer the receipt counts anew."""
    story = Story().paid().at(days=2).must("raise_enquiry", BUYER)
    assert list(story.case["deadlines"]) == ["enquiry"]

    story.at(hours=3).must("answer_enquiry", agent("li"), answer="CHANNEL_PROCESSING")

    assert list(story.case["deadlines"]) == ["receipt"] and story.due("receipt") == "2026-11-12 00:00"
    assert "enquiry" not in story.case and story.told("buyer_message") == ["ENQUIRY_ANSWERED"]


def test_only_one_enquiry_is_open() -> None:
    """The second is told when the answer to the first is due."""
    story = Story().paid().must("raise_enquiry", BUYER).do("raise_enquiry", agent("li"))
    assert story.codes == ["ENQUIRY_OPEN"]
    assert story.blockers["ENQUIRY_OPEN"].until == story.deadline("enquiry")["due_at"]


def test_an_enquiry_needs_money_on_its_way() -> None:
    """Before the approval and after the end there is nothing to ask for."""
    assert Story().reviewing().do("raise_enquiry", BUYER).codes == ["WRONG_STATE"]
    assert Story().paid().must("confirm_receipt", BUYER).do("raise_enquiry", BUYER).codes == ["WRONG_STATE"]


def test_an_answer_is_a_code_to_an_open_enquiry() -> None:
    """Without a question, or without a code of the list, there is no answer."""
    story = Story().paid()
    assert story.do("answer_enquiry", agent("li"), answer="CHANNEL_PROCESSING").codes == ["NO_OPEN_ENQUIRY"]
    story.must("raise_enquiry", BUYER)
    assert story.do("answer_enquiry", agent("li"), answer="SOON").codes == ["ANSWER_CODE_REQUIRED"]
    assert story.blockers["ANSWER_CODE_REQUIRED"].params == {"codes": list(codes.ANSWERS)}
    assert story.do("answer_enquiry", BUYER, answer="CHANNEL_PROCESSING").codes == ["ROLE_NOT_ALLOWED"]


@pytest.mark.parametrize("code", codes.ANSWERS)
def test_every_answer_code_is_taken(code: str) -> None:
    """Each code of the list answers."""
    assert "enquiry" not in Story().paid().must("raise_enquiry", BUYER).must("answer_enquiry", SYSTEM, answer=code).case


def test_that_it_has_arrived_is_told_with_number_and_time() -> None:
    """The buyer can look for it at his bank."""
    story = Story().paid()
    paid_at = story.case["effective_at"]
    story.must("raise_enquiry", BUYER).must("answer_enquiry", agent("li"), answer="ARRIVED_PER_CHANNEL")
    told = story.effects[-1].params
    assert (told["number"], told["arrived_at"]) == (story.number, paid_at)


def test_another_answer_tells_no_arrival() -> None:
    """That the account is limited says nothing of a number or a time, though a payment stands."""
    story = (
        Story().paid().must("raise_enquiry", BUYER).must("answer_enquiry", agent("li"), answer="BUYER_ACCOUNT_LIMIT")
    )
    told = story.effects[-1].params
    assert (told["answer"], told["number"], told["arrived_at"]) == ("BUYER_ACCOUNT_LIMIT", None, None)


def test_an_enquiry_that_nobody_answers_is_escalated_again_and_again() -> None:
    """After an hour, then every 24 hours seven times, then every 7 days; it stays open."""
    story = Story().paid().must("raise_enquiry", BUYER)
    days = []
    for _ in range(10):
        story.at_due("enquiry").sweep()
        assert story.told("staff_task") == ["ESCALATED"] and story.state == "paid_out.settled"
        days.append(story.due("enquiry")[5:10])
    assert days == [
        "11-03", "11-04", "11-05", "11-06", "11-07", "11-08", "11-09", "11-16", "11-23", "11-30",
    ]  # fmt: skip


def test_the_payment_answers_it() -> None:
    """Entering settled closes the enquiry by the system, with number and time, and the receipt counts."""
    story = late(Story().paying()).must("raise_enquiry", BUYER).prove("payout_settled")
    assert story.events()[-2:] == ["payout_settled", "answer_enquiry"]
    assert "receipt" not in story.answer.entries[-2].patch["deadlines"]  # the enquiry stands instead until its answer
    assert story.answer.entries[-1].params["answer"] == "ARRIVED_PER_CHANNEL"
    assert list(story.case["deadlines"]) == ["receipt"]
    answered = next(effect for effect in story.effects if effect.code == "ENQUIRY_ANSWERED")
    assert answered.params["number"] == story.number


def test_a_return_answers_it() -> None:
    """Leaving settled because the money came back closes the enquiry: the bank returned it."""
    story = Story().paid().must("raise_enquiry", BUYER).prove("payout_reversed")
    assert story.answer.entries[-1].params["answer"] == "BANK_RETURNED"
    assert list(story.case["deadlines"]) == ["payout"] and "enquiry" not in story.case


def test_the_buyer_who_finds_it_after_all_answers_it() -> None:
    """Confirming the receipt closes the enquiry, and no deadline stands any more."""
    story = Story().paid().must("raise_enquiry", BUYER).must("confirm_receipt", BUYER)
    assert story.events()[-2:] == ["confirm_receipt", "answer_enquiry"]
    assert story.answer.entries[-1].params["answer"] == "ARRIVED_PER_CHANNEL"
    assert story.case["deadlines"] == {} and "enquiry" not in story.case


def test_a_revoked_approval_answers_it() -> None:
    """Leaving the approval closes the enquiry; the review stands alone."""
    story = late(Story().approved()).must("raise_enquiry", BUYER)
    story.must("revoke_approval", supervisor("zhao"), message="wrong order")
    assert story.events()[-1] == "answer_enquiry" and list(story.case["deadlines"]) == ["review"]
    assert story.answer.entries[-1].params["answer"] == "CHANNEL_PROCESSING"


def test_moving_within_the_approval_leaves_it_open() -> None:
    """A failed payout is no answer."""
    story = late(Story().paying()).must("raise_enquiry", BUYER).must("payout_refused", CHANNEL, proof="no")
    story.must("retry_payout", finance("fang"))
    assert "enquiry" in story.case and "enquiry" in story.case["deadlines"]
