"""Live databases in which much is due by now: lived as a rehearsal in the past, then made live."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from refundflow import migrations
from refundflow.outbox import Message, NotDelivered
from refundflow.store import Store
from tests.support.market import LI, Market, prepare_rehearsal

LAPSES = ("evidence_lapsed", "appeal_window_closed")  # what every refund of `waiting_for_evidence` owes by now
AGO = timedelta(days=30)


def waiting_for_evidence(url: str, count: int) -> None:
    """Make a live database with refunds whose evidence was asked for a month ago and never came, and an order S0."""
    prepare_rehearsal(url)
    market = Market(url)
    market.now = datetime.now(UTC) - AGO
    market.refunds.staff_add("chen", roles=["supervisor", "agent"], actor="supervisor:chen", at=market.at)
    market.refunds.staff_add("li", roles=["agent"], actor="supervisor:chen", at=market.at)
    market.order("S0", buyer_id="calm")
    for number in range(count):
        order = market.order(f"W{number}", buyer_id=f"b{number % 7}")
        refund = market.submit(order, actor=f"buyer:b{number % 7}").id
        market.act(refund, "begin_review", LI)
        market.act(refund, "request_evidence", LI, kinds=["screenshot"])
    market.close()
    make_live(url)


def make_live(url: str) -> None:
    """Turn a rehearsal into a live database, which no command can."""
    with migrations.connect(url, write=True) as connection:
        connection.execute(text("UPDATE meta SET value = 'live' WHERE key = 'mode'"))


def lapses_of(url: str) -> dict[str, list[str]]:
    """Return the lapses of every refund in order, as they are stored."""
    found: dict[str, list[str]] = {}
    with Store.open(url) as store, store.read() as tx:
        for entry in tx.scan_entries():
            if "/" not in entry.subject and entry.subject.startswith("W"):
                found.setdefault(entry.subject, []).extend([entry.event] if entry.event in LAPSES else [])
    return found


class Inbox:
    """A receiver that keeps what it gets; it refuses what it is told to."""

    def __init__(self) -> None:
        self.taken: list[Message] = []
        self.refuses: set[str] = set()  # codes
        self.asked = 0

    def deliver(self, message: Message) -> None:
        """Take a message, or say that it is refused."""
        self.asked += 1
        if message.code in self.refuses:
            raise NotDelivered(f"{message.code} is refused")
        self.taken.append(message)
