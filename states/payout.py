"""Payout: numbers that survive retries, proofs that are never refused, money that leaves only from `paying`."""

import json
from collections.abc import Iterable
from datetime import timedelta
from hashlib import sha256

from states import money, times
from states.calendar import civil_days
from states.case import Blocker, Case, Json, Line
from states.draft import Turn
from states.moves import Move, of_terms, proof_missing, text_required, who
from states.refund_v1 import TABLE
from states.review import decides, may_decide

MANUAL = "bank_manual"
PAID = ("settled", "reversed", "stray", "returned")
# What a channel says of a payment for good, so that time does not lift it.
LASTING_RULES = ("CHANNEL_WINDOW_OVER", "CHANNEL_COUNT_USED", "MANUAL_CHANNEL", "CHANNEL_REFUSES_PAYMENT")


def proof_key(event: str, params: dict[str, Json] | Json) -> str:
    """Name one proof, so that the same one told again is known."""
    told = {name: params.get(name) for name in ("number", "amount", "currency", "how", "proof")}
    return f"{event}:{sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:24]}"


def attempt_number(case: Case) -> str:
    """Return the next payout number of a refund: the same on every host, at most 64 letters and digits."""
    text = f"{case['id']}|{case['approvals']}|{len(case['attempts']) + 1}"
    return "rf" + sha256(text.encode()).hexdigest()[:30]


def current_number(case: Case) -> str | None:
    """Return the newest number of the present approval, or None."""
    own = [number for number, item in case["attempts"].items() if item["approval"] == case["approvals"]]
    return max(own, key=lambda number: int(case["attempts"][number]["no"])) if own else None


def reusable_number(case: Case) -> str | None:
    """Return the number that the next dispatch uses again: one that may still pay is never replaced."""
    number = current_number(case)
    return number if number is not None and may_pay(case["attempts"][number]) else None


def may_pay(item: dict[str, Json]) -> bool:
    """Tell whether a number may still pay: it is not void, and a number pays at most once."""
    return not item["void"] and item["state"] not in PAID


def open_number(case: Case) -> str | None:
    """Return the number that is in flight, or None."""
    return next((number for number, item in case["attempts"].items() if item["state"] == "open"), None)


def change_attempt(case: Case, number: str, **changes: Json) -> None:
    """Replace fields of one attempt; the entry that makes it void is remembered."""
    old = case["attempts"][number]
    if changes.get("void") and not old["void"]:
        changes["void_seq"] = case["seq"]
    case["attempts"][number] = {**old, **changes}


def window_end(turn_policy_window: int | None, line: Line, zone: str) -> str | None:
    """Return when a channel's window on the payment ends, or None where it has none."""
    if turn_policy_window is None or "paid_at" not in line:
        return None
    return times.text(civil_days(times.moment(line["paid_at"]), turn_policy_window, zone))


# guards


def _channel_rules(turn: Turn) -> Iterable[Blocker]:
    channel, reused = turn.case["channel"], reusable_number(turn.case)
    if channel == MANUAL:
        yield Blocker(code="MANUAL_CHANNEL", params={"channel": channel})
    rule = turn.policy.channels[channel]
    last = turn.act.facts.get("last_dispatched_at")
    free_at = times.moment(last) + timedelta(seconds=rule.spacing_seconds) if last else turn.now
    if free_at > turn.now:
        yield Blocker(code="CHANNEL_SPACING", params={"channel": channel}, until=times.text(free_at))
    count = turn.act.facts.get("payment_count", 0)
    if rule.count_limit is not None and reused is None and count >= rule.count_limit:
        yield Blocker(code="CHANNEL_COUNT_USED", params={"count": count, "limit": rule.count_limit})
    ended = window_end(rule.window_days, turn.line, turn.policy.zone)
    if ended is not None and times.text(turn.now) >= ended:
        yield Blocker(code="CHANNEL_WINDOW_OVER", params={"channel": channel, "ended_at": ended})


def _covered(turn: Turn) -> Iterable[Blocker]:
    return [
        *money.chargeback_open(turn.draft),
        *money.not_covered(turn.draft, turn.case, turn.case["approved"]),
    ]


def _no_proof_pending(turn: Turn) -> Iterable[Blocker]:
    first = turn.case["firsts"].get("payout_settled")
    return [Blocker(code="PROOF_PENDING", params={"first": first["name"]})] if first else []


@of_terms
def proof_given(turn: Turn) -> Iterable[Blocker]:
    """Judge that a fact from outside comes with its proof."""
    return proof_missing(turn.given("proof")) if turn.asked("proof") else ()


def _refusal_fits(turn: Turn) -> Iterable[Blocker]:
    case, number = turn.case, turn.given("number")
    in_flight = open_number(case)
    told_of = [in_flight] if in_flight else sorted(case["attempts"])
    if number is not None and case["attempts"].get(str(number), {}).get("state") in PAID:
        yield Blocker(code="NUMBER_PAID", params={"number": number})
    elif number is not None and number not in told_of:
        yield Blocker(code="UNKNOWN_NUMBER", params={"number": number, "known": told_of})
    elif case["state"] == "approved.payable" and turn.asked("rule"):
        lasting = turn.given("rule") in LASTING_RULES or (number is not None and turn.given("void"))
        if not lasting:
            params = {"rule": turn.given("rule"), "lasting": list(LASTING_RULES)}
            yield Blocker(code="FAILURE_NOT_LASTING", params=params)


def _retry(turn: Turn) -> Iterable[Blocker]:
    number = current_number(turn.case)
    item = turn.case["attempts"].get(number or "")
    spent = item is not None and (not may_pay(item) or item["channel"] == MANUAL)
    if spent or turn.case["channel"] == MANUAL:
        yield Blocker(code="NUMBER_VOID", params={"number": number})
    # Without a number a lasting rule of the channel stood in the way: trying again by itself would never end.
    used, limit = (item["retries"], turn.policy.automatic_retries) if item else (0, 0)
    if turn.actor.role == "system" and used >= limit:
        yield Blocker(code="RETRIES_USED", params={"used": used, "limit": limit})


def _all_void(turn: Turn) -> Iterable[Blocker]:
    alive = sorted(number for number, item in turn.case["attempts"].items() if may_pay(item))
    return [Blocker(code="NUMBER_NOT_VOID", params={"numbers": alive})] if alive else []


@of_terms
def _channel_named(turn: Turn) -> Iterable[Blocker]:
    if turn.asked("channel") and turn.given("channel") not in set(turn.policy.channels) - {MANUAL}:
        allowed = sorted(set(turn.policy.channels) - {MANUAL})
        yield Blocker(code="CHANNEL_REQUIRED", params={"given": turn.given("channel"), "allowed": allowed})


def refusal_known(turn: Turn) -> int | None:
    """Return the seq of the entry that told this refusal of a number that is not in flight, or None."""
    case, number = turn.case, str(turn.given("number"))
    item = case["attempts"].get(number)
    if item is None or open_number(case) == number:
        return None
    seq = item.get("refusals", {}).get(proof_key("payout_refused", turn.act.params))
    return seq or (item["void_seq"] if item["void"] else None)


def _voidable(turn: Turn) -> Iterable[Blocker]:
    if not turn.asked("number") and turn.case["attempts"]:
        return
    number = turn.given("number")
    item = turn.case["attempts"].get(str(number))
    if item is None:
        yield Blocker(code="UNKNOWN_NUMBER", params={"number": number, "known": sorted(turn.case["attempts"])})
    elif item["state"] == "open":
        yield Blocker(code="NUMBER_IN_FLIGHT", params={"number": number})
    elif item["state"] in PAID:
        yield Blocker(code="NUMBER_PAID", params={"number": number})


# what the moves do


def open_attempt(turn: Turn, case: Case, number: str, channel: str) -> None:
    """Commit an attempt with its number and parameters: only then is it sent."""
    old = case["attempts"].get(number, {})
    case["attempts"][number] = {
        "no": old.get("no", len(case["attempts"]) + 1), "channel": channel, "amount": case["approved"],
        "currency": case["currency"], "approval": case["approvals"], "state": "open", "void": False,
        "retries": old.get("retries", 0), "dispatches": old.get("dispatches", 0) + 1, "seq": case["seq"],
        "at": case["effective_at"],
    }  # fmt: skip
    money.to_flight(turn.draft, case, case["approved"])


def _dispatch(turn: Turn, case: Case) -> None:
    number = reusable_number(case) or attempt_number(case)
    again = number in case["attempts"]
    open_attempt(turn, case, number, case["channel"])
    turn.draft.tell(
        "payout", "PAYOUT", number=number, channel=case["channel"], payment_no=turn.line["payment_no"],
        amount=case["approved"], currency=case["currency"], again=again,
    )  # fmt: skip
    turn.draft.tell("buyer_message", "PAYING", number=number, amount=case["approved"], currency=case["currency"])


def _pay_manually(turn: Turn, case: Case) -> None:
    number = attempt_number(case)
    open_attempt(turn, case, number, MANUAL)
    turn.draft.tell("staff_task", "PAY_MANUALLY", number=number, amount=case["approved"], currency=case["currency"])


def _refused(turn: Turn, case: Case) -> None:
    number = open_number(case) or turn.given("number")
    if number is not None:
        item = case["attempts"][number]
        void = bool(item["void"] or turn.given("void") or turn.given("never_sent")) or item["channel"] == MANUAL
        told = {**item.get("refusals", {}), proof_key("payout_refused", turn.act.params): case["seq"]}
        change_attempt(case, number, state="refused", void=void, proof=turn.given("proof"), refusals=told)
        money.to_flight(turn.draft, case, -case["in_flight"])
    turn.draft.tell("buyer_message", "PAYOUT_FAILED")
    turn.draft.tell("staff_task", "PAYOUT_FAILED", number=number, rule=turn.given("rule"))


def _retried(turn: Turn, case: Case) -> None:
    number = current_number(case)
    if number is not None and turn.actor.role == "system":
        change_attempt(case, number, retries=case["attempts"][number]["retries"] + 1)


def _rerouted(turn: Turn, case: Case) -> None:
    case["channel"] = str(turn.given("channel"))


def _revoked(turn: Turn, case: Case) -> None:
    decides(turn, case)
    case["approved"] = 0
    case.pop("approval", None)
    for number, offer in case["offers"].items():
        if offer.get("ended") == "accepted":
            case["offers"][number] = {**offer, "ended": "revoked"}
            if offer["compensation"]:
                granted = {"amount": offer["compensation"], "currency": case["currency"]}
                turn.draft.tell("staff_task", "COMPENSATION_STANDS", offer=number, **granted)
    turn.draft.tell("entitlement_restore", "ENTITLEMENT_RESTORE", product=turn.line["product"])
    turn.draft.tell("buyer_message", "APPROVAL_REVOKED")


def _voided(turn: Turn, case: Case) -> None:
    change_attempt(case, str(turn.given("number")), void=True, void_proof=turn.given("proof"))


def _handed(turn: Turn, case: Case) -> None:
    turn.draft.tell("staff_task", "HANDED_TO_FINANCE", number=open_number(case))


def _two_of_finance(turn: Turn) -> bool:
    return turn.actor.role != "channel"


MOVES = {
    "dispatch_payout": Move(
        roles=who("system"), guards=(_channel_rules, _covered, _no_proof_pending), apply=_dispatch
    ),
    "payout_refused": Move(
        roles=who("channel", "finance", "system"), guards=(proof_given, _refusal_fits, _no_proof_pending),
        apply=_refused,
    ),
    "retry_payout": Move(roles=who("finance", "system"), guards=(_retry, _no_proof_pending), apply=_retried),
    "reroute_payout": Move(
        roles=who("finance"),
        guards=(_all_void, _channel_named, text_required("REASON_REQUIRED", "message"), _no_proof_pending),
        apply=_rerouted, two_persons=_two_of_finance,
    ),
    "pay_manually": Move(
        roles=who("finance"), guards=(_all_void, _covered, _no_proof_pending), apply=_pay_manually,
        two_persons=_two_of_finance,
    ),
    "revoke_approval": Move(
        roles=frozenset({"supervisor"}),
        guards=(may_decide, _all_void, text_required("REASON_REQUIRED", "message"), _no_proof_pending),
        apply=_revoked, deciding=True,
    ),
    "confirm_receipt": Move(roles=who("buyer", "service")),
    "void_attempt": Move(
        roles=who("finance", "channel"), guards=(_voidable, proof_given), apply=_voided, kind="fact",
        states=frozenset(TABLE.leaves),
    ),
    "handed_to_finance": Move(
        roles=who("system"), apply=_handed, kind="fact", states=frozenset({"approved.paying"})
    ),
}  # fmt: skip
