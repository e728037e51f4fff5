"""Deadlines that repeat, warn, and are extended."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from states import times
from states.case import Effect
from states.warnings import warnings
from tests.unit.rules.story import BUYER, INSTANT, SYSTEM, Story, agent, entries_of, local, supervisor, with_policy

REASON = "A festival of the seller."


def lapses(story: Story, event: str) -> list[str]:
    """Return when an event happened, as local days and hours."""
    return [local(entry.effective_at)[5:] for entry in entries_of(story, event)]


# repeats


def test_a_review_repeats_daily_five_times_and_then_every_five_working_days() -> None:
    """Due Wednesday 24:00; weekends are skipped, the count goes on from the day that ended."""
    story = Story().submit().at("2026-12-01 12:00").sweep()

    assert lapses(story, "review_overdue") == [
        "11-05 00:00",  # Wednesday, the first time
        "11-06 00:00", "11-07 00:00", "11-10 00:00", "11-11 00:00", "11-12 00:00",  # five times a working day later
        "11-19 00:00", "11-26 00:00",  # then every five
    ]  # fmt: skip
    assert story.due("review") == "2026-12-03 00:00"


@pytest.mark.parametrize("sweeps", [False, True])
def test_the_first_lapse_escalates_and_the_second_holds(sweeps: bool) -> None:
    """Level 1 is told to a supervisor, from level 2 on the refund is on hold."""
    story = Story().submit()
    if sweeps:
        story.at_due("review").sweep()
        assert (story.told("staff_task"), "hold" in story.case) == (["ESCALATED"], False)

    story.at("2026-11-06 00:00").sweep()

    assert (story.told("staff_task"), story.case["hold"], story.case["levels"]) == (["HOLD"], True, {"review": 2})


def test_an_overdue_review_asks_assisted_review() -> None:
    """What the platform owes after the lapse is an act of the system, with all guards of its own."""
    story = Story().reviewing(amount=5000).at_due("review").sweep()

    assert story.told("system_act") == ["approve"]
    assert story.must("approve", SYSTEM).state == "approved.payable"


def test_an_appeal_repeats_like_a_review() -> None:
    """Its first lapse is level 1 of the appeal."""
    story = Story().appealed().at("2026-11-20 12:00").sweep()

    assert lapses(story, "appeal_overdue") == [
        "11-06 00:00", "11-07 00:00", "11-10 00:00", "11-11 00:00", "11-12 00:00", "11-13 00:00", "11-20 00:00",
    ]  # fmt: skip
    assert story.case["levels"]["appeal_review"] == 7


def test_a_broken_promise_repeats_daily_seven_times_and_then_weekly() -> None:
    """The payout promised for Tuesday 10:00 is told again, always to finance."""
    story = Story().approved().at("2026-11-26 12:00").sweep()

    assert lapses(story, "payout_overdue") == [
        "11-03 10:00",
        "11-04 10:00", "11-05 10:00", "11-06 10:00", "11-07 10:00", "11-08 10:00", "11-09 10:00", "11-10 10:00",
        "11-17 10:00", "11-24 10:00",
    ]  # fmt: skip
    assert story.told("staff_task") == ["PAYOUT_OVERDUE"]


def test_an_unanswered_enquiry_repeats_daily_seven_times_and_then_weekly() -> None:
    """Asked Monday 10:00, answered never."""
    story = Story().paid().must("raise_enquiry", BUYER).at("2026-11-17 12:00").sweep()

    assert lapses(story, "enquiry_overdue") == [
        "11-02 11:00",
        "11-03 11:00", "11-04 11:00", "11-05 11:00", "11-06 11:00", "11-07 11:00", "11-08 11:00", "11-09 11:00",
        "11-16 11:00",
    ]  # fmt: skip


def test_a_repeat_over_the_make_up_saturday_counts_it() -> None:
    """Due on Friday 9 October 24:00 the next working day is Saturday 10 October."""
    moment = times.moment("2026-10-07T18:00:00+08:00")
    story = Story(start=moment, effective_at=moment, paid_at=moment, completed_at=moment).submit()

    story.at("2026-10-13 12:00").sweep()

    assert lapses(story, "review_overdue") == ["10-10 00:00", "10-11 00:00", "10-13 00:00"]


# warnings


@pytest.mark.parametrize(
    ("begin", "name", "warned"),
    [
        (lambda: Story(product_type="game_item").submit(), "review", "2026-11-03 12:00"),  # one day: noon of the day
        (lambda: Story().submit(), "review", "2026-11-04 00:00"),  # Tuesday 24:00
        (lambda: Story().appealed(), "appeal_review", "2026-11-05 00:00"),
        (lambda: Story().rejected(), "appeal_window", "2026-11-05 00:00"),
        (lambda: Story().paid(), "receipt", "2026-11-09 00:00"),
        (lambda: Story().approved(), "payout", "2026-11-03 06:00"),
        (lambda: Story().paid().must("raise_enquiry", BUYER), "enquiry", "2026-11-02 10:45"),
        (lambda: Story().reviewing().must("offer", agent(), amount=1), "offer", "2026-11-03 10:00"),
        (
            lambda: Story().reviewing().must("request_evidence", agent(), kinds=["other"]),
            "evidence", "2026-11-03 10:00",
        ),
    ],
)  # fmt: skip
def test_each_deadline_warns_once_before(begin: Any, name: str, warned: str) -> None:
    """The moment of the warning is stored with the deadline; a repeat has none."""
    story = begin()

    assert local(story.deadline(name)["warn_at"]) == warned
    if name in ("review", "appeal_review", "payout", "enquiry"):
        assert "warn_at" not in story.at_due(name).sweep().deadline(name)


@pytest.mark.parametrize(
    ("begin", "name", "kind"),
    [
        (lambda: Story().submit(), "review", "staff_task"),
        (lambda: Story().appealed(), "appeal_review", "staff_task"),
        (lambda: Story().approved(), "payout", "staff_task"),
        (lambda: Story().paid().must("raise_enquiry", BUYER), "enquiry", "staff_task"),
        (lambda: Story().rejected(), "appeal_window", "buyer_message"),
        (lambda: Story().paid(), "receipt", "buyer_message"),
        (lambda: Story().reviewing().must("offer", agent(), amount=1), "offer", "buyer_message"),
        (lambda: Story().reviewing().must("request_evidence", agent(), kinds=["other"]), "evidence", "buyer_message"),
    ],
)
def test_whoever_must_act_is_warned_between_the_warning_and_the_end(begin: Any, name: str, kind: str) -> None:
    """The buyer of what waits for him, a person of the staff of everything else; who was warned is not warned again."""
    story = begin()
    deadline = story.deadline(name)
    warn_at, due_at = (times.moment(deadline[moment]) for moment in ("warn_at", "due_at"))

    def warned(now: datetime, before: str | None = None) -> list[Effect]:
        return warnings(story.case, now=now, warned_at=before)

    told = Effect(
        kind=kind, code="WARNING", subject=story.refund, seq=story.case["seq"], effective_at=deadline["warn_at"],
        params={"deadline": name, "due_at": deadline["due_at"]},
    )  # fmt: skip
    assert warned(warn_at) == warned(due_at - INSTANT) == warned(warn_at, story.case["effective_at"]) == [told]
    assert warned(warn_at - INSTANT) == warned(due_at) == warned(due_at - INSTANT, deadline["warn_at"]) == []


def test_a_review_over_the_weekend_warns_on_friday() -> None:
    """Due on Monday 24:00 the working day before is Friday."""
    moment = times.moment("2026-11-05T10:00:00+08:00")
    story = Story(start=moment, effective_at=moment, paid_at=moment, completed_at=moment).submit()

    assert (story.due("review"), local(story.deadline("review")["warn_at"])) == ("2026-11-10 00:00", "2026-11-07 00:00")


@pytest.mark.parametrize(("back", "warned"), [("2026-11-04 09:00", "2026-11-04 12:00"), ("2026-11-04 12:00", None)])
def test_what_is_due_today_warns_at_noon_or_not_at_all(back: str, warned: str | None) -> None:
    """With 0 days left the warning is at 12:00 of the day, if that is still to come."""
    story = Story().reviewing().at("2026-11-04 08:00").must("request_evidence", agent(), kinds=["other"])
    story.at(back).must("provide_evidence", BUYER, all=True)

    assert story.due("review") == "2026-11-05 00:00"
    assert (local(story.deadline("review")["warn_at"]) if warned else story.deadline("review").get("warn_at")) == warned


# extensions


@pytest.mark.parametrize(
    ("begin", "name", "due"),
    [
        (lambda: Story().submit(), "review", "2026-11-12 00:00"),
        (lambda: Story().appealed(), "appeal_review", "2026-11-13 00:00"),
        (lambda: Story().rejected(), "appeal_window", "2026-11-13 00:00"),
        (lambda: Story().reviewing().must("offer", agent(), amount=1), "offer", "2026-11-11 10:00"),
        (
            lambda: Story().reviewing().must("request_evidence", agent(), kinds=["other"]),
            "evidence", "2026-11-11 10:00",
        ),
    ],
)  # fmt: skip
def test_a_supervisor_extends_a_standing_deadline_once(begin: Any, name: str, due: str) -> None:
    """Later by seven days at most; the buyer is told; a second time is refused."""
    story = begin().must("extend", supervisor("zhao"), message=REASON, days=7)

    assert (story.due(name), story.told("buyer_message")) == (due, ["DEADLINE_EXTENDED"])
    assert story.do("extend", supervisor("zhao"), message=REASON, days=1).codes == ["EXTENSION_NOT_ALLOWED"]
    assert story.blockers["EXTENSION_NOT_ALLOWED"].params == {"deadline": name, "latest": None}


@pytest.mark.parametrize(("days", "codes"), [(0, 1), (-1, 1), (1, 0), (7, 0), (8, 1)])
def test_an_extension_is_of_one_to_seven_days(days: int, codes: int) -> None:
    """EXTENSION_NOT_ALLOWED says the latest moment that is possible."""
    story = Story().submit().do("extend", supervisor(), message=REASON, days=days)

    assert story.codes == ["EXTENSION_NOT_ALLOWED"] * codes
    if codes:
        assert local(story.blockers["EXTENSION_NOT_ALLOWED"].params["latest"]) == "2026-11-12 00:00"


def test_an_extension_needs_a_reason() -> None:
    """REASON_REQUIRED."""
    assert Story().submit().do("extend", supervisor(), days=1).codes == ["REASON_REQUIRED"]


@pytest.mark.parametrize("begin", [Story.approved, Story.paid])
def test_promises_about_money_are_not_extended(begin: Any) -> None:
    """Neither the payout nor the receipt can be put off."""
    story = begin(Story()).do("extend", supervisor(), message=REASON, days=1)

    assert story.codes == ["EXTENSION_NOT_ALLOWED"]


def test_a_deadline_that_does_not_stand_is_not_extended() -> None:
    """Only the deadline that stands now can be named."""
    story = Story().submit().do("extend", supervisor(), message=REASON, days=1, deadline="offer")

    assert story.blockers["EXTENSION_NOT_ALLOWED"].params == {"deadline": "offer", "latest": None}


def test_a_final_state_has_nothing_to_extend() -> None:
    """WRONG_STATE."""
    assert Story().submit().must("withdraw", BUYER).do("extend", supervisor(), message=REASON, days=1).codes == [
        "WRONG_STATE"
    ]


def test_an_extended_review_keeps_its_count_of_lapses() -> None:
    """An extension is the same deadline, later: the repeats go on where they were."""
    story = Story().submit().at_due("review").sweep().must("extend", supervisor(), message=REASON, days=2)

    assert (story.deadline("review")["lapsed"], story.due("review")) == (1, "2026-11-08 00:00")
    assert story.at_due("review").sweep().deadline("review")["lapsed"] == 2


def test_other_lengths_come_from_the_policy() -> None:
    """The numbers of the table are the policy's."""
    story = Story(rules=with_policy(offer_hours=1, warn_hours=0, extension_days=1)).reviewing()
    story.must("offer", agent(), amount=1)

    assert times.moment(story.deadline("offer")["due_at"]) == story.now + timedelta(hours=1)
    assert story.do("extend", supervisor(), message=REASON, days=2).codes == ["EXTENSION_NOT_ALLOWED"]
