"""The export of the log: formats, filters, a progress bar, and a manifest that binds what was written."""

import gc
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

import typer

from refundflow import config
from refundflow.cli import options, output
from refundflow.cli.call import READ, Call, command
from refundflow.cli.options import read_time
from refundflow.cli.progress import counting, progress_bar
from refundflow.errors import BadInput

app = typer.Typer()
REFUNDS = "Refunds, each with its whole chain and that of its order line"
ENTRIES = "Entries"
_EXAMPLE = "refundflow audit export --format jsonl --output entries.jsonl --as auditor:sun"


class Form(StrEnum):
    """The forms of a file."""

    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"
    XES = "xes"
    OCEL = "ocel"


Forms = Annotated[
    list[Form],
    typer.Option("--format", help="The form of the file; may be repeated for a folder."),
]
Target = Annotated[
    str, typer.Option("--output", "-o", metavar="PATH", help="The file to write; a folder where it ends with a slash.")
]
From = Annotated[
    datetime | None,
    typer.Option("--from", metavar="TIME", help="Recorded then or later.", parser=read_time, rich_help_panel=ENTRIES),
]
To = Annotated[
    datetime | None,
    typer.Option("--to", metavar="TIME", help="Recorded before.", parser=read_time, rich_help_panel=ENTRIES),
]
Since = Annotated[
    int | None,
    typer.Option(
        "--since-size",
        metavar="N",
        min=0,
        help="Behind the first N of the log, e.g. the size of an earlier checkpoint.",
        rich_help_panel=ENTRIES,
    ),
]
States = Annotated[
    list[str] | None,
    typer.Option("--state", metavar="STATE", help="In this state or phase; may be repeated.", rich_help_panel=REFUNDS),
]
Products = Annotated[
    list[str] | None,
    typer.Option("--product", metavar="TYPE", help="Of this product type; may be repeated.", rich_help_panel=REFUNDS),
]
Agents = Annotated[
    list[str] | None,
    typer.Option(
        "--agent", metavar="NAME", help="On which this person acted; may be repeated.", rich_help_panel=REFUNDS
    ),
]
Least = Annotated[
    int | None,
    typer.Option("--min-amount", metavar="MINOR", help="Claimed at least, in minor units.", rich_help_panel=REFUNDS),
]
Most = Annotated[
    int | None,
    typer.Option("--max-amount", metavar="MINOR", help="Claimed at most, in minor units.", rich_help_panel=REFUNDS),
]
Named = Annotated[
    list[str] | None,
    typer.Option("--refund", metavar="ID", help="This refund; may be repeated.", rich_help_panel=REFUNDS),
]


@command(app, _EXAMPLE, takes=READ)
def export(
    call: Call,
    forms: Forms,
    path: Target,
    recorded_from: From = None,
    recorded_to: To = None,
    since_size: Since = None,
    states: States = None,
    products: Products = None,
    agents: Agents = None,
    min_amount: Least = None,
    max_amount: Most = None,
    refunds: Named = None,
    as_of: options.AsOf = None,
    known_at: options.KnownAt = None,
) -> None:
    """Export every entry of every chain, or what filters choose, in constant memory, with a manifest.

    Interrupted, the same command goes on where it stood. No file has its name before all are whole. A folder also
    gets entries.jsonl, which carries the proof, and the chart as a Petri net. With --as-of: every refund and ledger
    as they were, one row each, as CSV or JSON Lines.
    """
    from refundflow.values import ExportFilters

    filters = ExportFilters(
        recorded_from=recorded_from,
        recorded_to=recorded_to,
        since_size=since_size,
        states=tuple(states or ()),
        products=tuple(products or ()),
        agents=tuple(agents or ()),
        min_amount=min_amount,
        max_amount=max_amount,
        refunds=tuple(refunds or ()),
    )
    if as_of is not None or known_at is not None:
        if filters != ExportFilters():
            raise BadInput("--as-of and --known-at take no filters: every line and refund is told", field="as_of")
        _export_as_of(call, forms, path, as_of, known_at)
        return
    gc.freeze()  # what is loaded stays: the collector need not walk through it again and again
    with call.connected() as opened, progress_bar("exporting entries") as progress:
        done = opened.export(format=forms, output=path, filters=filters, progress=progress, **call.who)
    if call.as_json:
        output.data(
            {
                "entries": done.entries,
                "format": forms[0] if len(forms) == 1 else list(forms),
                "output": path,
                "files": list(done.files),
                "manifest": done.manifest,
                "size": done.size,
                "signed": done.signed,
                "resumed": done.resumed,
            }
        )
        return
    output.talk(f"{done.entries} entries written to {path}, bound by {done.manifest}")
    if not done.signed:
        output.talk(f"the manifest is not signed: {config.SIGNING_KEY} names no key here")


def _export_as_of(
    call: Call, forms: Sequence[Form], path: str, as_of: datetime | None, known_at: datetime | None
) -> None:
    if forms not in ([Form.CSV], [Form.JSONL]):
        raise BadInput("--as-of: one format, csv or jsonl", field="format")
    form: Literal["csv", "jsonl"] = "csv" if forms[0] is Form.CSV else "jsonl"
    with call.connected() as refunds, counting("reading entries") as progress:
        rows = refunds.export_as_of(
            format=form, output=path, as_of=as_of, known_at=known_at, progress=progress, **call.who
        )
    if call.as_json:
        output.data({"rows": rows, "format": form, "output": path})
    else:
        output.talk(f"{rows} lines and refunds written to {path}")
