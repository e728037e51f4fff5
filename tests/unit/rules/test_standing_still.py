"""Standing still: what is left of a review while others move, and the end of the day on which it goes on."""

from datetime import datetime
from typing import Any

import pytest

from tests.unit.rules.story import BUYER, SYSTEM, ZONE, Story, agent, supervisor


def begun(at: str, **params: Any) -> Story:
    """Return a story whose review of two working days began at a local time."""
    moment = datetime.fromisoformat(at).replace(tzinfo=ZONE)
    return Story(start=moment, effective_at=moment, paid_at=moment, completed_at=moment).reviewing(**params)


def pause(story: Story, at: str, until: str) -> Story:
    """Ask for evidence at one time and get it at another."""
    story.at(at).must("request_evidence", agent("li"), kinds=["other"])
    return story.at(until).must("provide_evidence", BUYER, all=True)


@pytest.mark.parametrize(
    ("begin", "leave", "left", "back", "due"),
    [
        # Monday 10:00, due Wednesday 24:00
        ("2026-11-02 10:00", "2026-11-02 11:00", 2, "2026-11-02 12:00", "2026-11-05 00:00"),  # the same day: as it was
        ("2026-11-02 10:00", "2026-11-02 11:00", 2, "2026-11-03 12:00", "2026-11-06 00:00"),  # a day later
        ("2026-11-02 10:00", "2026-11-03 09:00", 1, "2026-11-05 08:00", "2026-11-07 00:00"),  # Tuesday to Thursday
        ("2026-11-02 10:00", "2026-11-04 09:00", 0, "2026-11-04 09:01", "2026-11-05 00:00"),  # end of today
        ("2026-11-02 10:00", "2026-11-04 23:59", 0, "2026-11-05 08:00", "2026-11-06 00:00"),  # end of that day
        ("2026-11-02 10:00", "2026-11-04 00:00", 0, "2026-11-04 00:00", "2026-11-05 00:00"),  # 00:00 is Wednesday
        # Thursday, due Monday 24:00
        ("2026-11-05 10:00", "2026-11-06 12:00", 1, "2026-11-07 12:00", "2026-11-10 00:00"),  # back on Saturday
        ("2026-11-05 10:00", "2026-11-07 12:00", 1, "2026-11-08 12:00", "2026-11-10 00:00"),  # away over the weekend
        # Wednesday, due Friday 24:00
        ("2026-11-04 10:00", "2026-11-06 12:00", 0, "2026-11-07 12:00", "2026-11-10 00:00"),  # no workday: the next one
        # Thursday 8 October, due Saturday 10 October 24:00, which is worked
        ("2026-10-08 10:00", "2026-10-10 12:00", 0, "2026-10-10 20:00", "2026-10-11 00:00"),
        ("2026-10-08 10:00", "2026-10-10 12:00", 0, "2026-10-11 12:00", "2026-10-13 00:00"),  # Sunday is not
        # before the holidays, due Friday 9 October 24:00
        ("2026-09-30 10:00", "2026-09-30 11:00", 2, "2026-10-02 10:00", "2026-10-10 00:00"),
    ],
)
def test_what_is_left_is_counted_in_working_days(begin: str, leave: str, left: int, back: str, due: str) -> None:
    """Kept are the working days after the current day up to the due day; they end after the day of return."""
    story = begun(begin).at(leave).must("request_evidence", agent("li"), kinds=["other"])
    assert story.case["left"] == {"review": left}

    story.at(back).must("provide_evidence", BUYER, all=True)

    assert (story.due("review"), story.case["left"]) == (due, {})


def test_the_beginning_of_the_review_does_not_stand_still() -> None:
    """Submitted and reviewing share one deadline."""
    story = Story().submit()

    assert story.at(hours=30).must("begin_review", SYSTEM).case["left"] == {}


def test_an_offer_stands_the_review_still() -> None:
    """While the buyer thinks, the platform's clock does not run."""
    story = begun("2026-11-02 10:00").must("offer", agent("li"), amount=100)

    story.at("2026-11-04 09:00").must("decline_offer", BUYER)

    assert story.due("review") == "2026-11-07 00:00"  # two days left, back on Wednesday


@pytest.mark.parametrize(
    ("countered", "end", "due"),
    [
        ("2026-11-02 12:00", "2026-11-02 20:00", "2026-11-05 00:00"),  # the same day: nothing used
        ("2026-11-02 12:00", "2026-11-03 00:00", "2026-11-05 00:00"),  # Tuesday has begun: one of two is used
        ("2026-11-03 12:00", "2026-11-04 12:00", "2026-11-06 00:00"),
        ("2026-11-02 12:00", "2026-11-04 11:59", "2026-11-05 00:00"),  # both are used: the end of today
    ],
)
@pytest.mark.parametrize("how", ["declined", "revoked"])
def test_a_counter_offer_uses_up_working_days(countered: str, end: str, due: str, how: str) -> None:
    """It waits for the platform: the working days begun since count as used, however it ends."""
    story = begun("2026-11-02 10:00").must("offer", agent("li"), amount=100)
    story.at(countered).must("counter_offer", BUYER, amount=5000)

    story.at(end)
    if how == "declined":
        story.must("decline_offer", agent("li"))
    else:
        story.must("accept_offer", agent("li")).must("revoke_approval", supervisor("zhao"), message="No.")

    assert story.due("review") == due


def test_a_counter_offer_that_lapses_has_used_the_days_too() -> None:
    """48 hours from Monday noon lapse on Wednesday noon: Tuesday and Wednesday are used, today is left."""
    story = begun("2026-11-02 10:00").must("offer", agent("li"), amount=100)
    story.at("2026-11-02 12:00").must("counter_offer", BUYER, amount=5000)

    story.at("2026-11-04 12:00").sweep()

    assert (story.state, story.due("review")) == ("under_review.reviewing", "2026-11-05 00:00")


def test_the_days_before_the_counter_offer_are_not_used() -> None:
    """An offer that the buyer thought over for a day costs the platform nothing until it is answered."""
    story = begun("2026-11-02 10:00").must("offer", agent("li"), amount=100)
    story.at("2026-11-03 12:00").must("counter_offer", BUYER, amount=5000)
    story.at("2026-11-03 18:00").must("decline_offer", agent("li"))

    assert story.due("review") == "2026-11-06 00:00"


def test_the_appeal_stands_still_as_the_review_does() -> None:
    """Three working days from Monday; two left after Tuesday's question are counted from Thursday's answer."""
    story = begun("2026-11-02 10:00").must("reject", agent("li"), grounds=["NOT_COVERED"], message="No.")
    story.must("appeal", BUYER, argument="It is covered after all.")

    story.at("2026-11-03 10:00").must("request_evidence", agent("wang"), kinds=["other"])
    assert story.case["left"] == {"appeal_review": 2}
    story.at("2026-11-05 09:00").must("provide_evidence", BUYER, all=True)

    assert story.due("appeal_review") == "2026-11-10 00:00"


def test_the_level_of_escalation_is_kept_and_the_repeats_count_anew() -> None:
    """After a pause the next lapse is one level louder; the short repeats begin again."""
    story = begun("2026-11-02 10:00").at("2026-11-05 12:00").sweep()
    assert (story.case["levels"], story.deadline("review")["lapsed"]) == ({"review": 1}, 1)

    pause(story, "2026-11-05 13:00", "2026-11-05 14:00")
    assert ("lapsed" in story.deadline("review"), story.case["levels"]) == (False, {"review": 1})
    story.at_due("review").sweep()

    assert (story.case["levels"], story.deadline("review")["lapsed"], story.case["hold"]) == ({"review": 2}, 1, True)


def test_the_appeal_has_an_escalation_of_its_own() -> None:
    """A hold of the review ends with the appeal, whose first lapse is level 1."""
    story = begun("2026-11-02 10:00").at("2026-11-10 12:00").sweep()
    assert story.case["hold"]
    story.must("reject", agent("li"), grounds=["NOT_COVERED"], message="No.")

    story.must("appeal", BUYER, argument="It is covered after all.")
    assert "hold" not in story.case
    story.at_due("appeal_review").sweep()

    assert story.case["levels"]["appeal_review"] == 1
    assert "hold" not in story.case
    assert story.at_due("appeal_review").sweep().case["hold"] is True
