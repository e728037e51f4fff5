"""Commands of the outbox: what has not left the process yet, and dead letters."""

from typing import TYPE_CHECKING, Annotated

import typer

from refundflow.cli import options, output
from refundflow.cli.call import READ, WRITE, Call, command
from refundflow.render import document, stamp

if TYPE_CHECKING:
    from refundflow.values import PendingEffect

app = typer.Typer()
effects_app = typer.Typer(help="What must still leave the process: messages, tasks, payouts.", no_args_is_help=True)
app.add_typer(effects_app, name="effects", rich_help_panel="Running it")

Number = Annotated[int, typer.Argument(metavar="NUMBER", help="The effect, as `effects list` prints it.")]


@command(effects_app, "refundflow effects list --dead --as supervisor:zhao", name="list", takes=READ)
def list_effects(
    call: Call,
    dead: Annotated[bool, typer.Option("--dead", help="Only dead letters: given up after the last try.")] = False,
    limit: Annotated[int, typer.Option(metavar="N", help="At most so many.")] = 100,
) -> None:
    """List what has not left, oldest first."""
    with call.connected() as refunds:
        found = refunds.effects(actor=call.who["actor"], dead=dead or None, limit=limit)
        if call.as_json:
            output.data([document(item) for item in found])
            return
        output.table(
            ("effect", "refund", "kind", "code", "tries", "next try", "problem"),
            [
                (item.effect, item.refund, item.kind, item.code, item.tries, _next_try(call, item), item.problem)
                for item in found
            ],
        )


@command(effects_app, "refundflow effects show 17 --as supervisor:zhao", name="show", takes=READ)
def show_effect(call: Call, number: Number) -> None:
    """Show one effect that has not left."""
    with call.connected() as refunds:
        _print(call, refunds.effect(number, actor=call.who["actor"]))


@command(effects_app, "refundflow effects retry 17 --as supervisor:zhao", name="retry", takes=WRITE)
def retry_effect(call: Call, number: Number) -> None:
    """Let an effect be tried again now, dead or not."""
    with call.connected() as refunds:
        _print(call, refunds.retry_effect(number, actor=call.who["actor"], at=call.at))


@command(
    effects_app,
    'refundflow effects discard 17 --message "The mailbox is gone." --as supervisor:zhao',
    name="discard",
    takes=WRITE,
)
def discard_effect(call: Call, number: Number, message: options.NeededText) -> None:
    """Drop an effect for good; an entry of the refund says who and why."""
    with call.connected() as refunds:
        _print(call, refunds.discard_effect(number, message=message, actor=call.who["actor"], at=call.at))


def _print(call: Call, item: "PendingEffect") -> None:
    if call.as_json:
        output.data(document(item))
        return
    output.record(
        [
            ("effect", item.effect),
            ("refund", item.refund),
            ("what", f"{item.kind} {item.code}"),
            ("tries", item.tries),
            ("next try", _next_try(call, item)),
            ("problem", item.problem),
            *((name, value) for name, value in item.params.items()),
        ]
    )


def _next_try(call: Call, item: "PendingEffect") -> str:
    return stamp(item.next_try_at, call.zone) if item.next_try_at is not None else "given up"
