"""Deadlines after an import of a calendar: what was counted provisionally is counted again, what was set stays."""

from datetime import datetime, timedelta

from states import clocks, times
from states.calendar import Calendar, review_warning
from states.case import Aggregate, Case, Deadline, Decision
from states.draft import SYSTEM, Draft, Rules
from states.lapses import catch_up


def recompute(aggregate: Aggregate, *, rules: Rules, at: datetime) -> Decision:
    """Count the standing provisional deadlines of a line again by the calendar that was imported at `at`.

    What is due at that moment lapses first, by the calendar before. No deadline ends before the import.
    """
    draft = Draft(aggregate, rules, at)
    catch_up(draft)
    calendar = rules.calendars.at(at + timedelta(microseconds=1))
    for refund in draft.refunds:
        for name, deadline in sorted(draft.refunds[refund]["deadlines"].items()):
            if deadline.get("provisional"):
                _count_again(draft, refund, name, calendar)
    return Decision(aggregate=draft.aggregate(), entries=tuple(draft.entries), effects=tuple(draft.effects))


def _count_again(draft: Draft, refund: str, name: str, calendar: Calendar) -> None:
    case = draft.refunds[refund]
    old = case["deadlines"][name]
    new = _counted(draft, case, old, calendar)
    if new["due_at"] == old["due_at"] and new.get("provisional") == old.get("provisional"):
        return
    params = {"deadline": name, "was": old["due_at"], "due_at": new["due_at"]}
    with draft.entry(
        case, "deadline_recomputed", SYSTEM, draft.now, kind="fact", params=params, calendar=calendar.version
    ) as changed:
        changed["deadlines"][name] = new


def _counted(draft: Draft, case: Case, old: Deadline, calendar: Calendar) -> Deadline:
    """Return a deadline as the new calendar counts it; its warning moves with it unless its moment is over."""
    zone, working, now = draft.policy_of(case).zone, old["working"], times.text(draft.now)
    due = clocks.count_working(calendar, working, old["set_at"], zone)
    moment = max(due.at, draft.now)
    new = Deadline(**{**old, "due_at": times.text(moment), "calendar": calendar.version})
    if not due.provisional:
        del new["provisional"], new["working"]
    if new.pop("warn_at", "") > now:
        warn_at = times.text(review_warning(calendar, moment, working["days"], zone))
        if warn_at > now:
            new["warn_at"] = warn_at
    return new
