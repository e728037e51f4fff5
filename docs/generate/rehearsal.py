"""The page of the rehearsal: the fixed rule, and the table from a complaint to a claim."""

from docs.generate.markdown import block, code, table
from docs.generate.markdown import page as whole_page
from refundflow.rehearsal import rule_text
from refundflow.rehearsal.mapping import CLAIMS, OTHER_ISSUE, OTHER_PRODUCT, PRODUCTS
from refundflow.rehearsal.rule import COLUMNS


def page() -> str:
    """Return the page."""
    return whole_page(
        "The rehearsal",
        "`refundflow rehearse FILE` drives a file of complaints through an empty rehearsal database, by a fixed rule. "
        f"The file is CSV with the columns {code(*COLUMNS)}; further ones are ignored. Every row ends where the rule "
        "says or is named with its reason; two runs have the same history, byte for byte.",
        "## The rule",
        block("text", rule_text()),
        "## Product, reason and usage",
        f"What is not in the tables is a claim on {code(OTHER_PRODUCT)} for {code(OTHER_ISSUE.reason)}, "
        f"{code(OTHER_ISSUE.usage)}. Each reason is one that the default policy reviews for that product and usage, so "
        "that money back can be reached.",
        table(("product", "product type"), ((name, code(kind)) for name, kind in PRODUCTS.items())),
        table(
            ("product", "issue", "reason", "usage"),
            (
                (product, issue, code(what.reason), code(what.usage))
                for product, issues in CLAIMS.items()
                for issue, what in issues.items()
            ),
        ),
    )
