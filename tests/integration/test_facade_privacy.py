"""Personal data: nothing that can identify a person stands in clear anywhere in either database."""

import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from refundflow.errors import Refused
from refundflow.store import Store
from refundflow.vault import MASK
from tests.support.databases import Databases, Prepare
from tests.support.market import BUYER, CHEN, LI, SHOP, ZHAO, Market, a_file, prepare_live, prepare_rehearsal

pytestmark = pytest.mark.partitioned

MARK = "Wang-Xiaoming-Secret-4711"


def stored(url: str) -> Iterator[bytes]:
    """Yield everything that a database keeps: the bytes of its files, or of every column of every row."""
    if url.startswith("sqlite:///"):
        path = Path(url.removeprefix("sqlite:///"))
        yield from (file.read_bytes() for file in path.parent.glob(f"{path.name}*"))
        return
    with psycopg.connect(url) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (table,) in tables:
            for row in connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(table))):
                yield b"\n".join(value if isinstance(value, bytes) else str(value).encode() for value in row)


def a_whole_story(market: Market, buyer: str) -> str:
    """Put the mark into every text, file and name that a refund takes; the answer is the refund."""
    who, text = f"buyer:{buyer}", f"{MARK} says so"
    files = [a_file(content=f"{MARK} in a picture".encode(), filename=f"{MARK}.png")]
    order = market.order(buyer_id=buyer)
    refund = market.submit(order, actor=who, note=text, evidence=files, key="k1").id
    market.act(refund, "begin_review", LI, message=text)
    market.act(refund, "note", LI, message=text, contact="phone")
    market.act(refund, "request_evidence", LI, kinds=["chat_log"], message=text)
    market.act(refund, "provide_evidence", who, evidence=[a_file("chat_log", MARK.encode())], message=text)
    market.act(refund, "offer", LI, amount=100, message=text)
    market.act(refund, "counter_offer", who, amount=200, message=text)
    market.act(refund, "decline_offer", LI, message=text)
    for _ in range(2):
        with pytest.raises(Refused):
            market.act(refund, "uphold", LI, message=text)
    market.act(refund, "flag_risk", LI, flag="MANY", message=text)
    market.act(refund, "extend", CHEN, days=1, message=text)
    market.act(refund, "reject", LI, grounds=["DELIVERY_PROVEN"], message=text)
    market.act(refund, "appeal", who, message=text, evidence=[a_file("statement", f"{MARK}!".encode())])
    market.act(refund, "overturn", ZHAO, message=text)
    market.refunds.work(at=market.at)
    market.act(refund, "raise_enquiry", who, message=text)
    market.act(refund, "answer_enquiry", LI, answer="ARRIVED_PER_CHANNEL", message=text)
    with pytest.raises(Refused):
        market.refunds.submit(order, reason="OTHER", note=text, actor=SHOP, buyer=buyer, at=market.at)
    return refund


@pytest.mark.parametrize(("mode", "prepare"), [("rehearsal", prepare_rehearsal), ("live", prepare_live)])
def test_texts_names_and_files_stand_in_clear_nowhere(databases: Databases, mode: str, prepare: Prepare) -> None:
    """No column and no byte of the database holds a text, a buyer's id, a file's name or its content."""
    market = Market(databases.copy_of(mode, prepare))
    refund = a_whole_story(market, MARK)
    market.close()
    kept = list(stored(market.url))

    assert any(refund.encode() in data for data in kept)  # the scan sees what is there
    assert not any(MARK.encode() in data for data in kept)


def test_the_bodies_of_entries_hold_commitments_only(market: Market) -> None:
    """A body names a text and binds it by a value that is another for each entry."""
    refund = a_whole_story(market, MARK)
    with Store.open(market.url) as store, store.read() as tx:
        bodies = [entry.parsed() for entry in tx.entries(refund, order_id=market.get(refund).order_id)]
    values = [value for body in bodies for value in body["texts"].values()]

    assert len(values) > 10 and len(set(values)) == len(values)
    assert all(len(value) == 64 for value in values)
    assert MARK not in json.dumps(bodies)


def test_who_may_see_the_texts_reads_them_back(market: Market) -> None:
    """What was written encrypted comes back whole in the history, for staff and buyer."""
    refund = a_whole_story(market, MARK)
    for reader in (LI, f"buyer:{MARK}"):
        texts = [text for entry in market.history(refund, reader) for text in entry.texts.values()]
        assert texts.count(f"{MARK} says so") >= 8
    assert market.get(refund).buyer_id == MARK


def test_card_codes_and_passwords_are_masked_at_the_door(market: Market) -> None:
    """Not even the encrypted text holds a secret that the buyer typed in."""
    note = "The code K7Q2-M9X4-PL3D does not work, my password is hunter2."
    refund = market.submit(note=note).id
    shown = market.history(refund)[0].texts["note"]

    assert shown is not None and MASK in shown
    assert "hunter2" not in shown and "M9X4" not in shown


def test_the_numbers_of_the_case_itself_stay(market: Market) -> None:
    """Its order, its refund and its payment may look like codes: what is said of them can be read."""
    order = market.order("K7Q2M9X4PL", payment_no="Z8W3N5Y6QR")
    note = f"Order {order}, refund {order}-1-1, payment code Z8W3N5Y6QR, not code Z8W3N5Y6QS."
    refund = market.submit(order).id
    market.act(refund, "note", LI, message=note)

    assert market.history(refund)[-1].texts["message"] == note.replace("Z8W3N5Y6QS", MASK)


def test_a_buyer_named_as_assignee_is_not_written_down(market: Market) -> None:
    """Assigning to the claimant is refused without his id in the entry."""
    refund = market.submit(market.order(buyer_id=MARK), actor=f"buyer:{MARK}").id
    with pytest.raises(Refused, match="CLAIMANT_DECIDES"):
        market.act(refund, "assign", CHEN, to=MARK)
    market.close()

    assert not any(MARK.encode() in data for data in stored(market.url))


def test_the_same_file_of_a_buyer_is_stored_once(market: Market) -> None:
    """Equal content is kept once per buyer, and never shared between buyers."""
    first, second = market.submit(evidence=[a_file()]).id, market.submit(evidence=[a_file()]).id
    market.submit(market.order(buyer_id="ma"), actor="buyer:ma", evidence=[a_file()])
    market.act(first, "add_evidence", BUYER, evidence=[a_file("chat_log")])
    with Store.open(market.url) as store, store.read() as tx:
        commits = {e["commit"] for case in tx.find(limit=9) for e in case["evidence"].values()}

    assert len(commits) == 2 and market.get(second).evidence[0].file == 1
