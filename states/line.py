"""Facts of the order line: what the marketplace and the channel tell about it, as entries of its own chain."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from msgspec.structs import replace

from states import money
from states.case import Act, Blocker, Line
from states.draft import Draft
from states.moves import proof_missing, who
from states.payout import proof_key

FIRST = 1  # the entry that registered the line told what no later one did


@dataclass(frozen=True, kw_only=True, slots=True)
class Fact:
    """One kind of fact: who tells it, what blocks it, whether it is already known, what it changes."""

    roles: frozenset[str]
    blockers: Callable[[Draft, Act], Iterable[Blocker]]
    known: Callable[[Draft, Act], int | None]  # seq of the entry that told it
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


def _same(*names: str) -> Callable[[Draft, Act], int | None]:
    def known(draft: Draft, act: Act) -> int | None:
        if any(draft.line.get(name) != act.params.get(name) for name in names):
            return None
        return draft.line.get("told", {}).get(act.event, FIRST)

    return known


def _set(*names: str) -> Callable[[Draft, Act, Line], None]:
    def apply(draft: Draft, act: Act, line: Line) -> None:
        for name in names:
            line[name] = act.params[name]  # type: ignore[literal-required]
        _note_told(act, line)

    return apply


def _note_told(act: Act, line: Line) -> None:
    """Remember which entry told a plain fact, so that the same one told again gets its answer."""
    line["told"] = {**line.get("told", {}), act.event: line["seq"]}


def _set_captured(draft: Draft, act: Act, line: Line) -> None:
    before = money.overpaid_by(line, draft.ledger)
    line["captured"] = act.params["captured"]
    _note_told(act, line)
    _tell_overpaid(draft, line, before)


def _tell_overpaid(draft: Draft, line: Line, before: int) -> None:
    """Tell finance when a fact leaves more paid or promised than the line has."""
    draft.balance()
    now = money.overpaid_by(line, draft.ledger)
    if now > before:
        draft.tell("staff_task", "OVERPAID", amount=now, currency=line["currency"])


def _outcome(draft: Draft, act: Act) -> Iterable[Blocker]:
    yield from _positive(draft, act)
    if act.params.get("outcome") not in ("won", "lost"):
        yield Blocker(code="OUTCOME_REQUIRED", params={"allowed": ["won", "lost"]})


def _chargeback_known(draft: Draft, act: Act) -> int | None:
    item = draft.line["chargebacks"].get(str(act.params.get("chargeback")))
    if item is None or item["amount"] != act.params.get("amount"):
        return None
    told = act.params.get("outcome") if act.event == "chargeback_closed" else "open"
    return int(item["seq"]) if item["state"] == told else None


def _chargeback(draft: Draft, act: Act, line: Line) -> None:
    """Count a chargeback once, whatever the order in which its opening and its closing come.

    Closed before opened counts as both: the opening that comes afterwards is that of the closed one. Only a
    further one opens it again.
    """
    number, amount = str(act.params["chargeback"]), act.params["amount"]
    old = line["chargebacks"].get(number)
    before = money.overpaid_by(line, draft.ledger)
    item = {"amount": amount, "state": act.params.get("outcome") or "open", "seq": line["seq"]}
    if act.event == "chargeback_opened" and old is not None and old.get("unopened"):
        item = {**item, "amount": old["amount"], "state": old["state"]}
    elif act.event == "chargeback_closed" and (old is None or old.get("unopened")):
        item["unopened"] = True
    line["chargebacks"][number] = item
    draft.ledger = replace(draft.ledger, charged_back=money.charged_back(line))
    draft.tell("staff_task", act.event.upper(), chargeback=number, amount=amount, state=item["state"])
    _tell_overpaid(draft, line, before)


def _resolvable(draft: Draft, act: Act) -> Iterable[Blocker]:
    yield from _positive(draft, act)
    ledger, amount = draft.ledger, act.params.get("amount") or 0
    if amount > min(ledger.excess, ledger.settled):
        yield Blocker(code="NO_EXCESS", params={"amount": amount, "excess": ledger.excess})
    yield from proof_missing(act.params.get("proof"))
    if act.params.get("how") not in ("returned", "written_off"):
        yield Blocker(code="OUTCOME_REQUIRED", params={"allowed": ["returned", "written_off"]})


def _resolved_before(draft: Draft, act: Act) -> int | None:
    return draft.line.get("resolved", {}).get(proof_key(act.event, act.params))


def _resolve(draft: Draft, act: Act, line: Line) -> None:
    """Lower the excess: what the buyer returned was not paid after all, what is written off stays paid.

    What he returned of a payment that came back later makes up for a stray one: no more is stray than is out.
    """
    amount = act.params["amount"]
    of_strays = min(line["stray"], amount)
    line["stray"] -= of_strays
    if act.params["how"] == "returned":
        line["beside"] = line.get("beside", 0) - amount
        line["returned_by_hand"] = line.get("returned_by_hand", 0) + of_strays
    else:
        line["written_off"] += amount
    line["stray"] = min(line["stray"], max(0, draft.paid - line["written_off"]))
    line["resolved"] = {**line.get("resolved", {}), proof_key(act.event, act.params): line["seq"]}


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
    "effect_discarded": Fact(
        roles=frozenset({"supervisor", "finance"}),
        blockers=_free,
        known=lambda draft, act: False,
        apply=lambda draft, act, line: None,
    ),
    "excess_resolved": Fact(
        roles=who("finance"),
        blockers=_resolvable,
        known=_resolved_before,
        apply=_resolve,
        two_persons=True,
    ),
}
