"""Working-day calendars as values: the shipped one of mainland China, and calendars as JSON."""

import json
from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache, lru_cache
from hashlib import sha256
from typing import Any

from refundflow.errors import BadInput
from states.calendar import Calendar, overlay

NAME = "cn"
KEYS = ("name", "version", "first", "last", "holidays", "makeup")


@cache
def shipped() -> Calendar:
    """Return mainland China's working days as far as the yearly notices were published.

    The days, with make-up workdays, come from the package chinesecalendar; its coverage is whole
    years from the first to the last that it lists.
    """
    from chinese_calendar import constants  # large: only read where a calendar is asked for

    holidays, makeup = frozenset(constants.holidays), frozenset(constants.workdays)
    return make(
        name=NAME,
        holidays=frozenset(day for day in holidays if day.weekday() < 5),
        makeup=makeup,
        first=date(min(holidays).year, 1, 1),
        last=date(max(holidays).year, 12, 31),
    )


def make(*, name: str, holidays: frozenset[date], makeup: frozenset[date], first: date, last: date) -> Calendar:
    """Return a calendar whose version names it, its last year, and its content by a digest.

    Raises:
        ValueError: days that contradict the calendar (see `Calendar`).
    """
    calendar = Calendar(version=name, holidays=holidays, makeup=makeup, first=first, last=last)
    digest = sha256(_canonical(_days(calendar)).encode()).hexdigest()[:8]
    version = f"{name}-{last.year}-{digest}"
    return Calendar(version=version, holidays=holidays, makeup=makeup, first=first, last=last)


def laid_over(under: Calendar, over: Calendar) -> Calendar:
    """Lay an imported calendar over the one in force; the result is versioned by its own content.

    Raises:
        BadInput: days between the two would be covered by neither.
    """
    name = over.version.split("-", 1)[0]
    try:
        joined = overlay(under, over, version=name)
    except ValueError as error:
        raise BadInput(str(error), field="first") from error
    return make(name=name, holidays=joined.holidays, makeup=joined.makeup, first=joined.first, last=joined.last)


def dump(calendar: Calendar) -> str:
    """Write a calendar as canonical JSON: version, first, last, holidays, makeup (days as YYYY-MM-DD)."""
    return _canonical({"version": calendar.version, **_days(calendar)})


@lru_cache(maxsize=16)  # read in every move, changed about once a year
def parse(text: str, source: str = "stored calendar") -> Calendar:
    """Read a calendar from JSON: what `dump` wrote, or a file by hand with a name instead of a version.

    Weekend days among the holidays are left out: they are off anyway.

    Raises:
        BadInput: no JSON, keys missing or unknown, days that cannot be read or contradict the
            calendar, or a version that is not the one of this content.
    """
    content = _table(text, source)
    holidays = _list(content, "holidays", source)
    try:
        calendar = make(
            name=_name(content, source),
            holidays=frozenset(day for day in holidays if day.weekday() < 5),
            makeup=frozenset(_list(content, "makeup", source)),
            first=_day(content.get("first"), "first", source),
            last=_day(content.get("last"), "last", source),
        )
    except ValueError as error:
        raise BadInput(f"{source}: {error}") from error
    if content.get("version", calendar.version) != calendar.version:
        raise BadInput(f"{source}: version: the content is that of {calendar.version}", field="version")
    return calendar


def _days(calendar: Calendar) -> dict[str, Any]:
    """Return what a calendar says, in order of day."""
    return {
        "first": calendar.first.isoformat(),
        "last": calendar.last.isoformat(),
        "holidays": _written(calendar.holidays),
        "makeup": _written(calendar.makeup),
    }


def _written(days: Iterable[date]) -> list[str]:
    """Write days in order."""
    return [day.isoformat() for day in sorted(days)]


def _canonical(content: Mapping[str, Any]) -> str:
    """Write JSON with sorted keys and no spaces."""
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _table(text: str, source: str) -> dict[str, Any]:
    """Read a JSON object with no other keys than a calendar's."""
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise BadInput(f"{source}: no JSON: {error}") from error
    if not isinstance(content, dict):
        raise BadInput(f"{source}: is no JSON object with the keys {', '.join(KEYS)}")
    unknown = sorted(set(content) - set(KEYS))
    if unknown:
        raise BadInput(f"{source}: {unknown[0]}: not one of {', '.join(KEYS)}", field=unknown[0])
    return content


def _name(content: Mapping[str, Any], source: str) -> str:
    """Read the name of a calendar, from its version where it has one."""
    name = content.get("name", str(content.get("version", "")).split("-", 1)[0])
    if not (isinstance(name, str) and name.isascii() and name.isalnum()):
        raise BadInput(f"{source}: name: a word of letters and digits, for instance {NAME}", field="name")
    return name


def _list(content: Mapping[str, Any], key: str, source: str) -> list[date]:
    """Read a list of days."""
    days = content.get(key)
    if not isinstance(days, list):
        raise BadInput(f"{source}: {key}: a list of days, each as YYYY-MM-DD", field=key)
    return [_day(day, key, source) for day in days]


def _day(value: object, key: str, source: str) -> date:
    """Read one day; other ISO 8601 forms of a day are refused, so that each has one spelling."""
    try:
        day = date.fromisoformat(str(value))
    except ValueError:
        day = None
    if day is None or day.isoformat() != value:
        raise BadInput(f"{source}: {key}: {value!r} is no day as YYYY-MM-DD", field=key)
    return day
