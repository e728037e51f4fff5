"""Commands that show the rules: the chart, the policy, the calendar."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from refundflow.cli import files, output
from refundflow.cli.call import PLAIN, WRITE, Call, command
from refundflow.errors import BadInput
from refundflow.render import document

app = typer.Typer()
PANEL = "Rules"
policy_app = typer.Typer(help="The policy: every number and table that the rules ask for.", no_args_is_help=True)
calendar_app = typer.Typer(help="The calendar of working days.", no_args_is_help=True)
app.add_typer(policy_app, name="policy", rich_help_panel=PANEL)
app.add_typer(calendar_app, name="calendar", rich_help_panel=PANEL)
PolicyFile = Annotated[
    Path | None, typer.Option("--policy", metavar="FILE", help="With the lengths of this policy, not the default one.")
]


@command(app, "refundflow chart", takes=PLAIN, panel=PANEL)
def chart(
    call: Call,
    diagram: Annotated[bool, typer.Option("--diagram", help="The Mermaid diagram alone.")] = False,
    form: Annotated[
        Literal["text", "pnml"], typer.Option("--format", help="As text, or as a Petri net for process miners.")
    ] = "text",
    policy: PolicyFile = None,
) -> None:
    """Show the chart of a refund: the diagram, every move, every deadline and the bounds that they give."""
    from refundflow.render import chart as pages
    from states.refund_v1 import TABLE

    if form == "pnml":
        output.text(pages.pnml(TABLE))
        return
    used = files.policy(policy)
    drawn = pages.mermaid(TABLE)
    tables = {
        "moves": (pages.MOVES, pages.moves(TABLE)),
        "deadlines": (pages.DEADLINES, pages.deadlines(TABLE, used)),
        "bounds": (pages.BOUNDS, pages.bounds(used)),
    }
    if call.as_json:
        lists = {
            name: [dict(zip(columns, row, strict=True)) for row in rows] for name, (columns, rows) in tables.items()
        }
        output.data({"chart": TABLE.version, "mermaid": drawn, **lists})
        return
    output.text(drawn)
    for columns, rows in () if diagram else tables.values():
        output.text("")
        output.table(columns, rows)


@command(policy_app, "refundflow policy show > policy.toml", takes=PLAIN)
def show(call: Call) -> None:
    """Show the default policy as a file with its comments, to be copied and edited."""
    from refundflow import policies

    if call.as_json:
        import json

        default = policies.default()
        output.data({"version": default.version, "content": json.loads(policies.content_of(default))})
        return
    output.text(policies.default_text())


@command(policy_app, "refundflow policy check policy.toml", takes=PLAIN)
def check(call: Call, file: Annotated[Path, typer.Argument(metavar="FILE", help="A policy file (TOML).")]) -> None:
    """Check a policy file: every problem with its key and what is allowed, or the version that it has."""
    found = files.policy(file)
    if call.as_json:
        output.data({"ok": True, "version": found.version})
        return
    output.record([("ok", str(file)), ("version", found.version)])


@command(calendar_app, "refundflow calendar show --year 2026", name="show", takes=PLAIN)
def show_calendar(
    call: Call, year: Annotated[int | None, typer.Option(metavar="YYYY", help="Of this year only.")] = None
) -> None:
    """Show the shipped calendar: its version, its coverage, weekdays that are off and weekends that are worked."""
    from refundflow import calendars

    calendar = calendars.shipped()
    days = [(day, "off") for day in calendar.holidays] + [(day, "worked") for day in calendar.makeup]
    shown = sorted((day, what) for day, what in days if year in (None, day.year))
    if call.as_json:
        output.data(
            {
                "version": calendar.version,
                "first": calendar.first.isoformat(),
                "last": calendar.last.isoformat(),
                "days": [{"day": day.isoformat(), "what": what} for day, what in shown],
            }
        )
        return
    output.record([("version", calendar.version), ("covers", f"{calendar.first} to {calendar.last}")])
    output.table(("day", "weekday", "what"), [(day.isoformat(), f"{day:%a}", what) for day, what in shown])


@command(calendar_app, "refundflow calendar status", name="status", takes=("actor", "at", "as_json"))
def calendar_status(call: Call) -> None:
    """Say which calendar is in force, how far it reaches, and how many open refunds were counted beyond that."""
    with call.connected() as refunds:
        found = refunds.calendar_status(at=call.at)
        if call.as_json:
            output.data(document(found))
            return
        days = "1 day" if abs(found.days_left) == 1 else f"{abs(found.days_left)} days"
        reach = f"{days} left" if found.days_left >= 0 else f"ended {days} ago"
        output.record(
            [
                ("version", found.version),
                ("covers", f"{found.first} to {found.last}, {reach}"),
                ("imports", found.imports),
                ("provisional", found.provisional),
            ]
        )
        if found.ends_soon:
            output.talk(f"the calendar ends on {found.last}: import the next year's as soon as it is published")


@command(calendar_app, "refundflow calendar import 2027.json --as supervisor:zhao", name="import", takes=WRITE)
def import_calendar(
    call: Call, file: Annotated[Path, typer.Argument(metavar="FILE", help="The calendar, as `calendar show --json`.")]
) -> None:
    """Lay the days of a later year over the calendar in force; provisional deadlines are counted again.

    FILE is JSON: {"name": "cn", "first": "2027-01-01", "last": "2027-12-31", "holidays": [days off on weekdays],
    "makeup": [weekend days worked]}. The same file again goes on where an import was interrupted.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise BadInput(f"{file} cannot be read: {problem}", field="file") from problem
    with call.connected() as refunds:
        done = refunds.calendar_import(text, source=str(file), actor=call.who["actor"], at=call.at)
    if call.as_json:
        output.data(document(done))
        return
    output.record([("version", done.version), ("covers until", done.last), ("counted again", done.recomputed)])
