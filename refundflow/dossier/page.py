"""The dossier of one refund as one self-contained page: no script, nothing loaded, every text escaped."""

from base64 import b64encode
from hashlib import sha256
from importlib.resources import files

from refundflow import words
from refundflow.dossier import chart, decisions, proof, summary, tables, timeline
from refundflow.dossier.html import Child, Markup, said, tag
from refundflow.dossier.parts import SECTIONS, section
from refundflow.dossier.reader import HTML_LANGUAGE, Reader
from refundflow.dossier.terms import terms
from refundflow.dossier.way import Step, steps
from refundflow.messages import Language
from refundflow.values import CaseFile
from states import refund_v1
from states.chart import Table

CHARTS = {refund_v1.CHART: refund_v1.TABLE}
_MOST_STEPS = 24


def page(file: CaseFile, language: Language) -> str:
    """Return the whole page in one language."""
    reader = Reader(language=language, zone=file.zone, currency=file.refund.currency, now=file.made_at)
    way, found = steps(file.entries), terms(file.entries)
    sections: dict[str, Child] = {
        "summary": summary.summary(reader, file, way, found),
        "way": _way(reader, file, way),
        "decisions": decisions.decisions(reader, file),
        "deadlines": tables.deadlines(reader, file, found),
        "timeline": timeline.timeline(reader, file, way),
        "evidence": tables.evidence(reader, file),
        "offers": tables.offers(reader, file),
        "payouts": tables.payouts(reader, file),
        "order": tables.order(reader, file),
        "proof": proof.proof(reader, file),
    }
    title = reader.label("title", refund=file.refund.id)
    body = tag("body", tag("main", _header(reader, file), _contents(reader), [sections[name] for name in SECTIONS]))
    return f"<!doctype html>\n{tag('html', _head(reader, title), body, lang=HTML_LANGUAGE[language])}\n"


def _head(reader: Reader, title: str) -> Markup:
    """Write the head: its policy allows the styles of this page by their digest, and nothing else."""
    style = files("refundflow").joinpath("data", "dossier.css").read_text(encoding="utf-8")
    digest = b64encode(sha256(style.encode()).digest()).decode()
    allowed = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=allowed),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", f"{title} – {reader.label('dossier')}"),
        tag("style", Markup(style)),
    )


def _header(reader: Reader, file: CaseFile) -> Markup:
    refund = file.refund
    subject = reader.rich(
        "subject",
        product=said(refund.product),
        type=reader.word(words.PRODUCTS, refund.product_type),
        usage=reader.word(words.USAGES, refund.usage),
        order=said(refund.order_id),
        line=refund.line,
    )
    notes: list[Child] = [reader.rich("made", time=reader.moment(file.made_at), zone=file.zone)]
    notes.append(reader.label("for_buyer" if file.for_buyer else "for_staff"))
    if refund.imported is not None:
        notes.append(reader.rich("imported_note", case=said(refund.imported.case)))
    if refund.buyer_id is None:
        notes.append(reader.label("erased_note"))
    return tag(
        "header",
        tag("p", reader.label("dossier"), class_="kind"),
        tag("h1", reader.label("title", refund=refund.id)),
        tag("p", subject, class_="subject"),
        tag("p", [[note, " "] for note in notes], class_="quiet"),
        tag("p", reader.label("rehearsal"), class_="rehearsal") if file.rehearsal else None,
    )


def _contents(reader: Reader) -> Markup:
    links = [tag("li", tag("a", reader.label(name), href=f"#{name}")) for name in SECTIONS]
    return tag("nav", tag("ol", links), aria_label=reader.label("contents"))


def _way(reader: Reader, file: CaseFile, way: tuple[Step, ...]) -> Markup:
    table: Table | None = CHARTS.get(file.refund.chart)
    drawn = chart.draw(reader, table, way, file.refund.id) if table is not None else None
    listed = [tag("li", _step(reader, step)) for step in way[:_MOST_STEPS]]
    more = reader.label("steps_more", first=_MOST_STEPS + 1, last=len(way)) if len(way) > _MOST_STEPS else None
    return section(
        reader, "way",
        tag("div",
            tag("figure", drawn, tag("figcaption", reader.label("chart_key"))) if drawn else None,
            tag("div", tag("h3", reader.label("steps")), tag("ol", listed, class_="steps"),
                tag("p", more, class_="quiet") if more else None),
            class_="beside"),
    )  # fmt: skip


def _step(reader: Reader, step: Step) -> Child:
    event, state = reader.word(words.EVENTS, step.event), reader.state(step.target)
    return [reader.rich("step", event=event, state=state), " ", tag("small", reader.when(step.event, step.at))]
