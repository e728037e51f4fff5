"""Commands that read: list, show, line, queue, explain; a read moves nothing."""

from datetime import datetime
from typing import Annotated

import typer

from refundflow.cli import answers, options
from refundflow.cli.call import READ, Call, command

app = typer.Typer()
PANEL = "Reading"


@command(app, "refundflow list --state approved --as finance:chen", takes=READ, name="list", panel=PANEL)
def list_refunds(
    call: Call,
    order: Annotated[str | None, typer.Option(metavar="ORDER", help="Of this order only.")] = None,
    customer: Annotated[str | None, typer.Option("--buyer", metavar="ID", help="Of this buyer only.")] = None,
    payment: Annotated[str | None, typer.Option(metavar="NUMBER", help="Of this channel payment only.")] = None,
    state: Annotated[
        str | None, typer.Option(metavar="STATE", help="In this state or phase only, e.g. appealed or paying.")
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option(metavar="TIME", help="Submitted at or after, with its offset.", parser=options.read_time),
    ] = None,
    limit: Annotated[int, typer.Option(metavar="N", help="Rows of one page.", min=1, max=500)] = 50,
    after: Annotated[str | None, typer.Option(metavar="MARK", help="The next page: as the page before says.")] = None,
) -> None:
    """List refunds in the order of their submission, a page at a time."""
    with call.connected() as refunds:
        found = refunds.list(
            order=order,
            customer=customer,
            payment=payment,
            state=state,
            since=since,
            limit=limit,
            after=after,
            **call.who,
        )
        answers.page(call, found)


@command(app, "refundflow show A1001-1-1 --as agent:li", takes=READ, panel=PANEL)
def show(call: Call, refund: options.RefundId, as_of: options.AsOf = None, known_at: options.KnownAt = None) -> None:
    """Show one refund: state, why, until when, money, what can be done now; or as it was at a past moment."""
    with call.connected() as refunds:
        answers.refund(call, refunds.get(refund, as_of=as_of, known_at=known_at, **call.who))


@command(app, "refundflow line A1001 --as finance:chen", takes=READ, panel=PANEL)
def line(call: Call, order: options.Order, as_of: options.AsOf = None, known_at: options.KnownAt = None) -> None:
    """Show an order line with its ledger, now or as it was at a past moment."""
    with call.connected() as refunds:
        found = refunds.line(order.order_id, line=order.line, as_of=as_of, known_at=known_at, **call.who)
        answers.line(call, found)


@command(app, "refundflow queue --as agent:li", takes=READ, panel=PANEL)
def queue(
    call: Call,
    turn: Annotated[
        str | None, typer.Option(metavar="WHO", help="Whose move it is: agent, buyer, channel, finance or platform.")
    ] = None,
    mine: Annotated[bool, typer.Option("--mine", help="Only what is assigned to you.")] = False,
    limit: Annotated[int, typer.Option(metavar="N", help="Rows at most.", min=1, max=500)] = 50,
) -> None:
    """Show what is open and whose move it is, what is due first on top."""
    with call.connected() as refunds:
        answers.queue(call, refunds.queue(limit=limit, turn=turn, mine=mine, **call.who))


@command(app, "refundflow explain A1001-1-1 --as agent:li", takes=READ, panel=PANEL)
def explain(call: Call, refund: options.RefundId) -> None:
    """Say for every event whether it is possible now, and else which rule blocks it and until when."""
    with call.connected() as refunds:
        answers.explanation(call, refunds.explain(refund, **call.who))
