"""The rules of erasing a buyer: what keeps him, and the entries that say that he is gone."""

from states.case import Act, Decision
from states.decide import decide
from states.erasing import erase, open_matters
from tests.unit.rules.story import BUYER, SHOP, Story, finance, supervisor

WHY = {"reason": "request 7", "entry": 1}


def matters(story: Story) -> list[tuple[str, str | None]]:
    """Return what keeps the buyer, and until when."""
    found = open_matters(story.aggregate, rules=story.rules, now=story.now)
    return [(blocker.code, blocker.until) for blocker in found]


def erased(story: Story) -> Decision:
    """Erase the buyer of the line now."""
    return erase(story.aggregate, supervisor("zhao"), WHY, rules=story.rules, now=story.now)


def test_a_rejection_that_can_be_appealed_keeps_him_until_its_window_closes() -> None:
    """The blocker says when time lifts it, and then it does."""
    story = Story().rejected()
    due_at = story.deadline("appeal_window")["due_at"]

    assert matters(story) == [("REFUND_IN_PROGRESS", due_at)]
    assert matters(story.at(due_at)) == []


def test_a_review_keeps_him_without_end() -> None:
    """Where a person must act no moment is named."""
    assert matters(Story().reviewing()) == [("REFUND_IN_PROGRESS", None)]


def test_an_open_chargeback_keeps_him() -> None:
    """Until it is closed, however it ends."""
    story = Story().must("chargeback_opened", finance("qian"), chargeback="c1", amount=100)
    assert matters(story) == [("CHARGEBACK_OPEN", None)]
    assert matters(story.must("chargeback_closed", finance("qian"), chargeback="c1", amount=100, outcome="lost")) == []


def test_every_chain_of_the_line_says_it_once() -> None:
    """One entry in each refund and one in the line; erased again nothing is added, and no state or amount moves."""
    story = Story().submit().must("withdraw", BUYER)
    story.submit().must("withdraw", BUYER)
    decision = erased(story)

    assert [(entry.subject, entry.event, entry.kind) for entry in decision.entries] == [
        ("A1-1-1", "erased", "fact"), ("A1-1-2", "erased", "fact"), ("A1/1", "erased", "fact"),
    ]  # fmt: skip
    assert all(entry.before == entry.after and not entry.ledger for entry in decision.entries)
    assert not decision.effects and {entry.params["reason"] for entry in decision.entries} == {"request 7"}
    story.keep(decision)
    assert erased(story).entries == ()


def test_what_is_due_comes_first() -> None:
    """A window that closed by then is recorded before the erasure, at its own moment."""
    story = Story().rejected()
    story.at_due("appeal_window", days=1)
    assert [entry.event for entry in erased(story).entries] == ["appeal_window_closed", "erased", "erased"]


def test_a_claim_on_an_erased_line_is_erased_from_the_beginning() -> None:
    """A refund that is opened later for what came back has no name either."""
    story = Story()
    story.keep(erased(story))
    act = Act(event="submit", actor=SHOP, params={"reason": "FRAUD"})
    decision = decide(story.aggregate, act, rules=story.rules, now=story.now)

    assert decision.aggregate.refunds["A1-1-1"]["erased"] == story.aggregate.line["erased"]
