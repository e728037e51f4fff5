"""The proof: what the page rests on, and how another person checks it."""

from typing import NamedTuple

from refundflow.dossier.html import Child, Markup, code, digest, tag
from refundflow.dossier.parts import section, table
from refundflow.dossier.reader import Reader
from refundflow.values import CaseFile


class TreeHead(NamedTuple):
    """A signed checkpoint that binds the entries: how many, their root, the whole signed note."""

    size: int
    root: str
    note: str


def proof(reader: Reader, file: CaseFile, head: TreeHead | None) -> Markup:
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
        _checkpoint(reader, head),
        tag("h3", reader.label("check_title")),
        tag("ol", list(_steps(reader, refund.id)), class_="check"),
    )  # fmt: skip


def _checkpoint(reader: Reader, head: TreeHead | None) -> Markup:
    if head is None:
        return tag("p", reader.label("no_checkpoint"), class_="quiet")
    told = reader.rich("checkpoint", size=f"{head.size:,}", root=code(head.root))
    return tag("div", tag("h3", reader.label("c_checkpoint")), tag("p", told), tag("pre", head.note))


def _steps(reader: Reader, refund: str) -> list[Markup]:
    commands = (
        f"refundflow audit verify\nrefundflow history {refund} --as auditor:NAME --json",
        "refundflow audit export --format jsonl --output entries.jsonl --as auditor:NAME",
        "sha256sum FILE",
    )
    return [
        tag("li", tag("p", reader.label(f"check_{number}")), tag("pre", command))
        for number, command in enumerate(commands, 1)
    ]
