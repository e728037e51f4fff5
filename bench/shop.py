"""A small live shop for figures that need no full database: its staff, and refunds that were claimed one by one."""

from collections.abc import Sequence

from bench.scene import AGENT, CHIEF, SHOP
from refundflow.service import Refunds
from tests.support.market import order_row


def open_shop(url: str, *, partitions: int | None = None) -> None:
    """Make the database ready and register the staff."""
    Refunds.init(url, partitions=partitions)
    with Refunds.connect(url) as refunds:
        for member in (CHIEF, SHOP, AGENT):
            role, _, name = member.partition(":")
            refunds.staff_add(name, roles=[role], actor=CHIEF)


def claimed(refunds: Refunds, count: int) -> Sequence[str]:
    """Register orders and claim on each, every one of a buyer of its own (`buyer_of`); return the refunds' ids."""
    return [_claimed(refunds, number) for number in range(count)]


def buyer_of(number: int) -> str:
    """Name the buyer of a refund by its place in what `claimed` returned."""
    return f"buyer:b{number}"


def _claimed(refunds: Refunds, number: int) -> str:
    order, buyer, now = f"S{number:07}", buyer_of(number), refunds.now()
    row = order_row(order, buyer_id=buyer.partition(":")[2], paid_at=now, completed_at=now)
    refunds.register_order(row, actor=SHOP)
    note = "The code is said to be invalid, whatever I try."
    return refunds.submit(order, reason="CODE_INVALID", note=note, actor=buyer, key="claim").id
