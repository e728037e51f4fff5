"""What every decision carries: what is told outside, what a blocker names, what its entries say and replay to."""

import re
from typing import Any

from msgspec.structs import asdict

from refundflow.messages import BLOCKERS
from states.case import Act, Aggregate, Blocker, Decision, Effect, Entry, Ledger, line_subject, merge
from states.refund_v1 import TABLE

MONEY = ("amount", "currency")
TOLD: dict[tuple[str, str], tuple[str, ...]] = {
    ("buyer_message", "SUBMITTED"): (*MONEY, "reason"),
    ("buyer_message", "EVIDENCE_REQUESTED"): ("kinds", "due_at", "silence"),
    ("buyer_message", "OFFER_MADE"): (*MONEY, "offer", "compensation", "usage", "due_at", "pro_rata_minor"),
    ("buyer_message", "OFFER_DECLINED"): (),
    ("buyer_message", "OFFER_LAPSED"): (),
    ("buyer_message", "COMPENSATED"): MONEY,
    ("buyer_message", "APPROVED"): MONEY,
    ("buyer_message", "APPROVAL_REVOKED"): (),
    ("buyer_message", "REJECTED"): ("grounds", "appeal_until"),
    ("buyer_message", "APPEAL_WINDOW_CLOSED"): (),
    ("buyer_message", "PAYING"): (*MONEY, "number"),
    ("buyer_message", "PAYOUT_FAILED"): (),
    ("buyer_message", "SETTLED"): (*MONEY, "number", "channel", "channel_number"),
    ("buyer_message", "RECEIPT_ASSUMED"): (),
    ("buyer_message", "ENQUIRY_ANSWERED"): ("answer", "enquiry", "number", "arrived_at"),
    ("buyer_message", "DEADLINE_EXTENDED"): ("deadline", "due_at"),
    ("buyer_message", "NOTE"): ("contact",),
    ("staff_task", "ASSIGNED"): ("to",),
    ("staff_task", "SECOND_PERSON"): ("event", "first"),
    ("staff_task", "COUNTER_OFFER"): ("offer", "answers", "amount"),
    ("staff_task", "OFFER_DECLINED"): (),
    ("staff_task", "APPEALED"): ("clear_evidence", "due_at"),
    ("staff_task", "ESCALATED"): ("deadline", "level", "due_at"),
    ("staff_task", "HOLD"): ("deadline", "level", "due_at"),
    ("staff_task", "COMPENSATION_STANDS"): (*MONEY, "offer"),
    ("staff_task", "PAY_MANUALLY"): (*MONEY, "number"),
    ("staff_task", "PAYOUT_FAILED"): ("number", "rule"),
    ("staff_task", "PAYOUT_OVERDUE"): ("times", "due_at"),
    ("staff_task", "PAYOUT_REVERSED"): ("number",),
    ("staff_task", "LATE_REVERSAL"): (*MONEY, "number"),
    ("staff_task", "NUMBER_UNANSWERED"): ("number", "settled_by"),
    ("staff_task", "HANDED_TO_FINANCE"): ("number",),
    ("staff_task", "PROOF_KEPT"): ("event", "number", "why"),
    ("staff_task", "PROOF_FELL"): ("event", "name"),
    ("staff_task", "OVERPAID"): MONEY,
    ("staff_task", "ENQUIRY"): ("due_at",),
    ("staff_task", "CHARGEBACK_OPENED"): ("chargeback", "amount", "state"),
    ("staff_task", "CHARGEBACK_CLOSED"): ("chargeback", "amount", "state"),
    ("payout", "PAYOUT"): (*MONEY, "number", "channel", "payment_no", "again"),
    ("grant_compensation", "GRANT_COMPENSATION"): MONEY,
    ("entitlement_revoke", "ENTITLEMENT_REVOKE"): ("product",),
    ("entitlement_restore", "ENTITLEMENT_RESTORE"): ("product",),
    ("system_act", "approve"): (),
    ("system_act", "dispatch_payout"): (),
    ("system_act", "retry_payout"): (),
}
FOLLOWING = ("auto_reject", "first_fell", "answer_enquiry")  # by itself, from the entry that is its cause
OF_A_LIST = {
    "UNKNOWN_REASON", "KINDS_REQUIRED", "UNKNOWN_KIND", "MEDIA_TYPE_NOT_ALLOWED", "GROUND_REQUIRED", "UNKNOWN_GROUND",
    "CHANNEL_REQUIRED", "OUTCOME_REQUIRED",
}  # fmt: skip
LIFTED_BY_TIME = {"CHANNEL_SPACING", "ENQUIRY_OPEN", "PROMISE_NOT_BROKEN"}
_NAMED = re.compile(r"{(\w+)")


def require(before: Aggregate, decision: Decision) -> None:
    """Require of a decision that the entries give what is stored, and that whoever is told is told all."""
    after = decision.aggregate
    assert replay(before, decision) == (after.line, after.ledger, dict(after.refunds))
    for index, entry in enumerate(decision.entries):
        assert entry.kind in ("refused", _kind(entry)), f"{entry.event} is {entry.kind}"
        if entry.event in FOLLOWING and index != decision.entry:
            assert entry.cause in range(1, entry.seq), f"{entry.event} follows from {entry.cause}"
    for effect in decision.effects:
        _require_told(effect)
    for blocker in decision.refusal.blockers if decision.refusal else ():
        _require_named(blocker)


def require_recorded(act: Act, decision: Decision) -> None:
    """Require that the entry of an act says who did what on which terms, and which texts came with it."""
    if decision.entry is None:
        assert (decision.known is not None, decision.refund) == (True, act.refund)
        return
    entry = decision.entries[decision.entry]
    assert decision.refund == (entry.subject if entry.subject in decision.aggregate.refunds else None)
    assert entry.params.get("first", False) is decision.waiting
    assert (entry.event, entry.actor, entry.texts) == (act.event, act.actor, tuple(act.texts))
    named = {name: term for name, term in act.params.items() if name != "evidence" and term is not None}
    assert named.items() <= entry.params.items()
    if entry.kind != "refused":
        assert entry.occurred_at == act.occurred_at


def replay(before: Aggregate, decision: Decision) -> tuple[Any, Ledger, dict[str, Any]]:
    """Return line, ledger and refunds as the entries of a decision leave them."""
    line = line_subject(before.line["order_id"], before.line["line"])
    documents: dict[str, Any] = {line: before.line, **before.refunds}
    columns = asdict(before.ledger)
    for entry in decision.entries:
        patched = merge(documents.get(entry.subject, {}), entry.patch)
        documents[entry.subject] = patched | {"seq": entry.seq, "effective_at": entry.effective_at}
        for column, change in entry.ledger.items():
            columns[column] += change
    return documents.pop(line), Ledger(**columns), documents


def _kind(entry: Entry) -> str:
    """Return what an entry that was not refused is: a move of the chart is applied, all beside it is a fact."""
    moves = entry.event in ("submit", *TABLE.events) and "as" not in entry.params  # a proof that moved nothing
    return "applied" if moves else "fact"


def _require_told(effect: Effect) -> None:
    missing = set(TOLD[effect.kind, effect.code]) - effect.params.keys()
    assert not missing, f"{effect.code} does not tell {sorted(missing)}"


def _require_named(blocker: Blocker) -> None:
    missing = set(_NAMED.findall(BLOCKERS[blocker.code].en)) - blocker.params.keys()
    assert not missing, f"{blocker.code} does not name {sorted(missing)}"
    assert blocker.params.get("allowed") or blocker.code not in OF_A_LIST, (
        f"{blocker.code} does not say what is allowed"
    )
    assert (blocker.until is not None) or blocker.code not in LIFTED_BY_TIME, f"{blocker.code} does not say until when"
