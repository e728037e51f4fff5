"""The timeline: every entry that the reader may see, in order, with what it says and its hash."""

from collections.abc import Iterable, Mapping, Sequence

from refundflow import words
from refundflow.dossier.html import Child, Markup, code, tag
from refundflow.dossier.params import shown
from refundflow.dossier.parts import badge, facts, section, written
from refundflow.dossier.reader import Reader, capital
from refundflow.dossier.way import Step
from refundflow.values import CaseFile, HistoryEntry
from states import times

DIGITS = 12  # of a hash


def timeline(reader: Reader, file: CaseFile, way: Sequence[Step]) -> Markup:
    """Write the section of the timeline."""
    numbers = {step.seq: step.number for step in way}
    hidden = tag("p", reader.label("hidden"), class_="quiet") if file.for_buyer else None
    return section(reader, "timeline", hidden, entries(reader, file.entries, numbers))


def entries(reader: Reader, found: Iterable[HistoryEntry], numbers: Mapping[int, int]) -> Markup:
    """Write the entries of a chain as a list."""
    return tag("ol", [_entry(reader, entry, numbers.get(entry.seq)) for entry in found], class_="timeline")


def _entry(reader: Reader, entry: HistoryEntry, number: int | None) -> Markup:
    kind = "refused" if entry.kind == "refused" else "step" if number else None
    return tag(
        "li",
        tag("p", reader.when(entry.event, entry.effective_at), class_="when"),
        tag("div", list(_lines(reader, entry, number)), class_="what"),
        class_=kind,
    )


def _lines(reader: Reader, entry: HistoryEntry, number: int | None) -> Iterable[Child]:
    yield tag("p", list(_first_line(reader, entry, number)), class_="event")
    yield written(entry.texts.items(), reader)
    if entry.blockers:
        reasons = [tag("li", reader.blocker(item), " ", tag("small", code(item.code)))
                   for item in entry.blockers]  # fmt: skip
        yield tag("ul", reasons, class_="blockers")
    params = list(shown(reader, entry))
    if params:
        yield facts(params)
    yield tag("p", _separated(_foot(reader, entry)), class_="foot")


def _first_line(reader: Reader, entry: HistoryEntry, number: int | None) -> Iterable[Child]:
    if number:
        yield tag("span", str(number), class_="number")
    yield tag("strong", capital(reader.word(words.EVENTS, entry.event)))
    yield tag("span", reader.person(entry.actor_role, entry.actor_name), class_="who")
    if entry.kind == "refused":
        yield badge(reader.label("refused"), "bad")
    if entry.kind == "imported":
        yield badge(reader.label("was_imported"))
    if entry.params.get("first"):
        yield badge(reader.label("one_of_two"))
    if entry.pending:
        yield badge(reader.label("pending"))
    if entry.after and entry.after != entry.before:
        yield tag("span", "→ ", reader.state(entry.after), class_="state")


def _foot(reader: Reader, entry: HistoryEntry) -> Iterable[Child]:
    """Yield what proves and dates an entry."""
    yield reader.label("entry_no", seq=entry.seq)
    if entry.hash:
        yield code(entry.hash[:DIGITS])
    for name, change in sorted(entry.deadlines.items()):
        if change and "due_at" in change and entry.kind != "refused":
            due = reader.due(times.moment(change["due_at"]))
            yield reader.rich("sets", deadline=reader.word(words.DEADLINES, name), due=due)
    if entry.occurred_at is not None and entry.occurred_at != entry.effective_at:
        yield reader.rich("occurred", time=reader.moment(entry.occurred_at))
    if entry.repeats:
        yield reader.label("repeats", count=entry.repeats)


def _separated(items: Iterable[Child]) -> list[Child]:
    parts: list[Child] = []
    for item in items:
        parts += [" · ", item] if parts else [item]
    return parts
