"""What an attacker tries through the facade: another buyer's refunds, texts that are not his to read."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import text

from refundflow import migrations
from refundflow.errors import BadInput, NotFound
from refundflow.vault import Vault
from tests.support.market import AMOUNT, BUYER, LI, QIAN, SHOP, START, Market, a_file


def two_buyers(market: Market) -> tuple[str, str]:
    """Submit a refund of wang and one of zhang."""
    market.order("Z1", buyer_id="zhang")
    return market.submit().id, market.submit("Z1", actor="buyer:zhang").id


def test_a_service_that_acts_for_a_buyer_has_his_queue_and_his_list_only(market: Market) -> None:
    """Another buyer's refund neither shows up in a queue or a list nor keeps it from being shown."""
    own, _ = two_buyers(market)

    queue = market.refunds.queue(actor=SHOP, buyer="wang", at=market.at)
    page = market.refunds.list(actor=SHOP, buyer="wang", customer="zhang", at=market.at)

    assert [item.refund.id for item in queue] == [own] == [item.id for item in page.refunds]


def test_a_buyer_reads_no_text_of_the_staff_that_was_not_written_for_him(market: Market) -> None:
    """What accompanies an approval or the beginning of a review is internal, as in the messages that leave."""
    refund = market.submit().id
    market.act(refund, "begin_review", LI, message="INTERNAL one")
    market.act(refund, "approve", LI, message="INTERNAL two")

    assert not [entry.texts for entry in market.history(refund, BUYER) if entry.texts]
    assert [entry.texts for entry in market.history(refund) if entry.texts] == [
        {"message": "INTERNAL one"},
        {"message": "INTERNAL two"},
    ]


EAST = timezone(timedelta(hours=8))
ODD_TIMES = (START.replace(tzinfo=None), datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=EAST), 7)
PAYMENT = {"number": "n", "amount": AMOUNT, "currency": "CNY", "proof": "p"}
TIMED: dict[str, Callable[[Market, str, Any], Any]] = {
    "act": lambda m, r, t: m.refunds.begin_review(r, actor=LI, at=t),
    "read": lambda m, r, t: m.refunds.get(r, actor=LI, at=t),
    "work": lambda m, r, t: m.refunds.work(at=t),
    "occurred": lambda m, r, t: m.act(r, "payout_settled", QIAN, **PAYMENT, occurred_at=t),
    "arrived": lambda m, r, t: m.act(r, "answer_enquiry", LI, answer="CHANNEL_PROCESSING", arrived_at=t),
    "since": lambda m, r, t: m.refunds.list(actor=LI, since=t, at=m.at),
    "completed": lambda m, r, t: m.refunds.record_completed("A1", completed_at=t, actor=SHOP, at=m.at),
}


@pytest.mark.parametrize("name", TIMED)
def test_times_without_offset_or_beyond_every_calendar_are_bad_input(market: Market, name: str) -> None:
    """No such time is taken, neither does it fail otherwise nor keep the rehearsal from going on."""
    refund = market.submit().id
    for moment in ODD_TIMES:
        with pytest.raises(BadInput):
            TIMED[name](market, refund, moment)

    assert market.act(refund, "begin_review", LI).state == "under_review.reviewing"


def forge(market: Market, statement: str, **values: object) -> list[str]:
    """Change the database past the service, and return what the verification finds then."""
    with migrations.connect(market.url, write=True) as connection:
        connection.execute(text(statement), values)
        connection.commit()
    return [f"{item.subject}#{item.seq}: {item.what}" for item in market.refunds.verify().findings]


def test_a_text_that_was_written_anew_with_the_buyers_key_is_found(market: Market) -> None:
    """Whoever reads the whole database can encrypt other words, but not make an entry commit to them."""
    refund = market.submit(note="It never worked.").id
    engine = market.refunds.engine
    with engine.store.read() as tx:
        owner = tx.buyer_by_lookup(engine.vault.buyer_lookup("wang"))
    assert owner is not None
    cipher = Vault(engine.store.secret, engine.store.rehearsal).encrypt(owner.key, "It worked.", f"{refund}|1|note")

    found = forge(market, "UPDATE personal SET cipher = :cipher WHERE field = 'note'", cipher=cipher)

    assert found == [f"{refund}#1: the text note is not what the entry commits to"]


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("DELETE FROM personal WHERE field = 'note'", "A1-1-1#1: the text note is not what the entry commits to"),
        ("DELETE FROM evidence_content", "A1-1-1#1: the evidence 1 is not what the entry commits to"),
        ("UPDATE evidence_content SET cipher = :cipher", "A1-1-1#1: the evidence 1 is not what the entry commits to"),
    ],
)
def test_texts_and_evidence_that_were_removed_or_changed_are_found(market: Market, statement: str, what: str) -> None:
    """What an entry commits to must be there, as long as the buyer's key is."""
    market.submit(note="It never worked.", evidence=[a_file()])
    values = {"cipher": b"short"} if ":cipher" in statement else {}

    assert forge(market, statement, **values) == [what]


def test_a_policy_that_was_changed_under_its_version_is_found(market: Market) -> None:
    """The version that a refund is pinned to names the content."""
    market.submit()

    found = forge(market, "UPDATE policies SET content = '{}'")

    assert len(found) == 1 and "is not what its version says" in found[0]


@pytest.mark.parametrize("amount", ["", "5", "five"])
def test_a_text_is_no_amount(market: Market, amount: Any) -> None:
    """Not even an empty one beside a compensation, which nobody could read or pay any more."""
    refund = market.to("under_review.reviewing")

    with pytest.raises(BadInput):
        market.act(refund, "offer", LI, amount=amount, compensation=1)
    with pytest.raises(BadInput):
        market.act(refund, "offer", LI, amount=1, compensation=amount)
    assert market.get(refund).offers == ()


def test_an_offer_without_a_refund_part_is_one_of_zero(market: Market) -> None:
    """What was left open is written as the number that it means."""
    refund = market.to("under_review.reviewing")

    nothing: Any = None
    market.act(refund, "offer", LI, amount=nothing, compensation=1)

    assert [offer.refund_minor for offer in market.get(refund).offers] == [0]


def test_what_is_missing_or_of_another_kind_is_bad_input(market: Market) -> None:
    """None where a value belongs, and objects that are no text or file, get typed errors and change nothing."""
    order = market.order()
    refund, refunds = market.submit().id, market.refunds
    before = market.history(refund)
    calls: tuple[Any, ...] = (
        lambda: refunds.record_captured(order, amount=None, actor=SHOP),  # type: ignore[arg-type]
        lambda: refunds.chargeback_opened(order, chargeback=None, amount=1, actor=QIAN),  # type: ignore[arg-type]
        lambda: refunds.note(refund, message="x", actor=7),  # type: ignore[arg-type]
        lambda: refunds.note(refund, message="x", actor=LI, key=7),  # type: ignore[arg-type]
        lambda: refunds.add_evidence(refund, evidence=["a.png"], actor=LI),  # type: ignore[list-item]
    )
    for call in calls:
        with pytest.raises(BadInput):
            call()
    with pytest.raises(NotFound):
        refunds.get(7, actor=LI)  # type: ignore[arg-type]

    assert market.history(refund) == before
