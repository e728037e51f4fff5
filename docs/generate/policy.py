"""The page of the policy: every number with its default and what is allowed, then the default file itself."""

from docs.generate.markdown import block, code, table
from docs.generate.markdown import page as whole_page
from refundflow import policies
from states.policy import BOUNDS


def page() -> str:
    """Return the page."""
    policy = policies.default()
    return whole_page(
        "The policy",
        "One TOML file, always whole. `refundflow policy show` writes the default, `refundflow policy check FILE` "
        "names every problem at once. `REFUNDFLOW_POLICY` names the file that refunds are pinned to at `submit`; "
        "a refund keeps its policy until its end.",
        f"The version of a policy is the SHA-256 of its content. The default one is `{policy.version[:16]}…`.",
        "## Numbers",
        table(
            ("key", "default", "allowed"),
            ((code(key), getattr(policy, key), f"{low} to {high}") for key, (low, high) in BOUNDS.items()),
        ),
        "## The default file",
        "Every key with its meaning, in the comments.",
        block("toml", policies.default_text()),
    )
