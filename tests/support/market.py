"""A small marketplace for tests: people, orders, and refunds driven to any state through the facade."""

import itertools
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from refundflow import values
from refundflow.gateways.fake import FakeChannel
from refundflow.orders import OrderRow
from refundflow.service import Refunds

BUYER, SHOP = "buyer:wang", "service:shop"
LI, ZHAO, CHEN = "agent:li", "agent:zhao", "supervisor:chen"
QIAN, SUN, WU = "finance:qian", "finance:sun", "auditor:wu"
STAFF = (SHOP, LI, ZHAO, CHEN, QIAN, SUN, WU)

START = datetime(2026, 3, 2, 2, tzinfo=UTC)  # a Monday, 10:00 in Shanghai
AMOUNT = 30_000
NEVER = "timeout_for_ever"  # a script of the fake channel: the payout stays in flight

# The way to each state from the one before it.
WAY: Mapping[str, tuple[str, ...]] = {
    "submitted": ("submit",),
    "under_review.reviewing": ("submit", "begin_review"),
    "under_review.negotiating": ("submit", "begin_review", "offer"),
    "awaiting_evidence": ("submit", "begin_review", "request_evidence"),
    "approved.payable": ("submit", "begin_review", "approve"),
    "approved.paying": ("submit", "begin_review", "approve", "pay_for_ever"),
    "approved.payout_failed": ("submit", "begin_review", "approve", "pay_in_vain"),
    "rejected.appealable": ("submit", "begin_review", "reject"),
    "rejected.closed": ("submit", "begin_review", "reject", "appeal", "uphold"),
    "appealed": ("submit", "begin_review", "reject", "appeal"),
    "paid_out.settled": ("submit", "begin_review", "approve", "pay"),
    "paid_out.confirmed": ("submit", "begin_review", "approve", "pay", "confirm_receipt"),
    "withdrawn": ("submit", "withdraw"),
}


def prepare_rehearsal(url: str) -> None:
    """Make a rehearsal database."""
    Refunds.init(url, rehearsal=True)


def prepare_live(url: str) -> None:
    """Make a live database with everybody of `STAFF` registered."""
    Refunds.init(url)
    with Refunds.connect(url) as refunds:
        for member in sorted(STAFF, key=lambda who: who != CHEN):  # the first supervisor registers himself
            role, _, name = member.partition(":")
            refunds.staff_add(name, roles=[role], actor=CHEN)


def order_row(order_id: str, **changes: Any) -> OrderRow:
    """Make the facts of a completed order of 300.00 CNY."""
    facts: dict[str, Any] = {
        "order_id": order_id, "buyer_id": "wang", "product_type": "software_licence", "product": "Editor Pro",
        "usage": "unused", "amount_minor": AMOUNT, "currency": "CNY", "channel": "fake",
        "payment_no": f"pay-{order_id}", "paid_at": START, "completed_at": START,
    }  # fmt: skip
    return OrderRow(**facts | changes)


def a_file(kind: str = "screenshot", content: bytes = b"pixels", **changes: Any) -> values.Attachment:
    """Make a piece of evidence."""
    return values.Attachment(**{"kind": kind, "content": content, "filename": f"{kind}.png"} | changes)


class Market:
    """An open database with its fake channel; in a rehearsal it says the time, in a live one it does not."""

    def __init__(self, url: str, *, channel: FakeChannel | None = None, **connecting: Any) -> None:
        self.url, self.channel = url, channel or FakeChannel()
        self._connecting = connecting
        self._orders = itertools.count(1)
        self.refunds = self._connect()
        self.now = START if self.refunds.rehearsal else datetime.now(UTC)

    def _connect(self) -> Refunds:
        return Refunds.connect(self.url, gateways={"fake": self.channel}, **self._connecting)

    def restart(self) -> None:
        """Close the database and open it again."""
        self.refunds.close()
        self.refunds = self._connect()

    @property
    def at(self) -> datetime | None:
        """Return what a call says about the time."""
        return self.now if self.refunds.rehearsal else None

    def later(self, **step: float) -> datetime:
        """Let time pass in a rehearsal."""
        self.now += timedelta(**step)
        return self.now

    def order(self, order_id: str | None = None, **changes: Any) -> str:
        """Register an order (by default a new one of 300.00 CNY, paid and completed now)."""
        order_id = order_id or f"A{next(self._orders)}"
        row = order_row(order_id, **{"paid_at": self.now, "completed_at": self.now} | changes)
        self.refunds.register_order(row, actor=SHOP, at=self.at)
        return order_id

    def submit(self, order_id: str | None = None, **terms: Any) -> values.Refund:
        """Claim on an order, by default on a new one for a licence code that does not work."""
        given: dict[str, Any] = {"reason": "CODE_INVALID", "actor": BUYER} | terms
        return self.refunds.submit(order_id or self.order(), at=self.at, **given)

    def act(self, refund: str, event: str, actor: str, /, **terms: Any) -> values.Refund:
        """Carry out one act now."""
        method: Callable[..., values.Refund] = getattr(self.refunds, event)
        return method(refund, actor=actor, at=self.at, **terms)

    def get(self, refund: str, actor: str = LI) -> values.Refund:
        """Look at a refund as it is now."""
        return self.refunds.get(refund, actor=actor, at=self.at)

    def to(self, state: str, **claim: Any) -> str:
        """Drive a new refund to a state (a leaf of the chart); the answer is its id."""
        refund = self.submit(**claim).id
        for step in WAY[state][1:]:
            self._step(refund, step)
        found = self.get(refund).state
        assert found == state, f"{refund} is {found}, not {state}"
        return refund

    def _step(self, refund: str, step: str) -> None:
        message = "because of the evidence"
        match step:
            case "offer":
                self.act(refund, step, LI, amount=10_000, message=message)
            case "request_evidence":
                self.act(refund, step, LI, kinds=["screenshot"], message=message)
            case "reject":
                self.act(refund, step, LI, grounds=["EVIDENCE_INCONSISTENT"], message=message)
            case "appeal":
                self.act(refund, step, BUYER, message="The code was never sent to me.")
            case "uphold":
                self.act(refund, step, ZHAO, grounds=["NO_NEW_GROUND"], message=message)
            case "pay" | "pay_for_ever" | "pay_in_vain":
                script = {"pay": "settle", "pay_for_ever": NEVER, "pay_in_vain": "refuse_void"}[step]
                self.channel.script(f"pay-{self.get(refund).order_id}", script)
                self.refunds.work(at=self.at)
            case "confirm_receipt" | "withdraw":
                self.act(refund, step, BUYER)
            case _:
                self.act(refund, step, LI)

    def line(self, order_id: str, line: str = "1") -> values.OrderLine:
        """Look at an order line and its ledger as it is now."""
        return self.refunds.line(order_id, line=line, actor=LI, at=self.at)

    def history(self, subject: str, actor: str = LI) -> tuple[values.HistoryEntry, ...]:
        """Return the entries of a chain."""
        return self.refunds.history(subject, actor=actor, at=self.at)

    def require_sound(self) -> None:
        """Require that every chain verifies and that no line gives more than it has."""
        found = self.refunds.verify()
        assert not found.findings, found.findings

    def close(self) -> None:
        """Close the database."""
        self.refunds.close()


def require_ledger(line: values.OrderLine) -> None:
    """Require invariant 2 of one order line."""
    out = line.reserved_minor + line.in_flight_minor + line.settled_minor
    assert min(line.reserved_minor, line.in_flight_minor, line.settled_minor, line.excess_minor) >= 0
    assert out <= line.captured_minor + line.excess_minor
