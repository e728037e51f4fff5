"""What follows from a move in the same transaction: firsts that fall, enquiries that are overtaken."""

from states import times
from states.case import Act, Case
from states.draft import SYSTEM, Draft, Turn
from states.enquiry import answer, answer_by_system

# What the system owes next, by the leaf that a refund enters; whether it may, the rules say when it acts.
OWED = {"approved.payable": "dispatch_payout", "approved.payout_failed": "retry_payout"}


def owed(before: Case, after: Case) -> str | None:
    """Return the act that the system owes after a move, or None."""
    if before["state"] != after["state"]:
        return OWED.get(after["state"])
    louder = after["levels"].get("review", 0) > before["levels"].get("review", 0)
    return "approve" if louder else None  # assisted review is asked when a review is overdue


def follow_ups(draft: Draft, before: Case, after: Case, event: str) -> None:
    """Record what a move entails for the refund, each as an entry of its own with the move as cause."""
    act_owed = owed(before, after)
    if act_owed is not None:
        draft.tell_about(after, "system_act", act_owed, times.moment(after["effective_at"]))
    code = answer_by_system(before["state"], after["state"]) if "enquiry" in after else None
    if code is not None:
        at = times.moment(after["effective_at"])
        act = Act(event="answer_enquiry", actor=SYSTEM, refund=after["id"], params={"answer": code})
        turn = Turn(draft=draft, act=act, case=after, policy=draft.policy_of(after))
        with draft.entry(after, act.event, SYSTEM, at, kind="fact", params=act.params, cause=after["seq"]) as new:
            answer(turn, new)
    if after["firsts"] and before["state"] != after["state"]:
        fall(draft, after["id"], list(after["firsts"]), cause=after["seq"])


def fall(draft: Draft, refund: str, events: list[str], *, cause: int) -> None:
    """Let the first of two persons fall for these events; a payment that nobody confirmed is told to finance."""
    for event in events:
        case = draft.refunds[refund]
        first = case["firsts"][event]
        params = {"event": event, "name": first["name"], "first": first["seq"]}
        at = times.moment(case["effective_at"])
        with draft.entry(case, "first_fell", SYSTEM, at, kind="fact", params=params, cause=cause) as new:
            del new["firsts"][event]
            if event == "payout_settled":
                draft.tell("staff_task", "PROOF_FELL", **params)
