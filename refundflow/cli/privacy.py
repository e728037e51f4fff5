"""Commands for what a person may ask: what do you keep of me, and forget me."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from refundflow.cli import output
from refundflow.cli.call import Call, command
from refundflow.cli.progress import counting
from refundflow.errors import BadInput
from refundflow.render import document

app = typer.Typer()
privacy_app = typer.Typer(help="Show or erase what is kept of one buyer.", no_args_is_help=True)
app.add_typer(privacy_app, name="privacy", rich_help_panel="Running it")
Buyer = Annotated[str, typer.Argument(metavar="BUYER", help="The buyer's id, as the orders name it.")]
TAKES = ("actor", "at", "as_json")


@command(privacy_app, "refundflow privacy show mei --output mei.json --as supervisor:zhao", takes=TAKES)
def show(
    call: Call,
    buyer: Buyer,
    path: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="PATH", help="Write everything to a JSON file.")
    ] = None,
) -> None:
    """Show all that is kept of one buyer: orders, refunds, texts, and files by name and hash."""
    actor = call.who["actor"]
    with call.connected() as refunds:
        found = refunds.privacy_show(buyer, actor=actor, at=call.at)
    if path is not None:
        from refundflow.export import whole_file

        with whole_file(str(path), private=True) as file:
            file.write(json.dumps(document(found), ensure_ascii=False, indent=2).encode() + b"\n")
    if call.as_json:
        output.data(document(found))
        return
    output.record([
        ("buyer", found.buyer_id), ("orders", len(found.orders)), ("refunds", len(found.refunds)),
        ("texts", len(found.texts)), ("files", len(found.files)),
    ])  # fmt: skip
    if path is not None:
        output.talk(f"written to {path}")
        return
    output.table(("entry", "what", "text"), [(f"{t.subject}#{t.seq}", t.field, t.text) for t in found.texts])
    output.table(
        ("refund", "file", "name", "bytes", "sha256"),
        [(item.refund, f"{item.file} {item.kind}", item.name, item.size, item.sha256) for item in found.files],
    )


@command(
    privacy_app, 'refundflow privacy erase mei --reason "request 2026-118" --yes --as supervisor:zhao', takes=TAKES
)
def erase(
    call: Call,
    buyer: Buyer,
    reason: Annotated[
        str, typer.Option(metavar="TEXT", help="Why, e.g. the number of the request; it stays for ever, name nobody.")
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether to go on.")] = False,
) -> None:
    """Destroy the key of a buyer's data: nothing of it can be read any more, everything still verifies.

    Refused while a refund of his is not at its end or a chargeback is open. There is no way back.
    """
    actor = call.who["actor"]
    if not yes:
        _ask(buyer)
    with call.connected() as refunds, counting("erasing order lines") as progress:
        done = refunds.privacy_erase(buyer, reason=reason, actor=actor, at=call.at, progress=progress)
    if call.as_json:
        output.data(document(done))
        return
    output.record([
        ("buyer", done.buyer), ("lines", done.lines), ("refunds", done.refunds), ("texts", done.texts),
        ("files", done.files),
    ])  # fmt: skip
    output.talk("erased; copies in backups are readable until they expire")


def _ask(buyer: str) -> None:
    """Let the person at the terminal confirm.

    Raises:
        BadInput: nobody is there to be asked, or the answer is no.
    """
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise BadInput("erasing has no way back: say --yes where nobody can be asked", field="yes")
    if not typer.confirm(f"Erase everything that is kept of {output.clean(buyer)}, with no way back?", err=True):
        raise BadInput("nothing was erased", field="yes")
