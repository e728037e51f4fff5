"""How money, moments and what is left of a deadline are written for people."""

from datetime import UTC, datetime, timedelta

import pytest

from refundflow.messages import Language
from refundflow.render import amount, due, due_words, left, local, moment_words, money, span, span_words

NOW = datetime(2026, 11, 22, 13, 0, tzinfo=UTC)  # Sunday 21:00 in Shanghai


@pytest.mark.parametrize(
    ("minor", "currency", "written"),
    [
        (123456, "CNY", "1234.56 CNY"),
        (5, "CNY", "0.05 CNY"),
        (0, "USD", "0.00 USD"),
        (-5, "CNY", "-0.05 CNY"),
        (1200, "JPY", "1200 JPY"),
        (1234, "KWD", "1.234 KWD"),
    ],
)
def test_money_has_the_digits_of_its_currency(minor: int, currency: str, written: str) -> None:
    """An amount is written with as many digits after the point as its currency has."""
    assert money(minor, currency) == written


def test_a_moment_is_written_in_the_zone_of_the_policy() -> None:
    """The end of Monday in Shanghai is written as Tuesday 00:00, not as Monday 16:00 UTC."""
    assert local(datetime(2026, 11, 23, 16, 0, tzinfo=UTC), "Asia/Shanghai", NOW) == "Tue 24 Nov 00:00"


def test_the_year_is_written_where_it_is_another() -> None:
    """A moment of another year, there in the zone, carries its year."""
    assert local(datetime(2026, 12, 31, 16, 0, tzinfo=UTC), "Asia/Shanghai", NOW) == "Fri 1 Jan 2027 00:00"


@pytest.mark.parametrize(
    ("length", "written"),
    [
        (timedelta(days=1, hours=3, minutes=59), "1 d 3 h"),
        (timedelta(hours=2, minutes=5), "2 h 5 min"),
        (timedelta(minutes=15), "15 min"),
        (timedelta(seconds=59), "under 1 min"),
    ],
)
def test_a_length_shows_its_two_largest_units(length: timedelta, written: str) -> None:
    """A length of time is never shown longer than it is."""
    assert span(length) == written


def test_a_deadline_is_written_with_what_is_left() -> None:
    """A due moment says when and how long is left."""
    assert due(datetime(2026, 11, 23, 16, 0, tzinfo=UTC), NOW, "Asia/Shanghai") == (
        "due Tue 24 Nov 00:00, 1 d 3 h left"
    )


def test_at_the_due_moment_it_is_late() -> None:
    """An act is in time strictly before the due moment: at it, nothing is left."""
    assert left(NOW, NOW) == "under 1 min late"
    assert left(NOW, NOW - timedelta(microseconds=1)) == "under 1 min left"


@pytest.mark.parametrize(
    ("minor", "currency", "language", "written"),
    [
        (123456, "CNY", "en", "CN¥1,234.56"),
        (123456, "CNY", "zh", "¥1,234.56"),
        (-5, "USD", "en", "−$0.05"),
        (1200, "JPY", "zh", "JP¥1,200"),
        (1234567, "KWD", "en", "KWD\u00a01,234.567"),
    ],
)
def test_an_amount_is_written_as_its_reader_does(minor: int, currency: str, language: Language, written: str) -> None:
    """Symbol, thousands and digits are those of the reader's language and of the currency."""
    assert amount(minor, currency, language) == written


def test_a_due_moment_at_midnight_is_the_end_of_its_day() -> None:
    """The 00:00 of a Tuesday, as the end of a deadline, is Monday 24:00; as a moment it is Tuesday."""
    midnight = datetime(2026, 11, 23, 16, 0, tzinfo=UTC)

    assert due_words(midnight, "Asia/Shanghai", "en") == "Mon 23 Nov 2026, 24:00"
    assert due_words(midnight, "Asia/Shanghai", "zh") == "2026年11月23日（周一）24:00"
    assert moment_words(midnight, "Asia/Shanghai", "en") == "Tue 24 Nov 2026, 00:00"
    assert due_words(NOW, "Asia/Shanghai", "zh") == "2026年11月22日（周日）21:00"


@pytest.mark.parametrize(
    ("length", "english", "chinese"),
    [
        (timedelta(days=1, hours=3, minutes=9), "1 d 3 h", "1 天 3 小时"),
        (timedelta(days=2), "2 d", "2 天"),
        (timedelta(hours=5, minutes=20), "5 h 20 min", "5 小时 20 分钟"),
        (timedelta(seconds=12), "12 s", "12 秒"),
    ],
)
def test_a_span_is_said_in_the_language(length: timedelta, english: str, chinese: str) -> None:
    """A length of time is said by its two largest units."""
    assert span_words(length, "en").replace("\u00a0", " ") == english
    assert span_words(length, "zh").replace("\u00a0", " ") == chinese
