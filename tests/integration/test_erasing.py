"""Erasing a buyer on both databases: nothing can be read any more, everything verifies, whatever interrupts it."""

import errno
import fcntl
import multiprocessing
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from refundflow import doctor, metrics, migrations, policies, values
from refundflow.errors import BadInput, Busy, NotFound, Refused, RoleNotAllowed
from refundflow.outbox import Message
from refundflow.service import Refunds
from refundflow.store import REGISTER_ORDER, Store, Tx, sqlite
from refundflow.store.people import ADD_PERSONAL
from tests.integration.test_facade_privacy import MARK, a_whole_story, stored
from tests.support import mortal_host
from tests.support.databases import Databases
from tests.support.market import CHEN, LI, QIAN, SHOP, WU, Market, a_file, prepare_live

WHO = f"buyer:{MARK}"
TEXT = "The second card was never sent."


def a_past(market: Market, *, orders: int = 1) -> list[str]:
    """Leave a buyer with a long story, and more orders with a claim that he took back."""
    told = [a_whole_story(market, MARK)]
    market.act(told[0], "confirm_receipt", WHO)
    for _ in range(orders - 1):
        refund = market.submit(market.order(buyer_id=MARK), actor=WHO, note=TEXT, evidence=[a_file()], key="k").id
        market.act(refund, "withdraw", WHO)
        told.append(refund)
    return told


def erase(market: Market, buyer: str = MARK, **terms: Any) -> values.Erasure:
    """Erase a buyer now."""
    return market.refunds.privacy_erase(buyer, **{"reason": "request 7", "actor": CHEN, "at": market.at} | terms)


def interrupt(done: int) -> None:
    """Interrupt a call that tells how far it is."""
    raise KeyboardInterrupt


def key_of(url: str) -> bytes:
    """Return the bytes of the key of the marked buyer: the one with the most texts."""
    query = (
        "SELECT key FROM buyers WHERE ref = (SELECT buyer FROM personal GROUP BY buyer ORDER BY count(*) DESC LIMIT 1)"
    )
    if url.startswith("sqlite"):
        with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
            found = connection.execute(query).fetchone()
        connection.close()
    else:
        with psycopg.connect(url) as other:
            found = other.execute(query).fetchone()
    assert found is not None
    return bytes(found[0])


def test_nothing_can_be_read_and_everything_verifies(market: Market) -> None:
    """Texts, name and files are gone for every reader, state and money stay, an entry says who and why."""
    refund, other = a_past(market, orders=2)
    before = market.get(refund)
    done = erase(market)

    assert (done.lines, done.refunds, done.resumed) == (2, 2, False) and done.texts > 10 and done.files >= 3
    after = market.get(refund)
    assert after.buyer_id is None and after.texts == {}
    assert (after.state, after.settled_minor) == (before.state, before.settled_minor)
    history = market.history(refund)
    assert {text for entry in history for text in entry.texts.values()} == {None}
    last = history[-1]
    assert (last.event, last.kind, last.actor_name, last.params["reason"]) == ("erased", "fact", "chen", "request 7")
    assert market.history(f"{before.order_id}/1")[-1].event == "erased" == market.history(other)[-1].event
    market.require_sound()
    assert market.refunds.replay().ok


def test_nobody_sees_more_than_erased(market: Market, tmp_path: Path) -> None:
    """Every way to read copes with an erased buyer, and he himself finds nothing."""
    refund = a_past(market)[0]
    order = market.get(refund).order_id
    moment = market.now
    erase(market)

    for reader in (WHO, "buyer:erased"):
        with pytest.raises(NotFound):
            market.get(refund, reader)
    assert market.refunds.list(actor=LI, customer=MARK, at=market.at).refunds == ()
    assert [item.id for item in market.refunds.list(actor=LI, at=market.at).refunds] == [refund]
    assert market.refunds.list(actor=WHO, at=market.at).refunds == ()
    assert market.line(order).buyer_id is None and market.refunds.queue(actor=LI, at=market.at) == ()
    assert market.refunds.explain(refund, actor=LI, at=market.at).refund.buyer_id is None
    assert market.refunds.get(refund, actor=LI, at=market.at, as_of=moment).buyer_id is None
    assert {check.outcome for check in market.refunds.check(order, actor=SHOP, at=market.at)}
    market.refunds.count()
    path = tmp_path / "entries.jsonl"
    market.refunds.export(format="jsonl", output=str(path), actor=WU, at=market.at)
    market.refunds.export_as_of(format="jsonl", output=str(tmp_path / "past"), actor=WU, at=market.at, as_of=moment)
    assert MARK not in path.read_text(encoding="utf-8")


def test_what_waits_to_leave_leaves_without_texts(market: Market) -> None:
    """Messages that have not been delivered yet still go, without a word of his."""
    a_past(market)
    erase(market)
    told: list[Message] = []

    class Receiver:
        """Keeps what it is given."""

        def deliver(self, message: Message) -> None:
            """Take one message."""
            told.append(message)

    market.refunds.deliver(Receiver(), at=market.at)
    assert told and {text for message in told for text in message.texts.values()} <= {None}


def test_the_bytes_are_gone_from_the_file(sqlite_databases: Databases) -> None:
    """Neither the SQLite file nor its write-ahead log holds the key, the id or a text, whatever lies beside them."""
    market = Market(sqlite_databases.copy_of("live", prepare_live))
    names = [f"somebody-{number}" for number in range(300)]
    for name in names[:150]:
        market.order(buyer_id=name)
    a_past(market, orders=3)
    for name in names[150:]:
        market.order(buyer_id=name)
    key = key_of(market.url)
    assert any(key in data for data in stored(market.url))
    for name in names[140:160]:
        erase(market, name)
    erase(market)

    kept = list(stored(market.url))
    assert not any(key in data for data in kept) and not any(MARK.encode() in data for data in kept)
    assert not any(market.refunds.engine.vault.buyer_lookup(MARK)[:40].encode() in data for data in kept)
    market.require_sound()
    market.close()


def test_no_row_holds_the_key_any_more(market: Market) -> None:
    """On both databases no column of any row has the key, and of texts and files no row is left."""
    a_past(market, orders=2)
    key = key_of(market.url)
    erase(market)
    market.close()

    assert not any(key in data for data in stored(market.url))
    with migrations.connect(market.url) as connection:
        for table in ("personal", "evidence_content"):
            assert connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar() == 0


@pytest.mark.slow
def test_an_erasure_that_was_killed_is_ended_by_the_same_call(databases: Databases) -> None:
    """After death between any two transactions nothing can be read, all verifies, and the same call goes on."""
    after, finished, ended = 1, False, 0
    while not finished:
        market = Market(databases.copy_of("live", prepare_live))
        refunds = a_past(market, orders=3)
        lookup = market.refunds.engine.vault.buyer_lookup(MARK)
        market.close()
        host = multiprocessing.get_context("forkserver").Process(
            target=mortal_host.erase, args=(market.url, MARK, after)
        )
        host.start()
        host.join()
        market.restart()
        finished = host.exitcode == 0
        assert all(market.get(refund).buyer_id is None for refund in refunds)
        market.require_sound()
        if not finished and market.refunds.numbers().unfinished_erasures:
            assert erase(market).resumed
        elif not finished:
            ended += 1
        assert not any(lookup[:40].encode() in data for data in stored(market.url))
        assert {market.history(refund)[-1].event for refund in refunds} == {"erased"}
        with pytest.raises(NotFound):
            erase(market)
        market.require_sound()
        market.close()
        after += 1
    assert (after > 7, ended) == (True, 1)  # one death came after the end


@pytest.mark.parametrize("place", range(1, 9))
def test_two_who_erase_at_once_are_told_the_same(live: Market, place: int) -> None:
    """Whoever comes before any step of another and ends it says the same as he; the register says it once."""
    a_past(live, orders=2)
    first = Refunds.connect(live.url)
    write, told, left = first.engine.write, list[values.Erasure](), place

    def overtaken(work: Callable[[Tx], Any], *, wipe: bool = False) -> Any:
        nonlocal left
        left -= 1
        if left == 0:
            told.append(erase(live))
        return write(work, wipe=wipe)

    first.engine.write = overtaken  # type: ignore[method-assign]
    with first:
        try:
            told.append(first.privacy_erase(MARK, reason="request 7", actor=CHEN, batch=1))
        except NotFound:
            assert place == 1  # he had been erased before anything was asked
    assert len({(one.buyer, one.reason, one.erased_at, one.lines) for one in told}) == 1
    assert live.refunds.numbers().unfinished_erasures == 0
    with live.refunds.engine.store.read() as tx:
        events = [entry.event for entry in tx.entries("privacy", order_id=REGISTER_ORDER)]
    assert events == ["erasure_begun", "erasure_ended"]
    live.require_sound()


def test_an_erasure_that_was_interrupted_is_told(market: Market) -> None:
    """Until the same call ends it, the doctor names it and a metric counts it; an ended one is told by nobody."""
    a_past(market, orders=3)
    market.order(buyer_id="another")
    erase(market, "another")

    def told() -> tuple[str, str, str, bool]:
        [found] = [item for item in doctor.examine(market.url) if item.what == "erasures"]
        with market.refunds.engine.store.read() as tx:
            events = tx.entries("privacy", order_id=REGISTER_ORDER)
        ref = next(entry for entry in reversed(events) if entry.event == "erasure_begun").parsed()["params"]["buyer"]
        text = metrics.text(market.refunds)
        [number] = [line for line in text.splitlines() if line.startswith("refundflow_erasures_unfinished")]
        return found.verdict, found.detail, number.split()[1], str(ref) in found.detail

    with pytest.raises(KeyboardInterrupt):
        erase(market, batch=1, progress=interrupt)
    verdict, detail, number, named = told()
    assert (verdict, number, named) == ("warning", "1.0", True) and "request 7" in detail and MARK not in detail
    assert erase(market).resumed
    assert told() == ("ok", "none was begun and not ended", "0.0", False)


def test_a_refund_that_is_not_at_its_end_keeps_its_buyer(market: Market) -> None:
    """While something is open the erasure is refused with what and until when, and nothing is touched."""
    settled = market.to("paid_out.settled")
    opened = market.to("approved.payable")
    with pytest.raises(Refused) as refused:
        erase(market, "wang")

    found = {item.params["refund"]: item.until for item in refused.value.blockers}
    assert found.keys() == {settled, opened} and found[settled] is not None and found[opened] is None
    assert market.get(settled).buyer_id == "wang"
    market.refunds.chargeback_opened(
        market.order("C1", buyer_id="ma"), chargeback="cb", amount=100, actor=QIAN, at=market.at
    )
    with pytest.raises(Refused, match="CHARGEBACK_OPEN"):
        erase(market, "ma")
    market.require_sound()


def test_what_is_due_ends_a_refund_before_it_is_asked(market: Market) -> None:
    """A receipt that nobody confirmed is assumed at its moment, then the buyer can be erased."""
    refund = market.to("paid_out.settled")
    market.later(days=9)
    erase(market, "wang")

    assert [entry.event for entry in market.history(refund)][-2:] == ["receipt_assumed", "erased"]
    market.require_sound()


@pytest.mark.parametrize("actor", [LI, QIAN, WU, SHOP, "buyer:wang"])
def test_only_a_supervisor_shows_or_erases(market: Market, actor: str) -> None:
    """Nobody else, not even the buyer himself, who asks the marketplace."""
    market.to("withdrawn")
    for call in (
        lambda: erase(market, "wang", actor=actor),
        lambda: market.refunds.privacy_show("wang", actor=actor),
    ):
        with pytest.raises(RoleNotAllowed):
            call()


@pytest.mark.parametrize("reason", ["", "  ", "wang asked", "two\nlines", "x" * 200])
def test_the_reason_is_one_line_that_names_nobody(market: Market, reason: str) -> None:
    """It is kept for ever and in clear."""
    market.to("withdrawn")
    with pytest.raises(BadInput):
        erase(market, "wang", reason=reason)


def test_who_is_not_there_is_not_found(market: Market) -> None:
    """An unknown buyer, and one that was erased before, are the same."""
    market.to("withdrawn")
    erase(market, "wang")
    for buyer in ("wang", "nobody"):
        with pytest.raises(NotFound):
            erase(market, buyer)
        with pytest.raises(NotFound):
            market.refunds.privacy_show(buyer, actor=CHEN)


def test_a_buyer_who_comes_back_is_somebody_else(market: Market) -> None:
    """After the erasure a new order has a new reference, in a rehearsal too, and the old orders stay erased."""
    refund = a_past(market)[0]
    order = market.get(refund).order_id
    for _ in range(2):
        erase(market)
        again = market.submit(market.order(buyer_id=MARK), actor=WHO, note=TEXT)
        assert again.buyer_id == MARK and again.flags == ()
        assert [item.id for item in market.refunds.list(actor=WHO, at=market.at).refunds] == [again.id]
        market.act(again.id, "withdraw", WHO)
    assert market.line(order).buyer_id is None
    market.require_sound()


def test_facts_of_an_erased_line_are_still_told(market: Market) -> None:
    """The same order file again, usage, a chargeback, money that came back: the line goes on without a name."""
    refund = a_past(market)[0]
    order, number = market.get(refund).order_id, market.get(refund).attempts[0].number
    erase(market)
    market.refunds.record_usage(order, usage="used", actor=SHOP, at=market.at)
    amount = market.get(refund).settled_minor
    market.act(refund, "late_reversal", QIAN, number=number, amount=amount, currency="CNY", proof="r9")
    back = market.refunds.submit(order, reason="PAYOUT_RETURNED", returned=refund, actor=SHOP, at=market.at)
    with pytest.raises(BadInput, match="erased"):
        market.act(back.id, "note", LI, message=TEXT)

    assert back.buyer_id is None and back.claimed_minor == amount
    assert [item.refund.id for item in market.refunds.queue(actor=LI, at=market.at)] == [back.id]
    market.require_sound()


def test_a_key_that_was_used_before_the_erasure_is_answered(market: Market) -> None:
    """A repeat is known by its event: what else the request said cannot be compared any more."""
    refund = market.to("under_review.reviewing")
    noted = market.act(refund, "note", LI, message="Called.", key="n1")
    market.act(refund, "withdraw", "buyer:wang", key="w1")
    erase(market, "wang")

    assert market.act(refund, "note", LI, message="Called.", key="n1").seq == noted.seq
    with pytest.raises(Refused, match="KEY_REUSED"):
        market.act(refund, "flag_risk", LI, flag="F1", key="n1")
    with pytest.raises(NotFound):
        market.act(refund, "withdraw", "buyer:wang", key="w1")
    market.require_sound()


def forge(market: Market, statement: str) -> list[str]:
    """Change a row past the service; the answer is what verification finds."""
    market.close()
    with migrations.connect(market.url, write=True) as connection:
        connection.exec_driver_sql(statement)
    market.restart()
    return [f"{item.subject}: {item.what}" for item in market.refunds.verify().findings]


@pytest.mark.parametrize("statement", ["DELETE FROM buyers", "UPDATE buyers SET key = NULL"])
def test_a_key_that_somebody_removed_is_no_erasure(market: Market, statement: str) -> None:
    """Verification misses the entry that an erasure has."""
    order = market.get(a_past(market)[0]).order_id

    [found] = forge(market, statement)
    assert found == f"{order}/1: the key of its buyer's data is gone, and no entry says that he was erased"


def test_a_key_that_came_back_is_found(market: Market) -> None:
    """An old copy of the row beside newer chains is told."""
    order = market.get(a_past(market)[0]).order_id
    erase(market)
    value = "x'" + "01" * 32 + "'" if market.url.startswith("sqlite") else "'\\x" + "01" * 32 + "'::bytea"

    found = forge(market, f"UPDATE buyers SET key = {value}")
    assert f"{order}/1: its buyer was erased, but the key of his data is there" in found


def test_texts_that_came_back_are_found(market: Market) -> None:
    """Rows of an erased buyer that stand there again are told, though nobody can read them."""
    refund = market.submit(note=TEXT).id
    market.act(refund, "withdraw", "buyer:wang")
    with Store.open(market.url) as store, store.read() as tx:
        texts = tx.personal(market.get(refund).order_id, refund)
        ref = tx.find(limit=1)[0]["buyer"]
    erase(market, "wang")
    with Store.open(market.url) as store, store.write() as tx:
        for (seq, field), cipher in texts.items():
            kept = {
                "order_id": market.get(refund).order_id,
                "subject": refund,
                "seq": seq,
                "field": field,
                "buyer": ref,
            }
            tx.session.write({ADD_PERSONAL: [kept | {"cipher": cipher}]})

    assert [item.what for item in market.refunds.verify().findings] == ["texts of an erased buyer are still stored"]


def test_a_reader_that_holds_the_old_bytes_is_told(sqlite_databases: Databases) -> None:
    """While somebody reads the old state the call is not done, and says so; the next one ends it."""
    market = Market(sqlite_databases.copy_of("live", prepare_live))
    a_past(market)
    key = key_of(market.url)
    reader = sqlite3.connect(market.url.removeprefix("sqlite:///"), isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM buyers").fetchone()
    with Refunds(Store.open(market.url, wait_seconds=0.2), policy=policies.default()) as impatient:
        with pytest.raises(Busy, match="same call again"):
            impatient.privacy_erase(MARK, reason="request 7", actor=CHEN)
        reader.close()
        assert impatient.privacy_erase(MARK, reason="request 7", actor=CHEN).resumed
    market.require_sound()
    market.close()

    assert not any(key in data for data in stored(market.url))


class ReadAtTheEnd(Store):
    """A file that somebody begins to read as soon as the bytes of the key are gone."""

    reader: sqlite3.Connection | None = None

    def settle(self) -> bool:
        """Settle, and let the reader come the first time."""
        done = super().settle()
        if self.reader is None:
            self.reader = sqlite3.connect(self.url.removeprefix("sqlite:///"), isolation_level=None)
            self.reader.execute("BEGIN")
            self.reader.execute("SELECT count(*) FROM buyers").fetchone()
        return done


def test_a_reader_that_comes_at_the_very_end_is_told(sqlite_databases: Databases) -> None:
    """The call that could not overwrite the last of the buyer is ended by the same call, and has ended once."""
    market = Market(sqlite_databases.copy_of("live", prepare_live))
    a_past(market)
    lookup = market.refunds.engine.vault.buyer_lookup(MARK)
    with ReadAtTheEnd.open(market.url, wait_seconds=0.2) as store:
        refunds = Refunds(store, policy=policies.default())
        for _ in range(2):
            with pytest.raises(Busy, match="same call again"):
                refunds.privacy_erase(MARK, reason="request 7", actor=CHEN)
            assert refunds.numbers().unfinished_erasures == 1
        assert store.reader is not None
        store.reader.close()
        assert refunds.privacy_erase(MARK, reason="request 7", actor=CHEN).resumed
        with pytest.raises(NotFound):
            refunds.privacy_erase(MARK, reason="request 7", actor=CHEN)
        assert not any(lookup[:40].encode() in data for data in stored(market.url))
        with store.read() as tx:
            told = [entry.event for entry in tx.entries("privacy", order_id=REGISTER_ORDER)]
    assert told == ["erasure_begun", "erasure_ended"]
    market.require_sound()
    market.close()


class LockedAtTheEnd(Store):
    """A file that another writer holds whenever the bytes of the key are to be overwritten."""

    def settle(self) -> bool:
        """Settle while the lock is held."""
        with Path(f"{self.url.removeprefix('sqlite:///')}.lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            return super().settle()


def test_a_writer_that_holds_the_file_is_told(sqlite_databases: Databases) -> None:
    """Who waits for the writers' lock in vain learns that the same call goes on."""
    market = Market(sqlite_databases.copy_of("live", prepare_live))
    a_past(market)
    with LockedAtTheEnd.open(market.url, wait_seconds=0.1) as store, pytest.raises(Busy, match="same call again"):
        Refunds(store, policy=policies.default()).privacy_erase(MARK, reason="request 7", actor=CHEN)
    assert erase(market).resumed
    market.close()


def test_a_disk_that_does_not_cut_the_old_bytes_off_is_told(
    sqlite_databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call is not done, says so, and is called again."""

    def refuse(file: Path) -> None:
        raise OSError(errno.EIO, f"{file}: {os.strerror(errno.EIO)}")

    market = Market(sqlite_databases.copy_of("live", prepare_live))
    a_past(market)
    with monkeypatch.context() as failing:
        failing.setattr(sqlite, "keep_content", refuse)
        with pytest.raises(Busy, match="same call again"):
            market.refunds.privacy_erase(MARK, reason="request 7", actor=CHEN)
    assert market.refunds.privacy_erase(MARK, reason="request 7", actor=CHEN).resumed
    market.close()


def test_all_that_is_kept_is_shown(market: Market) -> None:
    """Orders, refunds, every text in clear, every file by name and hash."""
    refund = a_past(market, orders=2)[0]
    found = market.refunds.privacy_show(MARK, actor=CHEN, at=market.at)

    assert (found.buyer_id, len(found.orders), len(found.refunds)) == (MARK, 2, 2)
    assert sum(item.text == f"{MARK} says so" for item in found.texts if item.subject == refund) >= 12
    assert {item.name for item in found.files} >= {f"{MARK}.png"} and all(item.sha256 for item in found.files)


def test_an_erasure_holds_nobody_up_for_long(live: Market) -> None:
    """Each transaction of an erasure has at most the lines of a batch."""
    for _ in range(7):
        live.order(buyer_id="ma")
    told: list[int] = []
    live.refunds.privacy_erase("ma", reason="request 7", actor=CHEN, progress=told.append, batch=3)

    assert told == [3, 3, 1]
    live.require_sound()
