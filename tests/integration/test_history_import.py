"""Import of history on both databases: marked, in its own times, whole or not at all, and never mistaken for ours."""

import csv
import json
import multiprocessing
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from refundflow import values
from refundflow.errors import BadInput, NotFound, Refused, RoleNotAllowed
from refundflow.rehearsal.mapping import GROUNDS, OTHER_GROUND, claim, product_type
from states.refund_v1 import TABLE
from tests.integration.test_facade_privacy import stored
from tests.support import mortal_host
from tests.support.databases import Databases
from tests.support.market import BUYER, CHEN, LI, QIAN, SHOP, WU, Market, a_file, prepare_live, prepare_rehearsal
from tests.support.past import PAID, REJECTED, THEN, a_past_case, an_event, write_csv, write_jsonl


def take_in(market: Market, path: Path, **terms: Any) -> values.HistoryImport:
    """Import a file now."""
    return market.refunds.history_import(path, **{"actor": SHOP, "at": market.at} | terms)


def reasons(market: Market, folder: Path, *cases: Any, **terms: Any) -> list[str]:
    """Import cases and return why those that were rejected were."""
    rejects = folder / "rejects.csv"
    take_in(market, write_jsonl(folder / "cases.jsonl", cases), rejects=rejects, **terms)
    with rejects.open(encoding="utf-8", newline="") as file:
        return [row["reason"] for row in csv.DictReader(file)]


@pytest.mark.parametrize("write", [write_jsonl, write_csv])
def test_cases_come_in_with_their_own_times_and_marked(market: Market, tmp_path: Path, write: Any) -> None:
    """Each entry says kind imported, the time told, when it was recorded, who told it there, who brought it in."""
    path = write(tmp_path / ("c.csv" if write is write_csv else "c.jsonl"), [a_past_case(1), a_past_case(2, REJECTED)])
    done = take_in(market, path)
    paid, rejected = market.get("H1-1-1"), market.get("H2-1-1")

    assert (done.imported, done.unchanged, done.rejected, done.dry_run) == (2, 0, 0, False)
    assert (paid.state, paid.settled_minor, paid.submitted_at) == ("paid_out.confirmed", 20_000, THEN)
    assert (rejected.state, rejected.grounds, rejected.instance) == (
        "rejected.closed", ("DELIVERY_PROVEN",), "appeal",
    )  # fmt: skip
    assert paid.imported is not None and (paid.imported.case, paid.imported.by) == ("L-1", "shop")
    assert paid.imported.file == done.file and paid.imported.at == market.now
    history = market.history("H1-1-1")
    assert [(entry.kind, entry.event, entry.after) for entry in history] == [("imported", "imported", s) for s in PAID]
    assert [entry.effective_at for entry in history] == [THEN + timedelta(days=day) for day in range(len(PAID))]
    assert {entry.recorded_at for entry in history} == {market.now} and {e.actor_name for e in history} == {"shop"}
    assert history[1].params["told_role"] == "agent" and history[1].params["told_name"] == "old-li"
    assert market.history("H1/1")[0].kind == "imported"
    market.require_sound()
    assert market.refunds.replay().ok


def test_the_same_file_again_changes_nothing_and_a_changed_case_is_rejected(market: Market, tmp_path: Path) -> None:
    """A case is known by its id and content, wherever it stands in whichever file."""
    path = write_jsonl(tmp_path / "c.jsonl", [a_past_case(1), a_past_case(2)])
    take_in(market, path)
    again = take_in(market, path)
    longer = take_in(market, write_jsonl(tmp_path / "d.jsonl", [a_past_case(3), a_past_case(2), a_past_case(1)]))
    market.refunds.record_usage("H1", usage="used", actor=SHOP, at=market.at)
    later = take_in(market, path)
    [reason] = reasons(market, tmp_path, a_past_case(1, claimed_minor=19_000))

    assert (again.imported, again.unchanged) == (0, 2) == (later.imported, later.unchanged)
    assert (longer.imported, longer.unchanged) == (1, 2)
    assert reason.startswith("case L-1 was imported with other content, from line 1 of the file ")
    assert len(market.history("H1-1-1")) == len(PAID)
    market.require_sound()


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        (a_past_case(reason="NOPE"), "reason NOPE: one of WRONG_FACE_VALUE"),
        (a_past_case(reason="PAYOUT_RETURNED"), "it names a refund of this database"),
        (a_past_case(claimed_minor=30_001), "claimed_minor 30001: 1 to the 30000"),
        (a_past_case(claimed_minor=0), "claimed_minor 0: 1 to the 30000"),
        (a_past_case(states=("submitted", "lost")), "event 2: state lost: one of submitted"),
        (a_past_case(states=("appealed", "withdrawn")), "event 1: a case begins with the state submitted"),
        (a_past_case(states=PAID[:3]), "the case is open (approved.payable)"),
        (a_past_case(states=PAID[:4]), "the case is open (paid_out.settled)"),
        (a_past_case(states=("submitted", "withdrawn", "withdrawn")), "event 2: withdrawn is final"),
        (a_past_case(events=[an_event("submitted", 0), an_event("withdrawn", -1)]), "is before the event before it"),
        (a_past_case(events=[an_event("submitted", 0), an_event("withdrawn", 900)]), "has not come yet"),
        (a_past_case(events=[an_event("submitted", 0), an_event("rejected.closed", 1, grounds=[])]), "one ground"),
        (a_past_case(events=[an_event("submitted", 0), an_event("rejected.closed", 1, grounds=["X"])]), "grounds X"),
        (a_past_case(events=[an_event("submitted", 0), an_event("withdrawn", 1, grounds=["NOT_COVERED"])]), "grounds"),
        (a_past_case(events=[an_event("submitted", 0), an_event("withdrawn", 1, approved_minor=1)]), "approved_minor"),
        (
            a_past_case(events=[an_event("submitted", 0), an_event("paid_out.confirmed", 1, approved_minor=20_001)]),
            "approved_minor 20001: at most the 20000",
        ),
        (a_past_case(order={"product_type": "car"}), "product_type: 'car'"),
    ],
)
def test_what_cannot_be_told_is_rejected_with_its_reason(
    market: Market, tmp_path: Path, case: Any, reason: str
) -> None:
    """A case that is wrong in anything leaves nothing behind, and the good one beside it stays."""
    [found] = reasons(market, tmp_path, case, a_past_case(7))

    assert reason in found
    with pytest.raises(NotFound):
        market.line("H1")
    assert market.get("H7-1-1").state == "paid_out.confirmed"
    market.require_sound()


def test_no_line_gives_more_than_was_captured(market: Market, tmp_path: Path) -> None:
    """What was paid elsewhere, and what is claimed here, share what was captured, whichever came first."""
    second = a_past_case(1, case="L-2")
    first = reasons(market, tmp_path, a_past_case(1), second)
    market.submit(market.order("H2", buyer_id="wang", paid_at=THEN, completed_at=THEN, payment_no="p"), reason="FRAUD")
    facts = {"paid_at": THEN.isoformat(), "completed_at": THEN.isoformat(), "payment_no": "p"}
    late = reasons(market, tmp_path, a_past_case(2, order=facts))

    assert first == ["20000 were paid, and 10000 of the captured 30000 are left on the line"]
    assert late == ["20000 were paid, and 0 of the captured 30000 are left on the line"]
    assert market.line("H1").left_minor == 10_000
    market.require_sound()


def test_a_line_that_is_registered_otherwise_is_not_touched(market: Market, tmp_path: Path) -> None:
    """A case on a known order is taken if the order is the same, and rejected with what is not."""
    market.order("H1", buyer_id="ma")
    market.order("H2", buyer_id="wang", payment_no="pay-H2", amount_minor=31_000)
    found = reasons(market, tmp_path, a_past_case(1), a_past_case(2))

    assert "another buyer_id" in found[0] and "registered otherwise: captured" in found[1]
    market.require_sound()


def test_a_dry_run_says_what_the_run_would_do(market: Market, tmp_path: Path) -> None:
    """The counts and reasons are those of the import that follows, and nothing is there before it."""
    cases = [a_past_case(1), a_past_case(1, case="L-9"), a_past_case(2), a_past_case(3, reason="NOPE"), a_past_case(2)]
    dry = reasons(market, tmp_path, *cases, dry_run=True, batch=2)
    with pytest.raises(NotFound):
        market.line("H1")

    assert dry == reasons(market, tmp_path, *cases, batch=2) and len(dry) == 2
    assert take_in(market, tmp_path / "cases.jsonl", dry_run=True).unchanged == 3


def test_only_a_service_takes_in_and_files_are_named(market: Market, tmp_path: Path) -> None:
    """Other roles may not; a file that is not there, or no place for the rejects, is bad input."""
    path = write_jsonl(tmp_path / "c.jsonl", [a_past_case()])
    for actor in (LI, CHEN, WU, BUYER):
        with pytest.raises(RoleNotAllowed):
            take_in(market, path, actor=actor)
    for terms in ({"rejects": tmp_path / "no" / "r.csv"}, {"path": tmp_path / "none"}):
        with pytest.raises(BadInput):
            take_in(market, **{"path": path} | terms)


def test_imports_count_for_no_promise(market: Market, tmp_path: Path) -> None:
    """Numbers about promises and times in a state know nothing of what another system did."""
    take_in(market, write_jsonl(tmp_path / "c.jsonl", [a_past_case(1), a_past_case(2, REJECTED)]))
    market.later(hours=1)
    while market.refunds.count():
        pass
    totals = market.refunds.numbers(at=market.at).totals

    assert totals["moves", ("imported", "imported")] == 9
    assert not [key for key in totals if key[0] in ("promises", "state", "overdue", "overdue_now", "lapse_delay")]


def test_claims_made_elsewhere_count_as_the_buyer_would_expect(market: Market, tmp_path: Path) -> None:
    """Recent ones count as frequent, abuse is remembered, five on a line are the limit, old ones are old."""
    days = (datetime(2026, 3, 1, tzinfo=UTC) - THEN) / timedelta(days=1)
    recent = [a_past_case(n, events=[an_event("submitted", days), an_event("withdrawn", days + 0.1)]) for n in (1, 2)]
    full = [a_past_case(5, ("submitted", "withdrawn"), case=f"F-{n}", order={"buyer_id": "ma"}) for n in range(5)]
    abuse = a_past_case(6, order={"buyer_id": "zhu"})
    abuse["events"] = [an_event("submitted", 0), an_event("rejected.closed", 1, grounds=["ABUSE_SUSPECTED"])]
    take_in(market, write_jsonl(tmp_path / "c.jsonl", [*recent, *full, abuse]))

    assert "FREQUENT_CLAIMS" in market.get(market.submit().id).flags
    with pytest.raises(Refused, match="CLAIM_LIMIT_REACHED"):
        market.submit("H5", reason="FRAUD", actor="buyer:ma")
    again = market.submit(market.order(buyer_id="zhu"), actor="buyer:zhu")
    assert market.get(again.id).flags == ("ABUSE_SUSPECTED",)
    rest = market.submit("H6", reason="FRAUD", actor="buyer:zhu")
    assert rest.claimed_minor == 30_000 and rest.id == "H6-1-2"
    market.require_sound()


def test_the_past_knows_it_by_its_own_time_and_not_before_it_was_recorded(market: Market, tmp_path: Path) -> None:
    """As of a moment of then the case stands where it stood; of what was known then it is no part."""
    market.order("H2", buyer_id="wang", payment_no="pay-H2", paid_at=THEN - timedelta(days=1),
                 completed_at=THEN - timedelta(days=1))  # fmt: skip
    take_in(market, write_jsonl(tmp_path / "c.jsonl", [a_past_case(1), a_past_case(2)]))
    then = THEN + timedelta(days=2, hours=1)
    for refund in ("H1-1-1", "H2-1-1"):  # the line of the second is younger than its refund
        found = market.refunds.get(refund, actor=LI, at=market.at, as_of=then)
        assert (found.state, found.approved_minor, found.allowed) == ("approved.payable", 20_000, ())
        with pytest.raises(NotFound):
            market.refunds.get(refund, actor=LI, at=market.at, known_at=then)
    assert market.refunds.line("H1", actor=LI, at=market.at, as_of=then).left_minor == 30_000
    path = tmp_path / "past.jsonl"
    market.refunds.export_as_of(format="jsonl", output=str(path), actor=WU, at=market.at, as_of=then)
    told = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert {row["refund"]: row["imported"] for row in told if row["refund"]} == {"H1-1-1": "L-1", "H2-1-1": "L-2"}


def test_texts_are_the_buyers_and_internal_ones_are_not_shown_to_him(market: Market, tmp_path: Path) -> None:
    """What was written is stored encrypted; the buyer reads messages and neither notes nor names of staff."""
    take_in(market, write_jsonl(tmp_path / "c.jsonl", [a_past_case(1, REJECTED)]))
    mine, ours = (market.history("H1-1-1", reader) for reader in (BUYER, LI))

    assert [entry.texts for entry in mine][:2] == [{"message": "It never came."}, {"message": "It was delivered."}]
    assert ours[1].texts["note"] == "Third time this year." and "told_name" not in mine[1].params
    market.close()
    assert not any(b"It never came" in data or b"Third time" in data for data in stored(market.url))


def test_an_erased_buyer_stays_erased(market: Market, tmp_path: Path) -> None:
    """Imported cases are erased like others; the same file again changes nothing, a new case of his is rejected."""
    path = write_jsonl(tmp_path / "c.jsonl", [a_past_case(1)])
    take_in(market, path)
    market.refunds.privacy_erase("wang", reason="request 7", actor=CHEN, at=market.at)
    again, more = (
        take_in(market, path),
        reasons(market, tmp_path, a_past_case(1, ("submitted", "withdrawn"), case="L-5")),
    )

    assert again.unchanged == 1 and "was erased" in more[0]
    assert market.get("H1-1-1").buyer_id is None and market.history("H1-1-1")[-1].event == "erased"
    market.require_sound()


def test_an_import_that_was_killed_goes_on(databases: Databases, tmp_path: Path) -> None:
    """After death between two transactions whole cases are there and no half one; the same call brings the rest."""
    market = Market(databases.copy_of("live", prepare_live))
    path = write_jsonl(tmp_path / "c.jsonl", [a_past_case(n) for n in range(1, 11)])
    for after, expected in ((1, 3), (2, 9)):
        host = multiprocessing.get_context("forkserver").Process(
            target=mortal_host.take_in, args=(market.url, str(path), after)
        )
        host.start()
        host.join()
        assert host.exitcode == -9 and expected
        market.require_sound()
    found = market.refunds.list(actor=LI, limit=500).refunds
    assert 0 < len(found) < 10 and {refund.seq for refund in found} == {len(PAID)}
    done = take_in(market, path, batch=4)

    assert (done.imported + done.unchanged, done.unchanged) == (10, len(found))
    market.require_sound()
    market.close()


LEAVES = st.sampled_from(sorted(TABLE.leaves))


@pytest.fixture
def shelf(databases: Databases) -> Market:
    """Give one market for all examples of a property."""
    return Market(databases.copy_of("rehearsal", prepare_rehearsal))


def test_any_story_is_taken_whole_or_not_at_all(shelf: Market, tmp_path: Path) -> None:
    """Whatever another system tells, chains verify, replay is what is stored, and the past is as it was told."""
    numbers = iter(range(1, 10_000))

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        states=st.lists(LEAVES, min_size=1, max_size=5),
        gaps=st.lists(st.integers(-1, 3), min_size=5, max_size=5),
        paid=st.lists(st.sampled_from([None, 0, 1, 20_000]), min_size=5, max_size=5),
    )
    def tell(states: list[str], gaps: list[int], paid: list[int | None]) -> None:
        number, day, events = next(numbers), 0, []
        for state, gap, amount in zip(["submitted", *states], [*gaps, 1], [*paid, None], strict=False):
            day += gap
            given_amount = {"approved_minor": amount} if state.startswith(("approved", "paid_out")) else {}
            events.append(an_event(state, day, **given_amount))
        done = take_in(shelf, write_jsonl(tmp_path / "c.jsonl", [a_past_case(number, events=events)]))
        shelf.require_sound()
        assert shelf.refunds.replay().ok and done.imported + done.rejected == 1
        for event in events if done.imported else ():
            moment = datetime.fromisoformat(event["at"])
            last = [item["state"] for item in events if datetime.fromisoformat(item["at"]) <= moment][-1]
            then = shelf.refunds.get(f"H{number}-1-1", actor=LI, at=shelf.at, as_of=moment)
            assert then.state == last

    tell()
    shelf.close()


def test_real_complaints_come_in(market: Market, tmp_path: Path, shared: Path) -> None:
    """Closed complaints of the reference data are taken in as history, and what was paid is what they say."""
    with (shared / "data" / "complaints.csv").open(encoding="utf-8", newline="") as file:
        rows = list(islice(csv.DictReader(file), 300))
    told = [_told(row) for row in rows if row["response"].startswith("Closed")]
    done = take_in(market, write_jsonl(tmp_path / "c.jsonl", told))
    paid = sum(case["events"][-1]["state"] == "paid_out.confirmed" for case in told)

    assert (done.imported, done.rejected) == (len(told), 0) and paid > 5
    found = market.refunds.verify()
    assert not found.findings and found.chains == 2 * len(told)
    assert len(market.refunds.list(actor=LI, state="paid_out", limit=500, at=market.at).refunds) == paid


def _told(row: dict[str, str]) -> dict[str, Any]:
    """Tell a complaint as a case: received, passed on, and closed with money back or without."""
    received, sent = (datetime.fromisoformat(row[name]).replace(tzinfo=UTC) for name in ("received", "sent"))
    sent = max(received, sent)
    reason, usage = claim(row["product"], row["issue"])
    end: dict[str, Any] = {"state": "rejected.closed", "grounds": [GROUNDS.get(reason, OTHER_GROUND)]}
    if row["response"] == "Closed with monetary relief":
        end = {"state": "paid_out.confirmed"}
    order = {
        "order_id": row["case"], "buyer_id": f"b-{row['case']}", "product_type": product_type(row["product"]),
        "product": row["product"], "usage": usage, "amount_minor": 10_000, "currency": "CNY", "channel": "fake",
        "payment_no": f"pay-{row['case']}", "paid_at": received.isoformat(), "completed_at": received.isoformat(),
    }  # fmt: skip
    events = [
        {"at": received.isoformat(), "state": "submitted", "by": "buyer"},
        {"at": sent.isoformat(), "state": "under_review.reviewing", "by": "system"},
        {"at": (sent + timedelta(days=1)).isoformat(), "by": "agent", **end},
    ]
    return {"case": row["case"], "reason": reason, "claimed_minor": 10_000, "order": order, "events": events}


def test_the_end_of_an_imported_case_is_an_end(market: Market, tmp_path: Path) -> None:
    """Notes and evidence can be added; money that comes back of a payment made elsewhere is kept as a proof."""
    odd = a_past_case(1, order={"currency": "USD"})
    take_in(market, write_jsonl(tmp_path / "c.jsonl", [odd, a_past_case(2)]))
    terms = {"number": "OLD-1", "amount": 20_000, "proof": "r1"}
    for refund, currency in (("H1-1-1", "USD"), ("H2-1-1", "CNY")):
        market.act(refund, "note", LI, message="From the old system.")
        market.act(refund, "add_evidence", LI, evidence=[a_file()])
        kept = market.act(refund, "late_reversal", QIAN, currency=currency, **terms)
        market.act(refund, "payout_settled", QIAN, currency=currency, **terms | {"proof": "r2"})
        assert (kept.state, kept.settled_minor) == ("paid_out.confirmed", 20_000)
        assert market.refunds.explain(refund, actor=LI, at=market.at).refund.id == refund
    with pytest.raises(Refused, match="WRONG_STATE"):
        market.act("H2-1-1", "approve", LI)
    market.require_sound()
    assert market.refunds.replay().ok
