"""The claim: what blocks `submit`, what `check` says before it, and the refund that it opens."""

from collections.abc import Iterable
from dataclasses import dataclass

from states import clocks, codes, money, times
from states.calendar import civil_days
from states.case import Actor, Blocker, Case, Json
from states.chart import phase_of
from states.draft import SYSTEM, Draft, Turn
from states.eligibility import pro_rata_amount
from states.evidence import add_files, came_since, judge_files, named_files
from states.money import chargeback_open
from states.moves import who
from states.payout import window_end
from states.policy_values import ReasonRule
from states.refund_v1 import CHART, TABLE

ROLES = who("buyer", "service")


@dataclass(frozen=True, kw_only=True, slots=True)
class Outlook:
    """What a claim for one reason would meet: `verdict` is a cell of Eligibility or None where it is blocked.

    `grounds` are those of a rejection at once; `needed` are groups of evidence kinds of which any one
    suffices; `window_ends` and `limit_ends` are moments (text) or None where the reason is exempt.
    """

    reason: str
    verdict: str | None
    grounds: tuple[str, ...]
    blockers: tuple[Blocker, ...]
    needed: tuple[tuple[str, ...], ...]
    window_ends: str | None
    limit_ends: str | None
    left: int
    pro_rata: int | None


def amount_of(turn: Turn) -> int:
    """Return the amount claimed in minor units: what was asked for, by default what came back or all that is left."""
    amount = turn.given("amount")
    if amount is not None:
        return int(amount)
    returned = turn.draft.refunds.get(str(turn.given("returned")))
    back = returned.get("late_reversal") if returned else None
    return int(back["amount"]) if back else money.left(turn.line, turn.draft.ledger)


def claim_blockers(turn: Turn) -> list[Blocker]:
    """Return everything that blocks `submit`."""
    rule = turn.policy.reasons.get(str(turn.given("reason")))
    blockers = [*_paid(turn, rule)]
    if rule is None:
        blockers.append(
            Blocker(code="UNKNOWN_REASON", params={"reason": turn.given("reason"), "allowed": list(codes.REASONS)})
        )
    else:
        blockers += [*_fits(turn, rule), *_time(turn, rule), *_before(turn, rule)]
    blockers += [*_amount(turn), *_beside(turn), *chargeback_open(turn.draft), *_currency(turn)]
    return blockers + judge_files(turn.policy, turn.given("evidence") or [], [])


def _paid(turn: Turn, rule: ReasonRule | None) -> Iterable[Blocker]:
    if "paid_at" not in turn.line:
        yield Blocker(code="NOT_PAID")
    elif "completed_at" not in turn.line and (rule is None or (rule.needs_completion and not rule.service_only)):
        reasons = [code for code, item in turn.policy.reasons.items() if not item.needs_completion]
        yield Blocker(code="NOT_COMPLETED", params={"reasons": reasons})


def _fits(turn: Turn, rule: ReasonRule) -> Iterable[Blocker]:
    product = turn.line["product_type"]
    if rule.products is not None and product not in rule.products:
        yield Blocker(code="REASON_NOT_FOR_PRODUCT", params={"reason": rule.code, "product": product})
    elif turn.policy.cell(rule.code, product, turn.line["usage"]) == "not_accepted" and not rule.service_only:
        yield Blocker(code="ALREADY_CONSUMED", params={"usage": turn.line["usage"]})
    if rule.text_required and turn.asked("note") and not turn.has_text("note"):
        yield Blocker(code="TEXT_REQUIRED")


def _time(turn: Turn, rule: ReasonRule) -> Iterable[Blocker]:
    now, line, policy = times.text(turn.now), turn.line, turn.policy
    limit = limit_end(turn, rule)
    if limit is not None and now >= limit:
        yield Blocker(code="CLAIM_TOO_LATE", params={"ended_at": limit, "days": policy.claim_limit_days})
    channel = policy.channels.get(line["channel"])
    ended = window_end(channel.window_days, line, policy.zone) if channel else None
    if ended is not None and now >= ended and rule.family != "legal" and not rule.service_only:
        yield Blocker(code="CHANNEL_WINDOW_OVER", params={"channel": line["channel"], "ended_at": ended})


def limit_end(turn: Turn, rule: ReasonRule) -> str | None:
    """Return from when on a claim is not accepted any more, or None where the reason is exempt."""
    start = turn.line.get("completed_at") or turn.line.get("paid_at")
    if start is None or rule.exempt_claim_limit:
        return None
    return times.text(civil_days(times.moment(start), turn.policy.claim_limit_days, turn.policy.zone))


def window_ends(turn: Turn, rule: ReasonRule) -> str | None:
    """Return until when a claim is reviewed rather than rejected at once, or None where the reason is exempt."""
    completed = turn.line.get("completed_at")
    if completed is None or rule.exempt_claim_window:
        return None
    return times.text(civil_days(times.moment(completed), turn.policy.claim_window_days, turn.policy.zone))


def _before(turn: Turn, rule: ReasonRule) -> Iterable[Blocker]:
    """Judge what earlier refunds of the line say."""
    refunds = turn.draft.refunds
    if rule.service_only:
        yield from _returned(turn)
        return
    limit = turn.policy.claims_per_line
    count = sum(1 for case in refunds.values() if not turn.policy.reasons[case["reason"]].service_only)
    if count >= limit:
        yield Blocker(code="CLAIM_LIMIT_REACHED", params={"count": count, "limit": limit})
    if rule.family != "legal":
        for case in refunds.values():
            if case["reason"] == rule.code and any(o.get("ended") == "accepted" for o in case["offers"].values()):
                yield Blocker(code="SETTLED_BY_OFFER", params={"refund": case["id"]})


def _returned(turn: Turn) -> Iterable[Blocker]:
    name = turn.given("returned")
    case = turn.draft.refunds.get(str(name))
    used = any(other.get("returned") == name for other in turn.draft.refunds.values())
    back = case.get("late_reversal") if case else None
    if back is None or used or amount_of(turn) != back["amount"]:
        yield Blocker(code="RETURNED_PAYMENT_UNKNOWN", params={"refund": name})


def _amount(turn: Turn) -> Iterable[Blocker]:
    amount, left = amount_of(turn), money.left(turn.line, turn.draft.ledger)
    if turn.given("amount") is None and left == 0:
        yield Blocker(code="AMOUNT_EXCEEDS_LEFT", params={"amount": turn.line["captured"], "left": 0})
    elif amount <= 0:
        yield Blocker(code="AMOUNT_NOT_POSITIVE", params={"amount": amount})
    elif amount > left:
        yield Blocker(code="AMOUNT_EXCEEDS_LEFT", params={"amount": amount, "left": left})


def _beside(turn: Turn) -> Iterable[Blocker]:
    for case in turn.draft.refunds.values():
        if case["state"] not in TABLE.final and case["state"] != "paid_out.settled":
            params = {"refund": case["id"], "state": case["state"]}
            yield Blocker(code="REFUND_IN_PROGRESS", params=params, until=ends_by_itself(case))


def ends_by_itself(case: Case) -> str | None:
    """Return when a deadline alone ends a refund in progress, or None where a person must act first."""
    if phase_of(case["state"]) == "rejected":
        return case["deadlines"]["appeal_window"]["due_at"]
    if case["state"] != "awaiting_evidence" or case["instance"] != "appeal":
        return None
    if not came_since(case, case["request"]["seq"]):
        return case["deadlines"]["evidence"]["due_at"]
    return None


def _currency(turn: Turn) -> Iterable[Blocker]:
    currency = turn.line["currency"]
    if currency not in turn.policy.money:
        yield Blocker(code="CURRENCY_NOT_CONFIGURED", params={"currency": currency, "key": f"money.{currency}"})


def grounds_at_once(turn: Turn, rule: ReasonRule) -> list[str]:
    """Return the grounds on which a claim is rejected in the transaction of its submit."""
    grounds = []
    window = window_ends(turn, rule)
    if window is not None and times.text(turn.now) >= window:
        grounds.append("OUT_OF_WINDOW")
    cell = turn.policy.cell(rule.code, turn.line["product_type"], turn.line["usage"])
    if cell.startswith("reject:") and not rule.service_only:
        grounds.append(cell.removeprefix("reject:"))
    return grounds


def outlook(turn: Turn, reason: str) -> Outlook:
    """Say what a claim for one reason would meet now."""
    rule = turn.policy.reasons.get(reason)
    blockers = tuple(claim_blockers(turn))
    cell = turn.policy.cell(reason, turn.line["product_type"], turn.line["usage"]) if rule else None
    return Outlook(
        reason=reason,
        verdict=None if blockers else cell,
        grounds=tuple(grounds_at_once(turn, rule)) if rule and not blockers else (),
        blockers=blockers,
        needed=turn.policy.needed(turn.line["product_type"], reason),
        window_ends=window_ends(turn, rule) if rule else None,
        limit_ends=limit_end(turn, rule) if rule else None,
        left=money.left(turn.line, turn.draft.ledger),
        pro_rata=pro_rata_amount(turn.line, times.text(turn.now)),
    )


def new_case(turn: Turn) -> Case:
    """Return the refund as it is before its first entry."""
    line, number = turn.line, len(turn.draft.refunds) + 1
    return Case(
        id=f"{line['order_id']}-{line['line']}-{number}", order_id=line["order_id"], line=line["line"], chart=CHART,
        policy=turn.policy.version, state=TABLE.initial, seq=0, effective_at="", submitted_at=times.text(turn.now),
        buyer=line["buyer"], parties=[], reason=str(turn.given("reason")), usage=line["usage"],
        currency=line["currency"], claimed=0, reserved=0, in_flight=0, settled=0, approved=0,
        instance="review", channel=line["channel"],
        deadlines={}, left={}, levels={}, evidence={}, rounds={}, offers={}, decided={}, approvals=0, firsts={},
        attempts={}, flags={},
    )  # fmt: skip


def open_case(turn: Turn) -> None:
    """Open the refund, and reject it at once where the claim window or Eligibility says so."""
    draft, amount = turn.draft, amount_of(turn)
    case = new_case(turn)
    params: dict[str, Json] = {**turn.act.params, "amount": amount, **turn.act.facts}
    if "evidence" in params:
        params["evidence"] = named_files(turn, case)
    with draft.entry(
        case, "submit", turn.actor, turn.now, params=params, texts=tuple(turn.act.texts), opens=True
    ) as new:
        _fill(turn, new, amount)
    rule = turn.policy.reasons[new["reason"]]
    grounds = grounds_at_once(turn, rule)
    if grounds:
        _reject_at_once(draft, new, grounds, SYSTEM)


def _fill(turn: Turn, new: Case, amount: int) -> None:
    new["claimed"] = amount
    money.reserve(turn.draft, new, amount)
    if turn.actor.role == "service":
        new["parties"] = [turn.actor.name]
    if "erased" in turn.line:
        new["erased"] = turn.line["erased"]
    if turn.given("returned"):
        new["returned"] = str(turn.given("returned"))
    for flag in _risk(turn):
        new["flags"][flag] = new["seq"]
    add_files(turn, new)
    clocks.stand(turn.draft, new, "review", turn.now)
    turn.draft.tell("buyer_message", "SUBMITTED", amount=amount, currency=new["currency"], reason=new["reason"])


def _risk(turn: Turn) -> Iterable[str]:
    facts = turn.act.facts
    if facts.get("claims_before", 0) + 1 >= turn.policy.risk_claims:
        yield "FREQUENT_CLAIMS"
    if turn.line["usage"] == "unknown":
        yield "USAGE_UNKNOWN"
    if facts.get("abuse_before"):
        yield "ABUSE_SUSPECTED"


def _reject_at_once(draft: Draft, case: Case, grounds: list[str], by: Actor) -> None:
    at = times.moment(case["effective_at"])
    with draft.entry(case, "auto_reject", by, at, params={"grounds": grounds}, cause=case["seq"]) as new:
        clocks.change_state(draft, new, "rejected.appealable", at)
        new["rejection"] = {
            "grounds": grounds,
            "seq": new["seq"],
            "at": new["effective_at"],
            "instance": "review",
        }
        due_at = new["deadlines"]["appeal_window"]["due_at"]
        draft.tell("buyer_message", "REJECTED", grounds=grounds, appeal_until=due_at)
