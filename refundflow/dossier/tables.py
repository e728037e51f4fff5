"""The sections that are tables: deadlines, evidence, offers, payouts and money, the order line."""

from collections.abc import Iterator, Sequence

from refundflow import words
from refundflow.dossier import strip
from refundflow.dossier.html import Child, Markup, code, digest, tag
from refundflow.dossier.parts import badge, facts, nothing, outcome, section, table
from refundflow.dossier.reader import Reader, capital
from refundflow.dossier.terms import Term
from refundflow.dossier.timeline import entries
from refundflow.values import Attempt, CaseFile, Evidence, Offer, Refund
from states.chart import phase_of

_LEDGER = ("captured", "reserved", "in_flight", "settled", "charged_back", "excess", "left")
_REFUND = ("claimed", "approved", "reserved", "in_flight", "settled")


def deadlines(reader: Reader, file: CaseFile, found: Sequence[Term]) -> Markup:
    """Write every deadline with what became of it, drawn and as a table."""
    if not found:
        return section(reader, "deadlines", nothing(reader))
    told = [outcome(reader, term) for term in found]
    columns = [reader.label(name) for name in ("c_deadline", "c_set", "c_due", "c_outcome")]
    more = reader.label("strip_more", count=strip.MOST) if len(found) > strip.MOST else ""
    rows = [
        (
            [capital(reader.word(words.DEADLINES, term.name)), tag("small", reader.rule(term.rule))],
            reader.moment(term.set_at),
            reader.due(term.due),
            badge(said, "bad" if term.missed(reader.now) else "good" if term.promise else ""),
        )
        for term, said in zip(found, told, strict=True)
    ]
    return section(
        reader, "deadlines",
        tag("figure", strip.draw(reader, found, file.refund.id, told),
            tag("figcaption", reader.label("strip_key"), " ", more)),
        table(reader.label("t_deadlines"), columns, rows),
    )  # fmt: skip


def evidence(reader: Reader, file: CaseFile) -> Markup:
    """Write every piece of evidence with its digests, and what is missing."""
    refund = file.refund
    columns = [reader.label(name) for name in ("c_no", "c_kind", "c_given", "c_digest")]
    rows = [_piece(reader, item, file) for item in refund.evidence]
    notes: list[Child] = []
    for key, groups in (("asked", [(kind,) for kind in refund.requested_evidence]),
                        ("missing", _missing(refund))):  # fmt: skip
        if groups:
            kinds = reader.listed(
                reader.label("or").join(reader.word(words.EVIDENCE, kind) for kind in group) for group in groups
            )
            notes.append(tag("p", reader.label(key, kinds=kinds)))
    found = table(reader.label("t_evidence"), columns, rows) if rows else nothing(reader)
    return section(reader, "evidence", found, notes)


def _missing(refund: Refund) -> tuple[tuple[str, ...], ...]:
    """Return what was needed and did not come, while that counts or counted: not once the claim was approved."""
    counts = phase_of(refund.state) not in ("approved", "paid_out", "withdrawn") and refund.imported is None
    return refund.missing_evidence if counts else ()


def _piece(reader: Reader, item: Evidence, file: CaseFile) -> Sequence[Child]:
    refund, known = file.refund, file.digests.get(item.file)
    internal = badge(reader.label("was_internal")) if item.audience == "internal" else None
    size = reader.label("bytes", size=f"{item.size:,}")
    return (
        str(item.file),
        [reader.word(words.EVIDENCE, item.kind), " ", internal, tag("small", item.media_type, ", ", size)],
        [reader.moment(item.at), tag("small", reader.person(item.role, item.by))],
        [
            digest(known) if known else badge(reader.label("unreadable" if refund.buyer_id else "erased"), "bad"),
            tag("small", reader.label("commitment"), digest(item.commitment)),
        ],
    )


def offers(reader: Reader, file: CaseFile) -> Markup:
    """Write every offer and counter-offer and how it ended."""
    if not file.refund.offers:
        return section(reader, "offers", nothing(reader))
    names = ("c_no", "c_who", "c_refund_part", "c_compensation", "c_when", "c_outcome")
    rows = [_offer(reader, item) for item in sorted(file.refund.offers, key=lambda offer: offer.offer)]
    return section(reader, "offers", table(reader.label("t_offers"), [reader.label(name) for name in names], rows))


def _offer(reader: Reader, item: Offer) -> Sequence[Child]:
    ended = reader.label("stands") if item.ended is None else reader.word(words.ENDS, item.ended)
    return (
        f"{item.offer}",
        [reader.person(item.role, item.by), tag("small", reader.label("a_counter" if item.counter else "an_offer"))],
        reader.money(item.refund_minor),
        reader.money(item.compensation_minor) if item.compensation_minor else "–",
        reader.moment(item.at),
        badge(ended, "good" if item.ended == "accepted" else ""),
    )


def payouts(reader: Reader, file: CaseFile) -> Markup:
    """Write every payout number, and the money of the refund."""
    refund = file.refund
    names = ("c_number", "c_channel", "c_amount", "c_sent", "c_outcome", "c_reference")
    rows = [_attempt(reader, item) for item in refund.attempts]
    money = [(reader.label(f"k_{name}"), reader.money(getattr(refund, f"{name}_minor"))) for name in _REFUND]
    return section(
        reader, "payouts",
        tag("h3", reader.label("t_money")), facts(money),
        table(reader.label("t_payouts"), [reader.label(name) for name in names], rows) if rows else None,
    )  # fmt: skip


def _attempt(reader: Reader, item: Attempt) -> Sequence[Child]:
    kind = {"settled": "good", "refused": "bad", "reversed": "bad", "stray": "bad"}.get(item.state, "")
    return (
        code(item.number),
        reader.word(words.CHANNELS, item.channel),
        reader.money(item.amount_minor, item.currency),
        reader.moment(item.at),
        [badge(reader.word(words.ATTEMPTS, item.state), kind), " ", badge(reader.label("void")) if item.void else None],
        code(item.reference) if item.reference else "–",
    )


def order(reader: Reader, file: CaseFile) -> Markup:
    """Write what is known of the order line: its payment, its ledger, its facts."""
    line = file.line
    ledger = [(reader.label(f"k_{name}"), reader.money(getattr(line, f"{name}_minor"))) for name in _LEDGER]
    return section(reader, "order", list(_about(reader, file)), tag("h3", reader.label("t_ledger")), facts(ledger),
                   tag("h3", reader.label("t_order")), entries(reader, file.line_entries, {}))  # fmt: skip


def _about(reader: Reader, file: CaseFile) -> Iterator[Child]:
    line = file.line
    channel = reader.word(words.CHANNELS, line.channel)
    yield tag("p", reader.rich("payment", number=code(line.payment_no), channel=channel))
    others = [name for name in line.refunds if name != file.refund.id]
    if others:
        yield tag("p", reader.label("other_refunds", refunds=reader.listed(others)))
