"""Commands of the claim: ask before it, make it, withdraw it, appeal a rejection."""

from typing import Annotated

import typer

from refundflow.cli import answers, files, options
from refundflow.cli.call import READ, Call, command

app = typer.Typer()
PANEL = "Claims"


@command(app, "refundflow check A1001 --reason WRONG_FACE_VALUE --as buyer:b-17", takes=READ, panel=PANEL)
def check(call: Call, order: options.Order, reason: options.MaybeReason = None) -> None:
    """Ask before a claim: would it be accepted, what is needed, until when; for one reason or for each."""
    with call.connected() as refunds:
        answers.checks(call, refunds.check(order.order_id, line=order.line, reason=reason, **call.who))


@command(
    app,
    "refundflow submit A1001 --reason WRONG_FACE_VALUE --amount 5000 --evidence screenshot=card.png --as buyer:b-17",
    panel=PANEL,
)
def submit(
    call: Call,
    order: options.Order,
    reason: options.Reason,
    amount: options.MaybeAmount = None,
    note: Annotated[str | None, typer.Option(metavar="TEXT", help="What happened, in the buyer's words.")] = None,
    evidence: options.Evidence = None,
    returned: Annotated[
        str | None,
        typer.Option(metavar="ID", help="PAYOUT_RETURNED: the refund whose payment came back."),
    ] = None,
) -> None:
    """Claim a refund of an order line; the whole that is left on it if no amount is given."""
    attached = files.attachments(evidence)
    with call.connected() as refunds:
        answers.submitted(
            call,
            refunds.submit(
                order.order_id,
                line=order.line,
                reason=reason,
                amount=amount,
                note=note,
                evidence=attached,
                returned=returned,
                **call.by,
            ),
        )


@command(app, "refundflow withdraw A1001-1-1 --as buyer:b-17", panel=PANEL)
def withdraw(call: Call, refund: options.RefundId, message: options.Message = None) -> None:
    """Withdraw a claim that is not decided yet, or whose rejection can still be appealed."""
    with call.connected() as refunds:
        answers.moved(call, refunds.withdraw(refund, message=message, **call.by))


@command(
    app,
    'refundflow appeal A1001-1-1 --evidence platform_promise=chat.png --ground "The card was never opened." '
    "--as buyer:b-17",
    panel=PANEL,
)
def appeal(
    call: Call,
    refund: options.RefundId,
    evidence: options.Evidence = None,
    ground: Annotated[str | None, typer.Option(metavar="TEXT", help="Why the rejection is wrong.")] = None,
) -> None:
    """Appeal a rejection, with new evidence or an argument; another person decides it."""
    attached = files.attachments(evidence)
    with call.connected() as refunds:
        answers.moved(call, refunds.appeal(refund, evidence=attached, message=ground, **call.by))


@command(
    app, "refundflow provide-evidence A1001-1-1 --evidence activation_record=record.pdf --as buyer:b-17", panel=PANEL
)
def provide_evidence(
    call: Call,
    refund: options.RefundId,
    evidence: options.Evidence = None,
    everything: Annotated[bool, typer.Option("--all", help="This is all there is: go on with what is in.")] = False,
    message: options.Message = None,
) -> None:
    """Bring the evidence that was asked for."""
    attached = files.attachments(evidence)
    with call.connected() as refunds:
        answers.moved(
            call, refunds.provide_evidence(refund, evidence=attached, all=everything, message=message, **call.by)
        )


@command(app, "refundflow add-evidence A1001-1-1 --evidence screenshot=login.png --as buyer:b-17", panel=PANEL)
def add_evidence(
    call: Call,
    refund: options.RefundId,
    evidence: options.Evidence = None,
    audience: Annotated[
        str | None, typer.Option(metavar="WHO", help="internal, or buyer: the buyer may see it.")
    ] = None,
) -> None:
    """Add evidence that nobody asked for."""
    attached = files.attachments(evidence)
    with call.connected() as refunds:
        answers.moved(call, refunds.add_evidence(refund, evidence=attached, audience=audience, **call.by))


@command(app, "refundflow confirm-receipt A1001-1-1 --as buyer:b-17", panel=PANEL)
def confirm_receipt(call: Call, refund: options.RefundId) -> None:
    """Confirm that the money arrived."""
    with call.connected() as refunds:
        answers.moved(call, refunds.confirm_receipt(refund, **call.by))
