"""Negotiation: offers and counter-offers, what they promise, and how they end."""

from collections.abc import Iterable

from states import clocks, money, times
from states.case import Blocker, Case, Json
from states.draft import Turn
from states.eligibility import pro_rata_amount, usage_blockers, verdict
from states.moves import Move, of_terms, who
from states.review import above_limit, decides, may_decide, open_approval


def standing_offer(case: Case) -> dict[str, Json] | None:
    """Return the offer that stands, or None."""
    return case["offers"].get(case.get("standing", ""))


def end_offer(case: Case, how: str) -> None:
    """End the standing offer: accepted, declined, lapsed, countered or withdrawn."""
    number = case.pop("standing", None)
    if number is not None:
        case["offers"][number] = {**case["offers"][number], "ended": how}


def _put_offer(turn: Turn, case: Case, *, counter: bool) -> dict[str, Json]:
    number = str(len(case["offers"]) + 1)
    offer: dict[str, Json] = {
        "by": turn.actor.name, "role": turn.actor.role, "counter": counter,
        "amount": turn.given("amount") or 0, "compensation": 0 if counter else turn.given("compensation") or 0,
        "usage": turn.line["usage"], "seq": case["seq"], "at": case["effective_at"],
    }  # fmt: skip
    case["offers"][number] = offer
    case["standing"] = number
    return offer


# guards


def _rounds(turn: Turn) -> Iterable[Blocker]:
    used, limit = turn.case["rounds"].get(f"offer.{turn.case['instance']}", 0), turn.policy.offer_rounds
    if used >= limit:
        yield Blocker(code="OFFER_ROUNDS_USED", params={"used": used, "limit": limit})


@of_terms
def _terms(turn: Turn) -> Iterable[Blocker]:
    if not turn.asked("amount"):
        return
    amount, compensation = turn.given("amount") or 0, turn.given("compensation") or 0
    claimed = turn.case["reserved"]
    rule = turn.policy.money[turn.case["currency"]]
    limit = rule.compensation_supervisor if turn.actor.role == "supervisor" else rule.compensation_agent
    for value in (amount, compensation):
        if value < 0:
            yield Blocker(code="AMOUNT_NEGATIVE", params={"amount": value})
    if amount > claimed:
        yield Blocker(code="AMOUNT_EXCEEDS_CLAIM", params={"amount": amount, "limit": claimed})
    if amount == 0 and compensation == 0:
        yield Blocker(code="OFFER_EMPTY")
    if compensation > limit:
        yield Blocker(code="COMPENSATION_ABOVE_LIMIT", params={"amount": compensation, "limit": limit})


def _promise(turn: Turn) -> Iterable[Blocker]:
    """Judge what an offer promises before it is opened: it will be kept without asking again."""
    yield from money.chargeback_open(turn.draft)
    amount = turn.given("amount") or 0
    if amount > 0:
        if verdict(turn.policy, turn.line, turn.case["reason"]) == "not_accepted":
            yield from usage_blockers(turn, amount, whole=False)
        yield from money.not_covered(turn.draft, turn.case, amount)


def _counter(turn: Turn) -> Iterable[Blocker]:
    offer = standing_offer(turn.case)
    if offer is not None and offer["counter"]:
        yield Blocker(code="COUNTER_ALREADY_MADE", params={"offer": turn.case["standing"]})
    if not turn.asked("amount"):
        return
    amount = turn.given("amount") or 0
    if amount <= 0:
        yield Blocker(code="AMOUNT_NOT_POSITIVE", params={"amount": amount})
    if amount > turn.case["reserved"]:
        yield Blocker(code="AMOUNT_EXCEEDS_CLAIM", params={"amount": amount, "limit": turn.case["reserved"]})


def _answers(turn: Turn) -> Iterable[Blocker]:
    """Judge that the offer named is the one that stands, and that nobody answers his own."""
    number, offer = turn.case.get("standing"), standing_offer(turn.case)
    named = turn.given("offer")
    if offer is None or (named is not None and str(named) != number):
        yield Blocker(code="OFFER_NOT_STANDING", params={"named": named, "standing": number})
    elif offer["counter"] == _is_claimants(turn) or offer["by"] == turn.actor.name:
        yield Blocker(code="OWN_OFFER", params={"offer": number})


def _is_claimants(turn: Turn) -> bool:
    return turn.actor.role == "buyer" or turn.actor.is_claimant


def _still_holds(turn: Turn) -> Iterable[Blocker]:
    offer = standing_offer(turn.case)
    if offer is not None and offer["usage"] != turn.line["usage"]:
        yield Blocker(code="USAGE_CHANGED", params={"then": offer["usage"], "now": turn.line["usage"]})
    yield from money.chargeback_open(turn.draft)


def _agent_accepts(turn: Turn) -> Iterable[Blocker]:
    """Judge a counter-offer as an approval of its amount."""
    offer = standing_offer(turn.case)
    if turn.actor.role == "buyer" or offer is None:
        return
    yield from may_decide(turn)
    yield from usage_blockers(turn, offer["amount"], whole=offer["amount"] == turn.case["reserved"])
    yield from money.not_covered(turn.draft, turn.case, offer["amount"])


def _two_for_offer(turn: Turn) -> bool:
    return above_limit(turn, turn.given("amount") or 0)


def _two_for_counter(turn: Turn) -> bool:
    offer = standing_offer(turn.case)
    return turn.actor.role != "buyer" and offer is not None and above_limit(turn, offer["amount"])


# what the moves do


def _offer(turn: Turn, case: Case) -> None:
    decides(turn, case)
    name = f"offer.{case['instance']}"
    case["rounds"][name] = case["rounds"].get(name, 0) + 1
    offer = _put_offer(turn, case, counter=False)
    turn.draft.tell(
        "buyer_message", "OFFER_MADE", offer=case["standing"], amount=offer["amount"],
        compensation=offer["compensation"], currency=case["currency"], usage=offer["usage"],
        due_at=case["deadlines"]["offer"]["due_at"],
        pro_rata_minor=pro_rata_amount(turn.line, case["effective_at"]),
    )  # fmt: skip


def _counter_offer(turn: Turn, case: Case) -> None:
    answered = case["standing"]
    end_offer(case, "countered")
    _put_offer(turn, case, counter=True)
    clocks.stand(turn.draft, case, "offer", times.moment(case["effective_at"]))
    turn.draft.tell(
        "staff_task", "COUNTER_OFFER", offer=case["standing"], answers=answered, amount=turn.given("amount")
    )


def _accept(turn: Turn, case: Case) -> None:
    offer = standing_offer(case) or {}
    if turn.actor.role != "buyer":
        decides(turn, case)
    end_offer(case, "accepted")
    if offer["compensation"]:
        turn.draft.tell(
            "grant_compensation",
            "GRANT_COMPENSATION",
            amount=offer["compensation"],
            currency=case["currency"],
        )
    if offer["amount"]:
        open_approval(turn, case, offer["amount"])
    else:
        money.release(turn.draft, case)
        turn.draft.tell("buyer_message", "COMPENSATED", amount=offer["compensation"], currency=case["currency"])


def _decline(turn: Turn, case: Case) -> None:
    end_offer(case, "declined")
    turn.draft.tell("staff_task" if turn.actor.role == "buyer" else "buyer_message", "OFFER_DECLINED")


MOVES = {
    "offer": Move(
        roles=who("agent"), guards=(may_decide, _rounds, _terms, _promise), apply=_offer,
        two_persons=_two_for_offer, deciding=True,
    ),
    "counter_offer": Move(roles=who("buyer"), guards=(_counter,), apply=_counter_offer),
    "accept_offer": Move(
        roles=who("buyer", "agent"), guards=(_answers, _still_holds, _agent_accepts), apply=_accept,
        two_persons=_two_for_counter, deciding=True,
    ),
    "decline_offer": Move(roles=who("buyer", "agent"), guards=(_answers,), apply=_decline),
}  # fmt: skip
