"""The contract that every gateway passes; a new gateway adds its maker to `GATEWAYS`."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from refundflow.gateways import FakeChannel, Gateway, PayoutOrder
from states.codes import CHANNELS

NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
MakeGateway = Callable[[Path], Gateway]
GATEWAYS: dict[str, MakeGateway] = {
    "fake in memory": lambda folder: FakeChannel(),
    "fake in a file": lambda folder: FakeChannel(path=folder / "channel.json"),
}


@pytest.fixture(params=GATEWAYS, ids=lambda name: name.replace(" ", "-"))
def gateway(request: pytest.FixtureRequest, tmp_path: Path) -> Gateway:
    """Give each gateway in turn, in a state in which it pays what it is asked."""
    return GATEWAYS[request.param](tmp_path)


def order(**changes: object) -> PayoutOrder:
    """Make a payout order that any channel would take."""
    usual = PayoutOrder(
        number="RF20260302a1", payment_no="pay-1", amount=1990, currency="CNY", refund="A1-1-1", at=NOON
    )
    return replace(usual, **changes)  # type: ignore[arg-type]


def test_a_gateway_is_one_of_the_known_channels(gateway: Gateway) -> None:
    """A gateway has the port's calls and the name of a channel of the workflow."""
    assert isinstance(gateway, Gateway)
    assert gateway.name in CHANNELS


def test_a_payment_has_a_proof(gateway: Gateway) -> None:
    """A settled answer names number, amount, currency, the channel's own id and when it was paid."""
    outcome = gateway.send(order())

    assert (outcome.kind, outcome.number) == ("settled", "RF20260302a1")
    assert (outcome.amount, outcome.currency) == (1990, "CNY")
    assert outcome.reference
    assert outcome.occurred_at == NOON
    assert not outcome.void


def test_the_same_number_and_parameters_give_the_first_answer(gateway: Gateway) -> None:
    """Sending a number again later, with the same parameters, answers what the first call answered."""
    first = gateway.send(order())

    assert gateway.send(order(at=NOON + timedelta(days=3))) == first


@pytest.mark.parametrize("change", [{"amount": 1}, {"currency": "USD"}, {"payment_no": "pay-2"}])
def test_the_same_number_with_other_parameters_is_refused(gateway: Gateway, change: dict[str, object]) -> None:
    """A number is bound to payment, amount and currency: other ones are refused, and the first stands."""
    first = gateway.send(order())

    refused = gateway.send(order(**change))

    assert (refused.kind, refused.void) == ("refused", False)
    assert refused.number == "RF20260302a1"
    assert refused.reference
    assert refused.reason
    assert gateway.query(order()) == first


def test_a_query_tells_what_was_sent(gateway: Gateway) -> None:
    """A query after the payment gives the same proof, at any later time."""
    sent = gateway.send(order())

    assert gateway.query(order(at=NOON + timedelta(hours=5))) == sent


def test_a_number_never_sent_is_refused_and_not_void(gateway: Gateway) -> None:
    """The channel does not know the number: nothing moved, and it may still be sent."""
    asked = gateway.query(order())

    assert (asked.kind, asked.void) == ("refused", False)
    assert gateway.send(order()).kind == "settled"


def test_two_numbers_on_one_payment_are_two_payouts(gateway: Gateway) -> None:
    """Partial refunds of one payment have their own numbers and proofs."""
    first, second = gateway.send(order()), gateway.send(order(number="RF20260302a2"))

    assert second.kind == "settled"
    assert first.reference != second.reference


def test_what_is_told_is_told_until_it_is_acknowledged(gateway: Gateway) -> None:
    """A notification names the payment as its proof does, and comes again until it is acknowledged."""
    sent = gateway.send(order())

    (told,) = gateway.notifications(NOON)
    assert (told.kind, told.number, told.amount, told.currency) == ("settled", "RF20260302a1", 1990, "CNY")
    assert told.reference == sent.reference
    assert list(gateway.notifications(NOON)) == [told]
    gateway.acknowledge(told)
    gateway.acknowledge(told)
    assert list(gateway.notifications(NOON + timedelta(days=1))) == []
