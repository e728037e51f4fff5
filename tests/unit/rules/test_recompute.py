"""Deadlines after an import of a calendar."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from states.calendar import Calendar, Calendars, overlay
from states.draft import Rules
from tests.unit.rules.story import BUYER, ZONE, Story, agent, local, rules, supervisor

WEDNESDAY = datetime(2026, 12, 30, 10, tzinfo=ZONE)  # the shipped calendar ends with the year
NEXT_YEAR = Calendar(
    version="next-year",
    holidays=frozenset({date(2027, 1, 1), date(2027, 1, 4)}),
    makeup=frozenset({date(2027, 1, 9)}),
    first=date(2027, 1, 1),
    last=date(2027, 12, 31),
)


def winter(start: datetime = WEDNESDAY) -> Story:
    """Return the story of an order that was completed just before."""
    return Story(start=start, completed_at=start)


def imported(at: datetime, calendar: Calendar = NEXT_YEAR) -> Rules:
    """Return the rules once a calendar has been imported."""
    shipped = rules().calendars.at(at)
    return replace(rules(), calendars=Calendars([(None, shipped), (at, overlay(shipped, calendar, calendar.version))]))


def recomputed(story: Story, calendar: Calendar = NEXT_YEAR) -> Story:
    """Import a calendar now and apply what is due."""
    story.rules = imported(story.now, calendar)
    return story.sweep()


def test_a_provisional_deadline_is_counted_again_from_where_it_was_set() -> None:
    """The second working day after Wednesday is Friday by guess, and Tuesday once New Year's days off are known."""
    story = winter().submit()
    assert (story.due("review"), story.deadline("review")["provisional"]) == ("2027-01-02 00:00", True)

    recomputed(story.at("2026-12-31T09:00"))

    entry = story.entries[-1]
    assert story.due("review") == "2027-01-06 00:00"
    assert "provisional" not in story.deadline("review") and story.deadline("review")["calendar"] == "next-year"
    assert (entry.event, entry.actor.role, entry.calendar) == ("deadline_recomputed", "system", "next-year")
    assert local(entry.effective_at) == "2026-12-31 09:00"


def test_a_set_deadline_never_moves() -> None:
    """A deadline inside the coverage stays as it was set, whatever a later calendar says of its days."""
    story = winter(WEDNESDAY.replace(day=28)).submit()
    before = story.case

    recomputed(story, replace(NEXT_YEAR, first=date(2026, 12, 29), holidays=frozenset({date(2026, 12, 30)})))

    assert story.case == before and story.answer.entries == ()


def test_the_recomputed_moment_is_never_earlier_than_the_import() -> None:
    """A calendar that knows more working days does not end a deadline in the past."""
    guessed = winter(WEDNESDAY.replace(day=31)).submit().at("2027-01-03T09:00")
    busy = replace(NEXT_YEAR, holidays=frozenset(), makeup=frozenset({date(2027, 1, 2)}))

    recomputed(guessed, busy)

    entry = next(entry for entry in guessed.entries if entry.event == "deadline_recomputed")
    assert local(entry.params["due_at"]) == "2027-01-03 09:00"
    assert "review_overdue" in guessed.events()


def test_what_is_due_at_the_moment_of_the_import_lapses_first_by_the_calendar_before() -> None:
    """At 24:00 of the guessed Friday the review is overdue, and only the repeated deadline is counted again."""
    story = winter().submit()

    recomputed(story.at_due("review"))

    assert story.events()[-2:] == ["review_overdue", "deadline_recomputed"]
    assert story.due("review") == "2027-01-06 00:00"


def test_kept_days_and_an_extension_are_counted_again_too() -> None:
    """Two days left after the clock stood still, three days on top: both stay, counted by the new calendar."""
    story = winter().reviewing().must("request_evidence", agent("li"), kinds=["screenshot"])
    story.must("provide_evidence", BUYER, all=True).must("extend", supervisor("zhao"), message="holidays", days=3)
    assert story.due("review") == "2027-01-05 00:00"

    recomputed(story.at("2026-12-31T09:00"))

    assert story.due("review") == "2027-01-09 00:00" and story.deadline("review")["extended"] is True


def test_an_unknown_stretch_stays_provisional() -> None:
    """A calendar that does not reach the due day counts what it knows and leaves the mark."""
    story = winter().submit()

    recomputed(
        story, replace(NEXT_YEAR, last=NEXT_YEAR.first, holidays=frozenset({NEXT_YEAR.first}), makeup=frozenset())
    )

    assert story.due("review") == "2027-01-05 00:00" and story.deadline("review")["provisional"] is True


@pytest.mark.parametrize("moment", [datetime(2026, 12, 30, 3, tzinfo=UTC)])
def test_recomputing_twice_adds_nothing(moment: datetime) -> None:
    """The same import told again finds nothing provisional."""
    story = recomputed(winter().submit().at(moment))

    assert recomputed(story).answer.entries == ()


def test_an_import_binds_at_its_moment_whoever_touches_the_refund_first() -> None:
    """Touched only after the guessed moment, the refund is not overdue: the import had moved its deadline before."""
    story = winter().submit()
    story.rules = imported(story.at("2026-12-31T09:00").now)

    story.at("2027-01-02T09:00").must("begin_review", agent("li"))

    assert story.events() == ["submit", "deadline_recomputed", "begin_review"]
    assert [local(entry.effective_at) for entry in story.entries[-2:]] == ["2026-12-31 09:00", "2027-01-02 09:00"]


@pytest.mark.parametrize(("at", "warned"), [("2027-01-02T09:00", "2027-01-03 00:00"), ("2027-01-03T09:00", None)])
def test_the_warning_moves_with_its_deadline_unless_its_moment_is_over(at: str, warned: str | None) -> None:
    """Three working days from Thursday end on Tuesday by guess, and on Sunday where the weekend is worked."""
    story = Story(start=WEDNESDAY.replace(day=31), completed_at=WEDNESDAY, product_type="virtual_hosting").submit()
    assert (story.due("review"), local(story.deadline("review")["warn_at"])) == ("2027-01-06 00:00", "2027-01-05 00:00")

    worked = frozenset({date(2027, 1, 2), date(2027, 1, 3)})
    recomputed(story.at(at), replace(NEXT_YEAR, holidays=frozenset(), makeup=worked))

    warn_at = story.deadline("review").get("warn_at")
    assert (story.due("review"), warn_at and local(warn_at)) == ("2027-01-04 00:00", warned)


def test_an_import_that_is_still_to_come_changes_nothing() -> None:
    """Looked at as of a moment before it, the refund stands as it was guessed."""
    story = winter().submit()
    story.rules = imported(story.at("2026-12-31T09:00").now)

    assert story.at("2026-12-31T08:59").sweep().answer.entries == ()
    assert story.due("review") == "2027-01-02 00:00"


def test_of_two_imports_at_one_moment_each_counts_in_its_order() -> None:
    """The first leaves the mark, the second knows the days: the same entries, swept between the two or only after."""
    day = NEXT_YEAR.first
    short = replace(NEXT_YEAR, version="short", last=day, holidays=frozenset({day}), makeup=frozenset())
    swept, late = (winter().submit().at("2026-12-31T09:00") for _ in range(2))
    shipped = rules().calendars.at(late.now)
    told = [(None, shipped), (late.now, overlay(shipped, short, "short"))]
    both = replace(rules(), calendars=Calendars([*told, (late.now, overlay(told[1][1], NEXT_YEAR, "next-year"))]))

    recomputed(swept, short)
    for story in (swept, late):
        story.rules = both
        story.sweep()

    assert swept.events() == late.events() == ["submit", "deadline_recomputed", "deadline_recomputed"]
    assert swept.case == late.case and late.due("review") == "2027-01-06 00:00"
    assert "provisional" not in late.deadline("review")
