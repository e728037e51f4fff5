"""The command that writes a refund as one page."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from refundflow.cli import options, output
from refundflow.cli.call import READ, Call, command
from refundflow.render import document

app = typer.Typer()


@command(app, "refundflow audit dossier A1001-1-1 --output A1001-1-1.html --as auditor:sun", takes=READ)
def dossier(
    call: Call,
    refund: options.RefundId,
    path: Annotated[Path, typer.Option("--output", "-o", metavar="PATH", help="The page to write.")],
    lang: Annotated[Literal["en", "zh"], typer.Option(help="The language of the page.")] = "en",
) -> None:
    """Write everything about one refund on one page to read and to print, as whoever asks may see it."""
    from refundflow.dossier import write_dossier

    with call.connected() as refunds:
        written = write_dossier(refunds, refund, output=str(path), language=lang, **call.who)
    if call.as_json:
        output.data(document(written))
    else:
        output.talk(f"{written.refund}: {written.entries} entries written to {path}")
