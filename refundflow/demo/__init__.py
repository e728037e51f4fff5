"""A month of a small marketplace, from a seed: every product type, reason and branch, and a queue to work on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from refundflow.demo import last_days, payout_stories, review_stories
from refundflow.demo.market import LIN, QIAN, STAFF, WEN, Market
from refundflow.errors import BadInput
from refundflow.gateways import FakeChannel
from refundflow.service import Refunds
from refundflow.values import QueueItem

__all__ = ["CHANNELS", "Demo", "play"]

SEED = 20260301
ORDINARY = 40
CHANNELS = ("alipay", "wechat_pay", "stripe", "balance", "fake")


@dataclass(frozen=True, kw_only=True)
class Demo:
    """How the month ended: what is open, most urgent first, and commands that go on from there.

    Each command is what follows `refundflow` on the command line.
    """

    now: datetime
    orders: int
    refunds: int
    queue: tuple[QueueItem, ...]
    commands: tuple[str, ...]


def play(
    refunds: Refunds,
    channels: Mapping[str, FakeChannel],
    *,
    seed: int = SEED,
    progress: Callable[[int, int], None] | None = None,
) -> Demo:
    """Play the month in an empty rehearsal database; `channels` has a fake one for each of `CHANNELS`.

    The same seed gives the same history to the byte. `progress` gets stories ended and all.

    Raises:
        BadInput: the database is a live one, or has been used before.
    """
    if not refunds.rehearsal:
        raise BadInput("the demo needs a rehearsal database: refundflow init --rehearsal", field="database")
    if refunds.list(actor="auditor:bai", limit=1).refunds:
        raise BadInput(
            "the demo needs an empty database, for time never goes backwards: name another one or remove it",
            field="database",
        )
    for member in STAFF:
        role, _, name = member.partition(":")
        refunds.staff_add(name, roles=(role,), actor=STAFF[0])
    before, refunds.gateways = refunds.gateways, dict(channels)
    market = Market(refunds, channels)
    stories = (
        *review_stories.STORIES,
        *payout_stories.STORIES,
        *(last_days.ordinary(seed, number) for number in range(ORDINARY)),
        *last_days.STORIES,
    )
    market.play(stories, market.on(31, "10:00"), progress or (lambda done, total: None))
    refunds.gateways = before
    return _ended(refunds, market)


def _ended(refunds: Refunds, market: Market) -> Demo:
    queue = refunds.queue(actor=LIN, limit=100)
    appeal = next(item.refund.id for item in queue if item.refund.clear_evidence)
    failed = next(item.refund.id for item in queue if item.refund.state == "approved.payout_failed")
    return Demo(
        now=market.now,
        orders=market.orders,
        refunds=market.claims,
        queue=queue,
        commands=(
            f"explain {appeal} --as {WEN}",
            f'overturn {appeal} --message "The record shows that another account used it." --as {WEN}',
            f'reroute-payout {failed} --channel balance --message "To the balance instead." --as {QIAN}',
        ),
    )
