"""The dossier in every state and after an erasure, and the file of a case that it is made from, on both databases."""

import re
import sqlite3
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from xml.etree.ElementTree import Element

import psycopg
import pytest

from refundflow.dossier import page
from refundflow.dossier.page import CHARTS
from refundflow.errors import NotFound
from refundflow.messages import Language
from refundflow.service import Refunds
from states.refund_v1 import CHART
from tests.integration.test_demo import prepare
from tests.support.databases import Databases
from tests.support.market import BUYER, CHEN, LI, SHOP, WAY, WU, Market, a_file
from tests.support.pages import parsed, words

LANGUAGES: tuple[Language, ...] = ("en", "zh")


def run(market: Market, statement: str) -> None:
    """Change the database behind the facade's back."""
    if market.url.startswith("sqlite:///"):
        with sqlite3.connect(market.url.removeprefix("sqlite:///")) as database:
            database.execute(statement)
        database.close()
        return
    with psycopg.connect(market.url) as connection:
        connection.execute(statement)


def shown(market: Market, refund: str, actor: str = WU, language: Language = "en") -> str:
    """Return the words of a dossier, once its page is found valid."""
    file = market.refunds.case_file(refund, actor=actor, at=market.at)
    (body,) = parsed(page(file, language)).iter("body")
    return words(body)


@pytest.mark.parametrize("state", sorted(WAY))
def test_every_state_has_its_dossier(market: Market, state: str) -> None:
    """In every leaf of the chart the page is valid in both languages, for staff and for the buyer."""
    refund = market.to(state)

    for language in LANGUAGES:
        for actor in (WU, BUYER):
            told = shown(market, refund, actor, language)
            assert refund in told and CHART in told and "{" not in told


@pytest.mark.parametrize("days", [1, 5, 40])
def test_a_dossier_of_what_was_left_lying(market: Market, days: int) -> None:
    """Promises that nobody keeps are told as missed, by how much and how often somebody was told."""
    refund = market.to("under_review.reviewing")
    market.later(days=days)

    told = shown(market, refund)

    assert ("overdue by" in told) == (days > 1)
    assert ("escalated" in told) == (days > 1)
    assert "The reviewer decides by Wed 4 Mar 2026, 24:00." in told, "what was promised, whatever was set again"


def test_a_case_file_is_one_snapshot(market: Market) -> None:
    """The file has the refund, its line, both histories, and the digests of what was given."""
    refund = market.submit(evidence=[a_file(content=b"one"), a_file("chat_log", b"two")]).id
    market.act(refund, "begin_review", LI)

    file = market.refunds.case_file(refund, actor=WU, at=market.at)

    assert file.refund == market.get(refund, WU)
    assert file.entries == market.history(refund, WU)
    assert file.line_entries == market.history(f"{file.refund.order_id}/1", WU)
    assert (file.stored, file.head) == (2, file.entries[-1].hash)
    assert file.digests == {1: sha256(b"one").hexdigest(), 2: sha256(b"two").hexdigest()}
    assert (file.zone, file.made_at, file.rehearsal, file.for_buyer) == ("Asia/Shanghai", market.now, True, False)


def test_a_checkpoint_that_binds_the_case_is_told(market: Market, tmp_path: Path) -> None:
    """The newest checkpoint is told with its root, its signed note, and how many entries of the case are under it."""
    refund = market.to("under_review.reviewing")
    assert market.refunds.case_file(refund, actor=WU, at=market.at).checkpoint is None
    assert "No checkpoint binds" in shown(market, refund)
    unsigned = market.refunds.checkpoint(at=market.at)
    assert unsigned.root in shown(market, refund) and "Nobody has signed" in shown(market, refund)

    market.refunds.signing_key = tmp_path / "log.key"
    market.refunds.key_create(actor=CHEN, origin="shop.example/refunds", at=market.at)
    market.act(refund, "note", LI, message="signed from here on")
    signed = market.refunds.checkpoint(at=market.at)
    market.act(refund, "note", LI, message="not under it yet")

    file = market.refunds.case_file(refund, actor=WU, at=market.at)
    told = shown(market, refund)
    assert (file.checkpoint, file.stored, file.covered) == (signed, 4, 3)
    assert signed.note is not None and " ".join(signed.note.split()) in told
    assert "The first 3 entries" in told and "not under it yet: 1." in told and "audit prove" in told


def test_a_case_file_is_for_those_who_may_see_it(market: Market) -> None:
    """Another buyer, or a service that acts for one, finds nothing; a buyer's file says that it is his."""
    refund = market.submit().id

    assert market.refunds.case_file(refund, actor=BUYER, at=market.at).for_buyer
    for actor, buyer in (("buyer:zhang", None), (SHOP, "zhang")):
        with pytest.raises(NotFound):
            market.refunds.case_file(refund, actor=actor, at=market.at, buyer=buyer)


def test_a_buyer_sees_no_piece_of_evidence_that_is_internal(market: Market) -> None:
    """What the staff attached for itself is in the staff's copy alone."""
    refund = market.submit().id
    market.act(refund, "add_evidence", LI, evidence=[a_file("usage_meter", b"meter")], audience="internal")
    digest = sha256(b"meter").hexdigest()

    assert digest in shown(market, refund)
    assert digest not in shown(market, refund, BUYER)


@pytest.mark.parametrize(("language", "erased"), [("en", "erased"), ("zh", "已抹除")])
def test_an_erased_buyer_is_told_as_erased(market: Market, language: Language, erased: str) -> None:
    """Once the key is gone neither name, texts nor evidence are in a dossier, and the entries still are."""
    refund = market.submit(note="My secret reason.", evidence=[a_file(content=b"pixels")]).id
    run(market, "UPDATE buyers SET lookup = NULL, key = NULL, cipher = NULL")

    told = shown(market, refund, language=language)

    assert "wang" not in told and "My secret reason." not in told and sha256(b"pixels").hexdigest() not in told
    assert told.count(erased) >= 3
    assert market.history(refund, WU)[0].hash[:12] in told


def test_evidence_that_was_changed_is_not_vouched_for(market: Market) -> None:
    """No digest is told of content that is not what was given."""
    refund = market.submit(evidence=[a_file(content=b"pixels")]).id
    run(market, "UPDATE evidence_content SET cipher = substr(cipher, 1, 20)")

    assert market.refunds.case_file(refund, actor=WU, at=market.at).digests == {}
    assert "is not what was given" in shown(market, refund)


def test_a_history_of_two_hundred_entries(market: Market) -> None:
    """A long history is told to its last entry, on one page of bearable size."""
    refund = market.to("under_review.reviewing")
    for number in range(200):
        market.now += timedelta(seconds=1)
        market.act(refund, "note", LI, message=f"第 {number} 次联系买家")

    file = market.refunds.case_file(refund, actor=WU, at=market.at)
    written = page(file, "zh")

    assert len(file.entries) == 202
    assert all(f"第 {number} 次联系买家" in written for number in range(200))
    assert len(written.encode()) < 400_000
    parsed(written)


@pytest.mark.slow
def test_every_case_of_the_demo_has_its_dossier(sqlite_databases: Databases) -> None:
    """Whatever happens in a month can be told in Chinese, on a valid page, without a code outside its frame."""
    with Refunds.connect(sqlite_databases.copy_of("demo", prepare)) as refunds:
        for refund in refunds.list(actor="auditor:bai", limit=200).refunds:
            for actor in ("auditor:bai", f"buyer:{refund.buyer_id}"):
                (body,) = parsed(page(refunds.case_file(refund.id, actor=actor), "zh")).iter("body")
                assert re.findall(r"\w*_\w+|\b(?:None|True|False)\b", beside_codes(body)) == [], refund.id


def beside_codes(element: Element) -> str:
    """Return the text of an element without codes, commands and what persons wrote."""
    if element.tag in ("code", "pre", "blockquote"):
        return ""
    inner = [beside_codes(child) + (child.tail or "") for child in element]
    return "".join([element.text or "", *inner])


def test_a_chart_that_cannot_be_drawn_is_left_out() -> None:
    """Every chart version of this release can be drawn."""
    assert set(CHARTS) == {CHART}
