"""Deadlines after an import of a calendar: what was counted provisionally is counted again, what was set stays."""

from collections.abc import Sequence
from datetime import datetime

from states import clocks, times
from states.calendar import Calendar, review_warning
from states.case import Case, Deadline
from states.draft import SYSTEM, Draft


def first_import_due(draft: Draft) -> tuple[str, str, str, Calendar] | None:
    """Return (moment, refund, deadline, calendar) of the first import up to now that concerns a refund of the line."""
    found = [
        (at, case["id"], name, new) for case in draft.refunds.values() for at, name, new in _imports_due(draft, case)
    ]
    return min(found, key=lambda item: item[:3], default=None)


def _imports_due(draft: Draft, case: Case) -> list[tuple[str, str, Calendar]]:
    """Return (moment, deadline, calendar) of every import up to now that concerns a standing provisional deadline.

    An import binds at its moment like a lapse does, whoever touches the refund first.
    """
    found = []
    for name, deadline in case["deadlines"].items():
        if deadline.get("provisional"):
            for moment, calendar in _not_counted(draft.rules.calendars.imports, deadline):
                if moment <= draft.now:
                    found.append((times.text(moment), name, calendar))
    return found


def _not_counted(imports: Sequence[tuple[datetime, Calendar]], deadline: Deadline) -> list[tuple[datetime, Calendar]]:
    """Return the imports by which a deadline was not counted yet; of two at one moment the later in order is newer."""
    if "counted_at" not in deadline:
        # At its own moment an import is not in force yet, so what was set then was counted without it.
        set_at = times.moment(deadline["set_at"])
        return [item for item in imports if item[0] >= set_at]
    last = (times.moment(deadline["counted_at"]), deadline["calendar"])
    done = max((number for number, item in enumerate(imports, 1) if (item[0], item[1].version) == last), default=0)
    return [item for item in imports[done:] if item[0] >= last[0]]


def count_again(draft: Draft, case: Case, name: str, calendar: Calendar, at: datetime) -> None:
    """Count a provisional deadline again by the calendar imported at `at`; it never ends before that."""
    old = case["deadlines"][name]
    new = _counted(draft, case, old, calendar, at)
    params = {"deadline": name, "was": old["due_at"], "due_at": new["due_at"]}
    with draft.entry(
        case, "deadline_recomputed", SYSTEM, at, kind="fact", params=params, calendar=calendar.version
    ) as changed:
        changed["deadlines"][name] = new


def _counted(draft: Draft, case: Case, old: Deadline, calendar: Calendar, at: datetime) -> Deadline:
    """Return a deadline as the new calendar counts it; its warning moves with it unless its moment is over."""
    zone, working, now = draft.policy_of(case).zone, old["working"], times.text(at)
    due = clocks.count_working(calendar, working, old["set_at"], zone)
    moment = max(due.at, at)
    new = Deadline(**{**old, "due_at": times.text(moment), "calendar": calendar.version, "counted_at": now})
    if not due.provisional:
        del new["provisional"], new["working"]
    if new.pop("warn_at", "") > now:
        warn_at = times.text(review_warning(calendar, moment, working["days"], zone))
        if warn_at > now:
            new["warn_at"] = warn_at
    return new
