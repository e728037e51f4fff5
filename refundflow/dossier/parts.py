"""What several sections share: a section with its heading, tables, badges, the words of an outcome."""

from collections.abc import Iterable, Sequence

from refundflow.dossier.html import Child, Markup, tag
from refundflow.dossier.reader import Reader
from refundflow.dossier.terms import Term

SECTIONS = (
    "summary",
    "way",
    "decisions",
    "deadlines",
    "timeline",
    "evidence",
    "offers",
    "payouts",
    "order",
    "proof",
)


def section(reader: Reader, name: str, *children: Child) -> Markup:
    """Write a section of the page under its heading."""
    heading = tag("h2", reader.label(name), id=f"{name}-title")
    return tag("section", heading, *children, id=name, aria_labelledby=f"{name}-title")


def table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[Child]]) -> Markup:
    """Write a table; on a narrow screen each cell stands under the name of its column."""
    return tag(
        "table",
        tag("caption", caption),
        tag("thead", tag("tr", [tag("th", name, scope="col") for name in columns])),
        tag("tbody", [tag("tr", list(_cells(columns, row))) for row in rows]),
    )


def _cells(columns: Sequence[str], row: Sequence[Child]) -> Iterable[Markup]:
    for index, (name, cell) in enumerate(zip(columns, row, strict=True)):
        yield tag("th", cell, scope="row") if index == 0 else tag("td", tag("div", cell), data_label=name)


def facts(pairs: Iterable[tuple[str, Child]]) -> Markup:
    """Write names and values."""
    return tag("dl", [tag("div", tag("dt", name), tag("dd", value)) for name, value in pairs], class_="facts")


def nothing(reader: Reader) -> Markup:
    """Say that a section is empty."""
    return tag("p", reader.label("none"), class_="quiet")


def badge(text: str, kind: str = "") -> Markup:
    """Write a word in a small frame."""
    return tag("span", text, class_=f"tag {kind}".strip())


def written(texts: Iterable[tuple[str, str | None]], reader: Reader) -> list[Markup]:
    """Write what persons wrote; a text that was erased is told as such."""
    return [
        tag("blockquote", tag("em", reader.label("erased")), class_="erased")
        if text is None
        else tag("blockquote", text, dir="auto")
        for _, text in texts
        if text is None or text.strip()
    ]


def outcome(reader: Reader, term: Term) -> str:
    """Say what became of a deadline."""
    now = reader.now
    if term.missed(now):
        key = "missed_open" if term.how == "open" else "missed"
        said = [reader.label(key, span=reader.span(term.late(now)))]
    elif term.how == "lapsed":
        said = [reader.label("lapsed")]
    elif term.how == "open":
        said = [reader.label("running", span=reader.span(term.due - now))]
    else:
        key = "used" if term.how == "kept" and not term.promise else term.how
        said = [reader.label(key, span=reader.span(term.due - (term.ended or now)))]
    if term.promise and term.lapses:
        said.append(reader.label("escalated_once") if term.lapses == 1 else
                    reader.label("escalated", count=term.lapses))  # fmt: skip
    said += [reader.label(name) for name in ("extended", "provisional") if getattr(term, name)]
    return reader.listed(said)
