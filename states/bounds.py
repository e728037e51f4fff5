"""How long each part of a refund can last when only deadlines speak, by the numbers of a policy."""

from collections.abc import Mapping
from dataclasses import dataclass

from states.policy_values import Policy


@dataclass(frozen=True, kw_only=True, slots=True)
class Bound:
    """The longest time of one part; what it sums is counted in its own unit.

    `extra_days` are those of the extensions that a supervisor may give, one for each deadline that is set.
    `told_again` says of a part that no clock ends how often a person is told.
    """

    hours: int = 0
    civil_days: int = 0
    working_days: int = 0
    extra_days: int = 0
    minutes: int = 0
    told_again: str = ""

    def __str__(self) -> str:
        """Write the bound in words."""
        parts = (
            (self.working_days, "working days"), (self.civil_days, "civil days"), (self.hours, "hours"),
            (self.minutes, "minutes"), (self.extra_days, "civil days of extension"),
        )  # fmt: skip
        told = " + ".join(f"{number} {unit}" for number, unit in parts if number)
        return f"{told}, then no end: {self.told_again}" if self.told_again else told


def bounds(policy: Policy) -> Mapping[str, Bound]:
    """Return the longest time of each part, in the order in which a refund comes through them.

    A part counts what its own deadlines allow; parts between which a person moves a refund add up.
    """
    longest = max(*policy.review_days.values(), policy.review_days_raised)
    working = (
        f"a person is told again {policy.overdue_short_times} times every {policy.overdue_short_days} "
        f"and then every {policy.overdue_long_days} working days"
    )
    promise = (
        f"a person is told again {policy.promise_short_times} times every {policy.promise_short_hours} hours "
        f"and then every {policy.promise_long_hours} hours"
    )
    evidence = Bound(
        hours=policy.evidence_rounds * policy.evidence_hours, extra_days=policy.evidence_rounds * policy.extension_days
    )
    offers = Bound(
        # each offer may be answered once by a counter-offer, which sets the deadline anew
        hours=2 * policy.offer_rounds * policy.offer_hours,
        extra_days=2 * policy.offer_rounds * policy.extension_days,
    )
    return {
        "review": Bound(working_days=longest, told_again=working),
        "evidence in the review": evidence,
        "negotiation in the review": offers,
        "appeal window": Bound(civil_days=policy.appeal_window_days, extra_days=policy.extension_days),
        "appeal": Bound(working_days=policy.appeal_review_days, told_again=working),
        "evidence in the appeal": evidence,
        "negotiation in the appeal": offers,
        "payout": Bound(hours=policy.payout_hours, told_again=promise),
        "receipt": Bound(civil_days=policy.receipt_days),
        "enquiry": Bound(minutes=policy.enquiry_minutes, told_again=promise),
    }
