"""Commands of the database itself: make it ready, bring it up to date."""

from typing import Annotated

import typer

from refundflow import config
from refundflow.cli import files, output
from refundflow.cli.call import PLAIN, Call, command
from refundflow.errors import STATUS
from refundflow.render import document

app = typer.Typer()
PANEL = "Running it"


@command(app, "refundflow init", takes=PLAIN, panel=PANEL)
def init(
    call: Call,
    rehearsal: Annotated[
        bool, typer.Option("--rehearsal", help="For rehearsals, for ever: time is what the caller says (--at).")
    ] = False,
    partitions: Annotated[
        int | None,
        typer.Option("--partitions", metavar="N", help="On PostgreSQL 17 or newer: split by order id, for ever."),
    ] = None,
) -> None:
    """Make the database ready; the same call again changes nothing."""
    from refundflow import migrations
    from refundflow.service import Refunds

    url = config.read().database_url
    Refunds.init(url, rehearsal=rehearsal, partitions=partitions)
    mode = "rehearsal" if rehearsal else "live"
    if call.as_json:
        output.data({"mode": mode})
    else:
        output.talk(f"ready: a {mode} database, for ever: {migrations.shown(url)}")


@command(app, "refundflow doctor", takes=PLAIN, panel=PANEL)
def doctor(call: Call) -> None:
    """Look at the installation, the rules and the database; exit status 1 if something is not as it should be."""
    from refundflow.doctor import examine

    settings = config.read()
    found = list(
        examine(
            settings.database_url,
            files.policy(settings.policy),
            signing_key=settings.signing_key,
            checkpoints=settings.checkpoints,
        )
    )
    if call.as_json:
        output.data([document(item) for item in found])
    else:
        output.table(("what", "verdict", "detail"), [(item.what, item.verdict, item.detail) for item in found])
    if any(item.verdict == "failed" for item in found):
        raise typer.Exit(STATUS["FAILURE"].exit)


@command(app, "refundflow upgrade", takes=PLAIN, panel=PANEL)
def upgrade(
    call: Call,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
) -> None:
    """Bring the schema of an older database up to date; say each step before it is done."""
    from refundflow import migrations

    url = config.read().database_url
    steps = migrations.pending(url)
    for step in steps:
        output.talk(f"{'would apply' if dry_run else 'applying'} {step.name}: {step.title}")
    if not steps:
        output.talk("nothing to do: the schema is up to date")
    applied = () if dry_run or not steps else migrations.upgrade(url)
    if call.as_json:
        pending = [step._asdict() for step in steps]
        output.data({"pending": pending, "applied": [step._asdict() for step in applied]})
