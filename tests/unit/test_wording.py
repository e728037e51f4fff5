"""How money, moments and what is left of a deadline are written for people."""

from datetime import UTC, datetime, timedelta

import pytest

from refundflow.render import due, left, local, money, span

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
