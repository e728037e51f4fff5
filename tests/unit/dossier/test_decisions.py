"""Decisions of a history: by one, by two, by the rules, by another system, and what is none."""

from typing import Any

from refundflow.dossier.decisions import decided, sentence
from refundflow.dossier.html import Markup
from refundflow.dossier.reader import Reader
from tests.support.pages import START, entry, parsed, words

READER = Reader(language="en", zone="Asia/Shanghai", currency="CNY", now=START)
SUBMITTED = entry(1, "submit", "submitted", before=None)
REVIEWING = "under_review.reviewing"


def told(*entries: object) -> list[str]:
    """Say every decision of a history in words."""
    found = [sentence(READER, item) for item in decided([SUBMITTED, *entries])]  # type: ignore[list-item]
    return [_plain(markup) for markup in found]


def _plain(markup: Markup) -> str:
    (body,) = parsed(f"<!doctype html><html><head><title>x</title></head><body>{markup}</body></html>").iter("body")
    return words(body)


def test_one_person_decides() -> None:
    """A decision names who decided and when; a refused one is none, and neither is a note."""
    refused = entry(2, "approve", REVIEWING, kind="refused")
    rejected = entry(4, "reject", "rejected.appealable", before=REVIEWING, params={"grounds": ["DELIVERY_PROVEN"]})

    assert told(refused, entry(3, "note", REVIEWING), rejected) == [
        "Rejected by agent li on Mon 2 Mar 2026, 10:00."
    ]  # fmt: skip
    assert decided([SUBMITTED, rejected])[0].grounds == ("DELIVERY_PROVEN",)


def test_two_persons_decide() -> None:
    """Both of two are named; a first that was taken back, or fell with the state, is not."""
    first = entry(2, "approve", REVIEWING, params={"first": True})
    back = entry(3, "take_back", REVIEWING, kind="fact", params={"event": "approve"})
    asked = entry(3, "request_evidence", "awaiting_evidence", before=REVIEWING)
    second = entry(4, "approve", "approved.payable", before=REVIEWING, actor_name="zhao")

    assert told(first, second) == ["Approved by agent li and agent zhao on Mon 2 Mar 2026, 10:00."]
    for between in (back, asked):
        assert told(first, between, second) == ["Approved by agent zhao on Mon 2 Mar 2026, 10:00."]


def test_rules_decide() -> None:
    """What the system rejects, and evidence that never came, are told as decided by the rules."""
    system: dict[str, Any] = {"actor_role": "system", "actor_name": "system"}
    at_once = entry(2, "auto_reject", "rejected.appealable", before="submitted", **system)
    silent = entry(2, "evidence_lapsed", "rejected.appealable", before="awaiting_evidence", **system)
    came = entry(2, "evidence_lapsed", REVIEWING, before="awaiting_evidence", **system)

    assert told(at_once) == ["Rejected at once by the rules on Mon 2 Mar 2026, 10:00."]
    assert told(silent) == ["Time for evidence over by the rules on Mon 2 Mar 2026, 10:00."]
    assert decided([SUBMITTED, silent])[0].grounds == ("EVIDENCE_MISSING",)
    assert told(came) == []


def test_an_accepted_offer_decides() -> None:
    """The buyer accepts an offer, the staff a counter-offer."""
    way: dict[str, Any] = {"before": "under_review.negotiating"}
    buyer: dict[str, Any] = {"actor_role": "buyer", "actor_name": "mei"}

    assert told(entry(2, "accept_offer", "approved.payable", **way, **buyer)) == [
        "Offer accepted by buyer mei on Mon 2 Mar 2026, 10:00."
    ]
    assert told(entry(2, "accept_offer", "approved.payable", **way)) == [
        "Counter-offer accepted by agent li on Mon 2 Mar 2026, 10:00."
    ]


def test_another_system_has_decided() -> None:
    """An imported move into a decided phase is told as decided elsewhere, never as by the person who imported it."""
    moves = [("submitted", "rejected.appealable"), ("rejected.appealable", "appealed"), ("appealed", "approved.paying"),
             ("approved.paying", "paid_out.confirmed")]  # fmt: skip
    entries = [entry(seq, "imported", after, before=before, kind="imported") for seq, (before, after)
               in enumerate(moves, 2)]  # fmt: skip

    assert told(*entries) == [
        "Rejected, can be appealed on Mon 2 Mar 2026, 10:00, decided in another system and imported.",
        "Approved, being paid on Mon 2 Mar 2026, 10:00, decided in another system and imported.",
    ]
