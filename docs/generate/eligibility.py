"""The page of eligibility: what the default policy says for every reason and usage, and the evidence needed."""

from docs.generate.markdown import code, table
from docs.generate.markdown import page as whole_page
from refundflow import policies
from states.codes import PRODUCT_TYPES, USAGES
from states.policy_values import Policy, ReasonRule


def page() -> str:
    """Return the page."""
    policy = policies.default()
    return whole_page(
        "Eligibility",
        "What the default policy says to a claim, by reason and usage. `refundflow check ORDER` says the same for one "
        "order line, with what else blocks it.",
        "- *review*: the claim is opened and reviewed.\n"
        "- *reject*: it is opened and rejected at once with that ground, so that it can be appealed.\n"
        "- *negotiate*: it is opened; approving the whole is blocked (`PARTLY_USED`), a part is offered.\n"
        "- *not accepted*: it is refused (`ALREADY_CONSUMED`).",
        table(("reason", "family", "products", *USAGES), (_row(rule) for rule in policy.reasons.values())),
        "## Windows",
        f"A claim is in time {policy.claim_window_days} civil days after completion; a later one is opened and "
        f"rejected at once (`OUT_OF_WINDOW`). Later than {policy.claim_limit_days} civil days after completion, else "
        "payment, it is refused (`CLAIM_TOO_LATE`). An order that never completed has no claim window.",
        table(
            ("reason", "paid is enough", "exempt from", "needs a text", "by"),
            (_terms(r) for r in policy.reasons.values()),
        ),
        "## Evidence needed",
        "Missing evidence never blocks `submit`. Where several kinds stand with “or”, any one of them will do. What "
        f"the marketplace can prove itself is not asked of the buyer: {code(*policy.service_evidence)}.",
        table(
            ("product type", "needed"), ((code(p), _groups(policy.needed_by_product.get(p, ()))) for p in PRODUCT_TYPES)
        ),
        table(("reason", "needed"), ((code(r), _groups(g)) for r, g in policy.needed_by_reason.items())),
        "## Review days",
        f"Working days from `submit`; {policy.review_days_raised} above the raised limit or with a risk flag.",
        table(("product type", "working days"), ((code(p), policy.review_days[p]) for p in PRODUCT_TYPES)),
        *_tighter(policy),
    )


def _row(rule: ReasonRule) -> tuple[str, ...]:
    products = "all" if rule.products is None else code(*(p for p in PRODUCT_TYPES if p in rule.products))
    cells = (rule.cells[usage] for usage in USAGES)
    return code(rule.code), rule.family.replace("_", " "), products, *(_verdict(cell) for cell in cells)


def _verdict(cell: str) -> str:
    if cell.startswith("reject:"):
        return f"reject {code(cell.removeprefix('reject:'))}"
    return cell.replace("_", " ")


def _terms(rule: ReasonRule) -> tuple[str, ...]:
    exempt = [
        name
        for name, is_exempt in (
            ("claim window", rule.exempt_claim_window),
            ("claim limit", rule.exempt_claim_limit),
            ("channel window", rule.family == "legal" or rule.service_only),
        )
        if is_exempt
    ]
    return (
        code(rule.code),
        "" if rule.needs_completion else "yes",
        ", ".join(exempt),
        "yes" if rule.text_required else "",
        code("service") if rule.service_only else code("buyer", "service"),
    )


def _groups(groups: tuple[tuple[str, ...], ...]) -> str:
    return ", ".join(" or ".join(code(kind) for kind in group) for group in groups) or "nothing"


def _tighter(policy: Policy) -> list[str]:
    rows = [
        (code(product), code(reason), usage, _verdict(cell))
        for product, reasons in policy.tighter.items()
        for reason, cells in reasons.items()
        for usage, cell in cells.items()
    ]
    return ["## Tightened by product", table(("product type", "reason", "usage", "verdict"), rows)] if rows else []
