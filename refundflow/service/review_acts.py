"""The acts of review, negotiation and appeal, one method per event of the workflow."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from refundflow import values
from refundflow.service.base import Facade, Facts, given
from refundflow.service.callers import parse_caller
from refundflow.service.engine import Request
from refundflow.store import Tx
from states.case import Aggregate, Json


class ReviewActs(Facade):
    """From the claim to the decision; each act returns the refund as it stands afterwards.

    Common arguments: `actor` as ``role:name``; `key` makes a repeated call answer what the first one
    did; `at` is the time of the call, in a rehearsal only; `buyer` names whom a service acts for;
    `correlation` is kept in the entry. Every act raises NotFound, RoleNotAllowed, Refused, Busy or
    ChangedMeanwhile.
    """

    def submit(
        self, order_id: str, *, reason: str, line: str = "1", amount: int | None = None, note: str | None = None,
        evidence: Sequence[values.Attachment] = (), returned: str | None = None, actor: str, key: str | None = None,
        at: datetime | None = None, buyer: str | None = None, correlation: str | None = None,
    ) -> values.Refund:  # fmt: skip
        """Claim a refund on an order line: `amount` in minor units, by default all that is left.

        A claim that is out of the window, or that Eligibility says no to, is opened and rejected at
        once, so that it can be appealed. `returned` names the refund whose payout came back
        (reason PAYOUT_RETURNED).
        """
        request = Request(
            event="submit", caller=parse_caller(actor, buyer), order_id=order_id, line=line,
            params=given({"reason": reason, "amount": amount, "returned": returned}), texts=given({"note": note}),
            files=tuple(evidence), key=key, at=at, correlation=correlation,
        )  # fmt: skip
        answer = self.engine.move(request, self._claim_facts(at))
        return self.refund_of(answer, request.caller)

    def _claim_facts(self, at: datetime | None) -> Facts:
        def facts(tx: Tx, aggregate: Aggregate) -> Mapping[str, Json]:
            ref, now = aggregate.line["buyer"], self.engine.time(tx, at)
            since = now - timedelta(days=self.engine.policy.risk_days)
            return {"claims_before": tx.buyer_claims(ref, since), "abuse_before": tx.buyer_abused(ref)}

        return facts

    def begin_review(
        self, refund_id: str, *, message: str | None = None, actor: str, key: str | None = None, at: datetime | None = None, buyer: str | None = None,
        correlation: str | None = None,
    ) -> values.Refund:  # fmt: skip
        """Take a submitted refund into review."""
        return self._act(
            refund_id, "begin_review", actor=actor, key=key, at=at, buyer=buyer, correlation=correlation,
            texts={"message": message},
        )  # fmt: skip

    def request_evidence(
        self, refund_id: str, *, kinds: Sequence[str], message: str | None = None, actor: str, key: str | None = None, at: datetime | None = None, buyer: str | None = None,
        correlation: str | None = None,
    ) -> values.Refund:  # fmt: skip
        """Ask the buyer for named kinds of evidence; silence has its stated consequence."""
        return self._act(
            refund_id, "request_evidence", actor=actor, key=key, at=at, buyer=buyer, correlation=correlation,
            params={"kinds": list(kinds)}, texts={"message": message},
        )  # fmt: skip

    def provide_evidence(
        self, refund_id: str, *, evidence: Sequence[values.Attachment] = (), all: bool = False, message: str | None = None, actor: str, key: str | None = None, at: datetime | None = None, buyer: str | None = None,
        correlation: str | None = None,
    ) -> values.Refund:  # fmt: skip
        """Answer a request for evidence; `all` says "this is all I have"."""
        return self._act(
            refund_id, "provide_evidence", actor=actor, key=key, at=at, buyer=buyer, correlation=correlation,
            params={"all": all or None}, texts={"message": message}, evidence=evidence,
        )  # fmt: skip

    def end_request(
        self, refund_id: str, *, message: str | None = None, actor: str, key: str | None = None, at: datetime | None = None, buyer: str | None = None,
        correlation: str | None = None,
    ) -> values.Refund:  # fmt: skip
        """End a request for evidence, with a reason."""
        return self._act(
            refund_id, "end_request", actor=actor, key=key, at=at, buyer=buyer, correlation=correlation,
            texts={"message": message},
        )  # fmt: skip

    def offer(
        self, refund_id: str, *, amount: int, compensation: int = 0, message: str | None = None, actor: str, key: str | None = None, at: datetime | None = None, buyer: str | None = None,
        correlation: str | None = None,
    ) -> values.Refund:  # fmt: skip
        """Offer a partial refund, a compensation, or both (minor units)."""
        return self._act(
            refund_id, "offer", actor=actor, key=key, at=at, buyer=buyer, correlation=correlation,
            params={"amount": amount, "compensation": compensation}, texts={"message": message},
        )  # fmt: skip

    def counter_offer(
        self, refund_id: str, *, amount: int, message: str | None = None, actor: str, key: str | None = None, at: datetime | None = None, buyer: str | None = None,
        correlation: str | None = None,
    ) -> values.Refund:  # fmt: skip
        """Answer the standing offer with another amount (minor units), once per round."""
        return self._act(
            refund_id, "counter_offer", actor=actor, key=key, at=at, buyer=buyer, correlation=correlation,
            params={"amount": amount}, texts={"message": message},
        )  # fmt: skip

    def accept_offer(
        self, refund_id: str, *, offer: int | str | None = None, message: str | None = None, actor: str, key: str | None = None, at: datetime | None = None, buyer: str | None = None,
        correlation: str | None = None,
    ) -> values.Refund:  # fmt: skip
        """Accept the standing offer, named to be sure that it is the one."""
        return self._act(
            refund_id, "accept_offer", actor=actor, key=key, at=at, buyer=buyer, correlation=correlation,
            params={"offer": None if offer is None else str(offer)}, texts={"message": message},
        )  # fmt: skip

    def decline_offer(
        self, refund_id: str, *, message: str | None = None, offer: int | str | None = None, actor: str, key: str | None = None, at: datetime | None = None, buyer: str | None = None,
        correlation: str | None = None,
    ) -> values.Refund:  # fmt: skip
        """Decline the standing offer of the other side."""
        return self._act(
            refund_id, "decline_offer", actor=actor, key=key, at=at, buyer=buyer, correlation=correlation,
            params={"offer": None if offer is None else str(offer)}, texts={"message": message},
        )  # fmt: skip

    def approve(
        self, refund_id: str, *, message: str | None = None, actor: str, key: str | None = None, at: datetime | None = None, buyer: str | None = None,
        correlation: str | None = None,
    ) -> values.Refund:  # fmt: skip
        """Approve exactly what is claimed; above the limit of the policy by two persons."""
        return self._act(
            refund_id, "approve", actor=actor, key=key, at=at, buyer=buyer, correlation=correlation,
            texts={"message": message},
        )  # fmt: skip

    def reject(
        self, refund_id: str, *, grounds: Sequence[str], message: str | None = None, actor: str, key: str | None = None, at: datetime | None = None, buyer: str | None = None,
        correlation: str | None = None,
    ) -> values.Refund:  # fmt: skip
        """Reject with coded grounds and a text that the buyer can read."""
        return self._act(
            refund_id, "reject", actor=actor, key=key, at=at, buyer=buyer, correlation=correlation,
            params={"grounds": list(grounds)}, texts={"message": message},
        )  # fmt: skip

    def withdraw(
        self, refund_id: str, *, message: str | None = None, actor: str, key: str | None = None, at: datetime | None = None, buyer: str | None = None,
        correlation: str | None = None,
    ) -> values.Refund:  # fmt: skip
        """Withdraw the claim; what it reserved is free at once."""
        return self._act(
            refund_id, "withdraw", actor=actor, key=key, at=at, buyer=buyer, correlation=correlation,
            texts={"message": message},
        )  # fmt: skip

    def appeal(
        self, refund_id: str, *, evidence: Sequence[values.Attachment] = (), message: str | None = None, actor: str, key: str | None = None, at: datetime | None = None, buyer: str | None = None,
        correlation: str | None = None,
    ) -> values.Refund:  # fmt: skip
        """Appeal a rejection with new evidence or an argument of at least a sentence."""
        return self._act(
            refund_id, "appeal", actor=actor, key=key, at=at, buyer=buyer, correlation=correlation,
            texts={"argument": message}, evidence=evidence,
        )  # fmt: skip

    def uphold(
        self, refund_id: str, *, grounds: Sequence[str] = (), message: str | None = None, actor: str, key: str | None = None, at: datetime | None = None, buyer: str | None = None,
        correlation: str | None = None,
    ) -> values.Refund:  # fmt: skip
        """Uphold the rejection on appeal; final."""
        return self._act(
            refund_id, "uphold", actor=actor, key=key, at=at, buyer=buyer, correlation=correlation,
            params={"grounds": list(grounds)}, texts={"message": message},
        )  # fmt: skip

    def overturn(
        self, refund_id: str, *, message: str | None = None, actor: str, key: str | None = None, at: datetime | None = None, buyer: str | None = None,
        correlation: str | None = None,
    ) -> values.Refund:  # fmt: skip
        """Overturn the rejection on appeal; a stated ground lifts what Eligibility says."""
        return self._act(
            refund_id, "overturn", actor=actor, key=key, at=at, buyer=buyer, correlation=correlation,
            texts={"ground": message},
        )  # fmt: skip

    def add_evidence(
        self, refund_id: str, *, evidence: Sequence[values.Attachment] = (), audience: str | None = None, actor: str, key: str | None = None, at: datetime | None = None, buyer: str | None = None,
        correlation: str | None = None,
    ) -> values.Refund:  # fmt: skip
        """Attach evidence; the same kind and content again changes nothing."""
        return self._act(
            refund_id, "add_evidence", actor=actor, key=key, at=at, buyer=buyer, correlation=correlation,
            params={"audience": audience}, evidence=evidence,
        )  # fmt: skip

    def assign(
        self, refund_id: str, *, to: str, actor: str, key: str | None = None, at: datetime | None = None,
        buyer: str | None = None, correlation: str | None = None,
    ) -> values.Refund:  # fmt: skip
        """Route the work to a registered person; it locks nothing."""

        def facts(tx: Tx, aggregate: Aggregate) -> Mapping[str, Json]:
            row, owner = tx.staff(to), tx.buyer(aggregate.line["buyer"])
            return {
                "assignee_registered": row is not None and row.active,
                "assignee_is_claimant": owner is not None and self.engine.vault.buyer_lookup(to) == owner.lookup,
            }

        return self._act(
            refund_id, "assign", actor=actor, key=key, at=at, buyer=buyer, correlation=correlation, params={"to": to},
            facts=facts,
        )  # fmt: skip

    def flag_risk(
        self, refund_id: str, *, flag: str, message: str | None = None, actor: str, key: str | None = None, at: datetime | None = None, buyer: str | None = None,
        correlation: str | None = None,
    ) -> values.Refund:  # fmt: skip
        """Flag a risk: it stops assisted review and changes no length."""
        return self._act(
            refund_id, "flag_risk", actor=actor, key=key, at=at, buyer=buyer, correlation=correlation,
            params={"flag": flag}, texts={"message": message},
        )  # fmt: skip

    def note(
        self, refund_id: str, *, message: str, audience: str = "internal", contact: str | None = None, actor: str, key: str | None = None, at: datetime | None = None, buyer: str | None = None,
        correlation: str | None = None,
    ) -> values.Refund:  # fmt: skip
        """Write a note, internal or for the buyer; `contact` is message, phone or chat."""
        return self._act(
            refund_id, "note", actor=actor, key=key, at=at, buyer=buyer, correlation=correlation,
            params={"audience": audience, "contact": contact}, texts={"message": message},
        )  # fmt: skip

    def take_back(
        self, refund_id: str, *, event: str | None = None, actor: str, key: str | None = None, at: datetime | None = None, buyer: str | None = None,
        correlation: str | None = None,
    ) -> values.Refund:  # fmt: skip
        """Take back what one gave as the first of two persons."""
        return self._act(
            refund_id, "take_back", actor=actor, key=key, at=at, buyer=buyer, correlation=correlation,
            params={"event": event},
        )  # fmt: skip

    def extend(
        self, refund_id: str, *, days: int, deadline: str | None = None, message: str | None = None, actor: str, key: str | None = None, at: datetime | None = None, buyer: str | None = None,
        correlation: str | None = None,
    ) -> values.Refund:  # fmt: skip
        """Move a standing deadline later, once, by at most the days of the policy."""
        return self._act(
            refund_id, "extend", actor=actor, key=key, at=at, buyer=buyer, correlation=correlation,
            params={"days": days, "deadline": deadline}, texts={"message": message},
        )  # fmt: skip
