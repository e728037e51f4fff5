"""Who may see what: others' refunds are not found, and a buyer sees neither notes, flags nor staff."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from refundflow.errors import NotFound, RefundflowError
from tests.support.market import AMOUNT, BUYER, CHEN, LI, QIAN, SHOP, ZHAO, Market, a_file

STRANGER = "buyer:zhang"
INTERNAL = ("li", "zhao", "chen", "qian", "INTERNAL", "SECRET_FLAG", "secret-key")


def everything(value: object) -> str:
    """Write out all that a value holds."""
    return (
        repr(dataclasses.asdict(value))
        if dataclasses.is_dataclass(value) and not isinstance(value, type)
        else repr(value)
    )


def words(text: str) -> set[str]:
    """Return the words of a text."""
    return set("".join(c if c.isalnum() or c in "_-" else " " for c in text).split())


READS: dict[str, Callable[[Market, str, dict[str, Any]], object]] = {
    "get": lambda m, r, by: m.refunds.get(r, at=m.at, **by),
    "history": lambda m, r, by: m.refunds.history(r, at=m.at, **by),
    "history of the line": lambda m, r, by: m.refunds.history(f"{r.split('-')[0]}/1", at=m.at, **by),
    "explain": lambda m, r, by: m.refunds.explain(r, at=m.at, **by),
    "line": lambda m, r, by: m.refunds.line(r.split("-")[0], at=m.at, **by),
    "check": lambda m, r, by: m.refunds.check(r.split("-")[0], at=m.at, **by),
    "withdraw": lambda m, r, by: m.refunds.withdraw(r, at=m.at, **by),
    "submit": lambda m, r, by: m.refunds.submit(r.split("-")[0], reason="OTHER", at=m.at, **by),
}


@pytest.mark.parametrize("call", READS)
def test_the_buyer_of_another_order_finds_nothing(market: Market, call: str) -> None:
    """Reads and acts of a stranger answer as if there were nothing, and leave no trace."""
    market.order(buyer_id="zhang")
    refund = market.to("submitted")
    entries = market.refunds.verify().entries
    for by in ({"actor": STRANGER}, {"actor": "buyer:unheard-of"}, {"actor": SHOP, "buyer": "zhang"}):
        with pytest.raises(NotFound) as hidden:
            READS[call](market, refund, by)
        with pytest.raises(NotFound) as absent:
            READS[call](market, "Z9-1-1", by)
        assert hidden.value.code == absent.value.code

    assert market.refunds.verify().entries == entries


@pytest.mark.parametrize("by", [{"actor": BUYER}, {"actor": SHOP, "buyer": "wang"}])
def test_who_sees_one_buyer_alone_exports_nothing(market: Market, by: dict[str, Any], tmp_path: Path) -> None:
    """The log, the past of all and registers are of everybody: a service that acts for one has them not."""
    market.to("submitted")
    calls: list[Callable[[], object]] = [
        lambda: market.refunds.export(format="csv", output=str(tmp_path / "log.csv"), at=market.at, **by),
        lambda: market.refunds.export_as_of(
            format="csv", output=str(tmp_path / "then.csv"), as_of=market.now, at=market.at, **by
        ),
        lambda: market.refunds.prove("calendar", at=market.at, **by),
    ]

    for call in calls:
        with pytest.raises(NotFound):
            call()
    assert list(tmp_path.glob("*.csv*")) == []


def test_lists_and_queues_hold_only_what_one_may_see(market: Market) -> None:
    """A buyer's list is his own, whatever he asks for; a service's is that of the buyer whom it names."""
    own, other = market.to("submitted"), market.submit(market.order(buyer_id="zhang"), actor=STRANGER).id

    def listed(**by: Any) -> list[str]:
        return [item.id for item in market.refunds.list(at=market.at, **by).refunds]

    assert listed(actor=LI) == [own, other]
    assert listed(actor=BUYER) == [own] == listed(actor=BUYER, customer="zhang")
    assert listed(actor=STRANGER) == [other] == listed(actor=SHOP, buyer="zhang")
    assert listed(actor=BUYER, order="A2") == []
    assert [item.refund.id for item in market.refunds.queue(actor=BUYER, at=market.at)] == [own]


def a_much_discussed_refund(market: Market) -> str:
    """Make a refund with notes, flags, firsts, an assignee and internal evidence, of every kind of member."""
    market.refunds.staff_add("zhao", roles=["agent"], actor=CHEN)
    refund = market.submit(market.order(amount_minor=150_000)).id
    market.act(refund, "begin_review", LI, key="secret-key-of-li")
    market.act(refund, "assign", CHEN, to="zhao")
    for actor in (LI, SHOP):
        market.act(refund, "flag_risk", actor, flag=f"SECRET_FLAG_{actor[:3]}", message="INTERNAL doubts")
        market.act(refund, "note", actor, message="INTERNAL talk", audience="internal", contact="phone")
    market.act(refund, "add_evidence", ZHAO, evidence=[a_file("usage_meter", b"INTERNAL")], audience="internal")
    market.act(refund, "note", LI, message="We are on it.", audience="buyer")
    market.act(refund, "approve", LI, message="INTERNAL: I think so")
    with pytest.raises(RefundflowError):
        market.act(refund, "uphold", LI, message="INTERNAL mistake")
    market.act(refund, "extend", CHEN, days=1, message="INTERNAL reason")
    market.act(refund, "reject", ZHAO, grounds=["DELIVERY_PROVEN"], message="The code was delivered on Monday.")
    market.act(refund, "appeal", BUYER, message="It was never delivered to me.")
    market.act(refund, "offer", "agent:sun", amount=100, message="For your trouble.")
    return refund


@pytest.mark.parametrize("call", ["get", "history", "history of the line", "explain", "line"])
def test_a_buyer_sees_nothing_internal(market: Market, call: str) -> None:
    """Names of staff, internal notes and texts, flags, keys of the staff are in nothing that a buyer gets."""
    refund = a_much_discussed_refund(market)
    shown = everything(READS[call](market, refund, {"actor": BUYER}))
    staff = everything(READS["history"](market, refund, {"actor": LI}))

    assert [word for word in INTERNAL if any(part.startswith(word) for part in words(shown) - {"line"})] == []
    assert all(any(part.startswith(word) for part in words(staff)) for word in ("INTERNAL", "SECRET_FLAG", "li"))


def test_a_buyer_is_told_what_concerns_him(market: Market) -> None:
    """Grounds, messages, offers and deadlines are in a buyer's history."""
    refund = a_much_discussed_refund(market)
    history = market.history(refund, BUYER)
    texts = [text for entry in history for text in entry.texts.values()]
    shown = market.get(refund, BUYER)

    assert "The code was delivered on Monday." in texts and "We are on it." in texts
    assert "It was never delivered to me." in texts and "For your trouble." in texts
    assert shown.offer is not None and shown.offer.refund_minor == 100 and shown.deadline is not None
    assert {entry.actor_name for entry in history} == {"wang", "staff"}


def test_payout_and_proofs_name_no_staff_either(market: Market) -> None:
    """What finance does by two persons is shown to the buyer as the outcome only."""
    refund = market.to("approved.paying")
    [attempt] = market.get(refund).attempts
    for person in (QIAN, "finance:sun"):
        market.act(refund, "payout_settled", person, number=attempt.number, amount=AMOUNT, currency="CNY", proof="bill")
    told = [(entry.event, entry.actor_name) for entry in market.history(refund, BUYER)]

    assert told[-1] == ("payout_settled", "staff")
    assert len([event for event, _ in told if event == "payout_settled"]) == 1


def test_an_answer_to_a_buyer_is_his_view_too(market: Market) -> None:
    """What an act returns to a buyer hides the same as what a read returns."""
    refund = a_much_discussed_refund(market)
    answered = market.act(refund, "counter_offer", BUYER, amount=90_000)

    assert answered == dataclasses.replace(market.get(refund, BUYER), texts={})
    assert (answered.flags, answered.assignee, answered.firsts) == ((), None, ())


def test_an_auditor_reads_and_does_nothing(market: Market) -> None:
    """The auditor's role reads everything and may do no event."""
    refund = market.to("approved.payout_failed")
    said = market.refunds.explain(refund, actor="auditor:wu", at=market.at)

    assert said.possible == ()
    assert {blockers[0].code for blockers in said.blocked.values()} == {"ROLE_NOT_ALLOWED"}
    assert len(market.history(refund, "auditor:wu")) == len(market.history(refund))


def test_a_buyer_reads_why(market: Market) -> None:
    """What was written with the rejection stands beside its grounds in what the buyer reads."""
    refund = market.to("under_review.reviewing")
    market.act(refund, "reject", LI, grounds=["DELIVERY_PROVEN"], message="The key was used from your own account.")

    shown = market.get(refund, BUYER)

    assert shown.grounds == ("DELIVERY_PROVEN",)
    assert shown.texts == {"rejection": "The key was used from your own account."}


def test_a_buyer_is_not_asked_for_what_the_marketplace_can_prove(market: Market) -> None:
    """The record of a top-up is ours: staff see that it is not in yet, the buyer is told before and after the same."""
    order = market.order(product_type="phone_topup")
    asked = market.refunds.check(order, reason="NOT_DELIVERED", actor=BUYER, at=market.at)[0]
    claimed = market.submit(order, reason="NOT_DELIVERED")

    assert (asked.needed, asked.proven_by_us) == ((), ("topup_record",))
    assert (claimed.missing_evidence, market.get(claimed.id, BUYER).missing_evidence) == ((), ())
    assert market.get(claimed.id, LI).missing_evidence == (("topup_record",),)
