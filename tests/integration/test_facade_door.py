"""The door of the facade: whatever text comes in, the answer is a value or a typed error, and the chains hold."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from refundflow.errors import BadInput, RefundflowError
from tests.support.market import AMOUNT, BUYER, CHEN, LI, QIAN, SHOP, Market, a_file

HOSTILE = (
    "\x00", "a\x00b",
    "\ud800", "'; DROP TABLE refunds; --", "x" * 5_000, "  ", "\n\r\t", "张伟 13800138000", "%s%s", "-1",
    "\u202eabc", "{}", "a-b-c-d-1-1", "A1-1-99999999999999999999999",
)  # fmt: skip
NO_TEXT: tuple[Any, ...] = (None, 5, True, 1.5, b"x", ["x"], {"x": "y"}, object())
Call = Callable[[Market, str, Any], Any]
CALLS: dict[str, Call] = {
    "refund": lambda m, r, x: m.act(x, "begin_review", LI),
    "read": lambda m, r, x: m.get(x),
    "history": lambda m, r, x: m.history(x),
    "history of a line": lambda m, r, x: m.history(f"A1/{x}"),
    "order": lambda m, r, x: m.refunds.submit(x, reason="OTHER", actor=BUYER, at=m.at),
    "line": lambda m, r, x: m.refunds.submit("A1", line=x, reason="OTHER", actor=BUYER, at=m.at),
    "look at a line": lambda m, r, x: m.refunds.line("A1", line=x, actor=LI, at=m.at),
    "check": lambda m, r, x: m.refunds.check("A1", reason=x, actor=BUYER, at=m.at),
    "reason": lambda m, r, x: m.refunds.submit("A1", reason=x, actor=BUYER, at=m.at),
    "text": lambda m, r, x: m.act(r, "note", LI, message=x),
    "note": lambda m, r, x: m.submit("A1", note=x),
    "contact": lambda m, r, x: m.act(r, "note", LI, message="called", contact=x),
    "audience": lambda m, r, x: m.act(r, "note", LI, message="called", audience=x),
    "flag": lambda m, r, x: m.act(r, "flag_risk", LI, flag=x),
    "grounds": lambda m, r, x: m.act(r, "reject", LI, grounds=[x], message="no"),
    "kinds": lambda m, r, x: m.act(r, "request_evidence", LI, kinds=[x]),
    "kind of a file": lambda m, r, x: m.act(r, "add_evidence", BUYER, evidence=[a_file(x)]),
    "media type": lambda m, r, x: m.act(r, "add_evidence", BUYER, evidence=[a_file(media_type=x)]),
    "file name": lambda m, r, x: m.act(r, "add_evidence", BUYER, evidence=[a_file(filename=x)]),
    "key": lambda m, r, x: m.act(r, "note", LI, message="hello", key=x),
    "correlation": lambda m, r, x: m.act(r, "note", LI, message="hello", correlation=x),
    "agent": lambda m, r, x: m.act(r, "note", f"agent:{x}", message="hello"),
    "buyer": lambda m, r, x: m.get(r, f"buyer:{x}"),
    "buyer of a service": lambda m, r, x: m.refunds.get(r, actor=SHOP, buyer=x, at=m.at),
    "assignee": lambda m, r, x: m.act(r, "assign", CHEN, to=x),
    "offer": lambda m, r, x: m.act(r, "accept_offer", BUYER, offer=x),
    "deadline": lambda m, r, x: m.act(r, "extend", CHEN, days=1, deadline=x, message="longer"),
    "event": lambda m, r, x: m.act(r, "take_back", CHEN, event=x),
    "number": lambda m, r, x: m.act(r, "void_attempt", QIAN, number=x, proof="p"),
    "proof": lambda m, r, x: m.act(r, "payout_settled", QIAN, number="n", amount=AMOUNT, currency="CNY", proof=x),
    "currency": lambda m, r, x: m.act(r, "payout_settled", QIAN, number="n", amount=AMOUNT, currency=x, proof="p"),
    "channel": lambda m, r, x: m.act(r, "reroute_payout", QIAN, channel=x, message="other"),
    "answer": lambda m, r, x: m.act(r, "answer_enquiry", LI, answer=x),
    "usage": lambda m, r, x: m.refunds.record_usage("A1", usage=x, actor=SHOP, at=m.at),
    "chargeback": lambda m, r, x: m.refunds.chargeback_opened("A1", chargeback=x, amount=1, actor=QIAN, at=m.at),
    "resolution": lambda m, r, x: m.refunds.excess_resolved("A1", amount=1, how=x, proof="p", actor=QIAN, at=m.at),
    "person": lambda m, r, x: m.refunds.staff_add(x, roles=["agent"], actor=CHEN, at=m.at),
    "person to disable": lambda m, r, x: m.refunds.staff_disable(x, actor=CHEN, at=m.at),
    "roles": lambda m, r, x: m.refunds.staff_add("new", roles=[x], actor=CHEN, at=m.at),
    "list by order": lambda m, r, x: m.refunds.list(actor=LI, order=x, at=m.at),
    "list by customer": lambda m, r, x: m.refunds.list(actor=LI, customer=x, at=m.at),
    "list by payment": lambda m, r, x: m.refunds.list(actor=LI, payment=x, at=m.at),
    "list by state": lambda m, r, x: m.refunds.list(actor=LI, state=x, at=m.at),
    "list after": lambda m, r, x: m.refunds.list(actor=LI, after=x, at=m.at),
    "list after that": lambda m, r, x: m.refunds.list(actor=LI, after=f"{x},A1-1-1", at=m.at),
    "queue by turn": lambda m, r, x: m.refunds.queue(actor=LI, turn=x, at=m.at),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_hostile_text_is_answered_by_a_value_or_a_typed_error(market: Market, name: str) -> None:
    """No text makes a call fail otherwise, and what was recorded verifies."""
    refund = market.to("under_review.reviewing")
    for text in HOSTILE:
        with suppress(RefundflowError):
            CALLS[name](market, refund, text)

    market.require_sound()
    assert market.get(refund).id == refund


NUMBERS: dict[str, Callable[[Market, str, int], Any]] = {
    "claim": lambda m, r, n: m.submit("A1", amount=n),
    "offer": lambda m, r, n: m.act(r, "offer", LI, amount=n),
    "compensation": lambda m, r, n: m.act(r, "offer", CHEN, amount=1, compensation=n),
    "captured": lambda m, r, n: m.refunds.record_captured("A1", amount=n, actor=SHOP, at=m.at),
    "chargeback": lambda m, r, n: m.refunds.chargeback_opened("A1", chargeback="c", amount=n, actor=QIAN, at=m.at),
    "days": lambda m, r, n: m.act(r, "extend", CHEN, days=n, message="longer"),
    "page": lambda m, r, n: m.refunds.list(actor=LI, limit=n, at=m.at),
    "queue": lambda m, r, n: m.refunds.queue(actor=LI, limit=n, at=m.at),
}


@pytest.mark.parametrize("name", ["text", "note", "flag", "assignee"])
def test_what_is_no_text_is_answered_by_a_value_or_a_typed_error(market: Market, name: str) -> None:
    """Types are hints to Python: a caller may give anything."""
    refund = market.to("under_review.reviewing")
    for given in NO_TEXT:
        with suppress(RefundflowError):
            CALLS[name](market, refund, given)

    market.require_sound()


@pytest.mark.parametrize("name", NUMBERS)
def test_absurd_numbers_are_answered_by_a_value_or_a_typed_error(market: Market, name: str) -> None:
    """Zero, negative and enormous numbers fail in no other way, nor do booleans and fractions pass as amounts."""
    refund = market.to("under_review.reviewing")
    for number in (0, -1, 10**15, 2**63, 2**64, -(2**63), 10**40, True, 1.5):
        with suppress(RefundflowError):
            NUMBERS[name](market, refund, number)  # type: ignore[arg-type]

    market.require_sound()


@pytest.mark.parametrize("name", ["reason", "flag", "kinds", "grounds", "kind of a file", "contact", "currency"])
def test_words_about_a_person_are_no_codes(market: Market, name: str) -> None:
    """What stands in clear in an entry is a code: a sentence is bad input and is not written down."""
    refund = market.to("under_review.reviewing")
    with pytest.raises(BadInput):
        CALLS[name](market, refund, "张伟 13800138000")

    assert len(market.history(refund)) == 2


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("audience", "everyone"), ("audience", "Buyer"), ("contact", "pigeon"), ("text", " \n"), ("flag", ""),
        ("chargeback", ""), ("assignee", " "),
    ],
)  # fmt: skip
def test_what_would_be_kept_and_mean_nothing_is_bad_input(market: Market, name: str, text: str) -> None:
    """A note for an unknown audience would reach nobody, and a flag without a name could not be told from another."""
    refund = market.to("under_review.reviewing")
    line = market.line("A1").seq
    with pytest.raises(BadInput):
        CALLS[name](market, refund, text)

    assert (len(market.history(refund)), market.line("A1").seq) == (2, line)
