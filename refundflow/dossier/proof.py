"""The proof: what the page rests on, and how another person checks it."""

from collections.abc import Iterator

from refundflow.dossier.html import Child, Markup, code, digest, tag
from refundflow.dossier.parts import section, table
from refundflow.dossier.reader import Reader
from refundflow.values import CaseFile


def proof(reader: Reader, file: CaseFile) -> Markup:
    """Write the section of the proof."""
    refund = file.refund
    columns = [reader.label(name) for name in ("c_chain", "c_entries", "c_shown", "c_head", "c_rules")]
    shown = sum(1 for entry in file.entries if not entry.pending)
    rules: Child = [
        reader.rich("rules_chart", version=code(refund.chart)),
        tag("small", reader.rich("rules_policy", version=code(refund.policy[:12]))),
    ]
    row = (code(refund.id), str(file.stored), str(shown), digest(file.head), rules)
    return section(
        reader, "proof",
        tag("p", reader.label("proof_intro")),
        table(reader.label("t_proof"), columns, [row]),
        _checkpoint(reader, file),
        tag("h3", reader.label("check_title")),
        tag("ol", list(_steps(reader, file)), class_="check"),
    )  # fmt: skip


def _checkpoint(reader: Reader, file: CaseFile) -> Child:
    """Say which checkpoint binds which entries, with the signed note itself."""
    found = file.checkpoint
    if found is None or not file.covered:
        return tag("p", reader.label("no_checkpoint"), class_="quiet")
    told = reader.rich(
        "checkpoint", size=f"{found.size:,}", time=reader.moment(found.made_at), root=digest(found.root)
    )  # fmt: skip
    newer = file.stored - file.covered
    under: list[Child] = [reader.label("covered", covered=file.covered), " "]
    if newer:
        under.append(reader.label("newer", newer=newer))
    signed = tag("pre", found.note) if found.note else tag("p", reader.label("unsigned"), class_="quiet")
    return [tag("h3", reader.label("c_checkpoint")), tag("p", told), tag("p", under), signed]


def _steps(reader: Reader, file: CaseFile) -> Iterator[Markup]:
    refund = file.refund.id
    commands = {
        "check_database": f"refundflow audit verify\nrefundflow history {refund} --as auditor:NAME --json",
        "check_proof": f"refundflow audit prove {refund} --output proof.json --as auditor:NAME\n"
                       "refundflow audit check proof.json --key VKEY",
        "check_export": "refundflow audit export --format jsonl --output entries.jsonl --as auditor:NAME",
        "check_evidence": "sha256sum FILE",
    }  # fmt: skip
    if file.checkpoint is None or not file.checkpoint.note or not file.covered:
        del commands["check_proof"]
    if not file.digests:
        del commands["check_evidence"]
    for label, command in commands.items():
        yield tag("li", tag("p", reader.label(label)), tag("pre", command))
