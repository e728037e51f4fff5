"""The chart as pages: a Mermaid diagram, the table of moves, and the deadlines with the bounds that they give."""

from collections.abc import Iterator
from typing import NamedTuple

from states import clocks
from states.chart import SITUATIONS, Table, phase_of
from states.policy_values import Policy

Rows = list[tuple[str, ...]]
MOVES = ("event", "from", "to", "guards")
DEADLINES = ("state", "deadline", "length", "event", "to", "ends_within")


class Length(NamedTuple):
    """How long a deadline is: in words, and at most so many hours; None where the calendar decides."""

    words: str
    hours: int | None


def mermaid(table: Table) -> str:
    """Return the chart as a Mermaid state diagram; what only stays where it is, is left to the table."""
    lines = ["stateDiagram-v2", f"    [*] --> {_node(table.initial)}: submit"]
    lines += _phases(table)
    merged: dict[tuple[str, str], list[str]] = {}
    for row in table.rows:
        if row.source != row.target:
            merged.setdefault((row.source, row.target), []).append(row.event)
    for (source, target), events in merged.items():
        lines.append(f"    {_node(source)} --> {_node(target)}: {', '.join(dict.fromkeys(events))}")
    lines += [f"    {_node(state)} --> [*]" for state in table.leaves if state in table.final]
    return "\n".join(lines)


def _phases(table: Table) -> Iterator[str]:
    phases: dict[str, list[str]] = {}
    for state in table.leaves:
        phases.setdefault(phase_of(state), []).append(state)
    for phase, leaves in phases.items():
        if leaves == [phase]:
            continue
        yield f"    state {phase} {{"
        yield from (f'        state "{state.partition(".")[2]}" as {_node(state)}' for state in leaves)
        yield "    }"


def _node(state: str) -> str:
    return state.replace(".", "_")


def moves(table: Table) -> Rows:
    """Return the moves of the chart, in the columns of `MOVES`; the guards are those of the chart itself."""
    return [(row.event, row.source, row.target, " and ".join(row.guards)) for row in table.rows]


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
