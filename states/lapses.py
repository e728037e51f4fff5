"""Lapses: what a deadline does when its moment comes; none of them moves money."""

from datetime import datetime

from states import clocks, money, times
from states.case import Aggregate, Case, Effect
from states.chart import Situation
from states.draft import SYSTEM, Draft, Rules
from states.evidence import came_since
from states.follow import follow_ups
from states.negotiation import end_offer, standing_offer
from states.recompute import count_again, first_import_due
from states.refund_v1 import TABLE


def situation_of(case: Case) -> Situation:
    """Return what the guards of the chart may ask about a case."""
    offer = standing_offer(case)
    request = case.get("request")
    return Situation(
        in_appeal=case["instance"] == "appeal",
        evidence_came=request is not None and bool(came_since(case, request["seq"])),
        refund_part=offer is None or offer["amount"] > 0,
    )


def target_of(case: Case, event: str) -> str | None:
    """Return the leaf that an event leads a case to, None where the chart has no such move."""
    state = case["state"]
    return TABLE.certain.get((state, event)) or TABLE.target(state, event, situation_of(case))


def nothing_due(aggregate: Aggregate, rules: Rules, now: datetime) -> bool:
    """Tell that a line is already as it stands at a moment: no deadline has lapsed, no import is to be counted.

    What this denies may still turn out to be so; most reads end here.
    """
    # to read three moments costs half of writing one
    moment, imported = datetime.fromisoformat, bool(rules.calendars.imports)
    for case in aggregate.refunds.values():
        if moment(case["effective_at"]) > now:
            return False  # the moment is that of a host whose clock is behind
        for item in case["deadlines"].values():
            if moment(item["due_at"]) <= now or (imported and item.get("provisional")):
                return False
    return moment(aggregate.line["effective_at"]) <= now


def catch_up(draft: Draft) -> None:
    """Apply every lapse up to now in order of due moment, then refund id, until nothing is due.

    An import of a calendar is in this order too; what is due at its moment lapses first.
    """
    first = len(draft.effects)
    now, imports = draft.at, draft.rules.calendars.imports
    while True:
        lapse: tuple[str, str, str] | None = None
        for case in draft.refunds.values():
            due = clocks.next_due(case)
            if due is not None and (lapse is None or (due[0], case["id"]) < lapse[:2]):
                lapse = (due[0], case["id"], due[1])
        count = first_import_due(draft) if imports else None
        if count is not None and (lapse is None or count[0] < lapse[0]):
            at, refund, name, calendar = count
            count_again(draft, draft.refunds[refund], name, calendar, times.moment(at))
        elif lapse is not None and lapse[0] <= now:
            _lapse(draft, draft.refunds[lapse[1]], lapse[2])
        else:
            break
    if len(draft.effects) > first + 1:
        draft.effects[first:] = _latest(draft.effects[first:])


def _lapse(draft: Draft, case: Case, name: str) -> None:
    event, at = clocks.EVENTS[name], times.moment(case["deadlines"][name]["due_at"])
    target = target_of(case, event)
    assert target is not None, f"{event} has no move from {case['state']}"
    with draft.entry(case, event, SYSTEM, at, params={"deadline": name}) as new:
        if target == case["state"]:
            _remind(draft, new, name)
        else:
            clocks.change_state(draft, new, target, at)
            _end(draft, new, event)
    follow_ups(draft, case, new, event)


def _remind(draft: Draft, case: Case, name: str) -> None:
    """Tell a person, louder each time, and set the deadline again."""
    lapsed = clocks.stand_again(draft, case, name)
    due_at = case["deadlines"][name]["due_at"]
    if name in ("review", "appeal_review"):
        level = case["levels"].get(name, 0) + 1
        case["levels"][name] = level
        if level >= 2:
            case["hold"] = True
        draft.tell("staff_task", "HOLD" if level >= 2 else "ESCALATED", deadline=name, level=level, due_at=due_at)
    elif name == "enquiry":
        draft.tell("staff_task", "ESCALATED", deadline=name, level=lapsed, due_at=due_at)
    else:
        draft.tell("staff_task", "PAYOUT_OVERDUE", times=lapsed, due_at=due_at)


def _end(draft: Draft, case: Case, event: str) -> None:
    match event:
        case "evidence_lapsed":
            case.pop("request", None)
            if case["state"].startswith("rejected"):
                _evidence_missing(draft, case)
        case "offer_lapsed":
            end_offer(case, "lapsed")
            draft.tell("buyer_message", "OFFER_LAPSED")
        case "appeal_window_closed":
            draft.tell("buyer_message", "APPEAL_WINDOW_CLOSED")
        case "receipt_assumed":
            draft.tell("buyer_message", "RECEIPT_ASSUMED")
    if case["state"] in TABLE.final:
        money.release(draft, case)


def _evidence_missing(draft: Draft, case: Case) -> None:
    case["rejection"] = {
        "grounds": ["EVIDENCE_MISSING"], "seq": case["seq"], "at": case["effective_at"], "instance": case["instance"],
    }  # fmt: skip
    window = case["deadlines"].get("appeal_window")
    draft.tell(
        "buyer_message",
        "REJECTED",
        grounds=["EVIDENCE_MISSING"],
        appeal_until=window["due_at"] if window else None,
    )


def _latest(effects: list[Effect]) -> list[Effect]:
    """Drop messages that are overtaken within one catch-up: the last one to a person about a matter tells all."""
    told: set[tuple[str, str, str]] = set()
    kept = []
    for item in reversed(effects):
        if item.kind in ("buyer_message", "staff_task"):
            matter = _matter(item)
            if matter in told:
                continue
            told.add(matter)
        kept.append(item)
    return kept[::-1]


def _matter(item: Effect) -> tuple[str, str, str]:
    """Name what a message is about: a task of the staff is of one deadline, the buyer hears how things stand."""
    about = item.params.get("deadline", item.code) if item.kind == "staff_task" else ""
    return item.subject, item.kind, about
