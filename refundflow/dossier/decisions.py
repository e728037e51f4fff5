"""The decisions: who decided what, alone or with a second person, on which grounds, in which words."""

from collections.abc import Sequence
from dataclasses import dataclass

from refundflow import words
from refundflow.dossier.html import Child, Markup, join, tag
from refundflow.dossier.parts import nothing, section, written
from refundflow.dossier.reader import Reader, capital
from refundflow.values import CaseFile, HistoryEntry
from states.chart import phase_of

_APPROVING = ("approve", "overturn", "accept_offer")
_DECIDED = ("approved", "rejected", "paid_out")
_DECIDING = ("approve", "reject", "auto_reject", "uphold", "overturn", "revoke_approval")


@dataclass(frozen=True, kw_only=True, slots=True)
class Decided:
    """One decision, and the entry of the first of two persons where two were needed."""

    entry: HistoryEntry
    first: HistoryEntry | None
    grounds: tuple[str, ...]


def decided(entries: Sequence[HistoryEntry]) -> tuple[Decided, ...]:
    """Return the decisions in order; a claim that lapsed for want of evidence, or an accepted offer, is one too."""
    found: list[Decided] = []
    firsts: dict[str, HistoryEntry] = {}
    for entry in entries:
        if entry.kind == "refused" or entry.before == entry.after:
            _follow_firsts(firsts, entry)
            continue
        if entry.event in _DECIDING or _decides_by_itself(entry):
            grounds = ("EVIDENCE_MISSING",) if entry.event == "evidence_lapsed" else entry.params.get("grounds", ())
            found.append(Decided(entry=entry, first=firsts.get(entry.event), grounds=tuple(grounds)))
        firsts.clear()  # the first of two falls when the refund leaves the state
    return tuple(found)


def _decides_by_itself(entry: HistoryEntry) -> bool:
    lapsed = entry.event == "evidence_lapsed" and str(entry.after).startswith("rejected")
    return lapsed or entry.event == "accept_offer" or _of_another_system(entry)


def _of_another_system(entry: HistoryEntry) -> bool:
    """Tell that an imported move tells of a decision: it goes into a phase to which only decisions lead."""
    phases = [phase_of(state) for state in (entry.before or "", entry.after or "")]
    decided_before = phases[0] in ("approved", "paid_out") and phases[1] == "paid_out"
    return entry.kind == "imported" and phases[0] != phases[1] and phases[1] in _DECIDED and not decided_before


def _follow_firsts(firsts: dict[str, HistoryEntry], entry: HistoryEntry) -> None:
    if entry.params.get("first"):
        firsts[entry.event] = entry
    elif entry.event in ("take_back", "first_fell"):
        firsts.pop(str(entry.params.get("event")), None)


def sentence(reader: Reader, item: Decided) -> Markup:
    """Say in one sentence who decided what, and when."""
    entry = item.entry
    told = reader.label("counter_accepted") if _of_counter_offer(entry) else reader.word(words.EVENTS, entry.event)
    what, when = capital(told), reader.when(entry.event, entry.effective_at)
    if entry.kind == "imported":
        return reader.rich("decided_elsewhere", what=capital(reader.state(entry.after or "")), time=when)
    if entry.actor_role == "system":
        return reader.rich("decided_system", what=what, time=when)
    who = reader.person(entry.actor_role, entry.actor_name)
    if item.first is None:
        return reader.rich("decided", what=what, who=who, time=when)
    first = reader.person(item.first.actor_role, item.first.actor_name)
    return reader.rich("decided_two", what=what, first=first, who=who, time=when)


def _of_counter_offer(entry: HistoryEntry) -> bool:
    """Tell that the staff accepted: what they accept is the buyer's counter-offer."""
    return entry.event == "accept_offer" and entry.actor_role != "buyer"


def amount(reader: Reader, file: CaseFile, item: Decided) -> Child:
    """Say for how much the approval is that stands; nothing for a decision that was overtaken."""
    approving = [other for other in decided(file.entries) if other.entry.event in _APPROVING]
    if not file.refund.approved_minor or not approving or approving[-1].entry.seq != item.entry.seq:
        return None
    return tag("p", reader.rich("amount", amount=reader.money(file.refund.approved_minor)))


def grounds(reader: Reader, item: Decided) -> Child:
    """Say on which grounds; nothing where none is needed."""
    if not item.grounds:
        return None
    told = [[", " if index else "", reader.coded(words.GROUNDS, code)] for index, code in enumerate(item.grounds)]
    return tag("p", reader.rich("grounds", grounds=told), class_="grounds")


def decisions(reader: Reader, file: CaseFile) -> Markup:
    """Write the section of the decisions."""
    found = decided(file.entries)
    if not found:
        return section(reader, "decisions", nothing(reader))
    items = [tag("li", _decision(reader, file, item)) for item in found]
    return section(reader, "decisions", tag("ol", join(items), class_="decisions"))


def _decision(reader: Reader, file: CaseFile, item: Decided) -> list[Child]:
    texts = written(item.entry.texts.items(), reader)
    return [tag("p", sentence(reader, item)), amount(reader, file, item), grounds(reader, item), texts]
