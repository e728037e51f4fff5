"""How the answers of the facade are printed: one function for each kind of value, as JSON or as rows."""

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from refundflow.cli import output
from refundflow.cli.call import Call
from refundflow.messages import state_words
from refundflow.render import (
    blocker_words,
    document,
    due,
    local,
    money,
    page_json,
    queue_json,
    refund_json,
    stamp,
)

if TYPE_CHECKING:
    from refundflow.values import (
        Check,
        Deadline,
        Explanation,
        HistoryEntry,
        OrderLine,
        Page,
        QueueItem,
        Refund,
    )

UNDECIDED = ("submitted", "under_review", "awaiting_evidence", "rejected", "appealed")  # where evidence still counts
WAITING = "recorded, 1 of 2: another person has to do the same with the same terms"


def moved(call: Call, refund: "Refund") -> None:
    """Print the refund as an act left it: id, state, standing deadline, grounds of a rejection."""
    if refund.waiting:
        output.talk(WAITING)
    if call.as_json:
        output.data(refund_json(refund))
        return
    row = (refund.id, state_words(refund.state), deadline(call, refund.deadline), ", ".join(refund.grounds))
    output.table(("refund", "state", "deadline", "grounds"), [row])


def submitted(call: Call, refund: "Refund") -> None:
    """Print a new refund, and say what evidence it still misses."""
    if refund.missing_evidence and not call.as_json:
        output.talk(f"still missing: {groups(refund.missing_evidence)}; it may be asked for in the review")
    moved(call, refund)


def line(call: Call, value: "OrderLine") -> None:
    """Print an order line with its ledger as a fact left it."""
    if value.waiting:
        output.talk(WAITING)
    if not value.changed:
        output.talk("already known; nothing changed")
    if call.as_json:
        output.data(document(value))
        return
    amounts = [
        (name, money(getattr(value, f"{name}_minor"), value.currency))
        for name in ("captured", "reserved", "in_flight", "settled", "charged_back", "excess", "left")
    ]
    output.record([("order", f"{value.order_id}/{value.line}"), ("usage", value.usage), *amounts])


def deadline(call: Call, standing: "Deadline | None") -> str:
    """Write a standing deadline, e.g. "review due Tue 24 Nov 00:00, 1 d 3 h left"; nothing where there is none."""
    if standing is None:
        return ""
    marks = ", provisional" if standing.provisional else ""
    return f"{standing.name.replace('_', ' ')} {due(standing.due_at, call.now, call.zone)}{marks}"


def refund(call: Call, value: "Refund") -> None:
    """Print everything that the reader may see of one refund."""
    if call.as_json:
        output.data(refund_json(value))
        return
    output.record(_facts(call, value))


def _facts(call: Call, value: "Refund") -> Iterable[tuple[str, object]]:
    yield "refund", value.id
    yield "order", f"{value.order_id}/{value.line}"
    yield "state", f"{state_words(value.state)} ({value.state})"
    for standing in value.deadlines:
        yield "deadline", deadline(call, standing)
    yield from _claim(value)
    if value.imported is not None:
        source = value.imported
        yield "imported", f"case {source.case}, by {source.by}, file {source.file[:12]} line {source.row}"
    yield "submitted", local(value.submitted_at, call.zone, call.now)
    yield from _handling(call, value)
    yield "possible", ", ".join(event.replace("_", "-") for event in value.allowed)
    yield "entries", value.seq


def _claim(value: "Refund") -> Iterable[tuple[str, object]]:
    yield "buyer", value.buyer_id if value.buyer_id is not None else "(erased)"
    yield "product", f"{value.product} ({value.product_type}, {value.usage})"
    yield "reason", value.reason
    yield "claimed", money(value.claimed_minor, value.currency)
    for name, amount in (
        ("approved", value.approved_minor),
        ("in flight", value.in_flight_minor),
        ("settled", value.settled_minor),
    ):
        if amount:
            yield name, money(amount, value.currency)
    yield "channel", value.channel


def _handling(call: Call, value: "Refund") -> Iterable[tuple[str, object]]:
    if value.assignee:
        yield "assignee", value.assignee
    if value.hold or value.level:
        yield "escalated", f"level {value.level}{', on hold' if value.hold else ''}"
    if value.flags:
        yield "risk", ", ".join(value.flags)
    if value.grounds:
        yield "grounds", ", ".join(value.grounds)
    for name, text in value.texts.items():
        yield f"{name} says", text
    if value.requested_evidence:
        yield "asked for", ", ".join(value.requested_evidence)
    if value.missing_evidence and value.phase in UNDECIDED:
        yield "missing", groups(value.missing_evidence)
    for item in sorted(value.evidence, key=lambda item: item.file):
        yield "evidence", f"{item.file} {item.kind}, {item.media_type}, {item.size} bytes, by {item.role} {item.by}"
    for offer in sorted(value.offers, key=lambda offer: offer.offer):
        ended = offer.ended or "stands"
        what = f"{money(offer.refund_minor, value.currency)} + {money(offer.compensation_minor, value.currency)}"
        yield (
            "counter-offer" if offer.counter else "offer",
            f"{offer.offer} {what}, by {offer.role} {offer.by}, {ended}",
        )
    for first in value.firsts:
        yield "1 of 2", f"{first.event} by {first.role} {first.name}"
    for attempt in sorted(value.attempts, key=lambda attempt: (attempt.at, attempt.number)):
        marks = "".join(
            [", void" if attempt.void else "", f", reference {attempt.reference}" if attempt.reference else ""]
        )
        amount = money(attempt.amount_minor, attempt.currency)
        yield "payout", f"{attempt.number} {amount} by {attempt.channel}: {attempt.state}{marks}"
    if value.enquiry_since is not None:
        yield "enquiry", f"open since {local(value.enquiry_since, call.zone, call.now)}"


def groups(needed: Sequence[Sequence[str]]) -> str:
    """Write groups of evidence kinds, e.g. "statement, screenshot or chat_log"."""
    return ", ".join(" or ".join(group) for group in needed)


def page(call: Call, value: "Page") -> None:
    """Print a page of refunds, one row each; say how to get the next page."""
    if call.as_json:
        output.data(page_json(value))
        return
    output.table(
        ("refund", "state", "claimed", "product", "reason", "submitted", "deadline"),
        [
            (
                item.id,
                state_words(item.state),
                money(item.claimed_minor, item.currency),
                item.product_type,
                item.reason,
                local(item.submitted_at, call.zone, call.now),
                deadline(call, item.deadline),
            )
            for item in value.refunds
        ],
    )
    if value.after is not None:
        output.talk(f"more: --after {value.after}")


def queue(call: Call, items: "Sequence[QueueItem]") -> None:
    """Print a queue, what is due first on top."""
    if call.as_json:
        output.data([queue_json(item) for item in items])
        return
    output.table(
        ("urgency", "refund", "state", "turn", "claimed", "assignee", "deadline", "marks"),
        [
            (
                item.urgency.replace("_", " "),
                item.refund.id,
                state_words(item.refund.state),
                item.turn,
                money(item.refund.claimed_minor, item.refund.currency),
                item.refund.assignee,
                deadline(call, item.refund.deadline),
                _marks(item.refund),
            )
            for item in items
        ],
    )


def _marks(value: "Refund") -> str:
    marks = [
        ("hold", value.hold),
        (f"level {value.level}", value.level > 0),
        ("clear evidence", value.clear_evidence and value.state == "appealed"),
        ("enquiry", value.enquiry_since is not None),
        ("1 of 2", bool(value.firsts)),
        ("risk", bool(value.flags)),
    ]
    return ", ".join(name for name, given in marks if given)


def history(call: Call, entries: "Sequence[HistoryEntry]") -> None:
    """Print the entries of a chain in order."""
    if call.as_json:
        output.data([document(entry) for entry in entries])
        return
    output.table(
        ("seq", "effective", "event", "kind", "state", "by", "what"),
        [
            (
                entry.seq,
                stamp(entry.effective_at, call.zone),
                entry.event,
                entry.kind,
                _move(entry),
                f"{entry.actor_role}:{entry.actor_name}",
                _what(entry, call.zone),
            )
            for entry in entries
        ],
    )


def _move(entry: "HistoryEntry") -> str:
    if entry.before == entry.after or entry.before is None:
        return entry.after or ""
    return f"{entry.before} → {entry.after}"


def _what(entry: "HistoryEntry", zone: str) -> str:
    parts = [f"{name}={_short(value)}" for name, value in entry.params.items()]
    parts += [f"{name}: {'(erased)' if text is None else text}" for name, text in entry.texts.items()]
    parts += [blocker_words(blocker, zone=zone) for blocker in entry.blockers]
    if entry.pending:
        parts.append("due by now, not stored yet")
    if entry.repeats:
        parts.append(f"refused {entry.repeats} times more before this")
    return "; ".join(parts)


def _short(value: object) -> str:
    if isinstance(value, list | tuple):
        return ",".join(map(_short, value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def explanation(call: Call, value: "Explanation") -> None:
    """Print for every event whether it is possible now, and else every reason why not and until when."""
    if call.as_json:
        output.data(document(value))
        return
    moved(call, value.refund)
    currency = value.refund.currency
    rows = [(event.replace("_", "-"), "possible", "") for event in value.possible]
    rows += [
        (event.replace("_", "-"), "blocked", blocker_words(blocker, zone=call.zone, currency=currency))
        for event, blockers in value.blocked.items()
        for blocker in blockers
    ]
    output.table(("event", "now", "why"), rows)


def checks(call: Call, found: "Sequence[Check]") -> None:
    """Print what a claim would meet, one row for each reason."""
    if call.as_json:
        output.data([document(check) for check in found])
        return
    output.table(
        ("reason", "outcome", "why", "bring", "claim until", "left", "pro rata"),
        [
            (
                check.reason,
                check.outcome,
                "; ".join([*check.grounds, *_blocked(check, call)]),
                groups(check.needed),
                "" if check.window_ends_at is None else local(check.window_ends_at, call.zone, call.now),
                money(check.left_minor, check.currency),
                "" if check.pro_rata_minor is None else money(check.pro_rata_minor, check.currency),
            )
            for check in found
        ],
    )


def _blocked(check: "Check", call: Call) -> list[str]:
    return [blocker_words(blocker, zone=call.zone, currency=check.currency) for blocker in check.blockers]
