"""The scene of the benchmark: a live database with staff, and refunds that wait for the move to be measured."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from refundflow.orders import OrderRow
from refundflow.service import Refunds
from tests.support.postgres import PostgresServer

SHOP, AGENT, CHIEF = "service:shop", "agent:li", "supervisor:chen"


@dataclass(frozen=True, kw_only=True)
class Place:
    """One refund of the scene, on an order of its own."""

    order_id: str
    refund: str
    buyer: str


@contextmanager
def sqlite_url(folder: Path) -> Iterator[str]:
    """Give the URL of a new SQLite file; refundflow itself makes it durable (WAL, full synchronous)."""
    yield f"sqlite:///{folder / 'bench.db'}"


@contextmanager
def postgres_url() -> Iterator[str]:
    """Give the URL of a new database on a PostgreSQL server of its own that flushes every commit."""
    with PostgresServer(durable=True) as server:
        yield server.url("postgres")


def set_up(url: str) -> None:
    """Make the database ready and register the staff."""
    Refunds.init(url)
    with Refunds.connect(url) as refunds:
        refunds.staff_add("chen", roles=["supervisor"], actor=CHIEF)
        refunds.staff_add("shop", roles=["service"], actor=CHIEF)
        refunds.staff_add("li", roles=["agent"], actor=CHIEF)


def submitted(refunds: Refunds, first: int, count: int) -> list[Place]:
    """Register orders from a number on and submit one refund on each."""
    return [_submitted(refunds, number) for number in range(first, first + count)]


def _submitted(refunds: Refunds, number: int) -> Place:
    order_id, buyer = f"B{number:06}", f"buyer-{number:06}"
    yesterday = datetime.now(UTC) - timedelta(days=1)
    row = OrderRow(
        order_id=order_id, buyer_id=buyer, product_type="game_card", product="card of 100", usage="unused",
        amount_minor=10_000, currency="CNY", channel="fake", payment_no=f"pay-{number:06}", paid_at=yesterday,
        completed_at=yesterday,
    )  # fmt: skip
    refunds.register_order(row, actor=SHOP)
    refund = refunds.submit(order_id, reason="CODE_INVALID", actor=f"buyer:{buyer}", key="submit")
    return Place(order_id=order_id, refund=refund.id, buyer=buyer)


def move(refunds: Refunds, event: str, place: Place) -> None:
    """Make the measured move through the facade, as a caller does who may repeat it (with a key)."""
    match event:
        case "begin_review":
            refunds.begin_review(place.refund, actor=AGENT, key=event)
        case "approve":
            refunds.approve(place.refund, actor=AGENT, key=event)
        case "withdraw":
            refunds.withdraw(place.refund, actor=f"buyer:{place.buyer}", key=event)
        case _:
            raise ValueError(f"{event} is not measured")
