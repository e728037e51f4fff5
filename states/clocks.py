"""Standing deadlines: which stands in which state, how it is counted, kept while it stands still, set again."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from states import times
from states.calendar import (
    Calendar,
    Due,
    civil_days,
    elapsed,
    resume,
    review_warning,
    working_days,
    working_days_between,
    working_days_left,
)
from states.case import Case, Deadline, Working
from states.draft import Draft

HOUR = 3600
MANY = 2  # working days from which on a warning comes at the end of the day before
EVENTS = {
    "review": "review_overdue",
    "evidence": "evidence_lapsed",
    "offer": "offer_lapsed",
    "appeal_window": "appeal_window_closed",
    "appeal_review": "appeal_overdue",
    "payout": "payout_overdue",
    "receipt": "receipt_assumed",
    "enquiry": "enquiry_overdue",
}
STANDING = {
    "submitted": "review",
    "under_review.reviewing": "review",
    "under_review.negotiating": "offer",
    "awaiting_evidence": "evidence",
    "approved.payable": "payout",
    "approved.paying": "payout",
    "approved.payout_failed": "payout",
    "rejected.appealable": "appeal_window",
    "appealed": "appeal_review",
    "paid_out.settled": "receipt",
}  # an open enquiry adds `enquiry`; in settled it stands instead of `receipt`
EXTENDABLE = ("evidence", "offer", "appeal_window", "review", "appeal_review")
TO_THE_BUYER = ("evidence", "offer", "appeal_window", "receipt")  # the warnings that the buyer gets


def next_due(case: Case) -> tuple[str, str] | None:
    """Return (due moment, name) of the deadline that lapses first; the standing one before `enquiry`."""
    first: tuple[str, bool, str] | None = None
    for name, item in case["deadlines"].items():
        standing = (item["due_at"], name == "enquiry", name)
        if first is None or standing < first:
            first = standing
    return (first[0], first[2]) if first else None


def change_state(draft: Draft, case: Case, target: str, at: datetime) -> None:
    """Move a case to another leaf and let its deadlines follow."""
    source = case["state"]
    case["state"] = target
    old, new = STANDING.get(source), STANDING.get(target)
    if old == new:
        return
    if old in ("review", "appeal_review") and old in case["deadlines"]:
        _keep_left(draft, case, old, at)
    if old == "offer":
        _use_up_counter_offer(draft, case, at)
    if old:
        case["deadlines"].pop(old, None)
    if new and not (new == "receipt" and "enquiry" in case["deadlines"]):
        stand(draft, case, new, at)


def stand(draft: Draft, case: Case, name: str, at: datetime) -> None:
    """Set the deadline `name` anew from `at`, by the refund's pinned policy."""
    policy = draft.policy_of(case)
    match name:
        case "review" | "appeal_review" if name in case["left"]:
            days = case["left"].pop(name)
            _set_working(draft, case, name, at, f"{days} working days left", {"days": days, "resumed": True})
        case "review":
            flagged = bool(case["flags"])
            days = policy.review_days_for(draft.line["product_type"], case["claimed"], case["currency"], flagged)
            _set_working(draft, case, name, at, f"{days} working days", {"days": days})
        case "appeal_review":
            days = policy.appeal_review_days
            _set_working(draft, case, name, at, f"{days} working days", {"days": days})
        case "appeal_window" | "receipt":
            days = policy.appeal_window_days if name == "appeal_window" else policy.receipt_days
            _set(draft, case, name, civil_days(at, days, policy.zone), at, f"{days} civil days")
        case "evidence" | "offer" | "payout":
            hours = {
                "evidence": policy.evidence_hours,
                "offer": policy.offer_hours,
                "payout": policy.payout_hours,
            }
            _set(draft, case, name, elapsed(at, hours[name] * HOUR), at, f"{hours[name]} hours elapsed")
        case "enquiry":
            minutes = policy.enquiry_minutes
            _set(draft, case, name, elapsed(at, minutes * 60), at, f"{minutes} minutes elapsed")


def stand_again(draft: Draft, case: Case, name: str) -> int:
    """Set a lapsed deadline again from the moment that ended; return how often it has lapsed by now."""
    policy, ended = draft.policy_of(case), case["deadlines"][name]
    due = times.moment(ended["due_at"])
    lapsed = ended.get("lapsed", 0) + 1
    if name in ("review", "appeal_review"):
        days = policy.overdue_short_days if lapsed <= policy.overdue_short_times else policy.overdue_long_days
        # The day that ended is the one before the due midnight.
        working: Working = {"days": days, "start": times.text(due - timedelta(microseconds=1))}
        _set_working(draft, case, name, due, f"{days} working days, again", working, warn=False)
    else:
        short = lapsed <= policy.promise_short_times
        hours = policy.promise_short_hours if short else policy.promise_long_hours
        _set(draft, case, name, elapsed(due, hours * HOUR), due, f"{hours} hours elapsed, again", warn=False)
    case["deadlines"][name]["lapsed"] = lapsed
    return lapsed


def extend(draft: Draft, case: Case, name: str, days: int, at: datetime) -> None:
    """Move a standing deadline later by civil days, once."""
    policy, old = draft.policy_of(case), case["deadlines"][name]
    rule = f"{old['rule']}, extended by {days} days"
    _set(draft, case, name, shifted(old["due_at"], days, policy.zone), at, rule)
    new = case["deadlines"][name]
    new["extended"] = True
    if "working" in old:
        new["provisional"] = True
        new["working"] = {**old["working"], "extended": days}
    if "lapsed" in old:
        new["lapsed"] = old["lapsed"]


def shifted(due_at: str, days: int, zone: str) -> datetime:
    """Return a due moment moved by civil days in a zone."""
    local = times.moment(due_at).astimezone(ZoneInfo(zone))
    return times.moment((local + timedelta(days=days)).isoformat())


def count_working(calendar: Calendar, working: Working, set_at: str, zone: str) -> Due:
    """Return the due moment of working days as a calendar counts them, an extension on top."""
    start = times.moment(working.get("start", set_at))
    count = resume if working.get("resumed") else working_days
    due = count(calendar, start, working["days"], zone)
    return Due(shifted(times.text(due.at), working.get("extended", 0), zone), due.provisional)


def _set_working(
    draft: Draft, case: Case, name: str, at: datetime, rule: str, working: Working, *, warn: bool = True
) -> None:
    """Set a deadline of working days; a provisional one remembers how it was counted."""
    due = count_working(draft.calendar(at), working, times.text(at), draft.policy_of(case).zone)
    _set(draft, case, name, due.at, at, rule, days=working["days"], warn=warn)
    if due.provisional:
        case["deadlines"][name]["provisional"] = True
        case["deadlines"][name]["working"] = {"start": times.text(at), **working}


def _set(
    draft: Draft, case: Case, name: str, due: datetime, at: datetime, rule: str,
    *, days: int = MANY, warn: bool = True,
) -> None:  # fmt: skip
    set_at = times.text(at)
    deadline = Deadline(
        due_at=times.text(due), event=EVENTS[name], rule=rule, calendar=draft.calendar(at).version, set_at=set_at
    )
    warn_at = times.text(_warn_moment(draft, case, name, due, at, days)) if warn else ""
    if warn_at > set_at:
        deadline["warn_at"] = warn_at
    case["deadlines"][name] = deadline


def _warn_moment(draft: Draft, case: Case, name: str, due: datetime, at: datetime, days: int) -> datetime:
    policy = draft.policy_of(case)
    if name == "payout":
        return due - timedelta(hours=policy.warn_payout_hours)
    if name == "enquiry":
        return due - timedelta(minutes=policy.warn_enquiry_minutes)
    if name in ("review", "appeal_review"):
        return review_warning(draft.calendar(at), due, days, policy.zone)
    return due - timedelta(hours=policy.warn_hours)


def _keep_left(draft: Draft, case: Case, name: str, at: datetime) -> None:
    due = times.moment(case["deadlines"][name]["due_at"])
    case["left"][name] = working_days_left(draft.calendar(at), at, due, draft.policy_of(case).zone)


def _use_up_counter_offer(draft: Draft, case: Case, at: datetime) -> None:
    """Count the working days begun since a standing counter-offer as used: it waited for the platform."""
    offer = case["offers"].get(case.get("standing", ""), {})
    name = "appeal_review" if case["instance"] == "appeal" else "review"
    if offer.get("counter") and name in case["left"]:
        made = times.moment(offer["at"])
        used = working_days_between(draft.calendar(at), made, at, draft.policy_of(case).zone)
        case["left"][name] = max(0, case["left"][name] - used)
