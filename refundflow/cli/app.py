"""The application: every command group in the order of its help, and the way out for every error."""

import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from refundflow import __version__
from refundflow.cli import (
    audit,
    beside,
    claims,
    database,
    effects,
    facts,
    history,
    negotiation,
    orders,
    payouts,
    play,
    privacy,
    queries,
    review,
    rules,
    staff,
    worker,
)
from refundflow.cli.failures import guarded

EPILOG = (
    "Exit status: 0 done (or already done by the same key), 1 failure, 2 usage, 3 refused by chart or rule, "
    "4 role not allowed, 5 not found, 6 changed meanwhile or busy, 7 reserved, 8 proof failed, 130 interrupted."
)


class Application(TyperGroup):
    """The root command: turns every error into words or JSON on stderr and its exit status."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run one command and leave with its exit status."""
        given = list(sys.argv[1:] if args is None else args)

        def run() -> Any:
            return super(Application, self).main(
                given, prog_name, complete_var, standalone_mode=False, windows_expand_args=False, **extra
            )

        sys.exit(guarded(run, as_json="--json" in given))


def application() -> typer.Typer:
    """Build the application with all its commands."""
    app = typer.Typer(
        name="refundflow",
        cls=Application,
        help="Run the refunds of a marketplace for virtual goods.",
        epilog=EPILOG,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
    )
    app.callback()(root)
    for group in (claims, queries, history, review, negotiation, payouts, beside, facts):
        app.add_typer(group.app)
    for group in (audit, rules, database, staff, orders, privacy, play, worker, effects):
        app.add_typer(group.app)
    return app


def _tell_version(asked: bool) -> None:
    if asked:
        print(__version__)
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", help="Print the version and end.", callback=_tell_version, is_eager=True)
]


def root(version: Version = False) -> None:
    """Run the refunds of a marketplace for virtual goods."""
