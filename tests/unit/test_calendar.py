"""Exact durations, civil days and working days end where the rules say, to the microsecond."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from refundflow.calendars import shipped
from states.calendar import (
    INSTANT,
    Calendar,
    Calendars,
    Due,
    civil_days,
    due_day,
    elapsed,
    overlay,
    resume,
    review_warning,
    working_days,
    working_days_between,
    working_days_left,
)

SHANGHAI = "Asia/Shanghai"
NEW_YORK = "America/New_York"


def at(text: str, zone: str = SHANGHAI) -> datetime:
    """Read a local time as a UTC moment."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def plain(
    first: str = "2026-01-01", last: str = "2026-12-31", *, holidays: tuple[str, ...] = (),
    makeup: tuple[str, ...] = (), version: str = "plain",
) -> Calendar:  # fmt: skip
    """Make a calendar of Monday to Friday with some exceptions."""
    return Calendar(
        version=version,
        holidays=frozenset(map(date.fromisoformat, holidays)),
        makeup=frozenset(map(date.fromisoformat, makeup)),
        first=date.fromisoformat(first),
        last=date.fromisoformat(last),
    )


# --- exact durations and civil days --------------------------------------------------------------


def test_elapsed_is_exact_across_a_change_of_the_clock() -> None:
    """48 hours are 48 hours, although the night between has one hour less."""
    start = at("2026-03-07 12:00", NEW_YORK)

    assert elapsed(start, 48 * 3600) == at("2026-03-09 13:00", NEW_YORK)


@pytest.mark.parametrize("start", ["2026-03-02 00:00", "2026-03-02 12:00", "2026-03-02 23:59:59.999999"])
def test_the_first_civil_day_is_not_counted(start: str) -> None:
    """Whatever the hour on Monday, three civil days end on Thursday at 24:00."""
    assert civil_days(at(start), 3, SHANGHAI) == at("2026-03-06 00:00")


def test_midnight_belongs_to_the_day_that_begins() -> None:
    """One microsecond apart, around midnight, makes a whole day of difference."""
    midnight = at("2026-03-03 00:00")

    assert civil_days(midnight - INSTANT, 1, SHANGHAI) == at("2026-03-04 00:00")
    assert civil_days(midnight, 1, SHANGHAI) == at("2026-03-05 00:00")


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [("2026-03-07 12:00", "2026-03-09 00:00", 35), ("2026-10-31 12:00", "2026-11-02 00:00", 37)],
)
def test_a_civil_day_ends_at_local_midnight_though_it_has_23_or_25_hours(start: str, end: str, hours: int) -> None:
    """In New York the day of the change ends at its own midnight."""
    due = civil_days(at(start, NEW_YORK), 1, NEW_YORK)

    assert due == at(end, NEW_YORK)
    assert due - at(start, NEW_YORK) == timedelta(hours=hours)


def test_a_day_whose_midnight_is_skipped_begins_at_the_change() -> None:
    """In São Paulo 4 November 2018 began at 01:00: the day before ended at that moment."""
    zone = "America/Sao_Paulo"

    assert civil_days(at("2018-11-02 12:00", zone), 1, zone) == datetime(2018, 11, 4, 3, tzinfo=UTC)


def test_civil_days_cross_the_year_and_the_leap_day() -> None:
    """A month and a year are no borders, 29 February is a day."""
    assert civil_days(at("2026-12-30 08:00"), 7, SHANGHAI) == at("2027-01-07 00:00")
    assert civil_days(at("2028-02-27 08:00"), 2, SHANGHAI) == at("2028-03-01 00:00")


# --- working days --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "days", "last", "why"),
    [
        ("2026-03-02 10:00", 1, "2026-03-03", "Monday, the day after"),
        ("2026-03-06 10:00", 1, "2026-03-09", "Friday, over the weekend"),
        ("2026-03-07 10:00", 3, "2026-03-11", "Saturday counts as a start, not as a day"),
        ("2026-02-13 10:00", 1, "2026-02-14", "a Saturday worked before Spring Festival"),
        ("2026-02-14 10:00", 1, "2026-02-24", "over nine days of Spring Festival"),
        ("2025-09-26 10:00", 2, "2025-09-29", "the Sunday worked before National Day"),
        ("2025-09-30 10:00", 1, "2025-10-09", "over National Day and Mid-Autumn"),
        ("2025-10-10 10:00", 1, "2025-10-11", "the Saturday worked after it"),
        ("2025-12-31 10:00", 1, "2026-01-04", "over New Year to the Sunday that is worked"),
    ],
)
def test_working_days_follow_holidays_and_make_up_days(start: str, days: int, last: str, why: str) -> None:
    """The n-th working day after the start day, by the notices of the State Council."""
    due = working_days(shipped(), at(start), days, SHANGHAI)

    assert due_day(due.at, SHANGHAI) == date.fromisoformat(last), why
    assert due.at == at(last) + timedelta(days=1)
    assert not due.provisional


def test_a_start_just_before_and_at_midnight_are_a_working_day_apart() -> None:
    """The start day is the day to which the moment belongs, to the microsecond."""
    midnight = at("2026-03-03 00:00")

    assert working_days(shipped(), midnight - INSTANT, 1, SHANGHAI).at == at("2026-03-04 00:00")
    assert working_days(shipped(), midnight, 1, SHANGHAI).at == at("2026-03-05 00:00")


def test_a_repeated_deadline_counts_from_the_day_that_ended() -> None:
    """Lapsed on Monday at 24:00, one working day more ends on Tuesday at 24:00."""
    monday_24 = at("2026-03-03 00:00")

    assert working_days(shipped(), monday_24 - INSTANT, 1, SHANGHAI).at == at("2026-03-04 00:00")


def test_the_same_moment_is_another_day_in_another_zone() -> None:
    """Friday evening in New York is Saturday in Shanghai: each counts its own days."""
    moment = at("2026-03-06 20:00", NEW_YORK)

    assert working_days(plain(), moment, 1, NEW_YORK).at == at("2026-03-10 00:00", NEW_YORK)
    assert working_days(plain(), moment, 1, SHANGHAI).at == at("2026-03-10 00:00", SHANGHAI)


def test_zero_working_days_end_on_no_day() -> None:
    """Asked for no day at all, the count says so instead of guessing."""
    with pytest.raises(ValueError, match="0 working days"):
        working_days(plain(), at("2026-03-02 10:00"), 0, SHANGHAI)


@pytest.mark.parametrize(
    ("start", "provisional"),
    [("2026-12-29 23:59:59.999999", False), ("2026-12-30 00:00", True), ("2026-12-31 10:00", True)],
)
def test_a_count_that_leaves_the_coverage_is_provisional(start: str, provisional: bool) -> None:
    """A 2-day review that needs a day of 2027 is marked; one that ends on 31 December is not."""
    assert working_days(shipped(), at(start), 2, SHANGHAI).provisional is provisional


def test_outside_coverage_monday_to_friday_are_worked() -> None:
    """From Thursday 31 December 2026 the first guessed working day is Friday, 1 January."""
    assert working_days(shipped(), at("2026-12-31 10:00"), 1, SHANGHAI) == Due(at("2027-01-02 00:00"), True)


# --- standing still ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "left"),
    [
        ("2026-03-03 23:59:59.999999", 3),
        ("2026-03-04 00:00", 2),
        ("2026-03-05 09:00", 1),
        ("2026-03-06 00:00", 0),
        ("2026-03-06 23:59:59.999999", 0),
    ],
)
def test_days_left_are_those_after_the_current_day(now: str, left: int) -> None:
    """Due on Friday at 24:00, the current day never counts as left."""
    assert working_days_left(shipped(), at(now), at("2026-03-07 00:00"), SHANGHAI) == left


def test_a_due_moment_in_the_middle_of_a_day_is_due_on_that_day() -> None:
    """Only 00:00 ends the day before."""
    assert due_day(at("2026-03-06 00:00"), SHANGHAI) == date(2026, 3, 5)
    assert due_day(at("2026-03-06 00:00") + INSTANT, SHANGHAI) == date(2026, 3, 6)


@pytest.mark.parametrize(
    ("now", "left", "end"),
    [
        ("2026-03-04 10:00", 2, "2026-03-07 00:00"),
        ("2026-03-06 10:00", 1, "2026-03-10 00:00"),
        ("2026-03-04 10:00", 0, "2026-03-05 00:00"),
        ("2026-03-07 10:00", 0, "2026-03-10 00:00"),
        ("2026-02-14 10:00", 0, "2026-02-15 00:00"),
        ("2026-02-16 10:00", 0, "2026-02-25 00:00"),
    ],
)
def test_the_clock_goes_on_with_the_days_that_were_left(now: str, left: int, end: str) -> None:
    """The left-th working day after the return; with none left today, or the next that is worked."""
    assert resume(shipped(), at(now), left, SHANGHAI) == Due(at(end), False)


@pytest.mark.parametrize(
    ("start", "end", "begun"),
    [
        ("2026-03-02 09:00", "2026-03-02 18:00", 0),
        ("2026-03-02 09:00", "2026-03-03 00:00", 1),
        ("2026-03-02 23:00", "2026-03-02 23:59:59.999999", 0),
        ("2026-03-06 09:00", "2026-03-08 09:00", 0),
        ("2026-03-06 09:00", "2026-03-09 00:00", 1),
        ("2026-02-13 09:00", "2026-02-24 09:00", 2),
        ("2026-03-05 09:00", "2026-03-02 09:00", 0),
    ],
)
def test_working_days_begun_are_counted_from_the_day_after(start: str, end: str, begun: int) -> None:
    """A working day has begun at its 00:00; the start's own day does not count."""
    assert working_days_between(shipped(), at(start), at(end), SHANGHAI) == begun


# --- warnings ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("due", "days", "warned"),
    [
        ("2026-03-07 00:00", 3, "2026-03-06 00:00"),
        ("2026-03-10 00:00", 2, "2026-03-07 00:00"),
        ("2026-02-25 00:00", 2, "2026-02-15 00:00"),
        ("2026-03-10 00:00", 1, "2026-03-09 12:00"),
    ],
)
def test_a_review_warns_at_the_end_of_the_working_day_before(due: str, days: int, warned: str) -> None:
    """The working day before may be long before; a review of one day warns at noon of its due day."""
    assert review_warning(shipped(), at(due), days, SHANGHAI) == at(warned)


# --- calendars -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"holidays": ("2026-03-07",)}, "weekend day"),
        ({"makeup": ("2026-03-06",)}, "weekday"),
        ({"holidays": ("2027-03-05",)}, "outside the coverage"),
        ({"first": "2027-01-01"}, "before it begins"),
    ],
)
def test_a_calendar_that_contradicts_itself_is_refused(bad: dict[str, Any], says: str) -> None:
    """Days off are weekdays, days worked in exchange are weekend days, all of them covered."""
    with pytest.raises(ValueError, match=says):
        plain(**bad)


def test_calendars_are_values() -> None:
    """Two with the same content are equal, with the same hash."""
    one, other = plain(holidays=("2026-05-01",)), plain(holidays=("2026-05-01",))

    assert one == other
    assert hash(one) == hash(other)


def test_the_calendar_in_force_was_imported_strictly_before() -> None:
    """At the moment of an import the old one still holds, one microsecond later the new one."""
    noon = at("2026-11-20 12:00")
    old, new, newest = (plain(version=name) for name in ("old", "new", "newest"))
    calendars = Calendars([(noon + timedelta(days=1), newest), (None, old), (noon, new)])

    found = [
        calendars.at(moment).version for moment in (noon - INSTANT, noon, noon + INSTANT, noon + timedelta(days=2))
    ]

    assert found == ["old", "old", "new", "newest"]


def test_there_is_always_exactly_one_shipped_calendar() -> None:
    """Without one some moments would have no calendar, with two the choice would be open."""
    shipped_one = (None, plain())

    for entries in ([], [(at("2026-11-20 12:00"), plain())], [shipped_one, shipped_one]):
        with pytest.raises(ValueError, match="exactly one"):
            Calendars(entries)


def test_an_overlay_speaks_within_its_coverage_only() -> None:
    """The later year comes from the new calendar, the earlier one stays."""
    under = plain("2025-01-01", "2026-12-31", holidays=("2025-05-01", "2026-05-01"))
    over = plain("2026-01-01", "2027-12-31", holidays=("2026-05-04",), makeup=("2027-05-08",))

    joined = overlay(under, over, "joined")

    assert (joined.first, joined.last, joined.version) == (under.first, over.last, "joined")
    assert joined.holidays == {date(2025, 5, 1), date(2026, 5, 4)}
    assert joined.makeup == {date(2027, 5, 8)}


def test_an_overlay_that_leaves_a_gap_is_refused() -> None:
    """Coverage is one stretch: a hole in it could not be stated honestly."""
    with pytest.raises(ValueError, match="no calendar covers"):
        overlay(plain("2026-01-01", "2026-12-31"), plain("2028-01-01", "2028-12-31"), "joined")
