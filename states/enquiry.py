"""Enquiries: the buyer asks where the money is, and is answered by a code."""

from collections.abc import Iterable

from states import clocks, codes, times
from states.case import Blocker, Case, Json
from states.chart import phase_of
from states.draft import Turn
from states.moves import Move, who

_STATES = frozenset({"approved.payable", "approved.paying", "approved.payout_failed", "paid_out.settled"})


def _raisable(turn: Turn) -> Iterable[Blocker]:
    deadlines = turn.case["deadlines"]
    if "enquiry" in deadlines:
        yield Blocker(code="ENQUIRY_OPEN", until=deadlines["enquiry"]["due_at"])
    elif phase_of(turn.case["state"]) == "approved" and not deadlines["payout"].get("lapsed"):
        yield Blocker(code="PROMISE_NOT_BROKEN", until=deadlines["payout"]["due_at"])


def _raise(turn: Turn, case: Case) -> None:
    case["deadlines"].pop("receipt", None)
    case["enquiry"] = {"seq": case["seq"], "at": case["effective_at"], "role": turn.actor.role}
    clocks.stand(turn.draft, case, "enquiry", turn.now)
    turn.draft.tell("staff_task", "ENQUIRY", due_at=case["deadlines"]["enquiry"]["due_at"])


def _answerable(turn: Turn) -> Iterable[Blocker]:
    if "enquiry" not in turn.case:
        yield Blocker(code="NO_OPEN_ENQUIRY")
    if turn.asked("answer") and turn.given("answer") not in codes.ANSWERS:
        yield Blocker(code="ANSWER_CODE_REQUIRED", params={"codes": list(codes.ANSWERS)})


def answer(turn: Turn, case: Case) -> None:
    """Close the open enquiry; in settled the time to confirm the receipt counts anew from here."""
    case["deadlines"].pop("enquiry", None)
    opened = case.pop("enquiry", {})
    if case["state"] == "paid_out.settled":
        clocks.stand(turn.draft, case, "receipt", times.moment(case["effective_at"]))
    arrived = _arrival(case) if turn.given("answer") == "ARRIVED_PER_CHANNEL" else {}
    turn.draft.tell(
        "buyer_message", "ENQUIRY_ANSWERED", answer=turn.given("answer"), enquiry=opened.get("seq"),
        number=turn.given("number") or arrived.get("number"),
        arrived_at=turn.given("arrived_at") or arrived.get("paid_at"),
    )  # fmt: skip


def _arrival(case: Case) -> dict[str, Json]:
    """Return number and time of the payment that stands, nothing where none does."""
    paid = ((number, item) for number, item in case["attempts"].items() if item["state"] == "settled")
    return next(({"number": number, "paid_at": item["paid_at"]} for number, item in paid), {})


def answer_by_system(before: str, after: str) -> str | None:
    """Return the code that answers an open enquiry when this change of state overtakes it."""
    within = phase_of(after) == "approved"
    if before != after and "paid_out.settled" in (before, after):
        return "BANK_RETURNED" if within else "ARRIVED_PER_CHANNEL"
    return None if within or before == after else "CHANNEL_PROCESSING"


MOVES = {
    "raise_enquiry": Move(
        roles=who("buyer", "service", "agent"), guards=(_raisable,), apply=_raise, states=_STATES, kind="fact"
    ),
    "answer_enquiry": Move(
        roles=who("agent", "system"), guards=(_answerable,), apply=answer, states=_STATES, kind="fact"
    ),
}
