"""What an attacker tries against the rules: proofs swallowed or doubled, decisions of the wrong persons."""

from typing import Any

from states.payout import attempt_number
from tests.unit.rules.story import BUYER, CHANNEL, SYSTEM, Story, finance


def test_a_proof_told_before_its_number_existed_swallows_no_payment() -> None:
    """Whoever guesses a number beforehand cannot make its payment a fact already known."""
    story = Story().approved()
    told: dict[str, Any] = {"number": attempt_number(story.case), "amount": 10000, "currency": "CNY", "proof": "slip"}
    story.do("payout_settled", finance("qian"), **told).must("dispatch_payout", SYSTEM)

    story.do("payout_settled", CHANNEL, **told)

    assert story.state == "paid_out.settled"


def test_a_late_reversal_told_too_early_counts_when_it_is_told_again_after_the_end() -> None:
    """Kept beside a settled refund, it moves the money once the refund is confirmed."""
    story = Story().paid().prove("late_reversal").must("confirm_receipt", BUYER)

    story.prove("late_reversal")

    assert story.answer.known is None and story.ledger.settled == 0


def test_a_proof_that_does_not_match_adds_one_entry_however_often_it_is_told() -> None:
    """What is kept is a fact already known as long as it still does not match."""
    story = Story().paying().prove("payout_settled", amount=1)
    kept = len(story.entries)

    story.prove("payout_settled", amount=1)

    assert len(story.entries) == kept and story.answer.known is not None
