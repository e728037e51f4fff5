"""Warnings: told once per deadline before it lapses; they change nothing and are no entries."""

from datetime import datetime

from states import clocks, times
from states.case import Case, Effect


def warnings(case: Case, *, now: datetime, warned_at: str | None) -> list[Effect]:
    """Return the warnings that came due after `warned_at` up to now, each to whom the deadline concerns."""
    at = times.text(now)
    return [
        Effect(
            kind="buyer_message" if name in clocks.TO_THE_BUYER else "staff_task",
            subject=case["id"],
            seq=case["seq"],
            code="WARNING",
            params={"deadline": name, "due_at": deadline["due_at"]},
            effective_at=deadline["warn_at"],
        )
        for name, deadline in case["deadlines"].items()
        if "warn_at" in deadline and (warned_at or "") < deadline["warn_at"] <= at < deadline["due_at"]
    ]
