"""Proofs from outside: a payment or its return is never refused; what does not match is kept and finance is told."""

from dataclasses import dataclass
from typing import Literal

from states import money
from states.case import Case, Line
from states.chart import phase_of
from states.draft import Turn
from states.moves import Move, who
from states.payout import PAID, change_attempt, open_number, proof_given, proof_key

EVENTS = ("payout_settled", "payout_reversed", "late_reversal")


@dataclass(frozen=True, kw_only=True, slots=True)
class Sorted:
    """What a proof turns out to be: a move, a fact already known, a stray payment or its return, or kept.

    `early` is kept too: the return of a payment whose own proof has not come, so that it will change nothing.
    """

    kind: Literal["move", "late", "known", "stray", "stray_returned", "early", "kept"]
    why: str = ""
    seq: int = 0


def sort_proof(turn: Turn) -> Sorted:
    """Sort a proof by what the refund knows of its number, its amount and its currency.

    A proof that was kept is a fact already known only while it still matches nothing: once it would move
    something, it is told for the first time.
    """
    found = _sort(turn)
    kept = turn.case.get("kept", {}).get(proof_key(turn.act.event, turn.act.params))
    return Sorted(kind="known", seq=kept) if found.kind == "kept" and kept is not None else found


def _sort(turn: Turn) -> Sorted:
    case, event = turn.case, turn.act.event
    item = case["attempts"].get(str(turn.given("number")))
    if item is None:
        return Sorted(kind="kept", why="UNKNOWN_NUMBER")
    if turn.given("amount") != item["amount"]:
        return Sorted(kind="kept", why="AMOUNT")
    if turn.given("currency") != item["currency"]:
        return Sorted(kind="kept", why="CURRENCY")
    if event == "payout_settled":
        return _sort_payment(case, item)
    return _sort_return(case, event, str(turn.given("number")), item)


def _sort_payment(case: Case, item: dict[str, object]) -> Sorted:
    if item["state"] in PAID:
        return Sorted(kind="known", seq=int(str(item["paid_seq"])))
    return Sorted(kind="move" if _is_present(case, item) else "stray")


def _sort_return(case: Case, event: str, number: str, item: dict[str, object]) -> Sorted:
    if item["state"] in ("reversed", "returned"):
        return Sorted(kind="known", seq=int(str(item["returned_seq"])))
    if item["state"] == "stray":
        return Sorted(kind="stray_returned")
    if item["state"] == "settled":
        if (event, case["state"]) == ("late_reversal", "paid_out.confirmed"):
            return Sorted(kind="late")
        moves = (event, case["state"]) == ("payout_reversed", "paid_out.settled")
        return Sorted(kind="move") if moves else Sorted(kind="kept", why="STATE")
    if event == "payout_reversed" and _is_present(case, item) and open_number(case) in (None, number):
        return Sorted(kind="move")
    return Sorted(kind="kept" if item["state"] == "open" else "early", why="STATE")


def _is_present(case: Case, item: dict[str, object]) -> bool:
    """Tell whether a number belongs to the approval that stands."""
    return phase_of(case["state"]) == "approved" and item["approval"] == case["approvals"]


def _settled(turn: Turn, case: Case) -> None:
    number = str(turn.given("number"))
    other = open_number(case)
    if other is not None and other != number:
        change_attempt(case, other, state="unanswered")
        turn.draft.tell("staff_task", "NUMBER_UNANSWERED", number=other, settled_by=number)
    change_attempt(
        case, number, state="settled", void=False, paid_seq=case["seq"], proof=turn.given("proof"),
        paid_at=turn.act.occurred_at or case["effective_at"],
    )  # fmt: skip
    money.to_settled(turn.draft, case, case["attempts"][number]["amount"])
    turn.draft.tell(
        "buyer_message", "SETTLED", number=number, amount=case["settled"], currency=case["currency"],
        channel=case["attempts"][number]["channel"], channel_number=turn.given("proof"),
    )  # fmt: skip


def _reversed(turn: Turn, case: Case) -> None:
    """Take back what came back; a return that arrives before its payment only voids the number."""
    number = str(turn.given("number"))
    item = case["attempts"][number]
    if item["state"] == "settled":
        money.settle(case, -item["amount"])
        money.reserve(turn.draft, case, item["amount"])
    elif item["state"] == "open":
        money.to_flight(turn.draft, case, -case["in_flight"])
    paid_seq = item.get("paid_seq", case["seq"])
    change_attempt(case, number, state="reversed", void=True, paid_seq=paid_seq, returned_seq=case["seq"])
    turn.draft.tell("buyer_message", "PAYOUT_FAILED", number=number)
    turn.draft.tell("staff_task", "PAYOUT_REVERSED", number=number)


def confirm_first(turn: Turn, case: Case) -> None:
    """Drop the first who told this payment: it is told for good now. One of another number stands."""
    first = case["firsts"].get(turn.act.event)
    if first is not None and first["number"] == turn.given("number"):
        del case["firsts"][turn.act.event]


def keep(turn: Turn, case: Case, why: str) -> None:
    """Keep a proof that does not match."""
    kept = dict(case.get("kept", {}))
    kept[proof_key(turn.act.event, turn.act.params)] = case["seq"]
    case["kept"] = kept
    turn.draft.tell("staff_task", "PROOF_KEPT", event=turn.act.event, number=turn.given("number"), why=why)


def early(turn: Turn, case: Case, why: str) -> None:
    """Keep the return of a payment that was never told: when its proof comes, it is a fact already known."""
    keep(turn, case, why)
    seq = case["seq"]
    change_attempt(case, str(turn.given("number")), state="returned", void=True, paid_seq=seq, returned_seq=seq)


def stray(turn: Turn, case: Case) -> None:
    """Record on its number that a payment came which no present approval asked for."""
    number = str(turn.given("number"))
    change_attempt(case, number, state="stray", void=False, paid_seq=case["seq"], proof=turn.given("proof"))
    amount = case["attempts"][number]["amount"]
    turn.draft.tell("staff_task", "OVERPAID", number=number, amount=amount, currency=case["currency"])


def stray_returned(turn: Turn, case: Case) -> None:
    """Record on its number that a stray payment came back."""
    change_attempt(case, str(turn.given("number")), state="returned", void=True, returned_seq=case["seq"])


def count_stray(turn: Turn, kind: str) -> None:
    """Count a stray payment, or its return, on the line: settled and excess both rise, or both fall."""
    draft, refund = turn.draft, turn.case["id"]
    amount: int = turn.given("amount")
    event = "stray_payment" if kind == "stray" else "stray_payment_returned"
    params = {"refund": refund, "number": turn.given("number"), "amount": amount}
    with draft.line_entry(event, turn.actor, draft.now, params=params, occurred_at=turn.act.occurred_at) as line:
        if kind == "stray":
            line["stray"] += amount
            line["beside"] = line.get("beside", 0) + amount
        else:
            # Finance may have told the same money as returned by the buyer: it came back once.
            told = min(line.get("returned_by_hand", 0), amount)
            if told:
                line["returned_by_hand"] = line["returned_by_hand"] - told
            take_back_stray(line, amount - told)


def take_back_stray(line: Line, amount: int) -> None:
    """Lower what was paid beside the refunds: what is still stray first, then what was written off of it."""
    still = min(line["stray"], amount)
    line["stray"] -= still
    line["written_off"] -= min(line["written_off"], amount - still)
    line["beside"] = line.get("beside", 0) - amount


def take_back_resolved(turn: Turn) -> None:
    """Record on the line that what came back had been resolved: no more is written off than is out.

    Nor does more come back than went out: what the buyer is said to have returned besides was the same money.
    """
    draft, line = turn.draft, turn.draft.line
    lost = max(0, line["written_off"] - max(0, draft.paid - line["stray"]))
    twice = max(0, -draft.net)
    if lost or twice:
        params = {"refund": turn.case["id"], "number": turn.given("number"), "lost": lost, "returned": twice}
        event, occurred_at = "resolved_came_back", turn.act.occurred_at
        with draft.line_entry(event, turn.actor, draft.now, params=params, occurred_at=occurred_at) as new:
            new["written_off"] -= lost
            new["beside"] = new.get("beside", 0) + twice


def late(turn: Turn, case: Case) -> None:
    """Record a bounce after the end: settled goes down to left, finance is told."""
    number = str(turn.given("number"))
    item = case["attempts"][number]
    change_attempt(case, number, state="reversed", void=True, returned_seq=case["seq"])
    money.settle(case, -item["amount"])
    case["late_reversal"] = {"number": number, "amount": item["amount"], "seq": case["seq"]}
    turn.draft.tell("staff_task", "LATE_REVERSAL", number=number, amount=item["amount"], currency=case["currency"])


MOVES = {
    "payout_settled": Move(
        roles=who("channel", "finance"), guards=(proof_given,), apply=_settled,
        two_persons=lambda turn: turn.actor.role == "finance",
    ),
    "payout_reversed": Move(roles=who("channel", "finance"), guards=(proof_given,), apply=_reversed),
    "late_reversal": Move(roles=who("channel", "finance"), guards=(proof_given,), apply=late, kind="fact"),
}  # fmt: skip
