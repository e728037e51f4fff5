"""Deadlines of a history: kept, missed, paused, extended, set anew, lapsed, still running."""

from datetime import timedelta

from refundflow.dossier.parts import outcome
from refundflow.dossier.reader import Reader
from refundflow.dossier.terms import Term, terms
from tests.support.pages import START, due, entry

NOW = START + timedelta(hours=100)
READER = Reader(language="en", zone="Asia/Shanghai", currency="CNY", now=NOW)
SUBMITTED = entry(1, "submit", "submitted", before=None, deadlines={"review": due(38)})


def told(*entries: object) -> list[str]:
    """Say what became of each deadline of a history."""
    return [f"{term.name}: {outcome(READER, term)}" for term in terms([SUBMITTED, *entries])]  # type: ignore[list-item]


def test_a_promise_kept() -> None:
    """A review that was decided before its due moment is kept, with what was left."""
    done = entry(2, "approve", "approved.payable", hours=10, deadlines={"review": None, "payout": due(34)})
    paid = entry(3, "payout_settled", "paid_out.settled", hours=11, deadlines={"payout": None, "receipt": due(180)})

    assert told(done, paid) == [
        "review: kept, 1\u00a0d 4\u00a0h to spare",
        "payout: kept, 23\u00a0h to spare",
        "receipt: running, 3\u00a0d 8\u00a0h left",
    ]


def test_a_promise_missed() -> None:
    """A review that lapsed is missed from its first due moment on, whatever was set again, and counts its lapses."""
    lapses = [
        entry(2, "review_overdue", "submitted", hours=38, deadlines={"review": {**due(62), "lapsed": 1}}),
        entry(3, "review_overdue", "submitted", hours=62, deadlines={"review": {**due(86), "lapsed": 2}}),
    ]
    done = entry(4, "reject", "rejected.appealable", hours=64, deadlines={"review": None})

    assert told(*lapses) == ["review: overdue by 2\u00a0d 14\u00a0h, escalated 2 times"]
    assert told(*lapses, done) == ["review: missed by 1\u00a0d 2\u00a0h, escalated 2 times"]


def test_what_a_reader_may_not_see_is_not_guessed_kept() -> None:
    """A buyer does not see lapses; a decision after the due moment is late all the same, at the moment itself too."""
    late = entry(3, "approve", "approved.payable", hours=40, deadlines={"review": None})
    at_the_moment = entry(3, "approve", "approved.payable", hours=38, deadlines={"review": None})

    assert told(late) == ["review: missed by 2\u00a0h"]
    assert told(at_the_moment) == ["review: missed by 0\u00a0s"]


def test_the_clock_stands_still() -> None:
    """A review that waits for the buyer stops; the time of the buyer is used, or lapses unused."""
    asked = entry(2, "request_evidence", "awaiting_evidence", hours=2, deadlines={"review": None, "evidence": due(50)})
    brought = entry(3, "provide_evidence", "under_review.reviewing", hours=20,
                    deadlines={"evidence": None, "review": due(62)})  # fmt: skip
    silent = entry(3, "evidence_lapsed", "rejected.appealable", hours=50, deadlines={"evidence": None})

    assert told(asked, brought)[:2] == [
        "review: clock stopped, 1\u00a0d 12\u00a0h to spare",
        "evidence: used, 1\u00a0d 6\u00a0h left",
    ]
    assert told(asked, silent)[1] == "evidence: lapsed unused"


def test_extended_and_set_anew() -> None:
    """An extension moves the due moment; a counter-offer begins a new time."""
    offer = entry(2, "offer", "under_review.negotiating", hours=1, deadlines={"review": None, "offer": due(49)})
    longer = entry(3, "extend", hours=2, kind="fact", deadlines={"offer": {**due(73), "extended": True}})
    counter = entry(4, "counter_offer", "under_review.negotiating", hours=3, deadlines={"offer": due(51)})
    taken = entry(5, "accept_offer", "approved.payable", hours=4, deadlines={"offer": None})

    found = terms([SUBMITTED, offer, longer, counter, taken])

    assert [(term.name, term.how, term.extended) for term in found] == [
        ("review", "paused", False), ("offer", "replaced", True), ("offer", "kept", False),
    ]  # fmt: skip
    assert found[1].due == START + timedelta(hours=73)


def test_what_lapsed_stays_missed_when_time_is_given_afterwards() -> None:
    """An extension after a lapse does not mend the promise."""
    lapse = entry(2, "review_overdue", "submitted", hours=38, deadlines={"review": {**due(62), "lapsed": 1}})
    longer = entry(3, "extend", hours=39, kind="fact", deadlines={"review": {**due(134), "extended": True}})

    (term,) = terms([SUBMITTED, lapse, longer])

    assert term.due == START + timedelta(hours=38) and term.missed(NOW) and term.extended


def test_a_deadline_may_fall_with_what_it_was_for() -> None:
    """A withdrawn claim keeps no promise and breaks none; changes beside the due moment change nothing."""
    gone = entry(2, "withdraw", "withdrawn", hours=5, deadlines={"review": None})
    warned = entry(2, "note", "submitted", hours=5, deadlines={"review": {"warned": True}})

    assert told(gone) == ["review: fell away, 1\u00a0d 9\u00a0h left"]
    assert [term.due for term in terms([SUBMITTED, warned])] == [START + timedelta(hours=38)]


def test_only_the_platform_can_miss() -> None:
    """The buyer's own times are no promises."""
    window = Term(name="appeal_window", seq=1, set_at=START, due=START, rule="", ended=NOW, how="lapsed", lapses=1)

    assert not window.missed(NOW) and window.late(NOW) == timedelta()
