"""Live and rehearsal databases: who is registered, what time it is, and that reads move nothing."""

import json
import logging
from datetime import UTC, datetime, timedelta

import pytest

from refundflow.errors import BadInput, NotInitialised, Refused, RoleNotAllowed
from refundflow.service import Refunds
from refundflow.store import Store
from tests.support.databases import Databases
from tests.support.market import (
    AMOUNT,
    BUYER,
    CHEN,
    LI,
    QIAN,
    SHOP,
    START,
    ZHAO,
    Market,
    a_file,
    order_row,
    prepare_live,
    prepare_rehearsal,
)  # fmt: skip

pytestmark = pytest.mark.partitioned


def test_a_live_database_takes_no_time_from_a_caller(live: Market) -> None:
    """Every act and every read that is told a time is refused, and nothing is recorded."""
    refund = live.to("submitted")
    order, at = live.get(refund).order_id, datetime.now(UTC)
    entries = live.refunds.verify().entries
    calls = (
        lambda: live.refunds.begin_review(refund, actor=LI, at=at),
        lambda: live.refunds.submit(order, reason="CODE_INVALID", actor=BUYER, at=at),
        lambda: live.refunds.record_usage(order, usage="used", actor=SHOP, at=at),
        lambda: live.refunds.register_order(order_row("A9"), actor=SHOP, at=at),
        lambda: live.refunds.staff_add("new", roles=["agent"], actor=CHEN, at=at),
        lambda: live.refunds.get(refund, actor=LI, at=at),
        lambda: live.refunds.line(order, actor=LI, at=at),
        lambda: live.refunds.check(order, actor=BUYER, at=at),
        lambda: live.refunds.explain(refund, actor=LI, at=at),
        lambda: live.refunds.queue(actor=LI, at=at),
        lambda: live.refunds.work(at=at),
    )
    for call in calls:
        with pytest.raises(BadInput, match="takes no time"):
            call()

    assert live.refunds.verify().entries == entries


def require_unknown(live: Market, refund: str, actor: str) -> None:
    """Require that somebody neither acts nor reads, wherever he tries."""
    order = live.get(refund, ZHAO).order_id
    calls = (
        lambda: live.refunds.begin_review(refund, actor=actor),
        lambda: live.refunds.submit(order, reason="OTHER", actor=actor),
        lambda: live.refunds.get(refund, actor=actor),
        lambda: live.refunds.history(refund, actor=actor),
        lambda: live.refunds.list(actor=actor),
        lambda: live.refunds.queue(actor=actor),
        lambda: live.refunds.check(order, actor=actor),
        lambda: live.refunds.export(format="csv", output="never-written.csv", actor=actor),
    )
    for call in calls:
        with pytest.raises(RoleNotAllowed) as refused:
            call()
        assert refused.value.blockers[0].code == "NOT_REGISTERED"


@pytest.mark.parametrize("actor", ["agent:nobody", "agent:qian", "supervisor:li", "finance:shop"])
def test_only_registered_persons_act_in_their_roles(live: Market, actor: str) -> None:
    """Who is not registered, or not in that role, neither acts nor reads."""
    refund = live.to("submitted")

    require_unknown(live, refund, actor)

    assert len(live.history(refund)) == 1


def test_a_disabled_person_acts_no_more(live: Market) -> None:
    """Disabling takes effect at once, for reading too; the past stays."""
    refund = live.to("under_review.reviewing")
    live.refunds.staff_disable("li", actor=CHEN)

    require_unknown(live, refund, LI)

    assert live.act(refund, "approve", ZHAO).state == "approved.payable"
    assert "li" in [entry.actor_name for entry in live.history(refund, ZHAO)]


@pytest.mark.parametrize("actor", ["channel:fake", "system:system"])
def test_channel_and_system_are_never_taken_from_a_caller(live: Market, actor: str) -> None:
    """The inner roles are refused at the door, in acts and in reads."""
    refund = live.to("approved.paying")
    [attempt] = live.get(refund).attempts
    proof = {"number": attempt.number, "amount": AMOUNT, "currency": "CNY", "proof": "p"}
    with pytest.raises(RoleNotAllowed):
        live.act(refund, "payout_settled", actor, **proof)
    with pytest.raises(RoleNotAllowed):
        live.refunds.get(refund, actor=actor)

    assert live.get(refund).state == "approved.paying"


@pytest.mark.parametrize("actor", ["li", "agent:", "king:li", ":li", ""])
def test_an_actor_is_a_role_and_a_name(live: Market, actor: str) -> None:
    """Anything else is bad input."""
    refund = live.to("submitted")
    with pytest.raises(BadInput, match="names no actor"):
        live.act(refund, "begin_review", actor)


def test_only_a_supervisor_changes_the_register(live: Market) -> None:
    """Others are refused; the first supervisor of a database registers himself."""
    for actor in (LI, SHOP, QIAN, "supervisor:nobody"):
        with pytest.raises(RoleNotAllowed):
            live.refunds.staff_add("nobody", roles=["supervisor"], actor=actor)

    assert "nobody" not in [who.name for who in live.refunds.staff_list()]


def test_work_goes_only_to_who_may_do_it(live: Market) -> None:
    """A refund is assigned to an active agent or supervisor: whoever else is registered could do nothing with it."""
    refund = live.to("under_review.reviewing")
    for name in ("qian", "wu", "shop"):  # finance, auditor, service
        with pytest.raises(Refused) as refused:
            live.act(refund, "assign", CHEN, to=name)
        assert refused.value.code == "NOT_REGISTERED"

    assert live.act(refund, "assign", LI, to="chen").assignee == "chen"


def test_a_live_database_keeps_the_time_itself(live: Market) -> None:
    """Effective times are now, of one clock, and never go back along a line."""
    before = datetime.now(UTC) - timedelta(seconds=2)
    refund = live.to("approved.payable")
    history = live.history(refund)

    assert [entry.effective_at for entry in history] == sorted(entry.effective_at for entry in history)
    assert before < history[0].effective_at <= history[-1].recorded_at < datetime.now(UTC) + timedelta(seconds=2)


def test_a_live_refund_is_paid_by_work(live: Market) -> None:
    """`work` in a live database needs no time: it dispatches, sends and settles."""
    refund = live.to("paid_out.settled")

    assert live.channel.paid(f"pay-{live.get(refund).order_id}") == AMOUNT
    live.require_sound()


def test_the_mode_of_a_database_is_for_ever(databases: Databases) -> None:
    """Live stays live, a rehearsal stays one, and what was never made ready cannot be opened."""
    live, rehearsal = (databases.copy_of("live", prepare_live), databases.copy_of("rehearsal", prepare_rehearsal))
    with pytest.raises(BadInput, match="for ever"):
        Refunds.init(live, rehearsal=True)
    with pytest.raises(BadInput, match="for ever"):
        Refunds.init(rehearsal)
    with pytest.raises(NotInitialised):
        Refunds.connect(databases.empty())


def test_the_time_of_a_rehearsal_never_goes_backwards(market: Market) -> None:
    """An act, a read or a round of work before the time reached is refused; without a time it is the time reached."""
    refund = market.to("submitted")
    market.later(hours=1)
    market.act(refund, "begin_review", LI)
    past = START + timedelta(minutes=30)
    for call in (
        lambda: market.refunds.note(refund, message="late", actor=LI, at=past),
        lambda: market.refunds.get(refund, actor=LI, at=past),
        lambda: market.refunds.work(at=past),
    ):
        with pytest.raises(BadInput, match="never goes backwards"):
            call()

    assert market.refunds.note(refund, message="now", actor=LI).effective_at == market.now


def test_a_time_without_offset_is_refused(market: Market) -> None:
    """A naive time is bad input, never guessed."""
    refund = market.to("submitted")
    with pytest.raises(BadInput, match="offset"):
        market.refunds.begin_review(refund, actor=LI, at=datetime(2027, 1, 1))  # noqa: DTZ001


def rows(market: Market) -> str:
    """Write out every stored row of lines, refunds and entries."""
    with Store.open(market.url) as store, store.read() as tx:
        return repr([list(tx.scan_lines()), list(tx.scan_refunds()), list(tx.scan_entries()), list(tx.effects(999))])


def test_a_read_shows_what_a_move_would_find_and_moves_nothing(market: Market) -> None:
    """Long after the deadlines every read shows the lapsed state, and not a row has changed."""
    offered, rejected = market.to("under_review.negotiating"), market.to("rejected.appealable")
    before = rows(market)
    market.later(days=5)
    read = market.refunds
    shown = [
        [read.get(offered, actor=LI, at=market.at).state, read.get(rejected, actor=BUYER, at=market.at).state],
        [item.state for item in read.list(actor=LI, at=market.at).refunds],
        [read.explain(name, actor=LI, at=market.at).refund.state for name in (offered, rejected)],
    ]
    read.queue(actor=LI, at=market.at)
    read.check(market.get(offered).order_id, actor=BUYER, at=market.at)
    read.history(offered, actor=LI, at=market.at)
    left = read.line(market.get(rejected).order_id, actor=LI, at=market.at).left_minor
    read.verify()

    assert shown == [["under_review.reviewing", "rejected.closed"]] * 3
    assert left == AMOUNT
    assert read.list(actor=LI, at=market.at, state="negotiating").refunds == ()
    assert rows(market) == before


def test_one_log_line_per_entry_without_personal_data(market: Market, caplog: pytest.LogCaptureFixture) -> None:
    """Each entry of a refund is one JSON line with refund, seq, event, actor, key and correlation, and no texts."""
    with caplog.at_level(logging.INFO, "refundflow"):
        refund = market.submit(note="MARKER", evidence=[a_file(filename="MARKER.png")], key="k1", correlation="c-9").id
        market.act(refund, "begin_review", LI)
        with pytest.raises(Refused):
            market.act(refund, "uphold", LI, message="MARKER")
    told = [json.loads(record.message) for record in caplog.records if record.name == "refundflow.moves"]
    told = [line for line in told if line["refund"] == refund]

    assert [(line["seq"], line["event"], line["kind"]) for line in told] == [
        (1, "submit", "applied"), (2, "begin_review", "applied"), (3, "uphold", "refused"),
    ]  # fmt: skip
    assert (told[0]["key"], told[0]["correlation"], told[1]["actor"]) == ("k1", "c-9", LI)
    assert "MARKER" not in caplog.text and "wang" not in caplog.text
    assert market.history(refund)[0].correlation == "c-9"


def test_the_first_supervisor_registers_himself_and_nobody_else(databases: Databases) -> None:
    """Where nobody is registered yet, one who is not can neither name others nor take another role."""
    url = databases.empty()
    Refunds.init(url)
    with Refunds.connect(url) as refunds:
        for name, roles in (("eve", ["supervisor"]), ("mallory", ["agent"])):
            with pytest.raises(RoleNotAllowed):
                refunds.staff_add(name, roles=roles, actor="supervisor:mallory")

        refunds.staff_add("zhao", roles=["supervisor"], actor="supervisor:zhao")
        with pytest.raises(RoleNotAllowed):
            refunds.staff_add("mallory", roles=["supervisor"], actor="supervisor:mallory")

        assert [member.name for member in refunds.staff_list()] == ["zhao"]


def test_the_only_supervisor_stays_one(live: Market) -> None:
    """Disabled or without the role he would leave the register open to whoever comes first."""
    with pytest.raises(BadInput, match="only supervisor"):
        live.refunds.staff_disable("chen", actor=CHEN)
    with pytest.raises(BadInput, match="only supervisor"):
        live.refunds.staff_add("chen", roles=["agent"], actor=CHEN)

    live.refunds.staff_add("tang", roles=["supervisor"], actor=CHEN)

    assert not live.refunds.staff_disable("chen", actor="supervisor:tang").active


def test_a_person_registered_at_a_moment_moves_the_time_of_a_rehearsal(databases: Databases) -> None:
    """The next one without a time comes after him, so that the chain of the register never goes backwards."""
    url = databases.empty()
    Refunds.init(url, rehearsal=True)
    with Refunds.connect(url) as refunds:
        refunds.staff_add("zhao", roles=["supervisor"], actor="supervisor:zhao", at=START)

        refunds.staff_add("li", roles=["agent"], actor="supervisor:zhao")

        assert refunds.verify().ok and refunds.now() == START
