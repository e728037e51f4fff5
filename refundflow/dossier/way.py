"""The way that a refund took: its steps from state to state, and how long it stayed in each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from refundflow.values import HistoryEntry


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One change of state; `source` is None where the refund was opened."""

    number: int
    seq: int
    event: str
    source: str | None
    target: str
    at: datetime


def steps(entries: Sequence[HistoryEntry]) -> tuple[Step, ...]:
    """Return every change of state in order; what was refused, or stays in its state, is no step."""
    moved = [entry for entry in entries if entry.kind != "refused" and entry.after and entry.after != entry.before]
    return tuple(
        Step(
            number=number, seq=entry.seq, event=entry.event, source=entry.before, target=entry.after or "",
            at=entry.effective_at,
        )
        for number, entry in enumerate(moved, 1)
    )  # fmt: skip


def stays(way: Sequence[Step], now: datetime, final: frozenset[str]) -> dict[str, timedelta]:
    """Return how long the refund was in each state in all; a final one has no end and is left out."""
    spent: dict[str, timedelta] = {}
    ends = [*(step.at for step in way[1:]), now]
    for step, end in zip(way, ends, strict=False):
        if step.target not in final:
            spent[step.target] = spent.get(step.target, timedelta()) + max(end - step.at, timedelta())
    return spent
