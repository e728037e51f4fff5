"""Commands of entries that stand beside the chart: notes, flags, extensions."""

from typing import Annotated

import typer

from refundflow.cli import answers, options
from refundflow.cli.call import Call, command

app = typer.Typer()
PANEL = "Notes and flags"


@command(app, 'refundflow note A1001-1-1 --message "Called back." --contact phone --as agent:li', panel=PANEL)
def note(
    call: Call,
    refund: options.RefundId,
    message: options.NeededText,
    audience: Annotated[
        str, typer.Option(metavar="WHO", help="internal, or buyer: the buyer is sent it.")
    ] = "internal",
    contact: Annotated[
        str | None, typer.Option(metavar="HOW", help="A contact with the buyer: message, phone or chat.")
    ] = None,
) -> None:
    """Write a note, in any state."""
    with call.connected() as refunds:
        answers.moved(call, refunds.note(refund, message=message, audience=audience, contact=contact, **call.by))


@command(app, "refundflow flag-risk A1001-1-1 --flag SHARED_DEVICE --as agent:li", panel=PANEL)
def flag_risk(
    call: Call,
    refund: options.RefundId,
    flag: Annotated[str, typer.Option(metavar="CODE", help="The risk, as a code of your own.")],
    message: options.Message = None,
) -> None:
    """Flag a risk: assisted review stops, a person decides."""
    with call.connected() as refunds:
        answers.moved(call, refunds.flag_risk(refund, flag=flag, message=message, **call.by))


@command(
    app,
    'refundflow extend A1001-1-1 --deadline evidence --days 2 --message "Public holiday." --as supervisor:zhao',
    panel=PANEL,
)
def extend(
    call: Call,
    refund: options.RefundId,
    days: Annotated[int, typer.Option(metavar="N", help="Civil days more, at most those of the policy.")],
    deadline: Annotated[
        str | None, typer.Option(metavar="NAME", help="The deadline; the standing one if none is named.")
    ] = None,
    message: options.Why = None,
) -> None:
    """Give more time, once per standing deadline."""
    with call.connected() as refunds:
        answers.moved(call, refunds.extend(refund, days=days, deadline=deadline, message=message, **call.by))
