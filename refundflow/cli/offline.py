"""Verification of an export without the database, and the verifier itself as a file for the auditor."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from refundflow.cli import output
from refundflow.cli.call import PLAIN, Call, command
from refundflow.cli.progress import counting, progress_bar
from refundflow.errors import BadInput, ProofFailed

if TYPE_CHECKING:
    from refundflow.service import Refunds
    from refundflow.verifier import Report

app = typer.Typer()


@command(app, "refundflow audit verifier -o verifier.py", takes=PLAIN)
def verifier(
    call: Call,
    path: Annotated[Path, typer.Option("--output", "-o", metavar="PATH", help="The file to write.")],
) -> None:
    """Write the offline verifier, one file, for a machine that has only Python and `cryptography`."""
    from refundflow import verifier

    source = Path(verifier.__file__).read_bytes()
    try:
        path.write_bytes(source)
    except OSError as problem:
        raise BadInput(f"{path}: {problem.strerror or problem}; name a file to write", field="output") from problem
    lines = source.count(b"\n")
    output.data({"output": str(path), "lines": lines}) if call.as_json else output.talk(f"{path}: {lines} lines")


def verify_export(call: Call, path: Path, keys: Sequence[str], held: Mapping[str, str]) -> None:
    """Judge an export by what it carries, and tell.

    Raises:
        BadInput: there is no export, or a key or a checkpoint cannot be read.
        ProofFailed: every finding, each with its chain, entry, leaf and checkpoint.
    """
    _tell(call, _judged(path, keys, held))


def verify_refund(call: Call, refund: str, keys: Sequence[str], held: Mapping[str, str]) -> None:
    """Judge one refund with its order line by every rule, and tell; see `judged`."""
    with call.connected() as refunds:
        report = judged(refunds, keys, held, refund)
    _tell(call, report)


def judged(refunds: "Refunds", keys: Sequence[str], held: Mapping[str, str], refund: str | None = None) -> "Report":
    """Export everything, or one refund with its order line, to a place that vanishes, and judge that by every rule.

    An export lies below a checkpoint: one is made for it.
    """
    with TemporaryDirectory() as folder:
        path = Path(folder) / "entries.jsonl"
        with progress_bar("exporting entries") as progress:
            refunds.export_to_verify(refund, output=str(path), progress=progress)
        known = refunds.keys() if refunds.signing_key is not None else ()
        return _judged(path, keys or [key.vkey for key in known], held)


def _judged(path: Path, keys: Sequence[str], held: Mapping[str, str]) -> "Report":
    from refundflow import verifier

    with counting("judging entries") as progress:
        try:
            return verifier.verify(path, keys, held, progress)
        except verifier.Unreadable as problem:
            raise BadInput(str(problem), field="path") from problem


def _tell(call: Call, report: "Report") -> None:
    if call.as_json:
        output.data({"ok": not report.findings, **report.as_json()})
    else:
        told = [(name, report.facts.get(name)) for name in ("origin", "size", "chains", "entries")]
        output.record([*told, ("findings", len(report.findings))])
        for limit in report.limits:
            output.talk(f"not judged: {limit}")
    if report.findings:
        raise ProofFailed([str(finding) for finding in report.findings])
