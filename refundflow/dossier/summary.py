"""The summary: four questions that a person asks first, each with its answer."""

from collections.abc import Iterator, Sequence

from refundflow import words
from refundflow.dossier.decisions import amount, decided, grounds, sentence
from refundflow.dossier.html import Child, Markup, code, said, tag
from refundflow.dossier.parts import badge, outcome, section, written
from refundflow.dossier.reader import Reader, capital
from refundflow.dossier.terms import Term
from refundflow.dossier.way import Step
from refundflow.values import Attempt, CaseFile, HistoryEntry, Refund
from states import clocks
from states.chart import phase_of


def summary(reader: Reader, file: CaseFile, way: Sequence[Step], found: Sequence[Term]) -> Markup:
    """Write the section that is read first."""
    answers = (
        ("q_claim", _claim(reader, file)),
        ("q_decision", _decision(reader, file)),
        ("q_next", _next(reader, file, found)),
        ("q_money", _money(reader, file)),
    )
    state = file.refund.state
    since = reader.when(way[-1].event, way[-1].at) if way else reader.moment(file.refund.submitted_at)
    standing = reader.rich("standing_since", state=tag("strong", reader.state(state)), time=since)
    return section(
        reader,
        "summary",
        tag("p", standing, class_="standing"),
        tag("dl", [tag("div", tag("dt", reader.label(name)), tag("dd", list(said))) for name, said in answers],
            class_="answers"),
    )  # fmt: skip


def _claim(reader: Reader, file: CaseFile) -> Iterator[Child]:
    refund, line = file.refund, file.line
    opened = next((entry for entry in file.entries if entry.before is None and entry.after), None)
    returned = opened.params.get("returned") if opened else None
    who = _claimant(reader, refund, opened)
    yield tag(
        "p",
        reader.rich(
            "claimed_returned" if returned else "claimed",
            buyer=who,
            amount=tag("strong", reader.money(refund.claimed_minor)),
            captured=reader.money(line.captured_minor),
            product=said(refund.product),
            time=reader.moment(refund.submitted_at),
            reason=reader.coded(words.REASONS, refund.reason),
            earlier=code(returned or ""),
        ),
    )
    yield written(opened.texts.items(), reader) if opened else None


def _claimant(reader: Reader, refund: Refund, opened: HistoryEntry | None) -> Markup:
    if opened is not None and opened.kind != "imported" and opened.actor_role != "buyer":
        shown = reader.person(opened.actor_role, opened.actor_name)
    else:
        shown = reader.person("buyer", refund.buyer_id)
    return Markup(capital(shown))


def _decision(reader: Reader, file: CaseFile) -> Iterator[Child]:
    found = decided(file.entries)
    if found:
        last = found[-1]
        yield [tag("p", sentence(reader, item)) for item in found]
        yield amount(reader, file, last)
        yield grounds(reader, last)
        yield written(last.entry.texts.items(), reader)
        return
    gone = next((entry for entry in file.entries if entry.event == "withdraw" and entry.kind != "refused"), None)
    key = "undecided" if gone is None else "withdrawn"
    yield tag("p", reader.rich(key, time=reader.moment(gone.effective_at) if gone else ""))


def _next(reader: Reader, file: CaseFile, found: Sequence[Term]) -> Iterator[Child]:
    """Say what may come by when: what was promised, not when somebody is told again that it is late."""
    state = file.refund.state
    standing = {term.name: term for term in found if term.how == "open"}
    name = clocks.STANDING.get(state)
    if name is None:
        yield tag("p", reader.label(f"next_{state}"))
    for key, term in (("next_enquiry", standing.get("enquiry")), (f"next_{state}", standing.get(name or ""))):
        if term is not None:
            late = badge(outcome(reader, term), "bad") if term.missed(reader.now) else None
            yield tag("p", reader.rich(key, due=tag("strong", reader.due(term.due))), " ", late)


def _money(reader: Reader, file: CaseFile) -> Iterator[Child]:
    refund = file.refund
    paid = next((item for item in reversed(refund.attempts) if item.state == "settled"), None)
    sent = next((item for item in reversed(refund.attempts) if item.state == "open"), None)
    back = next((item for item in reversed(refund.attempts) if item.state in ("reversed", "returned")), None)
    channel = reader.word(words.CHANNELS, refund.channel)
    accepted = next((offer for offer in refund.offers if offer.ended == "accepted"), None)
    if refund.settled_minor > 0 and paid is not None:
        yield tag("p", _paid(reader, file, paid))
    elif refund.settled_minor > 0:
        yield tag("p", reader.rich("m_settled_plain", amount=reader.money(refund.settled_minor)))
    elif refund.state == "approved.paying" and sent is not None:
        yield tag("p", reader.rich(
            "m_paying", amount=tag("strong", reader.money(sent.amount_minor)), time=reader.moment(sent.at),
            channel=reader.word(words.CHANNELS, sent.channel), number=code(sent.number),
        ))  # fmt: skip
    elif phase_of(refund.state) == "approved":
        key = "m_failed" if refund.state == "approved.payout_failed" else "m_payable"
        yield tag("p", reader.rich(key, amount=tag("strong", reader.money(refund.approved_minor)), channel=channel))
    elif refund.reserved_minor > 0:
        yield tag("p", reader.rich("m_held", amount=tag("strong", reader.money(refund.reserved_minor))))
    elif back is not None:
        yield tag("p", reader.rich("m_back", amount=tag("strong", reader.money(back.amount_minor))))
    else:
        yield tag("p", reader.label("m_nothing"))
    if accepted is not None and accepted.compensation_minor:
        yield tag("p", reader.rich("m_compensated", amount=reader.money(accepted.compensation_minor)))


def _paid(reader: Reader, file: CaseFile, paid: Attempt) -> Markup:
    settled = next((entry for entry in reversed(file.entries)
                    if entry.event == "payout_settled" and entry.params.get("number") == paid.number
                    and entry.kind != "refused"), None)  # fmt: skip
    when = paid.at if settled is None else settled.occurred_at or settled.effective_at
    return reader.rich(
        "m_settled", amount=tag("strong", reader.money(file.refund.settled_minor)), time=reader.moment(when),
        channel=reader.word(words.CHANNELS, paid.channel), number=code(paid.number),
    )  # fmt: skip
