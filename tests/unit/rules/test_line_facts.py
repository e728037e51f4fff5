"""Facts of the order line: entries of its own chain, each counted once, told in every refund where it matters."""

from typing import Any

import pytest

from states.case import Ledger
from tests.unit.rules.story import BUYER, CHANNEL, SHOP, SYSTEM, Story, agent, entries_of, finance, supervisor

FANG, GAO = finance("fang"), finance("gao")


def charged(story: Story) -> tuple[int, list[str]]:
    """Return what is charged back, and the chargebacks that are open."""
    items = story.aggregate.line["chargebacks"]
    return story.ledger.charged_back, [number for number, item in items.items() if item["state"] == "open"]


def opened(story: Story, number: str = "c1", amount: int = 3000) -> Story:
    """Let the channel tell that a chargeback was opened."""
    return story.must("chargeback_opened", CHANNEL, chargeback=number, amount=amount)


def closed(story: Story, outcome: str, number: str = "c1", amount: int = 3000) -> Story:
    """Let the channel tell how a chargeback ended."""
    return story.must("chargeback_closed", CHANNEL, chargeback=number, amount=amount, outcome=outcome)


@pytest.mark.parametrize(
    ("event", "params"),
    [
        ("completed", {"completed_at": "2026-11-01T04:00:00.000000Z"}),
        ("captured", {"captured": 12000}),
        ("usage_recorded", {"usage": "partly_used"}),
        ("paid", {"paid_at": "2026-10-31T04:00:00.000000Z"}),
        ("validity", {"valid_from": "2026-11-01T00:00:00.000000Z", "valid_to": "2026-12-01T00:00:00.000000Z"}),
    ],
)
def test_a_fact_is_an_entry_of_the_line_and_told_again_adds_nothing(event: str, params: dict[str, Any]) -> None:
    """What the marketplace tells stands in the line from then on; the same again is a fact already known."""
    story = Story().must(event, SHOP, **params)

    entry = story.entries[-1]
    assert (entry.subject, entry.kind, entry.event) == ("A1/1", "fact", event)
    assert params.items() <= story.aggregate.line.items()
    assert story.do(event, SHOP, **params).answer.known == entry.seq and story.answer.entries == ()
    assert story.replayed()[0] == story.aggregate.line


def test_what_the_registration_told_is_known() -> None:
    """The first answer is then the one to the registration."""
    assert Story().do("usage_recorded", SHOP, usage="unused").answer.known == 1


@pytest.mark.parametrize("event", ["completed", "captured", "usage_recorded"])
def test_only_a_service_tells_what_the_marketplace_knows(event: str) -> None:
    """A refused fact stands in the chain of the line."""
    story = Story().do(event, BUYER, completed_at="", captured=1, usage="used")
    assert story.codes == ["ROLE_NOT_ALLOWED"]
    assert (story.entries[-1].subject, story.entries[-1].kind) == ("A1/1", "refused")


def test_a_capture_is_never_negative() -> None:
    """Nothing captured is 0."""
    assert Story().do("captured", SHOP, captured=-1).codes == ["AMOUNT_NEGATIVE"]
    assert Story().must("captured", SHOP, captured=0).aggregate.line["captured"] == 0


def test_a_capture_below_what_is_out_is_told_to_finance() -> None:
    """The line is overpaid; a capture that leaves enough tells nobody."""
    story = Story().paid()
    assert story.must("captured", SHOP, captured=9000).told() == ["OVERPAID"]
    assert story.must("captured", SHOP, captured=9500).told() == []


def test_every_fact_first_applies_what_is_due() -> None:
    """A refund whose window closed yesterday is closed before the capture is lowered."""
    story = Story().rejected().at(days=9).must("captured", SHOP, captured=0)
    assert [entry.event for entry in story.answer.entries] == ["appeal_window_closed", "captured"]
    assert story.ledger.excess == 0


# chargebacks


def test_a_chargeback_is_counted_and_told_in_every_refund() -> None:
    """Open it counts as charged back and blocks decisions and payouts; possible without any refund."""
    assert charged(opened(Story())) == (3000, ["c1"])

    story = Story().paid(amount=2000).submit(reason="CREDITED_WRONG_ACCOUNT", amount=2000)
    opened(story)

    told = [entry.subject for entry in entries_of(story, "chargeback_opened")]
    assert told == ["A1/1", "A1-1-1", "A1-1-2"]
    assert all(case["chargeback_seen"] for case in story.aggregate.refunds.values())
    assert "CHARGEBACK_OPENED" in story.told("staff_task")
    assert story.submit(reason="FRAUD").codes[-1] == "CHARGEBACK_OPEN"


def test_the_same_chargeback_told_again_adds_nothing() -> None:
    """It is counted once."""
    story = opened(Story())
    seq = story.aggregate.line["seq"]
    assert opened(story).answer.known == seq and story.answer.entries == () and charged(story) == (3000, ["c1"])
    closed(story, "lost")
    assert closed(story, "lost").answer.entries == () and charged(story) == (3000, [])


def test_won_is_given_back_and_lost_stays_counted() -> None:
    """The outcome decides what is left of the line."""
    assert charged(closed(opened(Story()), "won")) == (0, [])
    assert charged(closed(opened(Story()), "lost")) == (3000, [])


def test_closed_before_opened_counts_as_both() -> None:
    """The opening that comes afterwards is that of the closed one: it opens nothing and is counted once."""
    for outcome, amount in (("won", 0), ("lost", 3000)):
        story = opened(closed(Story(), outcome))
        assert charged(story) == (amount, [])


def test_a_closed_chargeback_may_be_opened_again() -> None:
    """Then it blocks again, counted once."""
    story = opened(closed(opened(Story()), "won"))
    assert charged(story) == (3000, ["c1"])
    assert charged(opened(opened(closed(Story(), "lost")))) == (3000, ["c1"])
    assert charged(closed(story, "lost")) == (3000, [])


def test_several_chargebacks_may_be_open() -> None:
    """Each counts and each blocks."""
    story = opened(opened(Story()), "c2", 1000)
    assert charged(story) == (4000, ["c1", "c2"])
    assert charged(closed(story, "won")) == (1000, ["c2"])
    assert story.submit(reason="FRAUD").blockers["CHARGEBACK_OPEN"].params == {"ids": ["c2"]}


def test_a_chargeback_of_another_amount_is_another_fact() -> None:
    """The newest amount counts."""
    assert charged(opened(opened(Story()), amount=2000)) == (2000, ["c1"])
    assert charged(closed(opened(Story()), "lost", amount=1000)) == (1000, [])


def test_a_chargeback_beside_a_paid_refund_is_told_to_finance() -> None:
    """More than was captured has gone: the line is overpaid, though excess is not what it raises."""
    story = opened(Story().paid())
    assert story.told("staff_task") == ["CHARGEBACK_OPENED", "OVERPAID"] and story.ledger.excess == 0


def test_a_chargeback_that_the_line_bears_is_no_overpayment() -> None:
    """What was not paid out is there to be charged back."""
    assert opened(Story()).told("staff_task") == ["CHARGEBACK_OPENED"]


def test_what_blocks_a_chargeback() -> None:
    """It has an amount, and once closed an outcome; only channel and finance tell it."""
    story = Story()
    assert story.do("chargeback_opened", CHANNEL, chargeback="c1", amount=0).codes == ["AMOUNT_NOT_POSITIVE"]
    assert story.do("chargeback_closed", CHANNEL, chargeback="c1", amount=1).codes == ["OUTCOME_REQUIRED"]
    assert story.blockers["OUTCOME_REQUIRED"].params == {"allowed": ["won", "lost"]}
    closing: dict[str, Any] = {"chargeback": "c1", "amount": 0, "outcome": "won"}
    assert story.do("chargeback_closed", CHANNEL, **closing).codes == ["AMOUNT_NOT_POSITIVE"]
    assert story.do("chargeback_opened", SHOP, chargeback="c1", amount=1).codes == ["ROLE_NOT_ALLOWED"]
    assert story.must("chargeback_opened", FANG, chargeback="c1", amount=1).ledger.charged_back == 1


# excess


def overpaid() -> Story:
    """Return a line from which 100 were paid and of which 90 stay captured."""
    return Story().paid().must("captured", SHOP, captured=9000)


def resolve(story: Story, actor: Any, **changes: Any) -> Story:
    """Let one of finance say how excess of 10 ended."""
    params: dict[str, Any] = {"amount": 1000, "how": "returned", "proof": "slip"} | changes
    return story.do("excess_resolved", actor, **params)


def test_excess_is_resolved_by_two_of_finance() -> None:
    """The first call changes nothing, another person with the same terms moves."""
    story = resolve(overpaid(), FANG)
    assert story.answer.waiting and story.ledger.excess == 1000
    first = story.aggregate.line["firsts"]["excess_resolved"]
    assert (first["name"], first["role"], first["seq"]) == ("fang", "finance", story.aggregate.line["seq"])
    assert resolve(story, FANG).codes == ["SECOND_PERSON_NEEDED"]
    assert resolve(story, GAO, amount=500).answer.waiting  # other terms take its place
    assert resolve(story, FANG, amount=500).ledger.excess == 500


def test_excess_resolved_told_again_adds_nothing() -> None:
    """The same slip is no second return."""
    story = resolve(resolve(overpaid(), FANG, amount=400), GAO, amount=400)
    seq = story.aggregate.line["seq"]
    assert resolve(story, FANG, amount=400).answer.known == seq
    assert story.answer.entries == () and story.ledger.excess == 600


def test_what_blocks_resolving_excess() -> None:
    """There has to be excess that was paid, a proof, and a way in which it ended; only finance says so."""
    assert resolve(Story().paid(), FANG).codes == ["NO_EXCESS"]
    assert resolve(overpaid(), FANG, amount=1001).codes == ["NO_EXCESS"]
    assert resolve(overpaid(), FANG, proof="").codes == ["PROOF_REQUIRED"]
    assert resolve(overpaid(), FANG, how="forgotten").codes == ["OUTCOME_REQUIRED"]
    assert resolve(overpaid(), FANG, amount=0).codes == ["AMOUNT_NOT_POSITIVE"]
    assert resolve(overpaid(), agent("li")).codes == ["ROLE_NOT_ALLOWED"]


def test_excess_of_what_is_only_reserved_is_not_resolved() -> None:
    """It falls when the claim does."""
    story = Story().reviewing().must("captured", SHOP, captured=9000)
    assert resolve(story, FANG).codes == ["NO_EXCESS"]
    assert story.must("withdraw", BUYER).ledger.excess == 0


# what follows for decisions


def test_nothing_is_approved_while_there_is_excess() -> None:
    """An amount is covered only when excess is 0 and the line has it."""
    story = overpaid().submit(SHOP, reason="FRAUD", amount=1)
    assert story.codes == ["AMOUNT_EXCEEDS_LEFT"]
    other = Story().reviewing(amount=5000).must("captured", SHOP, captured=4000)
    assert other.do("approve", agent("li")).codes == ["NOT_COVERED_BY_LINE"]
    assert other.do("offer", agent("li"), amount=1000).codes == ["NOT_COVERED_BY_LINE"]


def test_what_others_have_reserved_is_not_there() -> None:
    """Covered is judged beside every other refund of the line; a reversal puts an older one beside the new."""
    story = Story().paid(amount=6000).reviewing(amount=4000, reason="CREDITED_WRONG_ACCOUNT")
    newer = story.refund
    story.refund = "A1-1-1"
    story.prove("payout_reversed").must("pay_manually", FANG).must("pay_manually", GAO)
    assert (story.ledger.reserved, story.ledger.in_flight) == (4000, 6000)
    story.refund = newer
    story.must("captured", SHOP, captured=9999)
    assert story.do("approve", agent("li")).blockers["NOT_COVERED_BY_LINE"].params["available"] == 3999


def test_what_is_paid_charged_back_or_reserved_by_others_is_not_there() -> None:
    """Each is taken off what was captured: of 100, 30 are paid, 25 charged back and 20 kept for another refund."""
    story = Story().paid(amount=3000).paid(amount=2000)
    came_back = story.refund
    story.reviewing(amount=4000)
    [number] = story.aggregate.refunds[came_back]["attempts"]
    story.prove("payout_reversed", number=number, refund=came_back, amount=2000, currency="CNY")
    closed(story, "lost", amount=2500)

    story.do("approve", agent("li"))

    assert story.ledger == Ledger(reserved=6000, settled=3000, charged_back=2500)
    assert story.blockers["NOT_COVERED_BY_LINE"].params == {"amount": 4000, "available": 2500, "excess": 0}
    story.must("offer", agent("li"), amount=2500)


def test_an_assisted_review_never_pays_where_a_chargeback_was_seen() -> None:
    """Ever: won or lost, before the claim or during it."""
    story = closed(opened(Story()), "won").reviewing(amount=1000)
    assert "CHARGEBACK_SEEN" in story.do("approve", SYSTEM).codes
    during = Story().reviewing(amount=1000)
    closed(opened(during), "won")
    assert "CHARGEBACK_SEEN" in during.do("approve", SYSTEM).codes
    assert during.must("approve", supervisor("zhao")).state == "approved.payable"
