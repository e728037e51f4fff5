"""What holds of the three counts for any calendar, moment, length and zone."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from states.calendar import (
    INSTANT,
    Calendar,
    civil_days,
    day_of,
    due_day,
    resume,
    working_days,
    working_days_between,
    working_days_left,
)

FIRST, LAST = date(2026, 1, 1), date(2026, 12, 31)
YEAR = [FIRST + timedelta(days=n) for n in range(365)]
ZONES = (
    "UTC", "Asia/Shanghai", "America/New_York", "America/Sao_Paulo", "Africa/Cairo", "Asia/Kathmandu",
    "Australia/Lord_Howe", "Pacific/Kiritimati",
)  # fmt: skip

zones = st.sampled_from(ZONES)
lengths = st.integers(1, 12)
anywhere = st.integers(0, 4500 * 86400 * 10**6).map(lambda n: datetime(2015, 1, 1, tzinfo=UTC) + n * INSTANT)
moments = st.integers(0, 426 * 86400 * 10**6).map(lambda n: datetime(2025, 12, 1, tzinfo=UTC) + n * INSTANT)
calendars = st.builds(
    lambda off, worked: Calendar(
        version="any", holidays=frozenset(off), makeup=frozenset(worked), first=FIRST, last=LAST
    ),
    st.sets(st.sampled_from([day for day in YEAR if day.weekday() < 5]), max_size=60),
    st.sets(st.sampled_from([day for day in YEAR if day.weekday() >= 5]), max_size=20),
)


@given(anywhere, st.integers(0, 100), zones)
def test_civil_days_end_exactly_when_the_next_local_day_begins(at: datetime, days: int, zone: str) -> None:
    """The last microsecond belongs to the last day, the due moment itself to the one after."""
    last = day_of(at, zone) + timedelta(days=days)

    due = civil_days(at, days, zone)

    assert day_of(due - INSTANT, zone) == last
    assert day_of(due, zone) == last + timedelta(days=1)
    assert due.utcoffset() == timedelta(0)


@given(calendars, moments, lengths, zones)
def test_a_count_ends_with_a_working_day_and_has_exactly_its_length(
    calendar: Calendar, at: datetime, days: int, zone: str
) -> None:
    """Counted by hand, day by day, the n-th working day is the due day."""
    due = working_days(calendar, at, days, zone)

    last, start = due_day(due.at, zone), day_of(at, zone)
    walked = [start + timedelta(days=n) for n in range(1, (last - start).days + 1)]
    assert calendar.is_workday(last)
    assert sum(map(calendar.is_workday, walked)) == days
    assert due.provisional == any(not FIRST <= day <= LAST for day in walked)
    assert day_of(due.at, zone) == last + timedelta(days=1)


@given(calendars, moments, lengths, zones, st.data())
def test_standing_still_within_one_day_costs_nothing(
    calendar: Calendar, at: datetime, days: int, zone: str, data: st.DataObject
) -> None:
    """Left and taken up again at any moment before it is due, a deadline is what it was."""
    due = working_days(calendar, at, days, zone).at
    now = at + data.draw(st.integers(0, (due - at - INSTANT) // INSTANT)) * INSTANT

    left = working_days_left(calendar, now, due, zone)

    assert 0 <= left <= days
    assert resume(calendar, now, left, zone).at == due


@given(calendars, moments, moments, lengths, zones)
def test_who_starts_later_is_never_due_earlier(
    calendar: Calendar, one: datetime, other: datetime, days: int, zone: str
) -> None:
    """Due moments keep the order of their starts, and more days end later."""
    early, late = sorted((one, other))

    assert working_days(calendar, early, days, zone).at <= working_days(calendar, late, days, zone).at
    assert working_days(calendar, early, days, zone).at < working_days(calendar, early, days + 1, zone).at
    assert working_days(calendar, early, days, zone).at > early


@given(calendars, moments, lengths, zones)
def test_a_day_more_from_the_day_that_ended_is_a_day_more_from_the_start(
    calendar: Calendar, at: datetime, days: int, zone: str
) -> None:
    """Repeating a lapsed deadline loses no time and wins none."""
    ended = working_days(calendar, at, days, zone).at

    again = working_days(calendar, ended - INSTANT, 1, zone).at

    assert again == working_days(calendar, at, days + 1, zone).at


@given(calendars, moments, moments, moments, zones)
def test_working_days_begun_add_up(
    calendar: Calendar, one: datetime, two: datetime, three: datetime, zone: str
) -> None:
    """From a to b and from b to c are as many as from a to c."""
    a, b, c = sorted((one, two, three))

    both = working_days_between(calendar, a, b, zone) + working_days_between(calendar, b, c, zone)

    assert both == working_days_between(calendar, a, c, zone)


@given(calendars, moments, st.integers(0, 12), zones)
def test_whoever_returns_always_has_time_left(calendar: Calendar, now: datetime, left: int, zone: str) -> None:
    """Even with no day left the deadline is still ahead, at the end of a working day."""
    due = resume(calendar, now, left, zone).at

    assert due > now
    assert calendar.is_workday(due_day(due, zone))
    assert working_days_left(calendar, now, due, zone) in (left, left + 1)
