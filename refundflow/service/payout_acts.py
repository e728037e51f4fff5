"""The acts of payout, arrival and enquiry, one method per event of the workflow."""

from datetime import datetime

from refundflow import values
from refundflow.service.base import Facade
from states import times


class PayoutActs(Facade):
    """From the approval to the money's arrival; see `ReviewActs` for the common arguments."""

    def dispatch_payout(
        self, refund_id: str, *, actor: str, key: str | None = None, at: datetime | None = None, buyer: str | None = None,
        correlation: str | None = None,
    ) -> values.Refund:  # fmt: skip
        """Ask for the payout to be sent; only the system does, a caller is refused."""
        return self._act(
            refund_id, "dispatch_payout", actor=actor, key=key, at=at, buyer=buyer, correlation=correlation,
        )  # fmt: skip

    def payout_settled(
        self, refund_id: str, *, number: str, amount: int, currency: str, proof: str | None, occurred_at: datetime | None = None, actor: str, key: str | None = None, at: datetime | None = None, buyer: str | None = None,
        correlation: str | None = None,
    ) -> values.Refund:  # fmt: skip
        """Tell that a payout arrived at the channel, with its proof; never refused, kept where it does not match."""
        return self._act(
            refund_id, "payout_settled", actor=actor, key=key, at=at, buyer=buyer, correlation=correlation,
            params={"number": number, "amount": amount, "currency": currency, "proof": proof}, occurred_at=occurred_at,
        )  # fmt: skip

    def payout_refused(
        self, refund_id: str, *, proof: str | None, number: str | None = None, void: bool = False, rule: str | None = None, actor: str, key: str | None = None, at: datetime | None = None, buyer: str | None = None,
        correlation: str | None = None,
    ) -> values.Refund:  # fmt: skip
        """Tell a definite failure with its proof; `void` says that the channel will never pay this number."""
        return self._act(
            refund_id, "payout_refused", actor=actor, key=key, at=at, buyer=buyer, correlation=correlation,
            params={"number": number, "proof": proof, "void": void or None, "rule": rule},
        )  # fmt: skip

    def retry_payout(
        self, refund_id: str, *, actor: str, key: str | None = None, at: datetime | None = None, buyer: str | None = None,
        correlation: str | None = None,
    ) -> values.Refund:  # fmt: skip
        """Put a failed payout back in line with the same number."""
        return self._act(
            refund_id, "retry_payout", actor=actor, key=key, at=at, buyer=buyer, correlation=correlation,
        )  # fmt: skip

    def reroute_payout(
        self, refund_id: str, *, channel: str, message: str | None = None, actor: str, key: str | None = None, at: datetime | None = None, buyer: str | None = None,
        correlation: str | None = None,
    ) -> values.Refund:  # fmt: skip
        """Pay by another channel, once every earlier number is void; two persons."""
        return self._act(
            refund_id, "reroute_payout", actor=actor, key=key, at=at, buyer=buyer, correlation=correlation,
            params={"channel": channel}, texts={"message": message},
        )  # fmt: skip

    def pay_manually(
        self, refund_id: str, *, message: str | None = None, actor: str, key: str | None = None, at: datetime | None = None, buyer: str | None = None,
        correlation: str | None = None,
    ) -> values.Refund:  # fmt: skip
        """Open a bank transfer by hand, once every earlier number is void; two persons."""
        return self._act(
            refund_id, "pay_manually", actor=actor, key=key, at=at, buyer=buyer, correlation=correlation,
            texts={"message": message},
        )  # fmt: skip

    def payout_reversed(
        self, refund_id: str, *, number: str, amount: int, currency: str, proof: str | None, occurred_at: datetime | None = None, actor: str, key: str | None = None, at: datetime | None = None, buyer: str | None = None,
        correlation: str | None = None,
    ) -> values.Refund:  # fmt: skip
        """Tell that a payout came back, with its proof."""
        return self._act(
            refund_id, "payout_reversed", actor=actor, key=key, at=at, buyer=buyer, correlation=correlation,
            params={"number": number, "amount": amount, "currency": currency, "proof": proof}, occurred_at=occurred_at,
        )  # fmt: skip

    def late_reversal(
        self, refund_id: str, *, number: str, amount: int, currency: str, proof: str | None, occurred_at: datetime | None = None, actor: str, key: str | None = None, at: datetime | None = None, buyer: str | None = None,
        correlation: str | None = None,
    ) -> values.Refund:  # fmt: skip
        """Tell that a confirmed payout came back after the end, with its proof."""
        return self._act(
            refund_id, "late_reversal", actor=actor, key=key, at=at, buyer=buyer, correlation=correlation,
            params={"number": number, "amount": amount, "currency": currency, "proof": proof}, occurred_at=occurred_at,
        )  # fmt: skip

    def revoke_approval(
        self, refund_id: str, *, message: str | None = None, actor: str, key: str | None = None, at: datetime | None = None, buyer: str | None = None,
        correlation: str | None = None,
    ) -> values.Refund:  # fmt: skip
        """Take an approval back to the instance that gave it, with a reason."""
        return self._act(
            refund_id, "revoke_approval", actor=actor, key=key, at=at, buyer=buyer, correlation=correlation,
            texts={"message": message},
        )  # fmt: skip

    def confirm_receipt(
        self, refund_id: str, *, actor: str, key: str | None = None, at: datetime | None = None, buyer: str | None = None,
        correlation: str | None = None,
    ) -> values.Refund:  # fmt: skip
        """Confirm that the money has arrived; final."""
        return self._act(
            refund_id, "confirm_receipt", actor=actor, key=key, at=at, buyer=buyer, correlation=correlation,
        )  # fmt: skip

    def void_attempt(
        self, refund_id: str, *, number: str, proof: str | None, actor: str, key: str | None = None, at: datetime | None = None, buyer: str | None = None,
        correlation: str | None = None,
    ) -> values.Refund:  # fmt: skip
        """Tell with proof that the channel will never pay a number."""
        return self._act(
            refund_id, "void_attempt", actor=actor, key=key, at=at, buyer=buyer, correlation=correlation,
            params={"number": number, "proof": proof},
        )  # fmt: skip

    def raise_enquiry(
        self, refund_id: str, *, message: str | None = None, actor: str, key: str | None = None, at: datetime | None = None, buyer: str | None = None,
        correlation: str | None = None,
    ) -> values.Refund:  # fmt: skip
        """Ask where the money is; answered within the promise of the policy."""
        return self._act(
            refund_id, "raise_enquiry", actor=actor, key=key, at=at, buyer=buyer, correlation=correlation,
            texts={"message": message},
        )  # fmt: skip

    def answer_enquiry(
        self, refund_id: str, *, answer: str, number: str | None = None, arrived_at: datetime | None = None, message: str | None = None, actor: str, key: str | None = None, at: datetime | None = None, buyer: str | None = None,
        correlation: str | None = None,
    ) -> values.Refund:  # fmt: skip
        """Answer the open enquiry by a code."""
        return self._act(
            refund_id, "answer_enquiry", actor=actor, key=key, at=at, buyer=buyer, correlation=correlation,
            params={"answer": answer, "number": number, "arrived_at": times.text(arrived_at) if arrived_at else None}, texts={"message": message},
        )  # fmt: skip
