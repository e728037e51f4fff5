"""How money, moments and what is left of a deadline are written for people."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

# Digits after the point where they are not two: ISO 4217.
_DIGITS = {
    "BHD": 3,
    "CLP": 0,
    "ISK": 0,
    "JOD": 3,
    "JPY": 0,
    "KRW": 0,
    "KWD": 3,
    "OMR": 3,
    "PYG": 0,
    "TND": 3,
    "VND": 0,
}
_MINUTE = timedelta(minutes=1)


def money(minor: int, currency: str) -> str:
    """Write an amount of minor units, e.g. 123456 and CNY as "1234.56 CNY"."""
    digits = _DIGITS.get(currency, 2)
    sign = "-" if minor < 0 else ""
    whole, rest = divmod(abs(minor), 10**digits)
    return f"{sign}{whole}.{rest:0{digits}} {currency}" if digits else f"{sign}{whole} {currency}"


def local(moment: datetime, zone: str, now: datetime | None = None) -> str:
    """Write a moment in a time zone, e.g. "Tue 24 Nov 00:00"; the year too where it is not that of `now`."""
    there = moment.astimezone(ZoneInfo(zone))
    year = "" if now is not None and now.astimezone(ZoneInfo(zone)).year == there.year else f" {there:%Y}"
    return f"{there:%a} {there.day} {there:%b}{year} {there:%H:%M}"


def span(length: timedelta) -> str:
    """Write a length of time by its two largest units, e.g. "1 d 3 h", "2 h 5 min", "under 1 min"."""
    minutes = length // _MINUTE
    days, rest = divmod(minutes, 24 * 60)
    hours, minutes = divmod(rest, 60)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min" if minutes else "under 1 min"


def left(due: datetime, now: datetime) -> str:
    """Write what is left until a moment, or how long ago it passed; at the moment itself it has passed."""
    return f"{span(due - now)} left" if now < due else f"{span(now - due)} late"


def due(moment: datetime, now: datetime, zone: str) -> str:
    """Write a due moment with what is left, e.g. "due Tue 24 Nov 00:00, 1 d 3 h left"."""
    return f"due {local(moment, zone, now)}, {left(moment, now)}"


def stamp(moment: datetime, zone: str) -> str:
    """Write a moment to the second in a time zone, e.g. "2026-11-24 00:00:00"; it sorts as time does."""
    return f"{moment.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M:%S}"
