"""A small marketplace in a rehearsal database: its orders, its people, its channels, and one clock for all stories."""

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

from refundflow.errors import Refused
from refundflow.gateways import FakeChannel
from refundflow.orders import OrderRow
from refundflow.service import Refunds
from refundflow.values import Attachment, OrderLine, Refund

ZONE = ZoneInfo("Asia/Shanghai")
YEAR, MONTH = 2026, 3
LIN, ZHOU, WEN, TANG = "agent:lin", "agent:zhou", "agent:wen", "agent:tang"  # the last two decide appeals
CHEN, QIAN, SUN = "supervisor:chen", "finance:qian", "finance:sun"
SHOP, BAI = "service:shop", "auditor:bai"
STAFF = (CHEN, LIN, ZHOU, WEN, TANG, QIAN, SUN, SHOP, BAI)

Story = Callable[["Market"], Iterator[datetime]]


class Market:
    """What a story sees: the time, and short words for what people do."""

    def __init__(self, refunds: Refunds, channels: Mapping[str, FakeChannel]) -> None:
        self.refunds, self.channels = refunds, channels
        self.now = self.on(1)
        self._numbers = count(1001)
        self._buyers = count(1)
        self._rows: dict[str, OrderRow] = {}
        self.claims = 0

    @property
    def orders(self) -> int:
        """Count the orders so far."""
        return len(self._rows)

    # time

    def on(self, day: int, clock: str = "09:00") -> datetime:
        """Return a moment of the month in the marketplace's zone."""
        hour, minute = clock.split(":")
        return datetime(YEAR, MONTH, day, int(hour), int(minute), tzinfo=ZONE)

    def hours(self, number: float) -> datetime:
        """Return the moment so many hours from now."""
        return self.now + timedelta(hours=number)

    def play(self, stories: Sequence[Story], end: datetime, progress: Callable[[int, int], None]) -> None:
        """Play all stories at once, always the earliest next scene, until the end of the month.

        A story says by each moment that it yields when it goes on.
        """
        running = [story(self) for story in stories]
        scenes: list[tuple[datetime, int]] = []
        ended = 0
        for index, story in enumerate(running):
            heapq.heappush(scenes, (next(story), index))
        while scenes and scenes[0][0] < end:
            self.now, index = heapq.heappop(scenes)
            following = next(running[index], None)
            if following is None:
                ended += 1
                progress(ended, len(running))
            else:
                heapq.heappush(scenes, (max(following, self.now), index))
        self.now = end
        self.work()
        progress(len(running), len(running))

    # the shop

    def new_buyer(self) -> str:
        """Name a buyer who has not been here before."""
        return f"b-{next(self._buyers):03}"

    def order(
        self,
        product_type: str,
        product: str,
        amount: int,
        *,
        usage: str = "unused",
        channel: str = "alipay",
        days_ago: float | None = 1.0,
        buyer: str | None = None,
        valid_days: int | None = None,
        paid: bool = True,
    ) -> str:
        """Register an order completed some days ago (None: paid and not completed); return its id."""
        order_id = f"A{next(self._numbers)}"
        completed = None if days_ago is None else self.now - timedelta(days=days_ago)
        start = completed or self.now
        row = OrderRow(
            order_id=order_id,
            buyer_id=buyer or self.new_buyer(),
            product_type=product_type,
            product=product,
            usage=usage,
            amount_minor=amount,
            currency="CNY",
            channel=channel,
            payment_no=f"PAY{order_id}",
            paid_at=None if days_ago is None and not paid else start - timedelta(minutes=5),
            completed_at=completed,
            valid_from=start if valid_days else None,
            valid_to=start + timedelta(days=valid_days) if valid_days else None,
        )
        self._rows[order_id] = row
        self.refunds.register_order(row, actor=SHOP, at=self.now)
        return order_id

    def told(self, order_id: str, **changes: Any) -> None:
        """Register an order line again with what has changed about it."""
        self._rows[order_id] = replace(self._rows[order_id], **changes)
        self.refunds.register_order(self._rows[order_id], actor=SHOP, at=self.now)

    def script(self, order_id: str, *scripts: str, after: timedelta | None = None) -> None:
        """Tell the order's channel what to do with its payouts."""
        row = self._rows[order_id]
        self.channels[row.channel].script(row.payment_no, *scripts, after=after)

    def buyer(self, order_id: str) -> str:
        """Name the buyer of an order as an actor; also by the id of its refund."""
        return f"buyer:{self._rows[order_id.split('-')[0]].buyer_id}"

    def work(self) -> None:
        """Let the system do what it owes."""
        self.refunds.work(at=self.now)

    # what people do

    def submit(self, order_id: str, reason: str, **told: Any) -> str:
        """Claim as the order's buyer; return the id of the refund."""
        refund = self.refunds.submit(
            order_id, reason=reason, actor=told.pop("actor", self.buyer(order_id)), at=self.now, **told
        )
        self.claims += 1
        return refund.id

    def reviewed(self, order_id: str, reason: str, **told: Any) -> str:
        """Claim, and have it taken into review at once."""
        refund = self.submit(order_id, reason, **told)
        self.act("begin_review", refund, LIN)
        return refund

    def act(self, event: str, refund: str, actor: str = "", /, **told: Any) -> Refund:
        """Do something with a refund, by default as its buyer."""
        answer: Refund = getattr(self.refunds, event)(refund, actor=actor or self.buyer(refund), at=self.now, **told)
        return answer

    def both(self, event: str, refund: str, first: str, second: str, /, **told: Any) -> None:
        """Do something that two persons must do."""
        self.act(event, refund, first, **told)
        self.act(event, refund, second, **told)

    def refused(self, code: str, event: str, refund: str, actor: str = "", /, **told: Any) -> None:
        """Try something that must be refused with a code.

        Raises:
            AssertionError: it was done, or refused with other codes.
        """
        try:
            self.act(event, refund, actor, **told)
        except Refused as refusal:
            codes = [blocker.code for blocker in refusal.blockers]
            if code in codes:
                return
            raise AssertionError(f"{event} of {refund}: refused with {codes}, not {code}") from refusal
        raise AssertionError(f"{event} of {refund} was not refused with {code}")

    def line(self, event: str, order_id: str, actor: str = SHOP, /, **told: Any) -> OrderLine:
        """Tell a fact of an order line."""
        answer: OrderLine = getattr(self.refunds, event)(order_id, actor=actor, at=self.now, **told)
        return answer

    def get(self, refund: str) -> Refund:
        """Look at a refund."""
        return self.refunds.get(refund, actor=BAI)

    def number(self, refund: str) -> str:
        """Return the newest payout number of a refund."""
        return self.get(refund).attempts[-1].number


def file(kind: str, text: str) -> Attachment:
    """Make a piece of evidence."""
    return Attachment(kind=kind, content=text.encode(), filename=f"{kind}.txt")
