"""What a marketplace decided: the policy with its table of eligibility, money limits and channel rules."""

from collections.abc import Mapping
from dataclasses import dataclass

Group = tuple[str, ...]  # kinds of evidence of which any one suffices

FAMILIES = ("not_as_described", "platform_fault", "legal", "other")
VERDICTS = ("review", "negotiate", "reject:ALREADY_ACTIVATED", "not_accepted")  # from loose to tight


@dataclass(frozen=True, kw_only=True)
class ReasonRule:
    """What one reason allows, by usage, and from which rules it is exempt."""

    code: str
    family: str  # of FAMILIES
    products: frozenset[str] | None  # None: all
    cells: Mapping[str, str]  # usage → verdict of VERDICTS
    text_required: bool = False
    needs_completion: bool = True  # False: paid is enough
    exempt_claim_window: bool = False
    exempt_claim_limit: bool = False
    service_only: bool = False


@dataclass(frozen=True, kw_only=True)
class MoneyRule:
    """The limits of one currency, all in its minor unit."""

    two_persons_above: int
    raised_review_above: int
    small_claim_up_to: int
    compensation_agent: int
    compensation_supervisor: int


@dataclass(frozen=True, kw_only=True)
class ChannelRule:
    """What a channel asks of payouts on one payment."""

    spacing_seconds: int  # between two payouts on one payment
    count_limit: int | None  # payouts on one payment; None: no limit
    window_days: int | None  # after the payment; None: no limit
    ask_again_min_seconds: int  # not asked again sooner than this


@dataclass(frozen=True, kw_only=True)
class Policy:
    """Every number and table that the rules ask for; each name is the key in the policy file.

    Durations carry their unit in the name: days are civil or working days as the rules say.
    `content` is the canonical JSON of the file's content, `version` its SHA-256 in hexadecimal.
    """

    version: str
    content: str
    zone: str
    claim_window_days: int
    claim_limit_days: int
    claims_per_line: int
    review_days: Mapping[str, int]
    review_days_raised: int
    evidence_hours: int
    offer_hours: int
    appeal_window_days: int
    appeal_review_days: int
    payout_hours: int
    receipt_days: int
    enquiry_minutes: int
    overdue_short_times: int
    overdue_short_days: int
    overdue_long_days: int
    promise_short_times: int
    promise_short_hours: int
    promise_long_hours: int
    warn_hours: int
    warn_payout_hours: int
    warn_enquiry_minutes: int
    extension_days: int
    evidence_rounds: int
    offer_rounds: int
    evidence_max_files: int
    evidence_max_bytes: int
    media_types: tuple[str, ...]
    needed_by_product: Mapping[str, tuple[Group, ...]]
    needed_by_reason: Mapping[str, tuple[Group, ...]]
    service_evidence: tuple[str, ...]
    reasons: Mapping[str, ReasonRule]
    tighter: Mapping[str, Mapping[str, Mapping[str, str]]]  # product → reason → usage → verdict
    money: Mapping[str, MoneyRule]
    risk_claims: int
    risk_days: int
    system_grounds: tuple[str, ...]
    automatic_retries: int
    ask_again_seconds: tuple[int, ...]
    channels: Mapping[str, ChannelRule]

    def __hash__(self) -> int:
        """Hash by version, which names the content."""
        return hash(self.version)

    def cell(self, reason: str, product: str, usage: str) -> str:
        """Return the verdict of Eligibility; a product may have tightened it.

        Raises:
            KeyError: the reason or the usage is unknown.
        """
        verdict = self.reasons[reason].cells[usage]
        return self.tighter.get(product, {}).get(reason, {}).get(usage, verdict)

    def needed(self, product: str, reason: str) -> tuple[Group, ...]:
        """Return the evidence that product and reason need, each group once; any kind of a group will do."""
        asked = (*self.needed_by_product.get(product, ()), *self.needed_by_reason.get(reason, ()))
        groups: dict[frozenset[str], Group] = {}
        for group in asked:
            groups.setdefault(frozenset(group), group)
        return tuple(groups.values())

    def needed_of_buyer(self, product: str, reason: str) -> tuple[Group, ...]:
        """Return what of it the buyer must bring: he is not asked for what the marketplace can prove itself."""
        return tuple(group for group in self.needed(product, reason) if not set(self.service_evidence) & set(group))

    def review_days_for(self, product: str, amount: int, currency: str, flagged: bool) -> int:
        """Return the working days of a review: those of the product, more for a large or flagged claim.

        The amount is in minor units; a currency without limits raises nothing.

        Raises:
            KeyError: the product is unknown.
        """
        days = self.review_days[product]
        rule = self.money.get(currency)
        large = rule is not None and amount > rule.raised_review_above
        return max(days, self.review_days_raised) if large or flagged else days
