"""Effects leave at least once and in order per refund; what fails waits longer each time, and ends as a dead letter."""

import json
import sys
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from refundflow.errors import BadInput, NotFound, RoleNotAllowed
from refundflow.outbox import (
    FIRST_WAIT,
    LONGEST_WAIT,
    MAX_TRIES,
    CallableReceiver,
    CommandReceiver,
    FileReceiver,
    Message,
    NotDelivered,
    Receiver,
    wait_after,
)
from refundflow.service.delivery import PATIENCE
from tests.support.aged import Inbox
from tests.support.market import BUYER, CHEN, LI, WU, Market

pytestmark = pytest.mark.partitioned


@pytest.fixture
def inbox() -> Inbox:
    """Make a receiver that keeps what it gets."""
    return Inbox()


def deliver(market: Market, receiver: Receiver) -> tuple[int, int, int]:
    """Run one round of delivery now."""
    done = market.refunds.deliver(receiver, at=market.at)
    return done.delivered, done.failed, done.dead


def given_up(market: Market, inbox: Inbox) -> int:
    """Let a refused effect become a dead letter; the answer is its number."""
    for _ in range(MAX_TRIES):
        deliver(market, inbox)
        market.later(hours=7)
    [dead] = market.refunds.effects(actor=CHEN, dead=True)
    return dead.effect


def test_effects_leave_in_order_and_are_gone(market: Market, inbox: Inbox) -> None:
    """Each effect is delivered once, those of a refund in the order of its entries, with the texts for the buyer."""
    refund = market.to("rejected.appealable")
    market.to("under_review.negotiating")

    deliver(market, inbox)

    numbers = [message.seq for message in inbox.taken if message.refund == refund]
    assert numbers == sorted(numbers) and len(numbers) > 1
    assert inbox.taken[-1].texts and not market.refunds.effects(actor=LI)
    assert deliver(market, inbox) == (0, 0, 0)


def test_what_fails_holds_back_its_own_refund_only(market: Market, inbox: Inbox) -> None:
    """A message that is not taken is tried again; later ones of its refund wait for it, others go."""
    held, free = market.to("rejected.appealable"), market.to("withdrawn")
    inbox.refuses = {"SUBMITTED"}
    market.refunds.deliver(inbox, at=market.at)
    before = [message.refund for message in inbox.taken]
    inbox.refuses = set()
    market.later(seconds=30)
    deliver(market, inbox)

    assert before == []  # both begin with that message
    assert {message.refund for message in inbox.taken} == {held, free}
    for refund in (held, free):
        told = [message for message in inbox.taken if message.refund == refund]
        assert told[0].code == "SUBMITTED" and [item.seq for item in told] == sorted(item.seq for item in told)


def test_what_is_never_taken_ends_as_a_dead_letter(market: Market, inbox: Inbox) -> None:
    """After the stated number of tries an effect is given up with its problem; the next ones go on."""
    refund = market.to("rejected.appealable")
    inbox.refuses = {"SUBMITTED"}
    number = given_up(market, inbox)
    deliver(market, inbox)
    dead = market.refunds.effect(number, actor=LI)

    assert (inbox.asked - len(inbox.taken), dead.tries) == (MAX_TRIES, MAX_TRIES)
    assert (dead.problem, dead.next_try_at) == ("SUBMITTED is refused", None)
    assert [message.code for message in inbox.taken if message.refund == refund][-1] == "REJECTED"


def test_waits_double_up_to_a_bound_with_jitter() -> None:
    """Waits grow about twofold and are never quite alike."""
    waits = [wait_after(tries) for tries in range(1, 16)]

    assert FIRST_WAIT * 0.9 <= waits[0] <= FIRST_WAIT * 1.1
    assert all(1.5 < later / earlier < 2.5 for earlier, later in pairwise(waits[:11]))
    assert max(waits) <= LONGEST_WAIT * 1.1
    assert len({wait_after(3) for _ in range(9)}) > 1


def test_a_failed_effect_waits_as_it_was_told(market: Market, inbox: Inbox) -> None:
    """A failed try writes down the next one, later each time."""
    market.to("submitted")
    inbox.refuses = {"SUBMITTED"}
    waits: list[timedelta] = []
    for _ in range(4):
        deliver(market, inbox)
        [effect] = [item for item in market.refunds.effects(actor=LI) if item.kind == "buyer_message"]
        assert effect.next_try_at is not None
        waits.append(effect.next_try_at - market.now)
        market.now = effect.next_try_at

    assert all(later > earlier for earlier, later in pairwise(waits))


class Dead(BaseException):
    """The process that was delivering died."""


class DyingInbox(Inbox):
    """Takes a message, then its process dies."""

    def deliver(self, message: Message) -> None:
        """Take it, and die."""
        super().deliver(message)
        raise Dead


def test_a_process_that_dies_in_a_delivery_loses_nothing(market: Market, inbox: Inbox) -> None:
    """What it had begun comes again with the same id, after a time in which nobody overtakes it."""
    market.to("withdrawn")
    dying = DyingInbox()
    with pytest.raises(Dead):
        market.refunds.deliver(dying, at=market.at)
    market.restart()
    at_once = deliver(market, inbox)
    market.now += PATIENCE
    deliver(market, inbox)

    assert at_once == (0, 0, 0)
    assert inbox.taken[0].id == dying.taken[0].id
    assert not market.refunds.effects(actor=LI)


def test_a_dead_letter_is_tried_again_when_somebody_says_so(market: Market, inbox: Inbox) -> None:
    """Retried it leaves, and then it is gone."""
    market.to("submitted")
    inbox.refuses = {"SUBMITTED"}
    number = given_up(market, inbox)
    inbox.refuses = set()
    again = market.refunds.retry_effect(number, actor=CHEN, at=market.at)
    deliver(market, inbox)

    assert again.tries == 0 and again.next_try_at == market.now
    with pytest.raises(NotFound):
        market.refunds.effect(number, actor=CHEN)


def test_a_discarded_effect_leaves_an_entry(market: Market, inbox: Inbox) -> None:
    """It never leaves; the chain of its refund says who dropped what and why."""
    refund = market.to("submitted")
    [number] = [item.effect for item in market.refunds.effects(actor=CHEN) if item.kind == "buyer_message"]
    market.refunds.discard_effect(number, message="The mailbox is gone.", actor=CHEN, at=market.at)
    deliver(market, inbox)
    entry = market.history(refund)[-1]

    assert (entry.event, entry.actor_name, entry.texts) == (
        "effect_discarded", "chen", {"message": "The mailbox is gone."},
    )  # fmt: skip
    assert "SUBMITTED" not in [message.code for message in inbox.taken]
    market.require_sound()


def test_the_systems_own_work_is_never_dropped(market: Market) -> None:
    """A payout that is owed stays owed."""
    market.to("approved.payable")
    [owed] = [item for item in market.refunds.effects(actor=CHEN) if item.kind == "system_act"]
    with pytest.raises(BadInput, match="never dropped"):
        market.refunds.discard_effect(owed.effect, message="away", actor=CHEN, at=market.at)

    assert market.refunds.effect(owed.effect, actor=CHEN).code == "dispatch_payout"


@pytest.mark.parametrize(("actor", "error"), [(LI, RoleNotAllowed), (WU, RoleNotAllowed), (BUYER, RoleNotAllowed)])
def test_only_supervisors_and_finance_decide_about_effects(market: Market, actor: str, error: type[Exception]) -> None:
    """Others may neither retry nor discard, and a buyer does not even see them."""
    market.to("submitted")
    number = market.refunds.effects(actor=CHEN)[0].effect
    with pytest.raises(error):
        market.refunds.retry_effect(number, actor=actor, at=market.at)
    with pytest.raises(error):
        market.refunds.discard_effect(number, message="away", actor=actor, at=market.at)
    with pytest.raises(NotFound):
        market.refunds.effects(actor=BUYER)


@pytest.fixture
def message(market: Market, inbox: Inbox) -> Message:
    """Give one message as a receiver gets it."""
    market.to("submitted")
    deliver(market, inbox)
    return inbox.taken[0]


def test_receivers_take_or_say_why_not(message: Message, tmp_path: Path) -> None:
    """A file gets a line each, a command the document on its input, a callable the value; failures are told."""
    path = tmp_path / "out.jsonl"
    for _ in range(2):
        FileReceiver(path).deliver(message)
    copied = tmp_path / "copied.json"
    script = f"import pathlib, sys; pathlib.Path({str(copied)!r}).write_text(sys.stdin.read())"
    CommandReceiver([sys.executable, "-c", script]).deliver(message)
    kept: list[Message] = []
    CallableReceiver(kept.append).deliver(message)

    assert [json.loads(line) for line in path.read_text().splitlines()] == [message.as_json()] * 2
    assert json.loads(copied.read_text())["id"] == message.id and kept == [message]
    failing: list[tuple[Receiver, str]] = [
        (FileReceiver(tmp_path / "none" / "out"), "No such file"),
        (CommandReceiver([sys.executable, "-c", "raise SystemExit('no room')"]), "ended with 1: no room"),
        (CommandReceiver([str(tmp_path / "missing")]), "No such file"),
        (CommandReceiver(["sleep", "9"], seconds=0.1), "timed out"),
        (CallableReceiver(lambda _: json.loads("")), "JSONDecodeError"),
    ]
    for receiver, problem in failing:
        with pytest.raises(NotDelivered, match=problem):
            receiver.deliver(message)
