"""Commands that play whole lives of refunds in a rehearsal database."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING, Annotated

import typer

from refundflow import config
from refundflow.cli import answers, files, output
from refundflow.cli.call import PLAIN, Call, command
from refundflow.cli.progress import progress_bar
from refundflow.cli.worker import channels
from refundflow.errors import STATUS, ProofFailed
from refundflow.render import document, local, money

if TYPE_CHECKING:
    from refundflow.rehearsal import Summary

app = typer.Typer()
PANEL = "Trying it"
REHEARSAL_URL = "sqlite:///rehearsal.db"
DEMO_URL = "sqlite:///demo.db"


@command(app, "refundflow demo", takes=PLAIN, panel=PANEL)
def demo(call: Call) -> None:
    """Play a month of a small marketplace, then show the queue it ends with and three commands to go on.

    The database is that of REFUNDFLOW_DATABASE_URL, which must be empty, or demo.db, which is made anew.
    """
    from refundflow.demo import play
    from refundflow.service import Refunds

    settings = config.read(default_url=DEMO_URL)
    if settings.database_url == DEMO_URL:
        _remove_last_demo()
    Refunds.init(settings.database_url, rehearsal=True)
    with call.connected(default_url=DEMO_URL) as refunds, progress_bar("a month") as progress:
        ended = play(refunds, channels(rehearsal=True, settings=settings), progress=progress)
    if call.as_json:
        output.data({**document(ended), "database_url": settings.database_url})
        return
    with call.connected(default_url=DEMO_URL):
        answers.queue(call, ended.queue)
    output.talk(
        f"\n{ended.orders} orders, {ended.refunds} refunds; now it is {local(ended.now, call.zone)}. Go on with:\n"
    )
    output.talk(f"  export {config.DATABASE_URL}={settings.database_url}")
    for line in ended.commands:
        output.talk(f"  {_as_called()} {line}")


def _as_called() -> str:
    """Name the command so that it can be typed: by its path where the shell would not find it."""
    called = Path(sys.argv[0])
    return str(called) if called.name == "refundflow" and which("refundflow") is None else "refundflow"


def _remove_last_demo() -> None:
    """Make room for a new demo where the file is the one of an earlier demo, and of nothing else."""
    from refundflow.service import Refunds

    file = Path(DEMO_URL.removeprefix("sqlite:///"))
    if not file.exists():
        return
    with Refunds.connect(DEMO_URL) as refunds:
        if not refunds.rehearsal:
            return
    for path in (file, *file.parent.glob(f"{file.name}.channel.*"), *file.parent.glob(f"{file.name}-*")):
        path.unlink()


@command(app, "refundflow rehearse complaints.csv", takes=PLAIN, panel=PANEL)
def rehearse(
    call: Call,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Complaints as CSV, see the rule that is printed.")],
) -> None:
    """Drive a file of real complaints through a new rehearsal database, by a fixed rule that is printed.

    The database is that of REFUNDFLOW_DATABASE_URL, or rehearsal.db; it must be empty. Exit status 1 if a row ended
    elsewhere than the rule says, 8 if a chain does not hold.
    """
    from refundflow.rehearsal import rehearse_file, rule_text

    settings = config.read(default_url=REHEARSAL_URL)
    with progress_bar("rehearsing") as progress:
        summary = rehearse_file(settings.database_url, file, policy=files.policy(settings.policy), progress=progress)
    if call.as_json:
        output.data({"rule": rule_text(), **summary.as_json()})
    else:
        output.talk(rule_text())
        output.table(("what", "which", "value"), _rows(summary))
    findings = summary.verification.findings
    if findings:
        raise ProofFailed([str(item) for item in findings])
    if not summary.ok:
        raise typer.Exit(STATUS["FAILURE"].exit)


def _rows(summary: "Summary") -> Iterator[tuple[str, str, object]]:
    yield "rows", "", summary.rows
    for what, counts in (
        ("response", summary.per_response),
        ("outcome", summary.per_outcome),
        ("state", summary.per_state),
        ("lapse", summary.lapses),
    ):
        yield from _counted(what, counts)
    yield "refusals recorded", "", summary.refusals_recorded
    yield "provisional deadlines", "", summary.provisional
    for currency, sums in summary.money.items():
        for name in ("claimed", "approved", "settled", "paid"):
            yield "money", name, money(getattr(sums, name), currency)
    for row in summary.bad_rows:
        yield "bad row", f"line {row.line_number} {row.case}", row.reason
    for problem in summary.problems:
        yield "differs from the rule", problem.case, problem.reason
    yield "chains verified", "", summary.verification.chains
    yield "entries verified", "", summary.verification.entries
    yield "refunds per second", "", round(summary.refunds_per_second, 1)


def _counted(what: str, counts: Mapping[str, int]) -> Iterator[tuple[str, str, object]]:
    for name, count in sorted(counts.items()):
        yield what, name, count
