"""Commands of the payout: proofs, retries, other ways to pay, enquiries about money that did not arrive."""

from datetime import datetime
from typing import Annotated

import typer

from refundflow.cli import answers, options
from refundflow.cli.call import Call, command
from states import codes

app = typer.Typer()
PANEL = "Payout"
AttemptAmount = Annotated[int, typer.Option("--amount", metavar="MINOR", help="The amount that the proof names.")]
MaybeNumber = Annotated[str | None, typer.Option("--number", metavar="NUMBER", help="Our number of the payout.")]
OccurredAt = Annotated[
    datetime | None,
    typer.Option(
        "--occurred-at", metavar="TIME", help="When it happened outside, with its offset.", parser=options.read_time
    ),
]


@command(app, "refundflow dispatch-payout A1001-1-1 --as finance:chen", panel=PANEL)
def dispatch_payout(call: Call, refund: options.RefundId) -> None:
    """Commit the next payout: the system's own act, see `worker`; anybody else is told so."""
    with call.connected() as refunds:
        answers.moved(call, refunds.dispatch_payout(refund, **call.by))


@command(
    app,
    "refundflow payout-settled A1001-1-1 --number A1001-1-1-p1 --amount 5000 --currency CNY --proof BANK-77 "
    "--as finance:chen",
    panel=PANEL,
)
def payout_settled(
    call: Call,
    refund: options.RefundId,
    number: options.Number,
    amount: AttemptAmount,
    currency: options.Currency,
    proof: options.Proof = None,
    occurred_at: OccurredAt = None,
) -> None:
    """Record the proof that a payout arrived; two persons of finance are needed."""
    with call.connected() as refunds:
        done = refunds.payout_settled(
            refund, number=number, amount=amount, currency=currency, proof=proof, occurred_at=occurred_at, **call.by
        )
        answers.moved(call, done)


@command(
    app, "refundflow payout-refused A1001-1-1 --number A1001-1-1-p1 --proof CH-9 --void --as finance:chen", panel=PANEL
)
def payout_refused(
    call: Call,
    refund: options.RefundId,
    number: MaybeNumber = None,
    proof: options.Proof = None,
    void: Annotated[bool, typer.Option("--void", help="The channel says that the number will never pay.")] = False,
    rule: Annotated[
        str | None, typer.Option(metavar="CODE", help="Nothing was sent: the channel's rule that time does not lift.")
    ] = None,
) -> None:
    """Record a definite failure of a payout with its proof."""
    with call.connected() as refunds:
        answers.moved(call, refunds.payout_refused(refund, number=number, proof=proof, void=void, rule=rule, **call.by))


@command(app, "refundflow retry-payout A1001-1-1 --as finance:chen", panel=PANEL)
def retry_payout(call: Call, refund: options.RefundId) -> None:
    """Try a failed payout again with the same number."""
    with call.connected() as refunds:
        answers.moved(call, refunds.retry_payout(refund, **call.by))


@command(
    app,
    'refundflow reroute-payout A1001-1-1 --channel balance --message "Account closed." --as finance:chen',
    panel=PANEL,
)
def reroute_payout(call: Call, refund: options.RefundId, channel: options.Channel, message: options.Why = None) -> None:
    """Pay by another channel once every earlier number is void; two persons of finance are needed."""
    with call.connected() as refunds:
        answers.moved(call, refunds.reroute_payout(refund, channel=channel, message=message, **call.by))


@command(app, "refundflow pay-manually A1001-1-1 --as finance:chen", panel=PANEL)
def pay_manually(call: Call, refund: options.RefundId, message: options.Why = None) -> None:
    """Open a bank transfer by hand before it is made; two persons of finance are needed."""
    with call.connected() as refunds:
        answers.moved(call, refunds.pay_manually(refund, message=message, **call.by))


@command(
    app,
    "refundflow payout-reversed A1001-1-1 --number A1001-1-1-p1 --amount 5000 --currency CNY --proof BOUNCE-3 "
    "--as finance:chen",
    panel=PANEL,
)
def payout_reversed(
    call: Call,
    refund: options.RefundId,
    number: options.Number,
    amount: AttemptAmount,
    currency: options.Currency,
    proof: options.Proof = None,
    occurred_at: OccurredAt = None,
) -> None:
    """Record the proof that a payment came back."""
    with call.connected() as refunds:
        done = refunds.payout_reversed(
            refund, number=number, amount=amount, currency=currency, proof=proof, occurred_at=occurred_at, **call.by
        )
        answers.moved(call, done)


@command(
    app,
    "refundflow late-reversal A1001-1-1 --number A1001-1-1-p1 --amount 5000 --currency CNY --proof BOUNCE-3 "
    "--as finance:chen",
    panel=PANEL,
)
def late_reversal(
    call: Call,
    refund: options.RefundId,
    number: options.Number,
    amount: AttemptAmount,
    currency: options.Currency,
    proof: options.Proof = None,
    occurred_at: OccurredAt = None,
) -> None:
    """Record the proof that a payment came back after the case had ended."""
    with call.connected() as refunds:
        done = refunds.late_reversal(
            refund, number=number, amount=amount, currency=currency, proof=proof, occurred_at=occurred_at, **call.by
        )
        answers.moved(call, done)


@command(app, "refundflow void-attempt A1001-1-1 --number A1001-1-1-p1 --proof CH-10 --as finance:chen", panel=PANEL)
def void_attempt(call: Call, refund: options.RefundId, number: options.Number, proof: options.Proof = None) -> None:
    """Record that the channel says a number will never pay."""
    with call.connected() as refunds:
        answers.moved(call, refunds.void_attempt(refund, number=number, proof=proof, **call.by))


@command(app, 'refundflow raise-enquiry A1001-1-1 --message "Nothing on my card." --as buyer:b-17', panel=PANEL)
def raise_enquiry(call: Call, refund: options.RefundId, message: options.Message = None) -> None:
    """Ask where the money is, once the promised time is over or it did not arrive."""
    with call.connected() as refunds:
        answers.moved(call, refunds.raise_enquiry(refund, message=message, **call.by))


@command(app, "refundflow answer-enquiry A1001-1-1 --answer CHANNEL_PROCESSING --as agent:li", panel=PANEL)
def answer_enquiry(
    call: Call,
    refund: options.RefundId,
    answer: Annotated[str, typer.Option(metavar="CODE", help=f"One of {', '.join(codes.ANSWERS)}.")],
    number: MaybeNumber = None,
    arrived_at: Annotated[
        datetime | None,
        typer.Option(metavar="TIME", help="ARRIVED_PER_CHANNEL: when, with its offset.", parser=options.read_time),
    ] = None,
    message: options.Message = None,
) -> None:
    """Answer the open enquiry by a code."""
    with call.connected() as refunds:
        done = refunds.answer_enquiry(
            refund, answer=answer, number=number, arrived_at=arrived_at, message=message, **call.by
        )
        answers.moved(call, done)
