"""Commands of the negotiation: offer, counter-offer, accept, decline."""

from typing import Annotated

import typer

from refundflow.cli import answers, options
from refundflow.cli.call import Call, command

app = typer.Typer()
PANEL = "Offers"
Compensation = Annotated[
    int, typer.Option(metavar="MINOR", help="Voucher or balance on top, in minor units, outside the refund.")
]
Offer = Annotated[
    int | None, typer.Option("--offer", metavar="N", help="The offer meant; the one that stands if none is named.")
]


@command(app, 'refundflow offer A1001-1-1 --amount 3000 --message "Half is unused." --as agent:li', panel=PANEL)
def offer(
    call: Call,
    refund: options.RefundId,
    amount: options.Amount,
    compensation: Compensation = 0,
    message: options.Message = None,
) -> None:
    """Offer a part of the claim, a compensation, or both."""
    with call.connected() as refunds:
        answers.moved(call, refunds.offer(refund, amount=amount, compensation=compensation, message=message, **call.by))


@command(app, "refundflow counter-offer A1001-1-1 --amount 4000 --as buyer:b-17", panel=PANEL)
def counter_offer(
    call: Call, refund: options.RefundId, amount: options.Amount, message: options.Message = None
) -> None:
    """Answer the standing offer with another amount, once per round."""
    with call.connected() as refunds:
        answers.moved(call, refunds.counter_offer(refund, amount=amount, message=message, **call.by))


@command(app, "refundflow accept-offer A1001-1-1 --offer 1 --as buyer:b-17", panel=PANEL)
def accept_offer(call: Call, refund: options.RefundId, number: Offer = None, message: options.Message = None) -> None:
    """Accept the offer of the other side."""
    with call.connected() as refunds:
        answers.moved(call, refunds.accept_offer(refund, offer=number, message=message, **call.by))


@command(app, "refundflow decline-offer A1001-1-1 --as buyer:b-17", panel=PANEL)
def decline_offer(call: Call, refund: options.RefundId, number: Offer = None, message: options.Message = None) -> None:
    """Decline the offer of the other side; the review goes on."""
    with call.connected() as refunds:
        answers.moved(call, refunds.decline_offer(refund, offer=number, message=message, **call.by))
