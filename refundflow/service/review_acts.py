"""The acts of review, negotiation and appeal, one method per event of the workflow."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Unpack

from refundflow import values
from refundflow.errors import BadInput
from refundflow.service.base import By, Facade, Facts, given
from refundflow.service.callers import parse_caller
from refundflow.service.door import check_name, check_texts
from refundflow.service.requests import Request
from refundflow.store import Tx
from refundflow.vault import Vault
from states.case import Aggregate, Json
from states.moves import who

REVIEWERS = who("agent")


class ReviewActs(Facade):
    """From the claim to the decision; each act returns the refund as it stands afterwards.

    Common arguments: `actor` as ``role:name``; `key` makes a repeated call answer what the first one
    did; `at` is the time of the call, in a rehearsal only; `buyer` names whom a service acts for;
    `correlation` is kept in the entry. Every act raises NotFound, RoleNotAllowed, Refused, Busy or
    ChangedMeanwhile.
    """

    def submit(
        self,
        order_id: str,
        *,
        reason: str,
        line: str = "1",
        amount: int | None = None,
        note: str | None = None,
        evidence: Sequence[values.Attachment] = (),
        returned: str | None = None,
        **by: Unpack[By],
    ) -> values.Refund:
        """Claim a refund on an order line: `amount` in minor units, by default all that is left.

        A claim that is out of the window, or that Eligibility says no to, is opened and rejected at
        once, so that it can be appealed. `returned` names the refund whose payout came back
        (reason PAYOUT_RETURNED).
        """
        request = Request(
            event="submit",
            caller=parse_caller(by["actor"], by.get("buyer")),
            order_id=order_id,
            line=line,
            params=given({"reason": reason, "amount": amount, "returned": returned}),
            texts=given({"note": note}),
            files=tuple(evidence),
            key=by.get("key"),
            at=by.get("at"),
            correlation=by.get("correlation"),
        )
        answer = self.engine.move(request, self._claim_facts(by.get("at")))
        return self.refund_of(answer)

    def _claim_facts(self, at: datetime | None) -> Facts:
        def facts(tx: Tx, aggregate: Aggregate) -> Mapping[str, Json]:
            ref, now = aggregate.line["buyer"], self.engine.time(tx, at)
            since = now - timedelta(days=self.engine.policy.risk_days)
            before = tx.claims_of(ref, since)
            return {"claims_before": before.claims, "abuse_before": before.abused}

        return facts

    def begin_review(self, refund_id: str, *, message: str | None = None, **by: Unpack[By]) -> values.Refund:
        """Take a submitted refund into review."""
        return self._act(refund_id, "begin_review", texts={"message": message}, **by)

    def request_evidence(
        self, refund_id: str, *, kinds: Sequence[str], message: str | None = None, **by: Unpack[By]
    ) -> values.Refund:
        """Ask the buyer for named kinds of evidence; silence has its stated consequence."""
        return self._act(refund_id, "request_evidence", params={"kinds": list(kinds)}, texts={"message": message}, **by)

    def provide_evidence(
        self,
        refund_id: str,
        *,
        evidence: Sequence[values.Attachment] = (),
        all: bool = False,
        message: str | None = None,
        **by: Unpack[By],
    ) -> values.Refund:
        """Answer a request for evidence; `all` says "this is all I have"."""
        return self._act(
            refund_id,
            "provide_evidence",
            params={"all": all or None},
            texts={"message": message},
            evidence=evidence,
            **by,
        )

    def end_request(self, refund_id: str, *, message: str | None = None, **by: Unpack[By]) -> values.Refund:
        """End a request for evidence, with a reason."""
        return self._act(refund_id, "end_request", texts={"message": message}, **by)

    def offer(
        self, refund_id: str, *, amount: int, compensation: int = 0, message: str | None = None, **by: Unpack[By]
    ) -> values.Refund:
        """Offer a partial refund, a compensation, or both (minor units)."""
        return self._act(
            refund_id,
            "offer",
            params={"amount": amount, "compensation": compensation},
            texts={"message": message},
            **by,
        )

    def counter_offer(
        self, refund_id: str, *, amount: int, message: str | None = None, **by: Unpack[By]
    ) -> values.Refund:
        """Answer the standing offer with another amount (minor units), once per round."""
        return self._act(refund_id, "counter_offer", params={"amount": amount}, texts={"message": message}, **by)

    def accept_offer(
        self, refund_id: str, *, offer: int | str | None = None, message: str | None = None, **by: Unpack[By]
    ) -> values.Refund:
        """Accept the standing offer, named to be sure that it is the one."""
        return self._act(
            refund_id,
            "accept_offer",
            params={"offer": None if offer is None else str(offer)},
            texts={"message": message},
            **by,
        )

    def decline_offer(
        self, refund_id: str, *, message: str | None = None, offer: int | str | None = None, **by: Unpack[By]
    ) -> values.Refund:
        """Decline the standing offer of the other side."""
        return self._act(
            refund_id,
            "decline_offer",
            params={"offer": None if offer is None else str(offer)},
            texts={"message": message},
            **by,
        )

    def approve(self, refund_id: str, *, message: str | None = None, **by: Unpack[By]) -> values.Refund:
        """Approve exactly what is claimed; above the limit of the policy by two persons."""
        return self._act(refund_id, "approve", texts={"message": message}, **by)

    def reject(
        self, refund_id: str, *, grounds: Sequence[str], message: str | None = None, **by: Unpack[By]
    ) -> values.Refund:
        """Reject with coded grounds and a text that the buyer can read."""
        return self._act(refund_id, "reject", params={"grounds": list(grounds)}, texts={"message": message}, **by)

    def withdraw(self, refund_id: str, *, message: str | None = None, **by: Unpack[By]) -> values.Refund:
        """Withdraw the claim; what it reserved is free at once."""
        return self._act(refund_id, "withdraw", texts={"message": message}, **by)

    def appeal(
        self,
        refund_id: str,
        *,
        evidence: Sequence[values.Attachment] = (),
        message: str | None = None,
        **by: Unpack[By],
    ) -> values.Refund:
        """Appeal a rejection with new evidence or an argument of at least a sentence."""
        return self._act(refund_id, "appeal", texts={"argument": message}, evidence=evidence, **by)

    def uphold(
        self, refund_id: str, *, grounds: Sequence[str] = (), message: str | None = None, **by: Unpack[By]
    ) -> values.Refund:
        """Uphold the rejection on appeal; final."""
        return self._act(refund_id, "uphold", params={"grounds": list(grounds)}, texts={"message": message}, **by)

    def overturn(self, refund_id: str, *, message: str | None = None, **by: Unpack[By]) -> values.Refund:
        """Overturn the rejection on appeal; a stated ground lifts what Eligibility says."""
        return self._act(refund_id, "overturn", texts={"ground": message}, **by)

    def add_evidence(
        self,
        refund_id: str,
        *,
        evidence: Sequence[values.Attachment] = (),
        audience: str | None = None,
        **by: Unpack[By],
    ) -> values.Refund:
        """Attach evidence; the same kind and content again changes nothing."""
        return self._act(refund_id, "add_evidence", params={"audience": audience}, evidence=evidence, **by)

    def assign(self, refund_id: str, *, to: str, **by: Unpack[By]) -> values.Refund:
        """Route the work to a registered agent or supervisor; it locks nothing."""
        check_name("to", to)
        named = self.engine.read(lambda tx: _person(tx, to, self.engine.vault))

        def facts(tx: Tx, aggregate: Aggregate) -> Mapping[str, Json]:
            row, owner = tx.staff(to), tx.buyer(aggregate.line["buyer"])
            return {
                "assignee_registered": row is not None and row.active and not REVIEWERS.isdisjoint(row.roles),
                "assignee_is_claimant": owner is not None and self.engine.vault.buyer_lookup(to) == owner.lookup,
            }

        return self._act(refund_id, "assign", params={"to": named}, facts=facts, **by)

    def flag_risk(self, refund_id: str, *, flag: str, message: str | None = None, **by: Unpack[By]) -> values.Refund:
        """Flag a risk: it stops assisted review and changes no length."""
        check_name("flag", flag)
        return self._act(refund_id, "flag_risk", params={"flag": flag}, texts={"message": message}, **by)

    def note(
        self, refund_id: str, *, message: str, audience: str = "internal", contact: str | None = None, **by: Unpack[By]
    ) -> values.Refund:
        """Write a note, internal or for the buyer; `contact` is message, phone or chat.

        Raises:
            BadInput: it says nothing.
        """
        check_texts({"message": message})
        if not message.strip():
            raise BadInput("message: a note that says nothing", field="message")
        return self._act(
            refund_id, "note", params={"audience": audience, "contact": contact}, texts={"message": message}, **by
        )

    def take_back(self, refund_id: str, *, event: str | None = None, **by: Unpack[By]) -> values.Refund:
        """Take back what one gave as the first of two persons."""
        return self._act(refund_id, "take_back", params={"event": event}, **by)

    def extend(
        self, refund_id: str, *, days: int, deadline: str | None = None, message: str | None = None, **by: Unpack[By]
    ) -> values.Refund:
        """Move a standing deadline later, once, by at most the days of the policy."""
        return self._act(
            refund_id,
            "extend",
            **by,
            params={"days": days, "deadline": deadline},
            texts={"message": message},
        )


def _person(tx: Tx, name: str, vault: Vault) -> str:
    """Return how an entry may call a person: a buyer who is no member of staff by his reference only."""
    buyer = tx.buyer_by_lookup(vault.buyer_lookup(name))
    return name if buyer is None or tx.staff(name) is not None else buyer.ref
