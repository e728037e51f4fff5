"""What came of a rehearsal, counted: states, outcomes, lapses, money, and every row that differs from the rule."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from refundflow.rehearsal.rule import RESPONSES, BadRow, Outcome, Plan
from refundflow.values import HistoryEntry, Refund, Verification
from states.clocks import EVENTS

LAPSES = frozenset(EVENTS.values())


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A row that did not end as the rule says, with the reason."""

    case: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Money:
    """Sums over all refunds of one currency, in minor units; `paid` is what the channel really paid."""

    claimed: int = 0
    approved: int = 0
    settled: int = 0
    paid: int = 0


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What came of a rehearsal; `ok` is that every row ended as the rule says and every chain holds."""

    rows: int
    per_response: Mapping[str, int]
    per_state: Mapping[str, int]
    per_outcome: Mapping[str, int]
    lapses: Mapping[str, int]
    refusals_recorded: int
    provisional: int
    money: Mapping[str, Money]
    bad_rows: Sequence[BadRow]
    problems: Sequence[Problem]
    verification: Verification
    seconds: float

    @property
    def ok(self) -> bool:
        """Tell that nothing differs from the rule."""
        return not self.problems and not self.bad_rows and self.verification.ok

    @property
    def refunds_per_second(self) -> float:
        """Return how many refunds ran through their whole life in a second."""
        return self.rows / self.seconds if self.seconds else 0.0

    def as_json(self) -> dict[str, Any]:
        """Return the summary as JSON values; amounts in minor units."""
        return {
            "rows": self.rows,
            "ok": self.ok,
            "responses": dict(self.per_response),
            "states": dict(self.per_state),
            "outcomes": dict(self.per_outcome),
            "lapses": dict(self.lapses),
            "refusals_recorded": self.refusals_recorded,
            "provisional": self.provisional,
            "money": {
                currency: {
                    "claimed_minor": sums.claimed,
                    "approved_minor": sums.approved,
                    "settled_minor": sums.settled,
                    "paid_minor": sums.paid,
                }
                for currency, sums in self.money.items()
            },
            "bad_rows": [{"line": row.line_number, "case": row.case, "reason": row.reason} for row in self.bad_rows],
            "problems": [{"case": item.case, "reason": item.reason} for item in self.problems],
            "chains": self.verification.chains,
            "entries": self.verification.entries,
            "findings": [f"{item.subject}: {item.what}" for item in self.verification.findings],
            "seconds": round(self.seconds, 1),
            "refunds_per_second": round(self.refunds_per_second, 1),
        }


@dataclass(kw_only=True)
class Tally:
    """Counts row by row; a row is compared with its rule as it is added."""

    bad_rows: Sequence[BadRow]
    problems: list[Problem]
    _rows: int = 0
    _counts: dict[str, Counter[str]] = field(
        default_factory=lambda: {name: Counter() for name in ("response", "state", "outcome", "lapse")}
    )
    _refusals: int = 0
    _provisional: int = 0
    _money: dict[str, Counter[str]] = field(default_factory=dict)

    def add(self, plan: Plan, refund: Refund | None, history: Sequence[HistoryEntry], paid: int) -> None:
        """Count one row: its refund as it ended, its entries, and what the channel paid."""
        self._rows += 1
        self._counts["response"][plan.complaint.response] += 1
        self._count_history(history)
        if refund is not None:
            self._counts["state"][refund.state] += 1
            self._counts["outcome"][_outcome(refund)] += 1
            sums = self._money.setdefault(refund.currency, Counter())
            sums.update(
                claimed=refund.claimed_minor, approved=refund.approved_minor, settled=refund.settled_minor, paid=paid
            )
        reason = _difference(plan, refund, history, paid)
        if reason and all(problem.case != plan.order.order_id for problem in self.problems):
            self.problems.append(Problem(case=plan.order.order_id, reason=reason))

    def _count_history(self, history: Sequence[HistoryEntry]) -> None:
        for entry in history:
            if entry.event in LAPSES:
                self._counts["lapse"][entry.event] += 1
            if entry.kind == "refused":
                self._refusals += 1 + entry.repeats
            if entry.deadline is not None and entry.deadline.get("provisional"):
                self._provisional += 1

    def summary(self, verification: Verification, *, seconds: float) -> Summary:
        """Close the count."""
        counts = self._counts
        return Summary(
            rows=self._rows,
            per_response={name: counts["response"][name] for name in RESPONSES if counts["response"][name]},
            per_state=dict(sorted(counts["state"].items())),
            per_outcome=dict(sorted(counts["outcome"].items())),
            lapses=dict(sorted(counts["lapse"].items())),
            refusals_recorded=self._refusals,
            provisional=self._provisional,
            money={currency: Money(**sums) for currency, sums in sorted(self._money.items())},
            bad_rows=tuple(self.bad_rows),
            problems=tuple(self.problems),
            verification=verification,
            seconds=seconds,
        )


def _outcome(refund: Refund) -> Outcome:
    if refund.phase == "rejected":
        return "rejected"
    if refund.phase == "withdrawn":
        return "withdrawn"
    if refund.phase == "paid_out":
        return "paid" if refund.settled_minor else "compensated"
    return "open"


def _difference(plan: Plan, refund: Refund | None, history: Sequence[HistoryEntry], paid: int) -> str | None:
    """Say in what a row differs from its rule, None where it ended as the rule says."""
    if refund is None:
        return "the claim was never opened"
    if refund.state != plan.state:
        return f"ended in {refund.state}, the rule says {plan.state}"
    if _outcome(refund) != plan.outcome:
        return f"ended {_outcome(refund)}, the rule says {plan.outcome}"
    if not paid == refund.settled_minor == plan.paid:
        return f"the channel paid {paid}, settled is {refund.settled_minor}, the rule says {plan.paid}"
    tried = {step.event for step in plan.steps if step.refused is not None}
    recorded = {entry.event for entry in history if entry.kind == "refused"}
    if tried != recorded:
        return f"refusals recorded: {sorted(recorded)}, the rule says {sorted(tried)}"
    return None
