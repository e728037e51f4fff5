"""The fake channel does what its script says, and nothing else."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from refundflow.gateways.fake import SCRIPTS, FakeChannel
from refundflow.gateways.port import Outcome, PayoutOrder

NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def order(number: str = "n1", *, at: datetime = NOON, amount: int = 500) -> PayoutOrder:
    """Make an order for the payment `p`."""
    return PayoutOrder(number=number, payment_no="p", amount=amount, currency="CNY", refund="A-1-1", at=at)


def scripted(*scripts: str, after: timedelta | None = None) -> FakeChannel:
    """Make a channel in which payment `p` has a script."""
    channel = FakeChannel()
    channel.script("p", *scripts, after=after)
    return channel


def brief(outcome: Outcome) -> tuple[str, bool]:
    """Say kind and void."""
    return outcome.kind, outcome.void


def test_a_pending_payout_settles_at_its_time_and_not_before() -> None:
    """Pending until `after` has passed, to the microsecond; then paid, and told."""
    channel = scripted("pending_then_settle", after=HOUR)
    just_before = NOON + HOUR - timedelta(microseconds=1)

    assert channel.send(order()).kind == "pending"
    assert channel.query(order(at=just_before)).kind == "pending"
    assert list(channel.notifications(just_before)) == []
    assert channel.paid("p") == 0
    assert channel.query(order(at=NOON + HOUR)).occurred_at == NOON + HOUR
    assert [n.kind for n in channel.notifications(NOON + HOUR)] == ["settled"]
    assert channel.paid("p") == 500


def test_a_pending_payout_can_be_refused() -> None:
    """After `after` the channel says, asked or not, that the number will never pay."""
    channel = scripted("pending_then_refuse", after=HOUR)

    assert channel.send(order()).kind == "pending"
    assert brief(channel.query(order(at=NOON + HOUR))) == ("refused", True)
    (told,) = channel.notifications(NOON + HOUR)
    assert (told.kind, told.void) == ("refused", True)
    assert channel.paid("p") == 0


def test_the_first_number_is_refused_and_the_second_settles() -> None:
    """A script may be a sequence: one step per number, in the order in which numbers come."""
    channel = scripted("refuse_void", "settle")

    assert brief(channel.send(order("n1"))) == ("refused", True)
    assert brief(channel.send(order("n2"))) == ("settled", False)
    assert brief(channel.send(order("n1"))) == ("refused", True)
    assert channel.sent("p") == ("n1", "n2")


def test_a_refused_number_stays_open_and_refused() -> None:
    """`refuse` says nothing about the number itself, and refuses again."""
    channel = scripted("refuse")

    first = channel.send(order())

    assert brief(first) == ("refused", False)
    assert channel.send(order(at=NOON + HOUR)) == first


def test_a_refused_number_may_pay_when_it_is_sent_again() -> None:
    """`refuse_once` pays the same number when it comes again late enough, not on a mere query."""
    channel = scripted("refuse_once", after=HOUR)
    channel.send(order())

    assert channel.send(order(at=NOON + HOUR / 2)).kind == "refused"
    assert channel.query(order(at=NOON + HOUR)).kind == "refused"
    assert channel.send(order(at=NOON + HOUR)).occurred_at == NOON + HOUR


def test_a_void_number_that_pays_shows_in_notification_and_bill_only() -> None:
    """The channel's own mistake: it said never and paid later, and goes on saying never when asked."""
    channel = scripted("refuse_void_but_pays", after=HOUR)

    assert brief(channel.send(order())) == ("refused", True)
    assert brief(channel.query(order(at=NOON + 2 * HOUR))) == ("refused", True)
    assert [n.kind for n in channel.notifications(NOON + 2 * HOUR)] == ["settled"]
    assert channel.paid("p") == 500


def test_a_time_out_can_hide_a_payment() -> None:
    """`timeout_done`: no answer and no notification, but it paid, and a query from `after` on says so."""
    channel = scripted("timeout_done", after=HOUR)

    assert channel.send(order()).kind == "unknown"
    assert channel.query(order(at=NOON + HOUR / 2)).kind == "unknown"
    assert list(channel.notifications(NOON + HOUR)) == []
    assert channel.query(order(at=NOON + HOUR)).occurred_at == NOON
    assert channel.paid("p", at=NOON) == 500


def test_a_time_out_can_hide_that_nothing_was_done() -> None:
    """`timeout_not_done`: a query says the number is not known, and the same number sent again pays."""
    channel = scripted("timeout_not_done")

    assert channel.send(order()).kind == "unknown"
    assert brief(channel.query(order(at=NOON + HOUR))) == ("refused", False)
    assert channel.paid("p") == 0
    assert channel.send(order(at=NOON + 2 * HOUR)).occurred_at == NOON + 2 * HOUR


def test_a_channel_can_stay_silent() -> None:
    """`timeout_for_ever` never answers and never pays."""
    channel = scripted("timeout_for_ever")

    channel.send(order())

    assert channel.query(order(at=NOON + timedelta(days=30))).kind == "unknown"
    assert channel.paid("p") == 0


def test_a_payment_can_be_told_twice() -> None:
    """`duplicate_notification` tells one payment in two equal notifications, each to be acknowledged."""
    channel = scripted("duplicate_notification")
    channel.send(order())

    first, second = channel.notifications(NOON)

    assert first == second
    channel.acknowledge(first)
    assert list(channel.notifications(NOON)) == [second]


def test_money_can_come_back() -> None:
    """`reverse` pays at once; after `after` the money is back, told and billed on its day."""
    channel = scripted("reverse", after=timedelta(days=1))
    channel.send(order())
    next_day = NOON + timedelta(days=1)

    kinds = [n.kind for n in channel.notifications(next_day)]

    assert kinds == ["settled", "reversed"]
    assert (channel.paid("p", at=NOON), channel.paid("p")) == (500, 0)
    assert [row.kind for row in channel.bill(date(2026, 3, 2))] == ["paid"]
    assert [row.kind for row in channel.bill(date(2026, 3, 3))] == ["returned"]


def test_a_channel_can_pay_a_wrong_amount() -> None:
    """`wrong_amount` pays one minor unit less, and says so."""
    assert scripted("wrong_amount").send(order()).amount == 499


def test_the_bill_goes_by_the_days_of_its_zone() -> None:
    """A payment at 17:00 UTC stands in the next day's bill in Shanghai."""
    channel = FakeChannel()
    channel.send(order(at=datetime(2026, 3, 2, 17, 0, tzinfo=UTC)))

    assert channel.bill(date(2026, 3, 2)) == ()
    (row,) = channel.bill(date(2026, 3, 3))
    assert (row.number, row.payment_no, row.amount, row.currency) == ("n1", "p", 500, "CNY")
    assert len(channel.bill(date(2026, 3, 2), zone="UTC")) == 1


def test_processes_that_share_a_file_see_one_channel(tmp_path: Path) -> None:
    """Scripts, numbers and acknowledgements outlive the object that made them."""
    file = tmp_path / "channel.json"
    FakeChannel(path=file).script("p", "pending_then_settle", "settle", after=HOUR)

    FakeChannel(path=file).send(order())

    later = FakeChannel(path=file)
    assert later.query(order(at=NOON + HOUR)).kind == "settled"
    (told,) = later.notifications(NOON + HOUR)
    later.acknowledge(told)
    assert list(FakeChannel(path=file).notifications(NOON + HOUR)) == []
    assert FakeChannel(path=file).paid("p") == 500


def test_a_new_script_leaves_sent_numbers_alone() -> None:
    """Scripting a payment anew counts for numbers still to come."""
    channel = scripted("refuse_void")
    channel.send(order("n1"))

    channel.script("p", "settle")

    assert brief(channel.query(order("n1"))) == ("refused", True)
    assert channel.send(order("n2")).kind == "settled"


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_same_calls_give_the_same_answers(name: str) -> None:
    """Two channels with one script and the same calls agree in every answer: nothing is random."""

    def run() -> list[object]:
        channel = scripted(name)
        times = [NOON + n * 6 * HOUR for n in range(6)]
        answers: list[object] = [channel.send(order(at=NOON))]
        answers += [ask(order(at=at)) for at in times for ask in (channel.query, channel.send)]
        return [*answers, *channel.notifications(times[-1]), *channel.bill(date(2026, 3, 2))]

    assert run() == run()


def test_a_wrong_script_is_refused_at_once() -> None:
    """An unknown script, none, or a negative delay is an error that names what is allowed."""
    with pytest.raises(ValueError, match="use one of settle"):
        FakeChannel().script("p", "explode")
    with pytest.raises(ValueError, match="use one of settle"):
        FakeChannel().script("p")
    with pytest.raises(ValueError, match="negative"):
        FakeChannel().script("p", "reverse", after=-HOUR)
