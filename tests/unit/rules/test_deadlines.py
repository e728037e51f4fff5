"""The deadlines table: every length, every lapse, every boundary to the microsecond."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo

import pytest

from states import codes, times
from states.clocks import EVENTS, STANDING
from states.draft import Draft, Look
from states.lapses import nothing_due
from states.refund_v1 import TABLE
from tests.unit.rules.story import BUYER, INSTANT, SHOP, SYSTEM, ZONE, Story, agent, finance, local, with_policy

# name → (a story in which it stands since Monday 10:00, due moment, event, state after the lapse)
ROWS: dict[str, tuple[Callable[[], Story], str, str, str]] = {
    "review": (lambda: Story().submit(), "2026-11-05 00:00", "review_overdue", "submitted"),
    "review of reviewing": (
        lambda: Story().reviewing(), "2026-11-05 00:00", "review_overdue", "under_review.reviewing",
    ),
    "evidence": (
        lambda: Story().reviewing().must("request_evidence", agent(), kinds=["other"]),
        "2026-11-04 10:00", "evidence_lapsed", "rejected.appealable",
    ),
    "offer": (
        lambda: Story().reviewing().must("offer", agent(), amount=100),
        "2026-11-04 10:00", "offer_lapsed", "under_review.reviewing",
    ),
    "appeal_window": (
        lambda: Story().rejected(), "2026-11-06 00:00", "appeal_window_closed", "rejected.closed",
    ),
    "appeal_review": (lambda: Story().appealed(), "2026-11-06 00:00", "appeal_overdue", "appealed"),
    "payout": (lambda: Story().approved(), "2026-11-03 10:00", "payout_overdue", "approved.payable"),
    "payout of paying": (lambda: Story().paying(), "2026-11-03 10:00", "payout_overdue", "approved.paying"),
    "receipt": (lambda: Story().paid(), "2026-11-10 00:00", "receipt_assumed", "paid_out.confirmed"),
    "enquiry": (
        lambda: Story().paid().must("raise_enquiry", BUYER), "2026-11-02 11:00", "enquiry_overdue", "paid_out.settled",
    ),
}  # fmt: skip
NAMES = sorted(ROWS)
ONE_DAY = ("phone_topup", "game_card", "game_topup", "game_item", "gift_card")
TWO_DAYS = ("membership", "software_licence", "software_account", "other")


def test_every_deadline_has_its_row_here() -> None:
    """No deadline is left out of the table that is tried."""
    assert {name.split()[0] for name in ROWS} == set(EVENTS)


def test_each_open_state_has_one_standing_deadline_whose_lapse_the_chart_knows() -> None:
    """Every leaf that is not final names a deadline, and its event is a move from that leaf."""
    assert set(STANDING) == set(TABLE.leaves) - TABLE.final
    for state, name in STANDING.items():
        assert state in TABLE.sources(EVENTS[name])


@pytest.mark.parametrize("zone", [UTC, ZONE])
@pytest.mark.parametrize("name", NAMES)
def test_a_look_finds_something_due_from_the_moment_itself_on(name: str, zone: tzinfo) -> None:
    """One instant before it the line is as it stands, whatever the zone in which the moment is told."""
    story = ROWS[name][0]()
    due = times.moment(story.deadline(name.split()[0])["due_at"]).astimezone(zone)
    assert nothing_due(story.aggregate, story.rules, due - INSTANT)
    assert not nothing_due(story.aggregate, story.rules, due)


def test_a_look_of_a_host_whose_clock_is_behind_takes_nothing_for_settled() -> None:
    """Before the newest entry of the line, or of a refund, it is judged as an act would be; at its moment it stands."""
    for story in (Story(), Story().submit()):
        document = story.case if story.refund else story.aggregate.line
        newest = times.moment(document["effective_at"])
        assert nothing_due(story.aggregate, story.rules, newest)
        assert not nothing_due(story.aggregate, story.rules, newest - INSTANT)
        for now in (newest - INSTANT, newest, (newest + INSTANT).astimezone(ZONE)):
            judged = Look(story.aggregate, story.rules, now).now
            assert judged == Draft(story.aggregate, story.rules, now).now >= newest and judged.tzinfo is UTC


@pytest.mark.parametrize("name", NAMES)
def test_a_deadline_is_as_long_as_the_table_says(name: str) -> None:
    """It is stored with its moment, its event, its rule and its calendar."""
    begin, due, event, _ = ROWS[name]
    deadline = begin().deadline(name.split()[0])

    assert (local(deadline["due_at"]), deadline["event"]) == (due, event)
    assert deadline["rule"]
    assert deadline["calendar"].startswith("cn-2026")
    assert "provisional" not in deadline


@pytest.mark.parametrize("name", NAMES)
def test_just_before_due_nothing_lapses(name: str) -> None:
    """One microsecond before its moment a deadline still stands."""
    begin, _, event, _ = ROWS[name]
    story = begin()

    story.at_due(name.split()[0], microseconds=-1).sweep()

    assert event not in story.events()


@pytest.mark.parametrize("late", [timedelta(0), timedelta(microseconds=1), timedelta(minutes=50)])
@pytest.mark.parametrize("name", NAMES)
def test_at_due_it_lapses_with_its_due_moment_as_effective_time(name: str, late: timedelta) -> None:
    """However late somebody looks, the lapse happened when it was due."""
    begin, due, event, after = ROWS[name]
    story = begin()
    before = story.case

    story.at_due(name.split()[0]).at(story.now + late).sweep()

    entry = next(entry for entry in story.entries if entry.event == event)
    assert (local(entry.effective_at), entry.before, entry.after) == (due, before["state"], after)
    assert (entry.effective_at, entry.actor.role) == (before["deadlines"][name.split()[0]]["due_at"], "system")
    assert entry.ledger == ({} if after != "rejected.closed" else {"reserved": -10000})


@pytest.mark.parametrize(
    ("product", "due"),
    [
        *((product, "2026-11-04 00:00") for product in ONE_DAY),
        *((product, "2026-11-05 00:00") for product in TWO_DAYS),
        ("virtual_hosting", "2026-11-06 00:00"),
    ],
)
def test_a_review_takes_the_days_of_its_product(product: str, due: str) -> None:
    """One, two or three working days from submit."""
    assert product in codes.PRODUCT_TYPES
    assert Story(product_type=product).submit(reason="CREDITED_WRONG_ACCOUNT").due("review") == due


@pytest.mark.parametrize(("amount", "due"), [(100000, "2026-11-05 00:00"), (100001, "2026-11-06 00:00")])
def test_a_large_claim_is_reviewed_in_three_days(amount: int, due: str) -> None:
    """Exactly the limit keeps the days of the product."""
    assert Story(captured=200000).submit(amount=amount).due("review") == due


def test_a_flag_set_later_changes_no_length() -> None:
    """`flag_risk` stops assisted review and nothing else."""
    story = Story().reviewing()
    due = story.deadline("review")

    assert story.must("flag_risk", agent(), flag="X").deadline("review") == due


@pytest.mark.parametrize(
    ("start", "due"),
    [
        ("2026-11-06 23:59:59.999999", "2026-11-11 00:00"),  # Friday: Monday and Tuesday
        ("2026-11-07 00:00", "2026-11-11 00:00"),  # Saturday's 00:00 belongs to Saturday
        ("2026-09-30 12:00", "2026-10-10 00:00"),  # the holidays of October: Thursday 8, Friday 9
        ("2026-10-08 12:00", "2026-10-11 00:00"),  # Saturday 10 October is worked instead
        ("2026-12-31 12:00", "2027-01-05 00:00"),  # beyond coverage Monday to Friday count
    ],
)
def test_working_days_follow_the_calendar(start: str, due: str) -> None:
    """Two working days over a weekend, holidays, make-up days and the end of the year."""
    moment = datetime.fromisoformat(start).replace(tzinfo=ZONE)
    story = Story(start=moment, effective_at=moment, paid_at=moment, completed_at=moment).submit()

    assert story.due("review") == due
    assert story.deadline("review").get("provisional", False) is (due > "2027")


def test_a_provisional_deadline_lapses_like_any_other() -> None:
    """The mark says that the day is a guess, not that it does not bind."""
    moment = datetime(2026, 12, 31, 12, tzinfo=ZONE)
    story = Story(start=moment, effective_at=moment, paid_at=moment, completed_at=moment).submit()

    assert story.at_due("review").sweep().events()[-1] == "review_overdue"


def test_days_end_in_the_zone_of_the_policy() -> None:
    """The same civil days end eight hours later in UTC."""
    story = Story(rules=with_policy(zone="UTC")).rejected()

    assert story.deadline("appeal_window")["due_at"] == "2026-11-06T00:00:00.000000Z"


def test_the_payout_promise_counts_from_the_entry_into_approved() -> None:
    """Sending, failing and retrying do not move it; a reversal begins it anew."""
    story = Story().approved()
    due = story.due("payout")

    story.at(hours=3).must("dispatch_payout", SYSTEM).must("payout_refused", finance("fang"), proof="refused")
    assert (story.state, story.due("payout")) == ("approved.payout_failed", due)
    story.must("retry_payout", finance("fang")).must("dispatch_payout", SYSTEM).prove("payout_settled")
    story.at(hours=2).prove("payout_reversed")
    assert (story.state, story.due("payout")) == ("approved.payout_failed", "2026-11-03 15:00")


def test_the_receipt_counts_anew_from_the_answer_of_an_enquiry() -> None:
    """While the enquiry is open it stands instead; the answer gives the buyer seven days again."""
    story = Story().paid().at(days=3).must("raise_enquiry", BUYER)
    assert list(story.case["deadlines"]) == ["enquiry"]

    story.at(days=9).must("answer_enquiry", agent(), answer="CHANNEL_PROCESSING")

    assert (list(story.case["deadlines"]), story.due("receipt")) == (["receipt"], "2026-11-22 00:00")


def test_in_approved_an_open_enquiry_stands_beside_the_payout() -> None:
    """The promise to pay goes on; entering settled answers the enquiry and lets the receipt stand."""
    story = Story().paying().at_due("payout").must("raise_enquiry", SHOP)
    assert set(story.case["deadlines"]) == {"payout", "enquiry"}

    story.prove("payout_settled")

    assert (set(story.case["deadlines"]), story.events()[-2:]) == ({"receipt"}, ["payout_settled", "answer_enquiry"])


def test_a_final_state_has_no_deadline() -> None:
    """Nothing is due any more, however long one waits."""
    story = Story().paid().must("confirm_receipt", BUYER).at(days=400).sweep()

    assert (story.case["deadlines"], story.events()[-1]) == ({}, "confirm_receipt")


def test_no_lapse_moves_money() -> None:
    """A refund that nobody touches for a year has paid nothing."""
    story = Story().approved().at(days=365).sweep()

    assert (story.state, story.ledger.settled, story.ledger.in_flight) == ("approved.payable", 0, 0)
    assert all(entry.ledger == {} for entry in story.entries if entry.event == "payout_overdue")
    assert times.text(story.now) < story.deadline("payout")["due_at"]
