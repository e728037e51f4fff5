"""The system's own work: a number pays once whatever is interrupted, and finance's word ends the asking."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from refundflow.errors import BadInput
from refundflow.gateways import Outcome, PayoutOrder
from refundflow.gateways.fake import FakeChannel
from refundflow.service import Refunds
from tests.support.databases import Databases
from tests.support.market import AMOUNT, BUYER, CHEN, LI, QIAN, SUN, Market, prepare_rehearsal

pytestmark = pytest.mark.partitioned


class Interrupted(Exception):
    """Say that the process died between the channel's answer and our hearing it."""


class InterruptedChannel(FakeChannel):
    """A channel that does what it is asked, while the asking process dies as long as `broken` is set."""

    broken = False
    asked = 0

    def send(self, order: PayoutOrder) -> Outcome:
        """Do it, count it, and perhaps die."""
        self.asked += 1
        outcome = super().send(order)
        if self.broken:
            raise Interrupted
        return outcome


@pytest.fixture
def channel() -> InterruptedChannel:
    """Make a channel that can be interrupted."""
    return InterruptedChannel()


@pytest.fixture
def market(databases: Databases, channel: InterruptedChannel) -> Iterator[Market]:
    """Open a rehearsal database with that channel."""
    opened = Market(databases.copy_of("rehearsal", prepare_rehearsal), channel=channel)
    yield opened
    opened.close()


def interrupted_payout(market: Market, channel: InterruptedChannel, script: str) -> str:
    """Drive a refund to the moment at which its payout was sent and the answer was not heard."""
    refund = market.to("approved.payable")
    channel.script(f"pay-{market.get(refund).order_id}", script)
    channel.broken = True
    with pytest.raises(Interrupted):
        market.refunds.work(at=market.at)
    channel.broken = False
    return refund


def test_an_answer_that_was_not_heard_is_asked_for(market: Market, channel: InterruptedChannel) -> None:
    """After a death between sending and hearing the number is in flight, and pays once."""
    refund = interrupted_payout(market, channel, "timeout_done")
    state = market.get(refund).state
    market.restart()
    for _ in range(3):
        market.refunds.work(at=market.later(minutes=20))
    order = market.get(refund).order_id

    assert (state, market.get(refund).state) == ("approved.paying", "paid_out.settled")
    assert (channel.paid(f"pay-{order}"), len(channel.sent(f"pay-{order}"))) == (AMOUNT, 1)


def test_a_process_without_the_channel_says_so_once(market: Market, caplog: pytest.LogCaptureFixture) -> None:
    """Its payouts wait for a process that has it, and nobody has to guess why."""
    refund = market.to("approved.payable")
    market.refunds.gateways = {}
    for minutes in (0, 20):
        market.refunds.work(at=market.later(minutes=minutes))

    assert market.get(refund).state == "approved.payable"
    assert [record.message for record in caplog.records] == ["payouts by fake wait: this process has no such channel"]


def test_a_number_that_finance_ended_is_never_sent_again(market: Market, channel: InterruptedChannel) -> None:
    """Proven void by finance and the approval revoked, an interrupted number is neither sent nor asked for."""
    refund = interrupted_payout(market, channel, "timeout_not_done")
    [attempt] = market.get(refund).attempts
    market.act(refund, "payout_refused", QIAN, number=attempt.number, proof="bill-1", void=True)
    market.act(refund, "revoke_approval", CHEN, message="paid by voucher")
    for _ in range(5):
        market.refunds.work(at=market.later(hours=1))

    assert channel.asked == 1
    assert channel.paid(f"pay-{market.get(refund).order_id}") == 0


def test_a_payment_proven_by_finance_is_not_asked_for_any_more(market: Market, channel: InterruptedChannel) -> None:
    """Two of finance prove a payment whose answer never came: nobody asks again, nothing is handed over."""
    refund = interrupted_payout(market, channel, "timeout_for_ever")
    [attempt] = market.get(refund).attempts
    for person in (QIAN, SUN):
        market.act(refund, "payout_settled", person, number=attempt.number, amount=AMOUNT, currency="CNY", proof="b")
    for _ in range(20):
        market.refunds.work(at=market.later(hours=12))

    assert "handed_to_finance" not in [entry.event for entry in market.history(refund)]
    assert market.get(refund).state == "paid_out.confirmed"


def test_a_failed_payout_is_tried_again_three_times(market: Market, channel: InterruptedChannel) -> None:
    """The system repeats a refused number three times, then it waits for finance."""
    refund = market.to("approved.payable")
    channel.script(f"pay-{market.get(refund).order_id}", "refuse")
    for _ in range(6):
        market.refunds.work(at=market.later(hours=1))
    events = [entry.event for entry in market.history(refund)]

    assert (events.count("retry_payout"), channel.asked) == (3, 4)
    assert market.get(refund).state == "approved.payout_failed"
    assert len(market.get(refund).attempts) == 1


def test_a_refused_payout_is_given_time_before_it_is_tried_again(market: Market, channel: InterruptedChannel) -> None:
    """The three tries stand 1, 5 and 15 minutes apart: what refused a payout seldom ends within the same second."""
    refund, refused_at = market.to("approved.payable"), market.now
    channel.script(f"pay-{market.get(refund).order_id}", "refuse")
    for _ in range(30):
        market.refunds.work(at=market.at)
        market.later(minutes=1)
    tried = [entry.effective_at - refused_at for entry in market.history(refund) if entry.event == "retry_payout"]

    assert tried == [timedelta(minutes=1), timedelta(minutes=6), timedelta(minutes=21)]


def test_an_open_chargeback_holds_a_payout_until_it_is_won(market: Market, channel: InterruptedChannel) -> None:
    """Nothing is sent while a chargeback is open; won, the payout goes out."""
    refund = market.to("approved.payable")
    order = market.get(refund).order_id
    told = {"chargeback": "cb", "amount": 100, "actor": QIAN}
    market.refunds.chargeback_opened(order, at=market.at, **told)  # type: ignore[arg-type]
    market.refunds.work(at=market.later(hours=1))
    held = channel.asked
    market.refunds.chargeback_closed(order, at=market.at, outcome="won", **told)  # type: ignore[arg-type]
    market.refunds.work(at=market.later(hours=1))

    assert (held, channel.asked, market.get(refund).state) == (0, 1, "paid_out.settled")


def test_a_small_claim_whose_review_is_overdue_is_approved(market: Market, channel: InterruptedChannel) -> None:
    """Assisted review approves a small claim after the first lapse, and never a larger one."""
    small = market.submit(market.order(amount_minor=5_000)).id
    large = market.submit(market.order(amount_minor=5_001, buyer_id="ma"), actor="buyer:ma").id
    market.act(small, "begin_review", LI)
    market.act(large, "begin_review", LI)
    market.refunds.work(at=market.later(days=4))

    assert (market.get(small).state, market.get(large).state) == ("paid_out.settled", "under_review.reviewing")
    assert market.get(large).hold


def test_a_small_claim_that_nobody_opened_is_approved_too(market: Market, channel: InterruptedChannel) -> None:
    """Assisted review begins what it approves, and leaves alone what it may not."""
    small = market.submit(market.order(amount_minor=5_000)).id
    large = market.submit(market.order(amount_minor=5_001, buyer_id="ma"), actor="buyer:ma").id
    market.refunds.work(at=market.later(days=4))
    events = [(entry.event, entry.actor_role) for entry in market.history(small) if entry.event != "review_overdue"]

    assert events[1:3] == [("begin_review", "system"), ("approve", "system")]
    assert (market.get(small).state, market.get(large).state) == ("paid_out.settled", "submitted")


def test_a_round_of_work_is_done_once(market: Market, channel: InterruptedChannel) -> None:
    """Working again at the same moment finds nothing to do."""
    market.to("approved.payable")
    market.to("under_review.negotiating")
    first, second = (market.refunds.work(at=market.later(days=3)), market.refunds.work(at=market.at))

    assert first and not second
    assert [item.refund.id for item in market.refunds.queue(actor=BUYER, at=market.at)]


class OvertakenChannel(FakeChannel):
    """A channel that answers when the rehearsal has gone on for somebody else."""

    market: Market

    def send(self, order: PayoutOrder) -> Outcome:
        """Pay, while another process claims a minute later."""
        with Refunds.connect(self.market.url) as other:
            other.submit(self.market.order(), reason="CODE_INVALID", actor=BUYER, at=order.at + timedelta(minutes=1))
        return super().send(order)


def test_whoever_is_overtaken_in_a_rehearsal_is_told_so(databases: Databases, caplog: pytest.LogCaptureFixture) -> None:
    """A told time that is over is no damage to a refund: the caller is told, and the next round goes on."""
    channel = OvertakenChannel()
    market = channel.market = Market(databases.copy_of("rehearsal", prepare_rehearsal), channel=channel)
    refund = market.to("approved.payable")
    with pytest.raises(BadInput, match="never goes backwards"):
        market.refunds.work(at=market.at)

    assert not caplog.records
    market.later(minutes=2)
    market.refunds.work(at=market.at)
    assert market.get(refund).state == "paid_out.settled"
    market.require_sound()
    market.close()
