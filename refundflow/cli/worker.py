"""The command that does what the system owes: lapses, payouts, answers of channels."""

from typing import Annotated

import typer

from refundflow.cli import output
from refundflow.cli.call import Call, command
from refundflow.errors import BadInput
from refundflow.render import document

app = typer.Typer()


@command(app, "refundflow worker --once", takes=("at", "as_json"), panel="Running it")
def worker(
    call: Call,
    once: Annotated[bool, typer.Option("--once", help="One round over everything that is due, then end.")] = False,
) -> None:
    """Do what the system owes: apply what is due, send payouts, ask channels, tell what they answered."""
    if not once:
        raise BadInput("a worker that stays is not there yet: run `refundflow worker --once` by a timer", field="once")
    with call.connected() as refunds:
        done = refunds.work(at=call.at)
    if call.as_json:
        output.data(document(done))
    else:
        output.record([(name, value) for name, value in document(done).items() if value])
