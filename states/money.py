"""The ledger of an order line: what is left, what is covered, and how amounts move."""

from msgspec.structs import replace

from states.case import Blocker, Case, Ledger, Line
from states.draft import Draft


def left(line: Line, ledger: Ledger) -> int:
    """Return what may still be claimed on the line, in minor units, never below 0."""
    return max(0, _difference(line, ledger))


def overpaid(line: Line, ledger: Ledger) -> bool:
    """Tell whether more has gone out, or is promised, than the line has."""
    return overpaid_by(line, ledger) > 0


def overpaid_by(line: Line, ledger: Ledger) -> int:
    """Return by how much a line is overpaid, in minor units."""
    return max(ledger.excess, -_difference(line, ledger), 0)


def _difference(line: Line, ledger: Ledger) -> int:
    return line["captured"] - ledger.reserved - ledger.in_flight - ledger.settled - ledger.charged_back


def available(draft: Draft, case: Case) -> int:
    """Return what the line has for this refund: captured less what is out, charged back, or reserved by others.

    Money that was written off is out, also where `settled` had to hide it: nobody is paid a second time.
    """
    ledger = draft.ledger
    others = ledger.reserved - case["reserved"]
    return draft.line["captured"] - ledger.in_flight - draft.paid - ledger.charged_back - others


def not_covered(draft: Draft, case: Case, amount: int) -> list[Blocker]:
    """Return the blocker of an amount that the line does not cover."""
    has = available(draft, case)
    if draft.ledger.excess == 0 and has >= amount:
        return []
    return [
        Blocker(
            code="NOT_COVERED_BY_LINE",
            params={"amount": amount, "available": max(0, has), "excess": draft.ledger.excess},
        )
    ]


def reserve(draft: Draft, case: Case, amount: int) -> None:
    """Put an amount aside for a refund."""
    case["reserved"] += amount
    draft.ledger = replace(draft.ledger, reserved=draft.ledger.reserved + amount)


def release(draft: Draft, case: Case) -> None:
    """Give back what a refund still has reserved."""
    reserve(draft, case, -case["reserved"])


def to_flight(draft: Draft, case: Case, amount: int) -> None:
    """Move an amount from reserved to in flight (a negative amount moves it back)."""
    reserve(draft, case, -amount)
    case["in_flight"] += amount
    draft.ledger = replace(draft.ledger, in_flight=draft.ledger.in_flight + amount)


def to_settled(draft: Draft, case: Case, amount: int) -> None:
    """Move an amount to settled, from flight or from reserved, and release the rest of the claim."""
    to_flight(draft, case, -case["in_flight"])
    release(draft, case)
    settle(case, amount)


def settle(case: Case, amount: int) -> None:
    """Raise (or with a negative amount lower) what is settled; the line's column follows with the entry."""
    case["settled"] += amount


def charged_back(line: Line) -> int:
    """Return what chargebacks have taken: open and lost ones, each counted once."""
    return sum(item["amount"] for item in line["chargebacks"].values() if item["state"] != "won")


def chargeback_open(draft: Draft) -> list[Blocker]:
    """Return the blocker of an open chargeback on the line."""
    ids = sorted(number for number, item in draft.line["chargebacks"].items() if item["state"] == "open")
    return [Blocker(code="CHARGEBACK_OPEN", params={"ids": ids})] if ids else []
