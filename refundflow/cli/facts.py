"""Commands of facts of an order line: usage, completion, capture, chargebacks, excess."""

from datetime import datetime
from typing import Annotated

import typer

from refundflow.cli import answers, options
from refundflow.cli.call import FACT, Call, command
from states import codes

app = typer.Typer()
PANEL = "Facts of an order line"
Chargeback = Annotated[str, typer.Option(metavar="ID", help="The channel's id of the chargeback.")]


@command(app, "refundflow record-usage A1001 --usage activated --as service:shop", takes=FACT, panel=PANEL)
def record_usage(
    call: Call,
    order: options.Order,
    usage: Annotated[str, typer.Option(metavar="CODE", help=f"One of {', '.join(codes.USAGES)}.")],
) -> None:
    """Record whether the goods are used."""
    with call.connected() as refunds:
        answers.line(call, refunds.record_usage(order.order_id, line=order.line, usage=usage, **call.told))


@command(
    app,
    "refundflow record-completed A1001 --completed-at 2026-11-20T09:00:00+08:00 --as service:shop",
    takes=FACT,
    panel=PANEL,
)
def record_completed(
    call: Call,
    order: options.Order,
    completed_at: Annotated[
        datetime, typer.Option(metavar="TIME", help="When, with its offset.", parser=options.read_time)
    ],
) -> None:
    """Record that the order was completed."""
    with call.connected() as refunds:
        done = refunds.record_completed(order.order_id, line=order.line, completed_at=completed_at, **call.told)
        answers.line(call, done)


@command(app, "refundflow record-captured A1001 --amount 10000 --as service:shop", takes=FACT, panel=PANEL)
def record_captured(call: Call, order: options.Order, amount: options.Amount) -> None:
    """Record how much was captured for the line."""
    with call.connected() as refunds:
        answers.line(call, refunds.record_captured(order.order_id, line=order.line, amount=amount, **call.told))


@command(
    app,
    "refundflow chargeback-opened A1001 --chargeback CB-1 --amount 10000 --as finance:chen",
    takes=FACT,
    panel=PANEL,
)
def chargeback_opened(call: Call, order: options.Order, chargeback: Chargeback, amount: options.Amount) -> None:
    """Record that the channel opened a chargeback; approval and payout are blocked while it is open."""
    with call.connected() as refunds:
        done = refunds.chargeback_opened(
            order.order_id, line=order.line, chargeback=chargeback, amount=amount, **call.told
        )
        answers.line(call, done)


@command(
    app,
    "refundflow chargeback-closed A1001 --chargeback CB-1 --amount 10000 --outcome won --as finance:chen",
    takes=FACT,
    panel=PANEL,
)
def chargeback_closed(
    call: Call,
    order: options.Order,
    chargeback: Chargeback,
    amount: options.Amount,
    outcome: Annotated[str, typer.Option(metavar="HOW", help="won or lost, seen from the marketplace.")],
) -> None:
    """Record how a chargeback ended; a lost one stays counted."""
    with call.connected() as refunds:
        done = refunds.chargeback_closed(
            order.order_id, line=order.line, chargeback=chargeback, amount=amount, outcome=outcome, **call.told
        )
        answers.line(call, done)


@command(
    app,
    "refundflow excess-resolved A1001 --amount 5000 --how returned --proof BANK-12 --as finance:chen",
    takes=FACT,
    panel=PANEL,
)
def excess_resolved(
    call: Call,
    order: options.Order,
    amount: options.Amount,
    how: Annotated[str, typer.Option(metavar="HOW", help="returned (by the buyer) or written_off.")],
    proof: options.Proof = None,
) -> None:
    """Record how money that was paid too much was resolved; two persons of finance are needed."""
    with call.connected() as refunds:
        done = refunds.excess_resolved(
            order.order_id, line=order.line, amount=amount, how=how, proof=proof, **call.told
        )
        answers.line(call, done)
