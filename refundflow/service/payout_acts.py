"""The acts of payout, arrival and enquiry, one method per event of the workflow."""

from datetime import datetime
from typing import Unpack

from refundflow import values
from refundflow.service.base import By, Facade
from refundflow.service.door import check_moment
from states import times


class PayoutActs(Facade):
    """From the approval to the money's arrival; see `ReviewActs` for the common arguments."""

    def dispatch_payout(self, refund_id: str, **by: Unpack[By]) -> values.Refund:
        """Ask for the payout to be sent; only the system does, a caller is refused."""
        return self._act(
            refund_id,
            "dispatch_payout",
            **by,
        )

    def payout_settled(
        self,
        refund_id: str,
        *,
        number: str,
        amount: int,
        currency: str,
        proof: str | None,
        occurred_at: datetime | None = None,
        **by: Unpack[By],
    ) -> values.Refund:
        """Tell that a payout arrived at the channel, with its proof; never refused, kept where it does not match."""
        return self._act(
            refund_id,
            "payout_settled",
            params={"number": number, "amount": amount, "currency": currency, "proof": proof},
            occurred_at=occurred_at,
            **by,
        )

    def payout_refused(
        self,
        refund_id: str,
        *,
        proof: str | None,
        number: str | None = None,
        void: bool = False,
        rule: str | None = None,
        **by: Unpack[By],
    ) -> values.Refund:
        """Tell a definite failure with its proof; `void` says that the channel will never pay this number."""
        return self._act(
            refund_id,
            "payout_refused",
            params={"number": number, "proof": proof, "void": void or None, "rule": rule},
            **by,
        )

    def retry_payout(self, refund_id: str, **by: Unpack[By]) -> values.Refund:
        """Put a failed payout back in line with the same number."""
        return self._act(
            refund_id,
            "retry_payout",
            **by,
        )

    def reroute_payout(
        self, refund_id: str, *, channel: str, message: str | None = None, **by: Unpack[By]
    ) -> values.Refund:
        """Pay by another channel, once every earlier number is void; two persons."""
        return self._act(refund_id, "reroute_payout", params={"channel": channel}, texts={"message": message}, **by)

    def pay_manually(self, refund_id: str, *, message: str | None = None, **by: Unpack[By]) -> values.Refund:
        """Open a bank transfer by hand, once every earlier number is void; two persons."""
        return self._act(refund_id, "pay_manually", texts={"message": message}, **by)

    def payout_reversed(
        self,
        refund_id: str,
        *,
        number: str,
        amount: int,
        currency: str,
        proof: str | None,
        occurred_at: datetime | None = None,
        **by: Unpack[By],
    ) -> values.Refund:
        """Tell that a payout came back, with its proof."""
        return self._act(
            refund_id,
            "payout_reversed",
            params={"number": number, "amount": amount, "currency": currency, "proof": proof},
            occurred_at=occurred_at,
            **by,
        )

    def late_reversal(
        self,
        refund_id: str,
        *,
        number: str,
        amount: int,
        currency: str,
        proof: str | None,
        occurred_at: datetime | None = None,
        **by: Unpack[By],
    ) -> values.Refund:
        """Tell that a confirmed payout came back after the end, with its proof."""
        return self._act(
            refund_id,
            "late_reversal",
            params={"number": number, "amount": amount, "currency": currency, "proof": proof},
            occurred_at=occurred_at,
            **by,
        )

    def revoke_approval(self, refund_id: str, *, message: str | None = None, **by: Unpack[By]) -> values.Refund:
        """Take an approval back to the instance that gave it, with a reason."""
        return self._act(refund_id, "revoke_approval", texts={"message": message}, **by)

    def confirm_receipt(self, refund_id: str, **by: Unpack[By]) -> values.Refund:
        """Confirm that the money has arrived; final."""
        return self._act(
            refund_id,
            "confirm_receipt",
            **by,
        )

    def void_attempt(self, refund_id: str, *, number: str, proof: str | None, **by: Unpack[By]) -> values.Refund:
        """Tell with proof that the channel will never pay a number."""
        return self._act(refund_id, "void_attempt", params={"number": number, "proof": proof}, **by)

    def raise_enquiry(self, refund_id: str, *, message: str | None = None, **by: Unpack[By]) -> values.Refund:
        """Ask where the money is; answered within the promise of the policy."""
        return self._act(refund_id, "raise_enquiry", texts={"message": message}, **by)

    def answer_enquiry(
        self,
        refund_id: str,
        *,
        answer: str,
        number: str | None = None,
        arrived_at: datetime | None = None,
        message: str | None = None,
        **by: Unpack[By],
    ) -> values.Refund:
        """Answer the open enquiry by a code."""
        check_moment("arrived_at", arrived_at)
        return self._act(
            refund_id,
            "answer_enquiry",
            **by,
            params={"answer": answer, "number": number, "arrived_at": times.text(arrived_at) if arrived_at else None},
            texts={"message": message},
        )
