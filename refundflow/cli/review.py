"""Commands of the review and of the appeal: begin, ask for evidence, decide."""

from typing import Annotated

import typer

from refundflow.cli import answers, options
from refundflow.cli.call import Call, command

app = typer.Typer()
PANEL = "Review"


@command(app, "refundflow begin-review A1001-1-1 --as agent:li", panel=PANEL)
def begin_review(call: Call, refund: options.RefundId, message: options.Message = None) -> None:
    """Begin the review of a claim."""
    with call.connected() as refunds:
        answers.moved(call, refunds.begin_review(refund, message=message, **call.by))


@command(
    app,
    'refundflow request-evidence A1001-1-1 --kind activation_record --message "Please send it." --as agent:li',
    panel=PANEL,
)
def request_evidence(
    call: Call, refund: options.RefundId, kind: options.Kinds = None, message: options.Message = None
) -> None:
    """Ask the buyer for evidence; the review stands still until it is in."""
    with call.connected() as refunds:
        answers.moved(call, refunds.request_evidence(refund, kinds=kind or [], message=message, **call.by))


@command(app, 'refundflow end-request A1001-1-1 --message "Not needed any more." --as agent:li', panel=PANEL)
def end_request(call: Call, refund: options.RefundId, message: options.Why = None) -> None:
    """End a request for evidence and go on with what is in."""
    with call.connected() as refunds:
        answers.moved(call, refunds.end_request(refund, message=message, **call.by))


@command(app, "refundflow approve A1001-1-1 --as agent:li", panel=PANEL)
def approve(call: Call, refund: options.RefundId, message: options.Message = None) -> None:
    """Approve the claim as it stands; above the limit of the policy two persons are needed."""
    with call.connected() as refunds:
        answers.moved(call, refunds.approve(refund, message=message, **call.by))


@command(
    app,
    'refundflow reject A1001-1-1 --ground DELIVERY_PROVEN --message "The card was used." --as agent:li',
    panel=PANEL,
)
def reject(
    call: Call, refund: options.RefundId, ground: options.Grounds = None, message: options.Message = None
) -> None:
    """Reject the claim, with grounds and a text that the buyer can read."""
    with call.connected() as refunds:
        answers.moved(call, refunds.reject(refund, grounds=ground or [], message=message, **call.by))


@command(app, "refundflow uphold A1001-1-1 --ground NO_NEW_GROUND --as agent:wang", panel=PANEL)
def uphold(
    call: Call, refund: options.RefundId, ground: options.Grounds = None, message: options.Message = None
) -> None:
    """Uphold the rejection in an appeal; the case ends."""
    with call.connected() as refunds:
        answers.moved(call, refunds.uphold(refund, grounds=ground or [], message=message, **call.by))


@command(
    app, 'refundflow overturn A1001-1-1 --message "The promise in the chat binds us." --as agent:wang', panel=PANEL
)
def overturn(call: Call, refund: options.RefundId, message: options.Why = None) -> None:
    """Overturn the rejection in an appeal and approve; a stated ground lifts what eligibility blocks."""
    with call.connected() as refunds:
        answers.moved(call, refunds.overturn(refund, message=message, **call.by))


@command(app, 'refundflow revoke-approval A1001-1-1 --message "Wrong line." --as supervisor:zhao', panel=PANEL)
def revoke_approval(call: Call, refund: options.RefundId, message: options.Why = None) -> None:
    """Take an approval back while no money can have left."""
    with call.connected() as refunds:
        answers.moved(call, refunds.revoke_approval(refund, message=message, **call.by))


@command(app, "refundflow assign A1001-1-1 --to wang --as supervisor:zhao", panel=PANEL)
def assign(
    call: Call,
    refund: options.RefundId,
    to: Annotated[str, typer.Option(metavar="NAME", help="The registered agent or supervisor who should do it.")],
) -> None:
    """Route the work to a person; nothing is locked."""
    with call.connected() as refunds:
        answers.moved(call, refunds.assign(refund, to=to, **call.by))


@command(app, "refundflow take-back A1001-1-1 --event approve --as agent:li", panel=PANEL)
def take_back(
    call: Call,
    refund: options.RefundId,
    event: Annotated[str, typer.Option(metavar="EVENT", help="The event you were the first of two for.")],
) -> None:
    """Take back your call as the first of two persons."""
    with call.connected() as refunds:
        answers.moved(call, refunds.take_back(refund, event=event.replace("-", "_"), **call.by))
