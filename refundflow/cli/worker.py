"""The command that does what the system owes: lapses, payouts, answers of channels."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from refundflow import config
from refundflow.cli import output
from refundflow.cli.call import Call, command
from refundflow.errors import BadInput
from refundflow.render import document
from states import codes

if TYPE_CHECKING:
    from refundflow.gateways import FakeChannel

app = typer.Typer()
BY_HAND = "bank_manual"


@command(app, "refundflow worker --once", takes=("at", "as_json"), panel="Running it")
def worker(
    call: Call,
    once: Annotated[bool, typer.Option("--once", help="One round over everything that is due, then end.")] = False,
) -> None:
    """Do what the system owes: apply what is due, send payouts, ask channels, tell what they answered.

    In a rehearsal database the fake channel plays every channel. In a live one it plays `fake` alone, and only where
    REFUNDFLOW_FAKE_CHANNEL names the file in which it keeps what it knows.
    """
    if not once:
        raise BadInput("a worker that stays is not there yet: run `refundflow worker --once` by a timer", field="once")
    with call.connected() as refunds:
        refunds.gateways = channels(rehearsal=refunds.rehearsal, settings=config.read())
        done = refunds.work(at=call.at)
    if call.as_json:
        output.data(document(done))
    else:
        output.record(
            [(name, value) for name, value in document(done).items() if value] or [("done", "nothing was due")]
        )


def channels(*, rehearsal: bool, settings: config.Config) -> "dict[str, FakeChannel]":
    """Return the channels that this process can reach, by name."""
    from refundflow.gateways import FakeChannel

    base = settings.fake_channel or (_beside(settings.database_url) if rehearsal else None)
    if base is None and not rehearsal:
        return {}
    names = [name for name in codes.CHANNELS if name != BY_HAND] if rehearsal else ["fake"]
    return {name: FakeChannel(name, path=base and base.with_name(f"{base.name}.{name}.json")) for name in names}


def _beside(url: str) -> Path | None:
    """Name the files of the fake channel after an SQLite file; beside PostgreSQL it forgets between rounds."""
    scheme, _, rest = url.partition(":///")
    return Path(f"{rest.partition('?')[0]}.channel") if scheme.startswith("sqlite") else None
