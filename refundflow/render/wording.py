"""How money, moments and what is left of a deadline are written for people."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from refundflow.messages import Language

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
# How readers of a language tell a currency; any other is told by its code.
_SYMBOLS: Mapping[Language, Mapping[str, str]] = {
    "en": {"CNY": "CN¥", "EUR": "€", "GBP": "£", "HKD": "HK$", "INR": "₹", "JPY": "¥", "KRW": "₩", "USD": "$"},
    "zh": {"CNY": "¥", "EUR": "€", "GBP": "£", "HKD": "HK$", "INR": "₹", "JPY": "JP¥", "KRW": "₩", "USD": "US$"},
}
_UNITS: Mapping[Language, tuple[str, str, str, str]] = {
    "en": ("d", "h", "min", "s"),
    "zh": ("天", "小时", "分钟", "秒"),
}
_WEEKDAYS = "一二三四五六日"
_NO_BREAK = "\u00a0"
_MINUTE = timedelta(minutes=1)


def money(minor: int, currency: str) -> str:
    """Write an amount of minor units, e.g. 123456 and CNY as "1234.56 CNY"."""
    digits = _DIGITS.get(currency, 2)
    sign = "-" if minor < 0 else ""
    whole, rest = divmod(abs(minor), 10**digits)
    return f"{sign}{whole}.{rest:0{digits}} {currency}" if digits else f"{sign}{whole} {currency}"


def amount(minor: int, currency: str, language: Language) -> str:
    """Write an amount in the reader's convention, e.g. 123456 and CNY as "CN¥1,234.56" or "¥1,234.56"."""
    digits = _DIGITS.get(currency, 2)
    whole, rest = divmod(abs(minor), 10**digits)
    number = f"{whole:,}.{rest:0{digits}}" if digits else f"{whole:,}"
    symbol = _SYMBOLS[language].get(currency, currency + _NO_BREAK)
    return f"{'−' if minor < 0 else ''}{symbol}{number}"


def moment_words(moment: datetime, zone: str, language: Language) -> str:
    """Write a moment as prose does, e.g. "Tue 24 Nov 2026, 09:05" or "2026年11月24日（周二）09:05"."""
    there = moment.astimezone(ZoneInfo(zone))
    return _at(there, f"{there:%H:%M}", language)


def due_words(moment: datetime, zone: str, language: Language) -> str:
    """Write a due moment as `moment_words`; midnight is 24:00 of the day that it ends."""
    there = moment.astimezone(ZoneInfo(zone))
    if there.hour or there.minute or there.second or there.microsecond:
        return _at(there, f"{there:%H:%M}", language)
    return _at(there - timedelta(days=1), "24:00", language)


def _at(day: datetime, clock: str, language: Language) -> str:
    if language == "zh":
        return f"{day.year}年{day.month}月{day.day}日（周{_WEEKDAYS[day.weekday()]}）{clock}"
    return f"{day:%a} {day.day} {day:%b} {day.year}, {clock}"


def span_words(length: timedelta, language: Language) -> str:
    """Write a length of time by its two largest units, e.g. "1 d 3 h" or "1 天 3 小时"; 0 units are left out."""
    seconds = int(length.total_seconds())
    units = _UNITS[language]
    parts = [(seconds // 86_400, units[0]), (seconds // 3600 % 24, units[1]), (seconds // 60 % 60, units[2])]
    first = next((index for index, (count, _) in enumerate(parts) if count), None)
    if first is None:
        return f"{seconds}{_NO_BREAK}{units[3]}"
    shown = [(count, unit) for count, unit in parts[first : first + 2] if count]
    return " ".join(f"{count}{_NO_BREAK}{unit}" for count, unit in shown)


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
