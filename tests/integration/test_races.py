"""Races of real processes on both databases: one wins, the others get typed answers, ledger and chains hold."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from refundflow.gateways.fake import FakeChannel
from tests.support.databases import Databases
from tests.support.market import (
    AMOUNT,
    BUYER,
    CHEN,
    LI,
    QIAN,
    SHOP,
    ZHAO,
    Market,
    a_file,
    order_row,
    prepare_rehearsal,
    require_ledger,
)  # fmt: skip
from tests.support.past import a_past_case, write_jsonl
from tests.support.racers import RACERS, Call, Racers, Result, call

ROUNDS = 4


@pytest.fixture(scope="module")
def racers() -> Iterator[Racers]:
    """Keep a few processes for the races of this module."""
    with Racers() as running:
        yield running


def compete(racers: Racers, market: Market, *lanes: Sequence[Call], channel: str | None = None) -> list[list[Result]]:
    """Run a race; afterwards every chain verifies and every line has what it gives."""
    rounds = racers.race(market.url, *lanes, channel=channel)
    market.require_sound()
    for refund in market.refunds.list(actor=LI, limit=500).refunds:
        require_ledger(market.refunds.line(refund.order_id, line=refund.line, actor=LI))
    return rounds


def winner(results: Sequence[Result]) -> Result:
    """Return the only one that was not refused; each of the others has the code and blockers of a refusal."""
    [won] = [result for result in results if result.won]
    assert all(result.code and result.blockers for result in results if not result.won)
    return won


def reviewing(market: Market, amount: int = AMOUNT) -> list[str]:
    """Make as many refunds in review as there are rounds."""
    made = [market.submit(market.order(amount_minor=amount)).id for _ in range(ROUNDS)]
    for refund in made:
        market.act(refund, "begin_review", LI)
    return made


def test_two_approvals_at_once(racers: Racers, live: Market) -> None:
    """One approval moves, the other finds the refund approved."""
    ids = reviewing(live)
    lanes = [[call("approve", refund, actor=actor) for refund in ids] for actor in (LI, ZHAO)]

    for results in compete(racers, live, *lanes):
        assert winner(results).value.state == "approved.payable"
        assert [item.blockers[0] for item in results if not item.won] == ["WRONG_STATE"]


def test_two_persons_at_once(racers: Racers, live: Market) -> None:
    """Of two approvals of a large claim one is the first and the other moves, whoever comes first."""
    ids = reviewing(live, 150_000)
    lanes = [[call("approve", refund, actor=actor) for refund in ids] for actor in (LI, ZHAO)]

    for results in compete(racers, live, *lanes):
        assert sorted(item.value.waiting for item in results) == [False, True]
    assert {live.get(refund).state for refund in ids} == {"approved.payable"}


def test_one_person_twice_at_once_is_still_one_person(racers: Racers, live: Market) -> None:
    """Two processes of the same agent are one of two, never both."""
    ids = reviewing(live, 150_000)
    lanes = [[call("approve", refund, actor=LI) for refund in ids]] * 2

    for results in compete(racers, live, *lanes):
        assert winner(results).value.waiting
        assert [item.blockers for item in results if not item.won] == [("SECOND_PERSON_NEEDED",)]


def test_approve_against_reject(racers: Racers, live: Market) -> None:
    """The refund is either approved or rejected, and the loser is told the state that he finds."""
    ids = reviewing(live)
    approve = [call("approve", refund, actor=LI) for refund in ids]
    reject = [call("reject", refund, grounds=["DELIVERY_PROVEN"], message="delivered", actor=ZHAO) for refund in ids]

    for refund, results in zip(ids, compete(racers, live, approve, reject), strict=True):
        assert winner(results).value.state == live.get(refund).state


def test_two_claims_on_one_line(racers: Racers, live: Market) -> None:
    """One claim is opened, every other one is refused because of it."""
    orders = [live.order() for _ in range(ROUNDS)]
    lanes = [[call("submit", order, reason="CODE_INVALID", actor=BUYER) for order in orders]] * RACERS

    for order, results in zip(orders, compete(racers, live, *lanes), strict=True):
        assert winner(results).value.id == f"{order}-1-1"
        assert {item.blockers[0] for item in results if not item.won} <= {"REFUND_IN_PROGRESS", "AMOUNT_EXCEEDS_LEFT"}


def test_claims_for_more_than_was_paid(racers: Racers, live: Market) -> None:
    """Claims on what is left, many at once, while the payout of the rest comes back: never more than was paid."""
    lines = [str(number) for number in range(1, ROUNDS + 1)]
    for line in lines:
        live.order("A1", line=line)
        refund = live.submit("A1", line=line, amount=20_000).id
        live.act(refund, "begin_review", LI)
        live.act(refund, "approve", LI)
    while live.refunds.work():
        pass
    claims = [call("submit", "A1", line=line, amount=10_000, reason="CODE_INVALID", actor=BUYER) for line in lines]
    numbers = [live.get(f"A1-{line}-1").attempts[0].number for line in lines]
    back = [
        call("payout_reversed", f"A1-{line}-1", number=number, amount=20_000, currency="CNY", proof="b", actor=QIAN)
        for line, number in zip(lines, numbers, strict=True)
    ]

    for line, results in zip(lines, compete(racers, live, claims, claims, claims, back), strict=True):
        assert results[-1].won and [item.won for item in results[:-1]].count(True) <= 1
        assert live.line("A1", line).reserved_minor in (20_000, 30_000)


def test_the_same_key_at_once(racers: Racers, live: Market) -> None:
    """The same claim with the same key from many processes is one refund, and all get the same answer."""
    orders = [live.order() for _ in range(ROUNDS)]
    claim = [
        call("submit", order, reason="CODE_INVALID", note="It fails.", evidence=[a_file()], key="k", actor=BUYER)
        for order in orders
    ]

    for results in compete(racers, live, *[claim] * RACERS):
        assert all(item.won for item in results)
        assert {item.value for item in results} == {results[0].value}
    assert len(live.refunds.list(actor=LI).refunds) == ROUNDS


def test_a_key_at_once_for_two_requests(racers: Racers, live: Market) -> None:
    """Of two different requests with one key one is done, the other refused as KEY_REUSED."""
    ids = [live.submit().id for _ in range(ROUNDS)]
    lanes = [[call("note", refund, message=word, key="k", actor=LI) for refund in ids] for word in ("one", "two")]

    for results in compete(racers, live, *lanes):
        winner(results)
        assert [item.blockers for item in results if not item.won] == [("KEY_REUSED",)]


def test_a_chargeback_against_an_approval(racers: Racers, live: Market) -> None:
    """The chargeback is always counted; the approval came before it or is refused."""
    ids = reviewing(live)
    approve = [call("approve", refund, actor=LI) for refund in ids]
    opened = [
        call("chargeback_opened", refund.split("-")[0], chargeback="c", amount=AMOUNT, actor=QIAN) for refund in ids
    ]

    for refund, (approved, told) in zip(ids, compete(racers, live, approve, opened), strict=True):
        assert told.won and (approved.won or "CHARGEBACK_OPEN" in approved.blockers)
        assert live.line(refund.split("-")[0]).charged_back_minor == AMOUNT


def test_the_same_refusal_at_once_is_counted(racers: Racers, live: Market) -> None:
    """Equal refusals from many processes are one entry, and the next entry carries the count of the others."""
    ids = [live.submit().id for _ in range(ROUNDS)]
    compete(racers, live, *[[call("approve", refund, actor=LI) for refund in ids]] * RACERS)
    for refund in ids:
        live.act(refund, "begin_review", LI)
        told = [(entry.kind, entry.repeats) for entry in live.history(refund)]
        assert told == [("applied", 0), ("refused", 0), ("applied", RACERS - 1)]


def test_one_buyer_registered_by_many_at_once(racers: Racers, live: Market) -> None:
    """Orders of a new buyer that arrive together belong to one person, and the same order again changes nothing."""
    rows = [[order_row(f"N{turn}.{lane}", buyer_id=f"new-{turn}") for turn in range(ROUNDS)] for lane in range(2)]
    lanes = [[call("register_order", row, actor=SHOP) for row in mine] for mine in (rows[0], rows[1], rows[0])]
    results = compete(racers, live, *lanes)
    live.refunds.submit("N0.0", reason="FRAUD", actor="buyer:new-0")

    assert all(item.won for turn in results for item in turn)
    assert [sorted(item.value.changed for item in turn) for turn in results] == [[False, True, True]] * ROUNDS
    assert live.refunds.get("N0.0-1-1", actor=LI).buyer_id == "new-0"


def test_the_register_of_staff_at_once(racers: Racers, live: Market) -> None:
    """Changes of the register from many processes are all in its chain."""
    lanes = [
        [call("staff_add", f"n{lane}{turn}", roles=["agent"], actor=CHEN) for turn in range(ROUNDS)]
        for lane in range(RACERS)
    ]
    results = compete(racers, live, *lanes)

    assert all(item.won for turn in results for item in turn)
    assert len(live.refunds.staff_list()) == 7 + RACERS * ROUNDS


def test_evidence_against_its_lapse(racers: Racers, databases: Databases) -> None:
    """Evidence a moment before the due moment against a worker at it: in time or lapsed, never both."""
    for _ in range(ROUNDS):
        market = Market(databases.copy_of("rehearsal", prepare_rehearsal))
        refund = market.to("awaiting_evidence")
        due = market.get(refund).deadlines[0].due_at
        before = due - timedelta(microseconds=1)
        [[given, worked]] = racers.race(
            market.url,
            [call("provide_evidence", refund, evidence=[a_file()], actor=BUYER, at=before)],
            [call("work", at=due)],
        )
        market.now = due
        market.refunds.work(at=market.at)  # a round leaves a line on which somebody acts to the next one
        lapses = [entry.event for entry in market.history(refund)].count("evidence_lapsed")

        assert worked.won and lapses == (0 if given.won else 1)
        assert given.won or given.code == "BAD_INPUT"  # the rehearsal has passed that moment
        assert market.get(refund).state == ("under_review.reviewing" if given.won else "rejected.appealable")
        market.require_sound()
        market.close()


def test_many_workers_at_once(racers: Racers, databases: Databases, tmp_path: Path) -> None:
    """Payouts and lapses are done once by whichever worker, and the channel pays each number once."""
    channel = FakeChannel(path=tmp_path / "channel.json")
    market = Market(databases.copy_of("rehearsal", prepare_rehearsal), channel=channel)
    for script in ("settle", "duplicate_notification", "refuse", "refuse_void", "timeout_done"):
        for _ in range(4):
            refund = market.to("approved.payable")
            channel.script(f"pay-{market.get(refund).order_id}", script, "settle")
    offers = [market.to("under_review.negotiating") for _ in range(10)]
    market.later(days=3)
    rounds = [call("work", at=market.now)] * 3
    results = compete(racers, market, *[rounds] * RACERS, channel=str(tmp_path / "channel.json"))
    done: Counter[str] = Counter()
    for turn in results:
        assert all(item.won for item in turn)
        done.update({name: sum(getattr(item.value, name) for item in turn) for name in ("lapsed", "dispatched")})

    promises_broken = 20 * 3  # after each of three days
    assert (done["lapsed"], market.get(offers[0]).state) == (10 + promises_broken, "under_review.reviewing")
    for item in market.refunds.list(actor=LI, limit=500, at=market.at).refunds:
        paid = channel.paid(f"pay-{item.order_id}")
        assert paid == item.settled_minor + item.in_flight_minor * (paid > 0)
        assert Counter(entry.event for entry in market.history(item.id))["payout_settled"] <= 1
    market.close()


def past_buyers(market: Market) -> list[str]:
    """Make as many buyers as there are rounds, each with a claim that he took back, and give their ids."""
    buyers = [f"buyer-{number}" for number in range(ROUNDS)]
    for buyer in buyers:
        refund = market.submit(market.order(buyer_id=buyer), actor=f"buyer:{buyer}", note="It fails.").id
        market.act(refund, "withdraw", f"buyer:{buyer}")
    return buyers


def test_an_erasure_and_a_claim_at_once(racers: Racers, live: Market) -> None:
    """Either the claim was first and keeps its buyer, or the buyer is erased and the claim finds nothing."""
    buyers = past_buyers(live)
    orders = [live.order(buyer_id=buyer) for buyer in buyers]
    erase = [call("privacy_erase", buyer, reason="request 7", actor=CHEN) for buyer in buyers]
    claim = [
        call("submit", order, reason="CODE_INVALID", note="Once more.", actor=f"buyer:{buyer}")
        for order, buyer in zip(orders, buyers, strict=True)
    ]

    for order, (erased, claimed) in zip(orders, compete(racers, live, erase, claim), strict=True):
        assert erased.won != claimed.won
        assert (erased.code, claimed.code) in (("REFUND_IN_PROGRESS", None), (None, "NOT_FOUND"))
        assert (live.line(order).buyer_id is None) == erased.won


def test_an_erasure_and_a_new_order_at_once(racers: Racers, live: Market) -> None:
    """The order belongs to the erased buyer and is erased with him, or to the new one; no line is left between."""
    buyers = past_buyers(live)
    rows = [order_row(f"N{number}", buyer_id=buyer) for number, buyer in enumerate(buyers)]
    erase = [call("privacy_erase", buyer, reason="request 7", actor=CHEN) for buyer in buyers]
    lanes = [erase, [call("register_order", row, actor=SHOP) for row in rows]]

    for number, (erased, registered) in enumerate(compete(racers, live, *lanes)):
        assert erased.won and registered.won
        assert live.line(f"N{number}").buyer_id == (None if erased.value.lines == 2 else buyers[number])


def test_two_erasures_of_one_buyer_at_once(racers: Racers, live: Market) -> None:
    """Both go on with the same erasure, or the later one finds nobody; each chain says it once."""
    buyers = past_buyers(live)
    lane = [call("privacy_erase", buyer, reason="request 7", actor=CHEN) for buyer in buyers]

    for results in compete(racers, live, lane, lane):
        assert any(result.won for result in results) and {result.code for result in results} <= {None, "NOT_FOUND"}
    for refund in live.refunds.list(actor=LI, limit=500).refunds:
        assert [entry.event for entry in live.history(refund.id)].count("erased") == 1


def test_two_imports_of_one_history_at_once(racers: Racers, live: Market, tmp_path: Path) -> None:
    """Each case comes in once, whoever was first."""
    cases = [a_past_case(number, order={"buyer_id": f"old-{number}"}) for number in range(1, 13)]
    path = str(write_jsonl(tmp_path / "cases.jsonl", cases))
    lane = [call("history_import", path, actor=SHOP, batch=5)]

    [results] = compete(racers, live, lane, lane)
    assert sum(result.value.imported for result in results) == 12
    assert all(result.value.imported + result.value.unchanged == 12 for result in results)


def test_erasures_of_many_buyers_at_once(racers: Racers, live: Market) -> None:
    """The register of erasures is one chain: its entries are in order of time, whoever looked at the clock first."""
    lanes = [
        [call("privacy_erase", f"b-{lane}-{number}", reason="request 7", actor=CHEN) for number in range(ROUNDS)]
        for lane in range(RACERS)
    ]
    for lane in range(RACERS):
        for number in range(ROUNDS):
            live.order(buyer_id=f"b-{lane}-{number}")

    assert all(result.won for results in compete(racers, live, *lanes) for result in results)
