"""Facts of the order line: what the marketplace and the channel tell about it, as entries of its own chain."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from states import money
from states.case import Act, Blocker, Line
from states.draft import Draft
from states.moves import who


@dataclass(frozen=True, kw_only=True, slots=True)
class Fact:
    """One kind of fact: who tells it, what blocks it, whether it is already known, what it changes."""

    roles: frozenset[str]
    blockers: Callable[[Draft, Act], Iterable[Blocker]]
    known: Callable[[Draft, Act], bool]
    apply: Callable[[Draft, Act, Line], None]
    two_persons: bool = False
    told_to_refunds: bool = False


def _free(draft: Draft, act: Act) -> Iterable[Blocker]:
    return ()


def _positive(draft: Draft, act: Act) -> Iterable[Blocker]:
    amount = act.params.get("amount")
    if amount is None or amount <= 0:
        yield Blocker(code="AMOUNT_NOT_POSITIVE", params={"amount": amount})


def _not_negative(draft: Draft, act: Act) -> Iterable[Blocker]:
    if act.params["captured"] < 0:
        yield Blocker(code="AMOUNT_NEGATIVE", params={"amount": act.params["captured"]})


def _same(*names: str) -> Callable[[Draft, Act], bool]:
    def known(draft: Draft, act: Act) -> bool:
        return all(draft.line.get(name) == act.params.get(name) for name in names)

    return known


def _set(*names: str) -> Callable[[Draft, Act, Line], None]:
    def apply(draft: Draft, act: Act, line: Line) -> None:
        for name in names:
            line[name] = act.params[name]  # type: ignore[literal-required]

    return apply


def _set_captured(draft: Draft, act: Act, line: Line) -> None:
    before = draft.ledger.excess
    line["captured"] = act.params["captured"]
    short = draft.ledger.reserved + draft.ledger.in_flight + draft.ledger.settled - line["stray"] - line["captured"]
    if max(0, short) + line["stray"] > before:
        draft.tell("staff_task", "OVERPAID", amount=max(0, short) + line["stray"], currency=line["currency"])


def _chargeback_known(draft: Draft, act: Act) -> bool:
    item = draft.line["chargebacks"].get(str(act.params["chargeback"]))
    if item is None or item["amount"] != act.params["amount"]:
        return False
    outcome = act.params.get("outcome")
    return bool(item["state"] == (outcome or "open"))


def _outcome(draft: Draft, act: Act) -> Iterable[Blocker]:
    yield from _positive(draft, act)
    if act.params.get("outcome") not in ("won", "lost"):
        yield Blocker(code="OUTCOME_REQUIRED", params={"allowed": ["won", "lost"]})


def _chargeback(draft: Draft, act: Act, line: Line) -> None:
    line["chargebacks"][str(act.params["chargeback"])] = {
        "amount": act.params["amount"], "state": act.params.get("outcome") or "open",
    }  # fmt: skip
    draft.ledger.charged_back = money.charged_back(line)
    draft.tell("staff_task", act.event.upper(), chargeback=act.params["chargeback"], amount=act.params["amount"])


def _resolvable(draft: Draft, act: Act) -> Iterable[Blocker]:
    yield from _positive(draft, act)
    ledger, amount = draft.ledger, act.params.get("amount") or 0
    if amount > min(ledger.excess, ledger.settled):
        yield Blocker(code="NO_EXCESS", params={"amount": amount, "excess": ledger.excess})
    if not act.params.get("proof"):
        yield Blocker(code="PROOF_REQUIRED")
    if act.params.get("how") not in ("returned", "written_off"):
        yield Blocker(code="OUTCOME_REQUIRED", params={"allowed": ["returned", "written_off"]})


def _resolve(draft: Draft, act: Act, line: Line) -> None:
    """Lower the excess: returned money lowers settled too, money written off only as far as the capture asks it."""
    amount, ledger = act.params["amount"], draft.ledger
    target = ledger.excess - amount
    line["stray"] -= min(line["stray"], amount)
    if act.params["how"] == "returned":
        ledger.settled -= amount
        return
    line["written_off"] += amount
    taken = ledger.reserved + ledger.in_flight + ledger.settled
    ledger.settled -= max(0, line["stray"] + max(0, taken - line["stray"] - line["captured"]) - target)


FACTS = {
    "completed": Fact(roles=who("service"), blockers=_free, known=_same("completed_at"), apply=_set("completed_at")),
    "captured": Fact(roles=who("service"), blockers=_not_negative, known=_same("captured"), apply=_set_captured),
    "usage_recorded": Fact(roles=who("service"), blockers=_free, known=_same("usage"), apply=_set("usage")),
    "paid": Fact(roles=who("service"), blockers=_free, known=_same("paid_at"), apply=_set("paid_at")),
    "validity": Fact(
        roles=who("service"),
        blockers=_free,
        known=_same("valid_from", "valid_to"),
        apply=_set("valid_from", "valid_to"),
    ),
    "chargeback_opened": Fact(
        roles=who("channel", "finance"),
        blockers=_positive,
        known=_chargeback_known,
        apply=_chargeback,
        told_to_refunds=True,
    ),
    "chargeback_closed": Fact(
        roles=who("channel", "finance"),
        blockers=_outcome,
        known=_chargeback_known,
        apply=_chargeback,
        told_to_refunds=True,
    ),
    "excess_resolved": Fact(
        roles=who("finance"),
        blockers=_resolvable,
        known=lambda draft, act: False,
        apply=_resolve,
        two_persons=True,
    ),
}
