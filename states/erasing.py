"""Erasing a buyer: what must be at its end before, and the entries that say so in every chain of a line."""

from collections.abc import Mapping
from datetime import datetime

from states.case import Actor, Aggregate, Blocker, Case, Decision, Json
from states.claims import ends_by_itself
from states.draft import Rules
from states.judge import caught_up
from states.money import chargeback_open
from states.outcome import outcome
from states.refund_v1 import TABLE

EVENT = "erased"


def open_matters(aggregate: Aggregate, *, rules: Rules, now: datetime) -> tuple[Blocker, ...]:
    """Return what on a line still needs the buyer's data: a refund that is not at its end, an open chargeback."""
    draft = caught_up(aggregate, rules, now)
    unfinished = [case for case in draft.refunds.values() if case["state"] not in TABLE.final]
    blockers = [
        Blocker(
            code="REFUND_IN_PROGRESS",
            params={"refund": case["id"], "state": case["state"]},
            until=_ends_at(case),
        )
        for case in unfinished
    ]
    return (*blockers, *chargeback_open(draft))


def erase(aggregate: Aggregate, actor: Actor, params: Mapping[str, Json], *, rules: Rules, now: datetime) -> Decision:
    """Record in the line and in every refund of it that the buyer's data is gone; a second time adds nothing."""
    draft = caught_up(aggregate, rules, now)
    for case in list(draft.refunds.values()):
        if "erased" not in case:
            with draft.entry(case, EVENT, actor, draft.now, kind="fact", params=params) as new:
                new["erased"] = new["effective_at"]
    if "erased" not in draft.line:
        with draft.line_entry(EVENT, actor, draft.now, params=params) as line:
            line["erased"] = line["effective_at"]
    return outcome(draft)


def _ends_at(case: Case) -> str | None:
    """Return when a deadline alone ends a refund, or None where a person must act first."""
    if case["state"] == "paid_out.settled":
        return case["deadlines"]["receipt"]["due_at"] if "receipt" in case["deadlines"] else None
    return ends_by_itself(case)
