"""The three counts of time: exact durations, civil days, and working days by a calendar of stated coverage.

All moments that come in are aware, all that go out are UTC. A day's 00:00 belongs to that day, so
a deadline that ends with a day is due at the 00:00 that begins the next one.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

SATURDAY = 5
ONE_DAY = timedelta(days=1)
INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Calendar:
    """Say which days are worked: Monday to Friday, less `holidays`, plus `makeup`.

    Coverage is `first` to `last`, both inclusive; outside it Monday to Friday is a guess.

    Raises:
        ValueError: coverage that ends before it begins, a holiday on a weekend, a make-up workday
            on a weekday, or a day outside coverage.
    """

    version: str
    holidays: frozenset[date]  # weekdays off
    makeup: frozenset[date]  # weekend days worked
    first: date
    last: date

    def __post_init__(self) -> None:
        """Refuse a calendar whose days contradict it."""
        if self.last < self.first:
            raise ValueError(f"coverage ends {self.last} before it begins {self.first}")
        for day in self.holidays | self.makeup:
            if not self.covers(day):
                raise ValueError(f"{day} is outside the coverage {self.first} to {self.last}")
        for day in self.holidays:
            if day.weekday() >= SATURDAY:
                raise ValueError(f"{day} is a weekend day: it is off without being a holiday")
        for day in self.makeup:
            if day.weekday() < SATURDAY:
                raise ValueError(f"{day} is a weekday: it is worked without being a make-up day")

    def is_workday(self, day: date) -> bool:
        """Tell whether a day is worked; outside coverage Monday to Friday are."""
        return day in self.makeup or (day.weekday() < SATURDAY and day not in self.holidays)

    def covers(self, day: date) -> bool:
        """Tell whether the calendar knows the day rather than guesses it."""
        return self.first <= day <= self.last


class Due(NamedTuple):
    """A due moment in UTC; provisional when a day outside the calendar's coverage was counted."""

    at: datetime
    provisional: bool


class Calendars:
    """Every calendar that was ever in force, so that each moment finds the one of its time."""

    def __init__(self, entries: Sequence[tuple[datetime | None, Calendar]]) -> None:
        """Take calendars with the moment of their import (UTC); None is the shipped one, always in force.

        Of two imported at the same moment the later in the sequence is the newer.

        Raises:
            ValueError: not exactly one shipped calendar.
        """
        shipped = [calendar for imported_at, calendar in entries if imported_at is None]
        if len(shipped) != 1:
            raise ValueError(f"exactly one calendar must be the shipped one, not {len(shipped)}")
        imports = sorted(
            ((imported_at, calendar) for imported_at, calendar in entries if imported_at is not None),
            key=lambda entry: entry[0],
        )
        self.imports: tuple[tuple[datetime, Calendar], ...] = tuple(imports)
        self._moments = [imported_at for imported_at, _ in imports]
        self._calendars = [shipped[0], *(calendar for _, calendar in imports)]

    def at(self, moment: datetime) -> Calendar:
        """Return the calendar in force at a moment: the newest imported strictly before it."""
        return self._calendars[bisect_left(self._moments, moment)]


def day_of(moment: datetime, zone: str) -> date:
    """Return the civil day in the zone to which a moment belongs."""
    return moment.astimezone(ZoneInfo(zone)).date()


@lru_cache(maxsize=1024)  # the deadlines of one night end with the same few days
def start_of(day: date, zone: str) -> datetime:
    """Return the moment at which a civil day begins in the zone.

    Where a change of the clock skips midnight the day begins at the change.
    """
    return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)


def end_of(day: date, zone: str) -> datetime:
    """Return 24:00 of a civil day in the zone, which is the beginning of the next."""
    return start_of(day + ONE_DAY, zone)


def due_day(due: datetime, zone: str) -> date:
    """Return the last civil day before a due moment has come: due at 00:00 ends the day before."""
    return day_of(due - INSTANT, zone)


def elapsed(start: datetime, seconds: int) -> datetime:
    """Return the moment an exact number of seconds after the start."""
    return start.astimezone(UTC) + timedelta(seconds=seconds)


def civil_days(start: datetime, days: int, zone: str) -> datetime:
    """Return 24:00 of the last of `days` civil days in the zone; the day of the start is not counted."""
    return end_of(day_of(start, zone) + timedelta(days=days), zone)


def working_days(calendar: Calendar, start: datetime, days: int, zone: str) -> Due:
    """Return 24:00 of the `days`-th working day after the day of the start (at least one).

    Raises:
        ValueError: less than one day.
    """
    if days < 1:
        raise ValueError(f"{days} working days end on no day")
    return _end_of_nth(calendar, day_of(start, zone), days, zone)


def working_days_left(calendar: Calendar, now: datetime, due: datetime, zone: str) -> int:
    """Count the working days after the current day up to the due day: 0 if due at the end of today."""
    return _count(calendar, day_of(now, zone), due_day(due, zone))


def resume(calendar: Calendar, now: datetime, left: int, zone: str) -> Due:
    """Return the end of the `left`-th working day after today.

    With 0 left it is the end of today, or of the next working day if today is none.
    """
    today = day_of(now, zone)
    if left > 0:
        return _end_of_nth(calendar, today, left, zone)
    return _end_of_nth(calendar, today - ONE_DAY, 1, zone)


def working_days_between(calendar: Calendar, start: datetime, end: datetime, zone: str) -> int:
    """Count the working days that began after the day of the start, up to and with the day of the end."""
    return _count(calendar, day_of(start, zone), day_of(end, zone))


def review_warning(calendar: Calendar, due: datetime, days: int, zone: str) -> datetime:
    """Return when to warn of a deadline of `days` working days.

    That is 24:00 of the working day before the due day, for one of a single day 12:00 of the due day.
    """
    last = due_day(due, zone)
    if days <= 1:
        return datetime.combine(last, time(12), ZoneInfo(zone)).astimezone(UTC)
    day = last - ONE_DAY
    while not calendar.is_workday(day):
        day -= ONE_DAY
    return end_of(day, zone)


def overlay(under: Calendar, over: Calendar, version: str) -> Calendar:
    """Lay a calendar over another: within its coverage it speaks, elsewhere the one under it.

    Raises:
        ValueError: days between the two would be covered by neither.
    """
    if over.first > under.last + ONE_DAY or over.last < under.first - ONE_DAY:
        raise ValueError(f"no calendar covers the days between {under.last} and {over.first}")
    return Calendar(
        version=version,
        holidays=frozenset(day for day in under.holidays if not over.covers(day)) | over.holidays,
        makeup=frozenset(day for day in under.makeup if not over.covers(day)) | over.makeup,
        first=min(under.first, over.first),
        last=max(under.last, over.last),
    )


def _end_of_nth(calendar: Calendar, after: date, days: int, zone: str) -> Due:
    """Walk to the `days`-th working day after a day; every day walked over was looked at."""
    day, provisional = after, False
    while days > 0:
        day += ONE_DAY
        provisional = provisional or not calendar.covers(day)
        days -= calendar.is_workday(day)
    return Due(end_of(day, zone), provisional)


def _count(calendar: Calendar, after: date, last: date) -> int:
    """Count the working days after one day up to and with another; 0 when it does not come later."""
    day, count = after, 0
    while day < last:
        day += ONE_DAY
        count += calendar.is_workday(day)
    return count
