"""Commands of the staff register: every change is an entry."""

from collections.abc import Sequence
from typing import Annotated

import typer

from refundflow.cli import output
from refundflow.cli.call import PLAIN, Call, command
from refundflow.render import document
from refundflow.values import StaffMember
from states import codes

app = typer.Typer()
staff_app = typer.Typer(help="The register of persons who may act.", no_args_is_help=True)
app.add_typer(staff_app, name="staff", rich_help_panel="Running it")
Name = Annotated[str, typer.Argument(metavar="NAME", help="The person, as in --as role:NAME.")]
TAKES = ("actor", "key", "at", "as_json")


@command(staff_app, "refundflow staff add li --role agent --role finance --as supervisor:zhao", takes=TAKES)
def add(
    call: Call,
    name: Name,
    role: Annotated[list[str], typer.Option(metavar="ROLE", help=f"One of {', '.join(codes.STAFF_ROLES)}; repeat.")],
) -> None:
    """Register a person with roles, or change the roles of one; the first supervisor registers himself."""
    with call.connected() as refunds:
        _print(call, [refunds.staff_add(name, roles=role, **call.told)])


@command(staff_app, "refundflow staff list", name="list", takes=PLAIN)
def list_staff(call: Call) -> None:
    """List every person of the register."""
    with call.connected() as refunds:
        _print(call, refunds.staff_list())


@command(staff_app, "refundflow staff disable li --as supervisor:zhao", takes=TAKES)
def disable(call: Call, name: Name) -> None:
    """End that a person may act; the past stays."""
    with call.connected() as refunds:
        _print(call, [refunds.staff_disable(name, **call.told)])


def _print(call: Call, members: Sequence[StaffMember]) -> None:
    if call.as_json:
        output.data([document(member) for member in members])
        return
    rows = [(member.name, ", ".join(member.roles), "active" if member.active else "disabled") for member in members]
    output.table(("name", "roles", "status"), rows)
