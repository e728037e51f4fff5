"""Commands that bring orders in: a file row by row, good rows beside bad ones."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from refundflow.cli import output
from refundflow.cli.call import Call, command
from refundflow.cli.progress import Counter, counting
from refundflow.errors import BadInput

if TYPE_CHECKING:
    from refundflow.orders import OrderRow, RejectedRow
    from refundflow.service import Refunds

app = typer.Typer()
orders_app = typer.Typer(help="Bring orders in.", no_args_is_help=True)
app.add_typer(orders_app, name="orders", rich_help_panel="Running it")


@command(
    orders_app, "refundflow orders import orders.csv --as service:shop", name="import", takes=("actor", "at", "as_json")
)
def import_orders(
    call: Call,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV with a header, or JSON Lines.")],
    rejects: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Where bad rows go; FILE.rejects.csv if not given.")
    ] = None,
) -> None:
    """Register every order line of a file; the same file again changes nothing.

    Bad rows go to the rejects file with their line and reason, good ones stay. The count is printed.
    Changed usage, capture or completion is told as a fact of the order line.
    """
    from refundflow import orders

    target = rejects or file.parent / f"{file.name}.rejects.csv"
    if target.absolute() == file.absolute():
        raise BadInput(f"{file}: the bad rows would replace the file itself", field="rejects")
    counts = {"registered": 0, "changed": 0, "unchanged": 0}
    rejected = 0
    try:
        with call.connected() as refunds, counting("importing rows") as progress:
            rejected = orders.write_rejects(target, _register(call, refunds, file, counts, progress))
    finally:
        if not rejected:
            target.unlink(missing_ok=True)
    _summarise(call, {**counts, "rejected": rejected}, target)


def _register(
    call: Call, refunds: "Refunds", file: Path, counts: dict[str, int], progress: Counter
) -> "Iterator[RejectedRow]":
    """Register good rows as they come, count them, and pass the bad ones on."""
    from refundflow import orders

    actor, at = call.who["actor"], call.at
    for row in orders.read(file):
        progress(1)
        if isinstance(row, orders.RejectedRow):
            yield row
            continue
        try:
            line = refunds.register_order(row, actor=actor, at=at)
        except BadInput as error:
            yield orders.RejectedRow(line_number=row.line_number, reason=error.message, raw=_place(row))
            continue
        counts["unchanged" if not line.changed else "registered" if line.seq == 1 else "changed"] += 1


def _place(row: "OrderRow") -> str:
    return f"{row.order_id}/{row.line}"


def _summarise(call: Call, counts: dict[str, int], rejects: Path) -> None:
    rejected = counts["rejected"]
    if call.as_json:
        output.data({**counts, "rejects": str(rejects) if rejected else None})
    else:
        output.record(counts.items())
    if rejected:
        output.talk(f"rejected rows: {rejected}, see {rejects}")
