"""The commands of running it: the worker, which does what the system owes, and its numbers."""

import shlex
from contextlib import nullcontext
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
    from refundflow.outbox import Receiver
    from refundflow.values import Delivered, Work

app = typer.Typer()
BY_HAND = "bank_manual"


@command(app, "refundflow worker --deliver-file out.jsonl", takes=("actor", "at", "as_json"), panel="Running it")
def worker(
    call: Call,
    once: Annotated[bool, typer.Option("--once", help="One round over everything that is due, then end.")] = False,
    deliver_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Append each effect to this file, a line of JSON each.")
    ] = None,
    deliver_command: Annotated[
        str | None, typer.Option(metavar="COMMAND", help="Run this for each effect, its JSON on standard input.")
    ] = None,
    metrics_port: Annotated[
        int | None,
        typer.Option(metavar="PORT", min=0, max=65535, help="Serve metrics for Prometheus here; 0: any free port."),
    ] = None,
) -> None:
    """Do what the system owes: apply what is due, warn, send payouts, ask channels, deliver effects.

    Without --once it goes on until SIGTERM or Ctrl-C, which let the running batch end. Any number of workers, on any
    number of hosts, share the work; what a dead one left is done by the others. In a rehearsal database the fake
    channel plays every channel. In a live one it plays `fake` alone, and only where REFUNDFLOW_FAKE_CHANNEL names
    the file in which it keeps what it knows.
    """
    receiver = _receiver(deliver_file, deliver_command)
    with call.connected() as refunds:
        refunds.gateways = channels(rehearsal=refunds.rehearsal, settings=config.read())
        from refundflow.worker import Worker, run_until_signalled, settle

        settle()
        if once:
            _say(call, refunds.work(at=call.at), refunds.deliver(receiver, at=call.at) if receiver else None)
            return
        if refunds.rehearsal:
            raise BadInput(
                "in a rehearsal time is what you say: run `refundflow worker --once --at TIME`", field="once"
            )
        from refundflow.metrics import served

        keeper = Worker(refunds, receiver=receiver, report=lambda done, sent: _say_done(call, done, sent))
        with nullcontext() if metrics_port is None else served(refunds, metrics_port) as port:
            if port is not None:
                output.talk(f"metrics at http://localhost:{port}/metrics")
            output.talk("working; SIGTERM or Ctrl-C ends after the running batch")
            run_until_signalled(keeper)
        output.talk("ended")


@command(app, "refundflow metrics", takes=(), panel="Running it")
def metrics(call: Call) -> None:
    """Count what is new and print all metrics as Prometheus reads them."""
    from refundflow import metrics as exposition

    with call.connected() as refunds:
        refunds.count()
        output.text(exposition.text(refunds))


def _receiver(path: Path | None, command_line: str | None) -> "Receiver | None":
    from refundflow.outbox import CommandReceiver, FileReceiver

    if path is not None and command_line is not None:
        raise BadInput("deliver to a file or to a command, not to both", field="deliver_file")
    if path is not None:
        return FileReceiver(path)
    return CommandReceiver(shlex.split(command_line)) if command_line else None


def _say_done(call: Call, done: "Work", delivered: "Delivered | None") -> None:
    if done or delivered:
        _say(call, done, delivered)


def _say(call: Call, done: "Work", delivered: "Delivered | None") -> None:
    said = {**document(done), **(document(delivered) if delivered is not None else {})}
    if call.as_json:
        output.data(said)
    else:
        output.record([(name, value) for name, value in said.items() if value] or [("done", "nothing was due")])
    if delivered is not None and delivered.failed:
        output.talk(f"not taken: {delivered.failed}, see refundflow effects list")


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
