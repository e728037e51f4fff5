"""Commands for auditors: replay, and verify every chain."""

from pathlib import Path
from typing import Annotated

import typer

from refundflow.cli import dossier, export, files, offline, output, proofs
from refundflow.cli.call import PLAIN, Call, command
from refundflow.cli.progress import counting
from refundflow.errors import BadInput, ProofFailed
from refundflow.render import document, verification_json

app = typer.Typer()
audit_app = typer.Typer(help="Export and verify the audit chains.", no_args_is_help=True)
app.add_typer(audit_app, name="audit", rich_help_panel="Audit")
audit_app.add_typer(export.app)
audit_app.add_typer(dossier.app)
audit_app.add_typer(proofs.app)
audit_app.add_typer(offline.app)


@command(audit_app, "refundflow audit replay A1001-1-1", takes=PLAIN)
def replay(
    call: Call,
    subject: Annotated[
        str | None,
        typer.Argument(metavar="[ID]", help="A refund or ORDER/LINE: its line with all refunds; everything if none."),
    ] = None,
) -> None:
    """Replay the entries and compare with what is stored, field by field; exit status 8 if anything differs."""
    with call.connected() as refunds, counting("replaying entries") as progress:
        result = refunds.replay(subject, progress=progress)
    if call.as_json:
        output.data({"ok": result.ok, **document(result)})
    else:
        counts = [("chains", result.chains), ("entries", result.entries), ("rows", result.rows)]
        output.record([*counts, ("differences", len(result.differences))])
    if not result.ok:
        raise ProofFailed([
            f"{item.subject}: {item.field} is stored as {item.stored!r}, the entries say {item.replayed!r}"
            for item in result.differences
        ])  # fmt: skip


@command(audit_app, 'refundflow audit verify exported/ --key "$(cat log.vkey)"', takes=PLAIN)
def verify(
    call: Call,
    path: Annotated[
        Path | None, typer.Argument(metavar="PATH", help="An export, file or folder: no database is asked.")
    ] = None,
    refund: Annotated[
        str | None, typer.Option("--refund", metavar="ID", help="One refund, with every rule that it went by.")
    ] = None,
    rules: Annotated[
        bool, typer.Option("--rules", help="Judge every move in the database by the rules of its time, too.")
    ] = False,
    held: Annotated[
        list[Path] | None,
        typer.Option(
            "--checkpoint", metavar="FILE", help="A checkpoint that you hold: the log must begin with it; repeat."
        ),
    ] = None,
    key: Annotated[
        list[str] | None,
        typer.Option(metavar="VKEY", help="A key that you trust; by default those of the register. May be repeated."),
    ] = None,
) -> None:
    """Verify the database, one refund, or an export alone; exit status 8 if anything is wrong.

    The database: hashes, gaps, the tree, signatures, and that replay gives what is stored; with --rules also that every
    move obeyed the rules of its time: legality, deadlines, two persons, amounts. A refund or an export: all of it.
    What was published (REFUNDFLOW_CHECKPOINTS) is compared with the database. Who holds an earlier checkpoint finds
    what nobody else can: a history that was written anew as a whole.
    """
    if path is not None and refund is not None:
        raise BadInput("PATH and --refund: an export is judged whole, a refund out of the database", field="refund")
    known = {str(file): files.text(file) for file in held or ()}
    if path is not None:
        return offline.verify_export(call, path, key or (), known)
    if refund is not None:
        return offline.verify_refund(call, refund, key or (), known)
    with call.connected() as refunds:
        with counting("verifying entries") as progress:
            result = refunds.verify(checkpoints=known, keys=key or (), progress=progress)
        report = offline.judged(refunds, key or (), known) if rules and result.ok else None
    if call.as_json:
        told_too = {"rules": {"ok": not report.findings, **report.as_json()}} if report is not None else {}
        output.data(verification_json(result) | told_too)
    else:
        told = [("chains", result.chains), ("entries", result.entries), ("findings", len(result.findings))]
        if result.leaves or result.checkpoints:
            told[2:2] = [("leaves", result.leaves), ("checkpoints", result.checkpoints)]
        broken = [("judged", report.facts["entries"]), ("rules broken", len(report.findings))] if report else []
        output.record([*told, *broken])
    problems = [str(item) for item in result.findings]
    if report is not None:
        problems += [str(finding) for finding in report.findings]
    if problems:
        raise ProofFailed(problems)
    return None
