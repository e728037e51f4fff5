"""An act reads without a lock and writes once: whatever changes in between, it is judged anew on what it finds."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from refundflow.errors import BadInput, Refused
from refundflow.service import Refunds
from refundflow.service.callers import parse_caller
from refundflow.service.engine import Engine
from refundflow.service.requests import Answer, Request, place_of
from refundflow.store import Tx, moves
from states.case import Aggregate
from tests.support.databases import Databases
from tests.support.market import BUYER, CHEN, LI, QIAN, SHOP, ZHAO, Market, prepare_live, prepare_rehearsal
from tests.support.past import REJECTED, a_past_case, write_jsonl

Overtake = Callable[[], object]


@pytest.fixture
def market(databases: Databases) -> Iterator[Market]:
    """Open a live database: nothing keeps others away between the reading and the writing."""
    opened = Market(databases.copy_of("live", prepare_live))
    yield opened
    opened.close()


def overtaken(
    engine: Engine, refund: str | None, event: str, actor: str, by: Overtake, *,
    place: tuple[str, str] | None = None, **terms: Any,
) -> tuple[Answer, int]:  # fmt: skip
    """Carry an act out while somebody else acts between its reading and its writing; return how often it was judged.

    `place` is the line of a fact, which is of no refund.
    """
    judged = 0

    def others(tx: Tx, aggregate: Aggregate) -> Mapping[str, Any]:
        nonlocal judged
        judged += 1
        if judged == 1:
            assert not tx.session.locks, "nothing is locked at the first try"
            by()
        else:
            assert tx.session.locks, "who was overtaken queues"
        return {}

    order_id, line = place or place_of(str(refund))
    request = Request(event=event, caller=parse_caller(actor), order_id=order_id, line=line, refund=refund, **terms)
    try:
        return engine.move(request, others), judged
    finally:
        assert judged <= 2


def events_of(market: Market, refund: str) -> list[tuple[str, str, int]]:
    """Return (kind, event, repeats) of a chain."""
    return [(item.kind, item.event, item.repeats) for item in market.refunds.history(refund, actor=LI)]


def test_a_move_of_the_same_refund_in_between_is_found(market: Market) -> None:
    """Two agents begin one review: the second is judged again, under the lock, and refused."""
    refund = market.submit().id
    with pytest.raises(Refused) as refused:
        overtaken(market.refunds.engine, refund, "begin_review", ZHAO, lambda: market.act(refund, "begin_review", LI))
    assert [item.code for item in refused.value.blockers] == ["WRONG_STATE"]
    assert events_of(market, refund)[1:] == [("applied", "begin_review", 0), ("refused", "begin_review", 0)]
    market.require_sound()


def test_a_fact_of_the_line_in_between_is_found(market: Market) -> None:
    """A chargeback that comes between the reading and the writing keeps an approval from being written."""
    refund = market.to("under_review.reviewing")
    order = place_of(refund)[0]

    def chargeback() -> None:
        market.refunds.chargeback_opened(order, chargeback="cb1", amount=30_000, actor=QIAN)

    with pytest.raises(Refused) as refused:
        overtaken(market.refunds.engine, refund, "approve", LI, chargeback)
    assert "CHARGEBACK_OPEN" in [item.code for item in refused.value.blockers]
    assert market.get(refund).state == "under_review.reviewing"
    market.require_sound()


def test_a_move_of_another_refund_on_the_line_in_between_is_found(market: Market) -> None:
    """What a move is judged on is the whole line: the other refund's row is not written, and checked all the same."""
    first = market.to("paid_out.settled", amount=10_000)
    second = market.submit(place_of(first)[0], amount=10_000, reason="CODE_ALREADY_USED").id
    answer, judged = overtaken(
        market.refunds.engine, second, "begin_review", LI,
        lambda: market.act(first, "note", LI, message="Seen.", audience="internal"),
    )  # fmt: skip
    assert judged == 2 and answer.refund == second
    market.require_sound()


def test_nothing_in_between_costs_one_judgement(market: Market) -> None:
    """A move on another line is nobody's business."""
    refund, other = market.submit().id, market.submit().id
    _, judged = overtaken(
        market.refunds.engine, refund, "begin_review", LI, lambda: market.act(other, "begin_review", ZHAO)
    )
    assert judged == 1
    market.require_sound()


def test_a_refusal_in_between_is_counted_once(market: Market) -> None:
    """Repeated refusals only count on the row; none of two at once is lost, none is counted for another."""
    refund = market.submit().id

    def refuse() -> None:
        with pytest.raises(Refused):
            market.act(refund, "approve", LI)

    refuse()
    refuse()
    with pytest.raises(Refused):
        overtaken(market.refunds.engine, refund, "approve", LI, refuse)
    market.act(refund, "begin_review", LI)
    assert events_of(market, refund)[1:] == [("refused", "approve", 0), ("applied", "begin_review", 3)]
    market.require_sound()


def test_an_erasure_in_between_is_found(market: Market) -> None:
    """The key that a text was encrypted with is gone: the text is not written."""
    refund = market.to("withdrawn")

    def erase() -> None:
        market.refunds.privacy_erase("wang", reason="request 7", actor=CHEN)

    with pytest.raises(BadInput, match="erased"):
        overtaken(
            market.refunds.engine, refund, "note", LI, erase,
            texts={"message": "He called."}, params={"audience": "internal"},
        )  # fmt: skip
    with market.refunds.engine.store.read() as tx:
        assert not tx.personal(place_of(refund)[0], refund)
    market.require_sound()


def test_a_key_used_up_in_between_answers_what_it_answered(market: Market) -> None:
    """Two calls with one key at once: the second gets the answer of the first, and nothing is written twice."""
    refund = market.submit().id
    answer, judged = overtaken(
        market.refunds.engine, refund, "begin_review", LI, lambda: market.act(refund, "begin_review", LI, key="k1"),
        key="k1",
    )  # fmt: skip
    assert judged == 1, "the second look finds the key before it judges"
    assert answer.aggregate.refunds[refund]["state"] == "under_review.reviewing"
    assert events_of(market, refund)[1:] == [("applied", "begin_review", 0)]
    market.require_sound()


def test_a_repeated_key_answers_the_same_whatever_comes_meanwhile(market: Market) -> None:
    """What is told in several chains at once is in none of the first answer, while they are read."""
    order = market.order()
    for _ in range(4):
        market.act(market.submit(order, amount=1_000).id, "withdraw", BUYER)
    refund = market.submit(order, amount=1_000).id
    first = market.act(refund, "begin_review", LI, key="k1")
    told = threading.Event()

    def chargebacks() -> None:
        with Refunds.connect(market.url) as others:
            for number in range(60):
                others.chargeback_opened(order, chargeback=f"cb{number}", amount=1, actor=QIAN)
        told.set()

    teller = threading.Thread(target=chargebacks)
    teller.start()
    answers = []
    while not told.is_set():
        answers.append(market.act(refund, "begin_review", LI, key="k1"))
    teller.join()
    assert all(answer == first for answer in answers)


def test_the_time_of_a_rehearsal_in_between_never_goes_back(databases: Databases) -> None:
    """Who was judged at an earlier moment than others have reached meanwhile is told so, and sets no clock back."""
    opened = Market(databases.copy_of("rehearsal", prepare_rehearsal))
    refund, other, early = opened.submit().id, opened.submit().id, opened.now
    with pytest.raises(BadInput, match="backwards"):
        overtaken(
            opened.refunds.engine, refund, "begin_review", LI, at=early,
            by=lambda: (opened.later(hours=1), opened.act(other, "begin_review", LI)),
        )  # fmt: skip
    assert opened.refunds.now() == opened.now > early
    opened.require_sound()
    opened.close()


def test_an_act_that_was_judged_too_long_ago_is_judged_again(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that stood still records the moment at which it goes on, not the one at which it stopped."""
    refund = market.submit().id
    monkeypatch.setattr(moves, "LATEST", timedelta(seconds=0.2))
    stood_until = datetime.max.replace(tzinfo=UTC)

    def stand_still() -> None:
        nonlocal stood_until
        time.sleep(0.5)
        with market.refunds.engine.store.read() as tx:
            stood_until = tx.now()

    _, judged = overtaken(market.refunds.engine, refund, "begin_review", LI, stand_still)
    assert judged == 2
    assert market.refunds.history(refund, actor=LI)[-1].recorded_at >= stood_until
    market.require_sound()


def test_a_claim_that_reserves_nothing_in_between_is_found(market: Market) -> None:
    """A claim after the window is rejected at once and moves no money; a chargeback that it overtook is told in it."""
    long_ago = datetime.now(UTC) - timedelta(days=30)
    order = market.order(paid_at=long_ago, completed_at=long_ago)
    claimed: list[str] = []

    def claim() -> None:
        claimed.append(market.submit(order).id)

    answer, judged = overtaken(
        market.refunds.engine, None, "chargeback_opened", QIAN, claim, place=(order, "1"),
        params={"chargeback": "cb1", "amount": 30_000},
    )  # fmt: skip
    [refund] = claimed
    assert market.get(refund).state == "rejected.appealable" and refund in answer.aggregate.refunds
    assert judged == 2 and [event for _, event, _ in events_of(market, refund)][-1] == "chargeback_opened"
    market.require_sound()


def test_an_imported_case_in_between_is_found(market: Market, tmp_path: Path) -> None:
    """A case of another system that moved no money changes the line all the same: a chargeback is told in it too."""

    def bring_in(case: str) -> None:
        path = write_jsonl(tmp_path / "cases.jsonl", [a_past_case(1, REJECTED, case=case)])
        assert market.refunds.history_import(path, actor=SHOP).imported == 1

    bring_in("L-1")
    answer, judged = overtaken(
        market.refunds.engine, None, "chargeback_opened", QIAN, lambda: bring_in("L-2"), place=("H1", "1"),
        params={"chargeback": "cb1", "amount": 30_000},
    )  # fmt: skip
    assert judged == 2 and set(answer.aggregate.refunds) == {"H1-1-1", "H1-1-2"}
    market.require_sound()
