"""What a scripted number does: pure functions from a number's record and a time to answers and facts."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Literal, TypedDict

from refundflow.gateways.port import Notification, NotificationKind, Outcome, PayoutOrder
from states import times

SCRIPTS: Mapping[str, str] = {
    "settle": "pays at once",
    "pending_then_settle": "accepts, pays after `after`",
    "pending_then_refuse": "accepts, after `after` refuses; the number is void",
    "refuse": "refuses, as often as it is sent; the number stays open",
    "refuse_once": "refuses, and pays when the same number is sent again at least `after` later",
    "refuse_void": "refuses and says that the number will never pay",
    "refuse_void_but_pays": "says that the number will never pay, and pays it `after` later all the same",
    "timeout_done": "does not answer, but has paid; only a query from `after` on says so",
    "timeout_not_done": "does not answer and has paid nothing; sent again, it pays",
    "timeout_for_ever": "neither answers nor pays, and never says so",
    "duplicate_notification": "pays at once and tells it twice",
    "reverse": "pays at once; the money comes back after `after`",
    "wrong_amount": "pays at once, one minor unit less than asked",
}
DEFAULT_AFTER: Mapping[str, timedelta] = {
    "pending_then_settle": timedelta(minutes=10),
    "pending_then_refuse": timedelta(minutes=10),
    "refuse_void_but_pays": timedelta(hours=1),
    "reverse": timedelta(days=1),
}
_REFUSALS = {
    "refuse": "the merchant's balance does not suffice",
    "refuse_once": "the merchant's balance does not suffice",
    "refuse_void": "the buyer's account is closed",
    "refuse_void_but_pays": "the buyer's account is closed",
    "pending_then_refuse": "the buyer's bank refused the transfer",
}
_VOID = frozenset({"refuse_void", "refuse_void_but_pays", "pending_then_refuse"})


class Record(TypedDict):
    """What the channel keeps of one number; moments are the text of `states.times`."""

    payment_no: str
    amount: int
    currency: str
    script: str
    after: int  # microseconds
    sent_at: str
    sent_again_at: str | None  # the first later time it was sent and its script cared


@dataclass(frozen=True, kw_only=True, slots=True)
class BillRow:
    """One movement of money as the channel bills it, in minor units."""

    number: str
    payment_no: str
    kind: Literal["paid", "returned"]
    amount: int
    currency: str
    reference: str
    occurred_at: datetime


def reference_of(number: str, what: str) -> str:
    """Name a fact by the channel's own id, the same in every run."""
    return f"fake-{sha256(f'{number}|{what}'.encode()).hexdigest()[:20]}"


def _paid_at(record: Record) -> datetime | None:
    """Say when the number pays, if it ever does."""
    sent = times.moment(record["sent_at"])
    later = sent + timedelta(microseconds=record["after"])
    again = record["sent_again_at"]
    match record["script"]:
        case "settle" | "timeout_done" | "duplicate_notification" | "reverse" | "wrong_amount":
            return sent
        case "pending_then_settle" | "refuse_void_but_pays":
            return later
        case "refuse_once" | "timeout_not_done":
            return times.moment(again) if again is not None else None
        case _:
            return None


def movements(number: str, record: Record) -> Iterator[BillRow]:
    """Yield what the number moves, past and future, in order of time."""
    paid = _paid_at(record)
    if paid is None:
        return
    amount = record["amount"] - (record["script"] == "wrong_amount")

    def row(kind: Literal["paid", "returned"], at: datetime) -> BillRow:
        return BillRow(
            number=number,
            payment_no=record["payment_no"],
            kind=kind,
            amount=amount,
            currency=record["currency"],
            reference=reference_of(number, kind),
            occurred_at=at,
        )

    yield row("paid", paid)
    if record["script"] == "reverse":
        yield row("returned", paid + timedelta(microseconds=record["after"]))


def told(number: str, record: Record) -> Iterator[Notification]:
    """Yield what the channel tells of the number by itself, past and future, in order of time."""
    if record["script"] == "timeout_done":
        return  # a notification would hide what this script is for: we must ask
    if record["script"] == "pending_then_refuse":
        at = times.moment(record["sent_at"]) + timedelta(microseconds=record["after"])
        yield _notification("refused", number, record, reference_of(number, "refused"), at)
    for row in movements(number, record):
        kind: NotificationKind = "settled" if row.kind == "paid" else "reversed"
        again = 2 if record["script"] == "duplicate_notification" and row.kind == "paid" else 1
        for _ in range(again):
            yield _notification(kind, number, record, row.reference, row.occurred_at, row.amount)


def _notification(
    kind: NotificationKind,
    number: str,
    record: Record,
    reference: str,
    at: datetime,
    amount: int | None = None,
) -> Notification:
    return Notification(
        kind=kind,
        number=number,
        amount=record["amount"] if amount is None else amount,
        currency=record["currency"],
        reference=reference,
        occurred_at=at,
        void=kind == "refused" and record["script"] in _VOID,
    )


def answer(number: str, record: Record, at: datetime, asked: Literal["send", "query"]) -> Outcome:
    """Answer a call about a number that the channel has seen."""
    script, sent = record["script"], times.moment(record["sent_at"])
    later = sent + timedelta(microseconds=record["after"])
    silent = script in ("timeout_done", "timeout_not_done") and record["sent_again_at"] is None
    if script == "timeout_for_ever" or (silent and (asked == "send" or at < later)):
        return Outcome(kind="unknown", number=number, reason="the channel did not answer in time")
    if script in ("pending_then_settle", "pending_then_refuse") and at < later:
        return Outcome(
            kind="pending",
            number=number,
            reference=reference_of(number, "accepted"),
            reason="accepted, not yet paid",
        )
    if script == "refuse_void_but_pays":  # its mistake comes out by notification and bill only
        return _refused(number, record)
    for row in movements(number, record):
        if row.occurred_at <= at:
            return Outcome(
                kind="settled",
                number=number,
                reference=row.reference,
                amount=row.amount,
                currency=row.currency,
                occurred_at=row.occurred_at,
            )
    if script == "timeout_not_done":
        return never_seen(number)
    return _refused(number, record)


def _refused(number: str, record: Record) -> Outcome:
    script = record["script"]
    after = record["after"] if script == "pending_then_refuse" else 0
    return Outcome(
        kind="refused",
        number=number,
        reference=reference_of(number, "refused"),
        amount=record["amount"],
        currency=record["currency"],
        void=script in _VOID,
        reason=_REFUSALS[script],
        occurred_at=times.moment(record["sent_at"]) + timedelta(microseconds=after),
    )


def never_seen(number: str) -> Outcome:
    """Answer about a number that never reached the channel: no money, and it may be sent again."""
    return Outcome(
        kind="refused",
        number=number,
        reference=reference_of(number, "never seen"),
        reason="the channel does not know this number",
    )


def differs(order: PayoutOrder, record: Record) -> Outcome | None:
    """Refuse a number that comes again with other parameters; None when they are the same."""
    known = (record["payment_no"], record["amount"], record["currency"])
    if known == (order.payment_no, order.amount, order.currency):
        return None
    return Outcome(
        kind="refused",
        number=order.number,
        reference=reference_of(order.number, f"differs|{order.payment_no}|{order.amount}|{order.currency}"),
        reason=(
            f"this number was sent for payment {known[0]} with {known[1]} {known[2]},"
            f" not for {order.payment_no} with {order.amount} {order.currency}"
        ),
        occurred_at=order.at,
    )
