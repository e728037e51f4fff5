"""Commands of histories: show the entries of a chain, take in cases of another system."""

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from refundflow.cli import answers, output
from refundflow.cli.call import READ, Call, command
from refundflow.cli.progress import counting
from refundflow.errors import BadInput
from refundflow.render import document

app = typer.Typer()


class ShownIfNothingElse(TyperGroup):
    """A group in which what names no command of it is shown: ``history A1001-1-1``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the command in front that is meant."""
        if args and args[0] not in self.commands and args[0] != "--help":
            args = ["show", *args]
        return super().parse_args(ctx, args)


history_app = typer.Typer(
    help="Show the entries of a refund or an order line, or take in cases of another system.",
    cls=ShownIfNothingElse,
    no_args_is_help=True,
)
app.add_typer(history_app, name="history", rich_help_panel="Reading")


@command(history_app, "refundflow history show A1001-1-1 --as auditor:sun", takes=READ)
def show(
    call: Call,
    subject: Annotated[str, typer.Argument(metavar="ID", help="The refund, or ORDER/LINE for an order line.")],
) -> None:
    """Show every entry of a refund, or of an order line, in order; the word show may be left out."""
    with call.connected() as refunds:
        answers.history(call, refunds.history(subject, **call.who))


@command(
    history_app,
    "refundflow history import cases.jsonl --dry-run --as service:shop",
    name="import",
    takes=("actor", "at", "as_json"),
)
def import_history(
    call: Call,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSON Lines, or CSV with a header.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    rejects: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Where bad cases go; FILE.rejects.csv if not given.")
    ] = None,
) -> None:
    """Take closed cases of another system in, with their own times, marked as imported in every entry.

    The same file again changes nothing. Bad cases go to the rejects file with their line and reason.
    """
    target = rejects or file.parent / f"{file.name}.rejects.csv"
    if target.absolute() == file.absolute():
        raise BadInput(f"{file}: the bad cases would replace the file itself", field="rejects")
    rejected = 0
    actor = call.who["actor"]
    try:
        with call.connected() as refunds, counting("importing cases") as progress:
            done = refunds.history_import(
                file, actor=actor, rejects=target, dry_run=dry_run, at=call.at, progress=progress
            )
        rejected = done.rejected
    finally:
        if not rejected:
            target.unlink(missing_ok=True)
    if call.as_json:
        output.data({**document(done), "rejects": str(target) if rejected else None})
    else:
        output.record([
            ("file", done.file), ("imported", done.imported), ("unchanged", done.unchanged), ("rejected", rejected),
        ])  # fmt: skip
    if dry_run:
        output.talk("a dry run: nothing was changed")
    if rejected:
        output.talk(f"rejected cases: {rejected}, see {target}")
