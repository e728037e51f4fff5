"""Totals: what metrics count on, told by the new entries of a chain and those before them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

HOUR = 3600
STATE_BUCKETS = (60, HOUR, 4 * HOUR, 24 * HOUR, 48 * HOUR, 72 * HOUR, 168 * HOUR, 336 * HOUR)
OVERDUE_BUCKETS = (HOUR, 4 * HOUR, 12 * HOUR, 24 * HOUR, 48 * HOUR, 96 * HOUR, 168 * HOUR, 336 * HOUR)
DELAY_BUCKETS = (1, 5, 30, 60, 300, HOUR, 24 * HOUR)
SUM = "sum"  # the bucket in which the milliseconds themselves are added up
MORE = "+Inf"
# Where a promise to the buyer runs; in negotiation, and while evidence is waited for, it stays what it was.
PROMISE_IN = {
    "submitted": "review", "under_review.reviewing": "review", "appealed": "appeal",
    "approved.payable": "payout", "approved.paying": "payout", "approved.payout_failed": "payout",
}  # fmt: skip
STAYS_IN = ("under_review.negotiating", "awaiting_evidence")
BROKEN_BY = {"review_overdue": "review", "appeal_overdue": "appeal", "payout_overdue": "payout"}
NO_ANSWER = ("auto_reject", "withdraw", "revoke_approval")  # these end a promise without keeping it
LAPSES = (
    *BROKEN_BY, "enquiry_overdue", "evidence_lapsed", "offer_lapsed", "appeal_window_closed", "receipt_assumed",
)  # fmt: skip
Key = tuple[str, tuple[str, ...]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One entry as the totals see it; `occurred_at` is when the outside says that it happened."""

    seq: int
    kind: str
    event: str
    before: str | None
    after: str | None
    effective_at: datetime
    recorded_at: datetime
    occurred_at: datetime | None = None


@dataclass(kw_only=True, slots=True)
class _Promise:
    """A promise that runs, and when it was broken, if it was."""

    name: str
    due_at: datetime | None = None


def count(chain: Sequence[Step], new: frozenset[int]) -> Counter[Key]:
    """Count what the entries `new` (numbers) of a chain add; the chain ends with the last of them.

    Times are milliseconds. A promise is judged when it ends, by `occurred_at` where the outside told one; what
    is broken and has not ended stands in `overdue_now`.
    """
    counted: Counter[Key] = Counter()
    for seq, key, value in _told(chain):
        if seq in new:
            counted[key] += value
    return counted


def _told(chain: Sequence[Step]) -> Iterator[tuple[int, Key, int]]:
    entered: datetime | None = None
    running: _Promise | None = None
    enquiry: _Promise | None = None
    for step in chain:
        yield step.seq, ("moves", (step.event, step.kind)), 1
        if step.kind in ("refused", "imported"):  # what another system did says nothing of promises kept here
            continue
        if step.event in LAPSES:
            yield from _observed(step.seq, "lapse_delay", (), step.recorded_at - step.effective_at, DELAY_BUCKETS)
        if step.before != step.after and step.after is not None:
            if step.before is not None and entered is not None:
                yield from _observed(step.seq, "state", (step.before,), step.effective_at - entered, STATE_BUCKETS)
            entered = step.effective_at
            following = running.name if running and step.after in STAYS_IN else PROMISE_IN.get(step.after)
            if running is not None and following != running.name:
                yield from _ended(step, running)
                running = None
            if running is None and following is not None:
                running = _Promise(name=following)
        for promise in (running, enquiry):
            yield from _broken(step, promise)
        if step.event == "raise_enquiry":
            enquiry = _Promise(name="enquiry")
        elif step.event == "answer_enquiry" and enquiry is not None:
            yield from _ended(step, enquiry)
            enquiry = None


def _broken(step: Step, promise: _Promise | None) -> Iterator[tuple[int, Key, int]]:
    name = "enquiry" if step.event == "enquiry_overdue" else BROKEN_BY.get(step.event)
    if promise is not None and promise.name == name and promise.due_at is None:
        promise.due_at = step.effective_at
        yield step.seq, ("overdue_now", (promise.name,)), 1


def _ended(step: Step, promise: _Promise) -> Iterator[tuple[int, Key, int]]:
    """Judge a promise at its end: kept, broken, or ended without an answer."""
    at = step.occurred_at or step.effective_at
    if promise.due_at is not None:
        yield step.seq, ("overdue_now", (promise.name,)), -1
        if at >= promise.due_at:
            yield step.seq, ("promises", (promise.name, "broken")), 1
            yield from _observed(step.seq, "overdue", (promise.name,), at - promise.due_at, OVERDUE_BUCKETS)
            return
    if step.event not in NO_ANSWER:
        yield step.seq, ("promises", (promise.name, "kept")), 1


def _observed(
    seq: int, name: str, labels: tuple[str, ...], length: timedelta, buckets: Sequence[int]
) -> Iterator[tuple[int, Key, int]]:
    """Tell one observation of a histogram: its bucket alone, and its length."""
    seconds = length.total_seconds()
    bucket = next((str(bound) for bound in buckets if seconds <= bound), MORE)
    yield seq, (name, (*labels, bucket)), 1
    yield seq, (name, (*labels, SUM)), round(seconds * 1000)
