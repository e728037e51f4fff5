"""What a decision hands back: everything recorded so far, and the answer or the refusal."""

from collections.abc import Mapping

from states.case import Act, Aggregate, Decision, Json, Refusal
from states.draft import Draft


def outcome(
    draft: Draft, *, refund: str | None = None, entry: int | None = None, known: int | None = None,
    refusal: Refusal | None = None, waiting: bool = False,
) -> Decision:  # fmt: skip
    """Return the decision as it stands; `entry` is the index of the act's own entry."""
    after = Aggregate(draft.line, draft.ledger, draft.refunds)
    return Decision(
        aggregate=after, entries=tuple(draft.entries), effects=tuple(draft.effects), refusal=refusal, refund=refund,
        entry=entry, known=known, waiting=waiting,
    )  # fmt: skip


def refused_params(act: Act) -> Mapping[str, Json]:
    """Return what was asked for; of files that were not taken, only how many."""
    params = dict(act.params)
    if "evidence" in params:
        params["evidence"] = len(params["evidence"])
    return params
