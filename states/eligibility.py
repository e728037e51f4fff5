"""Eligibility: what product, reason and usage say of a claim, at submit and again at every decision."""

from states import times
from states.case import Blocker, Case, Line
from states.draft import Turn
from states.evidence import came_since, missing
from states.policy import Policy
from states.prorata import pro_rata


def verdict(policy: Policy, line: Line, reason: str) -> str:
    """Return the cell of the eligibility table for the usage that the line has now."""
    return policy.cell(reason, line["product_type"], line["usage"])


def pro_rata_amount(line: Line, at: str) -> int | None:
    """Return the unused part of what was captured, in minor units, where the line says when it is valid."""
    if "valid_from" not in line:
        return None
    valid_from, valid_to = times.moment(line["valid_from"]), times.moment(line["valid_to"])
    return pro_rata(line["captured"], valid_from, valid_to, times.moment(at))


def usage_blockers(turn: Turn, amount: int, *, whole: bool) -> list[Blocker]:
    """Return what usage says against paying `amount`: the whole claim, or what a person agreed to."""
    cell = verdict(turn.policy, turn.line, turn.case["reason"])
    if cell == "not_accepted":
        return [Blocker(code="ALREADY_CONSUMED", params={"usage": turn.line["usage"]})]
    if cell.startswith("reject:"):
        return [Blocker(code=cell.removeprefix("reject:"), params={"usage": turn.line["usage"]})]
    if cell == "negotiate" and whole:
        proposed = pro_rata_amount(turn.line, times.text(turn.now))
        if proposed is None or amount > proposed:
            return [Blocker(code="PARTLY_USED", params={"pro_rata_minor": proposed, "usage": turn.line["usage"]})]
    return []


def clear_evidence(policy: Policy, line: Line, case: Case) -> bool:
    """Tell whether the buyer has brought clear evidence since the rejection.

    That is a kind that product and reason need and that was missing then, or a promise of the platform.
    """
    rejected = case.get("rejection", {}).get("seq", 0)
    before = {number: item for number, item in case["evidence"].items() if item["seq"] <= rejected}
    needed = policy.needed(line["product_type"], case["reason"])
    lacking = {kind for group in missing(needed, before) for kind in group}
    brought = {item["kind"] for item in came_since(case, rejected)}
    return "platform_promise" in brought or bool(brought & lacking)
