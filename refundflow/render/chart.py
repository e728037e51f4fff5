"""The chart as rows: its moves, its standing deadlines, and the bounds that they give."""

from typing import NamedTuple

from refundflow.export.pnml import pnml
from states import clocks, picture
from states.bounds import bounds as parts
from states.chart import SITUATIONS, Table
from states.picture import mermaid
from states.policy_values import Policy

__all__ = ["BOUNDS", "DEADLINES", "MOVES", "bounds", "deadlines", "mermaid", "moves", "pnml"]

Rows = list[tuple[str, ...]]
MOVES = ("event", "from", "to", "guards")
BOUNDS = ("part", "at_most")
DEADLINES = ("state", "deadline", "length", "event", "to", "ends_within")


class Length(NamedTuple):
    """How long a deadline is: in words, and at most so many hours; None where the calendar decides."""

    words: str
    hours: int | None


def moves(table: Table) -> Rows:
    """Return the moves of the chart, in the columns of `MOVES`; the guards are those of the chart itself."""
    return [(move.event, move.source, move.target, move.guard) for move in picture.moves(table)]


def bounds(policy: Policy) -> Rows:
    """Return the longest time of each part of a refund by deadlines alone, in the columns of `BOUNDS`."""
    return [(part, str(bound)) for part, bound in parts(policy).items()]


def deadlines(table: Table, policy: Policy) -> Rows:
    """Return for every open state its standing deadline, in the columns of `DEADLINES`.

    The last column bounds how long the refund stays open by deadlines alone from entering the state on;
    a dash where the way leads to, or stays in, a state that only a person leaves.
    """
    found: Rows = []
    for state, name in clocks.STANDING.items():
        event = clocks.EVENTS[name]
        for target in _targets(table, state, event):
            hours = _bound(table, policy, state, target, frozenset({state}))
            ends = "–" if hours is None else f"{hours} h ({-(-hours // 24)} days)"
            found.append((state, name, _length(policy, name).words, event, target, ends))
    return found


def _targets(table: Table, state: str, event: str) -> tuple[str, ...]:
    reached = (table.target(state, event, situation) for situation in SITUATIONS)
    return tuple(dict.fromkeys(target for target in reached if target is not None))


def _bound(table: Table, policy: Policy, state: str, target: str, seen: frozenset[str]) -> int | None:
    """Return the most hours from entering `state` to a final one when its deadline leads to `target`."""
    own = _length(policy, clocks.STANDING[state]).hours
    if own is None or target in seen:
        return None
    if target in table.final:
        return own
    event = clocks.EVENTS[clocks.STANDING[target]]
    rest = [_bound(table, policy, target, after, seen | {target}) for after in _targets(table, target, event)]
    known = [hours for hours in rest if hours is not None]
    return own + max(known) if rest and len(known) == len(rest) else None


def _length(policy: Policy, name: str) -> Length:
    """Return the length of a deadline; n civil days last less than n + 1 times 24 hours (and one more at a shift)."""
    if name in ("review", "appeal_review"):
        days = (
            sorted({*policy.review_days.values(), policy.review_days_raised})
            if name == "review"
            else [policy.appeal_review_days]
        )
        return Length(f"{', '.join(map(str, days))} working days", None)
    if name in ("appeal_window", "receipt"):
        days_in_all = policy.appeal_window_days if name == "appeal_window" else policy.receipt_days
        return Length(f"{days_in_all} civil days", 24 * (days_in_all + 1) + 1)
    hours = {"evidence": policy.evidence_hours, "offer": policy.offer_hours, "payout": policy.payout_hours}
    if name in hours:
        return Length(f"{hours[name]} hours", hours[name])
    return Length(f"{policy.enquiry_minutes} minutes", None)
