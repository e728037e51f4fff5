"""The port to a payment channel: what a payout asks of it, and what it may answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol, runtime_checkable

OutcomeKind = Literal["settled", "refused", "unknown", "pending"]
NotificationKind = Literal["settled", "refused", "reversed"]


@dataclass(frozen=True, kw_only=True, slots=True)
class PayoutOrder:
    """One payout attempt as it is sent: our number, the payment, minor units, time of the call."""

    number: str
    payment_no: str
    amount: int
    currency: str
    refund: str
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What a channel answered about one number.

    `unknown` is a first-class answer (time-out, 5xx): nothing may be concluded from it. `pending`
    means accepted and not yet paid. `void` is only ever true of `refused`: the channel itself says
    that this number will never pay. `reference` is the channel's own id and serves as proof.
    """

    kind: OutcomeKind
    number: str
    reference: str | None = None
    amount: int | None = None
    currency: str | None = None
    void: bool = False
    reason: str = ""
    occurred_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Notification:
    """A fact that the channel tells by itself; it may come late, twice, or never."""

    kind: NotificationKind
    number: str
    amount: int
    currency: str
    reference: str
    occurred_at: datetime
    void: bool = False


@runtime_checkable
class Gateway(Protocol):
    """A payment channel.

    Every implementation passes ``tests/contracts/test_gateway_port.py``. None of the calls raises
    for what the channel or the network does: that is an `Outcome`.
    """

    @property
    def name(self) -> str:
        """Name the channel, as in `states.codes.CHANNELS`."""

    def send(self, order: PayoutOrder) -> Outcome:
        """Ask for the payout.

        The same number with the same parameters is one payout, however often it is sent; with
        other parameters it is refused and nothing moves.
        """

    def query(self, order: PayoutOrder) -> Outcome:
        """Ask what became of a number; moves nothing.

        A number that the channel has never seen is `refused` and not void: it may be sent again.
        """

    def notifications(self, at: datetime) -> Sequence[Notification]:
        """List what the channel has told up to `at` and we have not acknowledged, oldest first."""

    def acknowledge(self, notification: Notification) -> None:
        """Say that a notification is stored; until then it is delivered again. Once more: nothing happens."""
