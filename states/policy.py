"""Build a policy out of a file's content, checked as a whole; every problem is reported at once."""

import json
from collections.abc import Mapping
from dataclasses import fields
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from states.codes import CHANNELS, EVIDENCE_KINDS, GROUNDS, PRODUCT_TYPES, REASONS, USAGES
from states.policy_values import FAMILIES, VERDICTS, ChannelRule, Group, MoneyRule, Policy, ReasonRule
from states.prorata import pro_rata
from states.reading import MISSING, Problem, Reader

__all__ = [
    "FAMILIES", "VERDICTS", "ChannelRule", "Group", "MoneyRule", "Policy", "PolicyProblem", "Problem",
    "ReasonRule", "build", "pro_rata",
]  # fmt: skip

YEAR = 366  # days
MOST_MONEY = 10**12  # minor units: a limit above it is a slip of the pen
BOUNDS = {
    "claim_window_days": (1, YEAR),
    "claim_limit_days": (1, 10 * YEAR),
    "claims_per_line": (1, 100),
    "review_days_raised": (1, 30),
    "evidence_hours": (1, 720),
    "offer_hours": (1, 720),
    "appeal_window_days": (1, 90),
    "appeal_review_days": (1, 30),
    "payout_hours": (1, 720),
    "receipt_days": (1, 90),
    "enquiry_minutes": (1, 1440),
    "overdue_short_times": (0, 100),
    "overdue_short_days": (1, 30),
    "overdue_long_days": (1, 60),
    "promise_short_times": (0, 100),
    "promise_short_hours": (1, 720),
    "promise_long_hours": (1, 2160),
    "warn_hours": (0, 720),
    "warn_payout_hours": (0, 720),
    "warn_enquiry_minutes": (0, 1440),
    "extension_days": (1, 30),
    "evidence_rounds": (1, 20),
    "offer_rounds": (1, 20),
    "evidence_max_files": (1, 100),
    "evidence_max_bytes": (1, 2**30),
    "risk_claims": (1, 1000),
    "risk_days": (1, YEAR),
    "automatic_retries": (0, 20),
}


class PolicyProblem(ValueError):
    """A content that is no policy; `problems` holds each key, what is wrong and what is allowed."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        """Take every problem that was found."""
        super().__init__("; ".join(f"{each.key} {each.problem}: {each.allowed}" for each in problems))
        self.problems = problems


def build(content: Mapping[str, Any]) -> Policy:
    """Check a file's content and return it as a policy, versioned by the content.

    Raises:
        PolicyProblem: keys missing, unknown or with values that are not allowed; all of them.
    """
    problems: list[Problem] = []
    reader = Reader(content, problems)
    numbers: dict[str, Any] = {key: reader.integer(key, low, high) for key, (low, high) in BOUNDS.items()}
    reasons = _reasons(reader.table("reasons", "a table for each reason"))
    found: dict[str, Any] = {
        "zone": _zone(reader),
        "review_days": _review_days(reader.table("review_days", "working days for each product type")),
        "media_types": reader.words("media_types", None),
        "needed_by_product": _needed(reader, "needed_by_product", PRODUCT_TYPES),
        "needed_by_reason": _needed(reader, "needed_by_reason", REASONS),
        "service_evidence": reader.words("service_evidence", EVIDENCE_KINDS, empty=True),
        "reasons": reasons,
        "tighter": _tighter(reader.table("tighter", "tables of product and reason", optional=True), reasons),
        "money": _money(reader.table("money", "a table for each currency")),
        "system_grounds": reader.words("system_grounds", GROUNDS, empty=True),
        "ask_again_seconds": reader.integers("ask_again_seconds", 1, 30 * 86400),
        "channels": _channels(reader.table("channels", "a table for each channel")),
    }
    reader.close()
    _fit(reader, numbers)
    if problems:
        raise PolicyProblem(tuple(problems))
    written = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    version = sha256(written.encode()).hexdigest()
    return Policy(version=version, content=written, **numbers, **found)


def _fit(reader: Reader, numbers: Mapping[str, int]) -> None:
    """Report numbers that contradict one another; n civil days last longer than 24 n hours."""
    if numbers["claim_limit_days"] < numbers["claim_window_days"]:
        reader.contradict("claim_limit_days", "is less than", "claim_window_days", "at least")
    for key, whole, least in (
        ("warn_hours", "evidence_hours", numbers["evidence_hours"]),
        ("warn_hours", "offer_hours", numbers["offer_hours"]),
        ("warn_hours", "appeal_window_days", 24 * numbers["appeal_window_days"] + 1),
        ("warn_hours", "receipt_days", 24 * numbers["receipt_days"] + 1),
        ("warn_payout_hours", "payout_hours", numbers["payout_hours"]),
        ("warn_enquiry_minutes", "enquiry_minutes", numbers["enquiry_minutes"]),
    ):
        if numbers[key] >= least:
            reader.contradict(key, "is not shorter than", whole, "less than")


def _zone(reader: Reader) -> str:
    """Read the name of a time zone that this installation knows."""
    allowed = "a time zone by its IANA name, for instance Asia/Shanghai"
    name = reader.take("zone", allowed)
    if name is MISSING:
        return "UTC"
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        reader.report("zone", f"is {name!r}", allowed)
        return "UTC"
    return str(name)


def _review_days(table: Reader) -> dict[str, int]:
    """Read the working days of every product type."""
    return {product: table.integer(product, 1, 30) for product in table.only(PRODUCT_TYPES, every=True)}


def _needed(reader: Reader, key: str, known: tuple[str, ...]) -> dict[str, tuple[Group, ...]]:
    """Read the groups of evidence by product or reason."""
    table = reader.table(key, f"lists of evidence kinds by {', '.join(known)}")
    return {name: _groups(table, name) for name in table.only(known)}


def _groups(table: Reader, name: str) -> tuple[Group, ...]:
    """Read groups of kinds, the kinds of one group separated by a bar."""
    groups = tuple(tuple(kind.strip() for kind in text.split("|")) for text in table.words(name, None))
    for group in groups:
        for kind in group:
            if kind not in EVIDENCE_KINDS:
                table.report(name, f"has {kind!r}", "evidence kinds: " + ", ".join(EVIDENCE_KINDS))
    return groups


def _reasons(table: Reader) -> dict[str, ReasonRule]:
    """Read the table of eligibility; every reason must be there."""
    codes = table.only(REASONS, every=True)
    return {code: _reason(code, table.table(code, "a table")) for code in codes}


def _reason(code: str, table: Reader) -> ReasonRule:
    """Read the row of one reason."""
    rule = ReasonRule(
        code=code,
        family=table.choice("family", FAMILIES),
        products=_products(table),
        cells={usage: table.choice(usage, VERDICTS) for usage in USAGES},
        text_required=table.flag("text_required", False),
        needs_completion=table.flag("needs_completion", True),
        exempt_claim_window=table.flag("exempt_claim_window", False),
        exempt_claim_limit=table.flag("exempt_claim_limit", False),
        service_only=table.flag("service_only", False),
    )
    table.close()
    if code == "PAYOUT_RETURNED" and not rule.service_only:
        table.report("service_only", "is false", "true: only a service knows that a payment came back")
    return rule


def _products(table: Reader) -> frozenset[str] | None:
    """Read the products of a reason: the word "all", or a list."""
    allowed = '"all" or a list of ' + ", ".join(PRODUCT_TYPES)
    if table.take("products", allowed, "all") == "all":
        return None
    return frozenset(table.words("products", PRODUCT_TYPES))


def _tighter(table: Reader, reasons: Mapping[str, ReasonRule]) -> dict[str, dict[str, dict[str, str]]]:
    """Read the cells that a product tightens."""
    found: dict[str, dict[str, dict[str, str]]] = {}
    for product in table.only(PRODUCT_TYPES):
        rows = table.table(product, "a table of reasons")
        for code in rows.only(REASONS):
            cells = rows.table(code, "a table of usages")
            if code in reasons:
                found.setdefault(product, {})[code] = _cells(cells, product, reasons[code])
    return found


def _cells(cells: Reader, product: str, rule: ReasonRule) -> dict[str, str]:
    """Read tightened cells of one reason; none may be looser than the reason's own."""
    if rule.products is not None and product not in rule.products:
        cells.report("", "is a reason that this product does not have", ", ".join(sorted(rule.products)))
    found = {}
    for usage in cells.only(USAGES):
        found[usage] = cells.choice(usage, VERDICTS)
        least = VERDICTS.index(rule.cells[usage])
        if VERDICTS.index(found[usage]) < least:
            allowed = "one of " + ", ".join(VERDICTS[least:])
            cells.report(usage, f"is {found[usage]!r}, looser than reasons.{rule.code}", allowed)
    return found


def _money(table: Reader) -> dict[str, MoneyRule]:
    """Read the limits of each currency."""
    currencies = table.keys()
    if table.is_table and not currencies:
        table.report("", "is empty", "a table for each currency, for instance money.CNY")
    return {currency: _limits(currency, table) for currency in currencies}


def _limits(currency: str, table: Reader) -> MoneyRule:
    """Read the limits of one currency."""
    if not (len(currency) == 3 and currency.isascii() and currency.isalpha() and currency.isupper()):
        table.report(currency, "is no currency", "three capital letters (ISO 4217), for instance CNY")
    limits = table.table(currency, "a table")
    rule = MoneyRule(**{each.name: limits.integer(each.name, 0, MOST_MONEY) for each in fields(MoneyRule)})
    limits.close()
    for less, more in (
        ("compensation_agent", "compensation_supervisor"),
        ("small_claim_up_to", "two_persons_above"),
    ):
        if getattr(rule, less) > getattr(rule, more):
            limits.contradict(less, "is more than", more, "at most")
    return rule


def _channels(table: Reader) -> dict[str, ChannelRule]:
    """Read the rules of every channel."""
    found = {}
    for name in table.only(CHANNELS, every=True):
        rules = table.table(name, "a table")
        found[name] = ChannelRule(
            spacing_seconds=rules.integer("spacing_seconds", 0, 86400),
            count_limit=rules.optional_integer("count_limit", 1, 10000),
            window_days=rules.optional_integer("window_days", 1, 10 * YEAR),
            ask_again_min_seconds=rules.integer("ask_again_min_seconds", 0, 86400),
        )
        rules.close()
    return found
