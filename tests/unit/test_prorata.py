"""The pro-rata amount is exact, rounded half up, and never outside what was captured."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from math import floor

from hypothesis import given
from hypothesis import strategies as st

from states.prorata import pro_rata

START = datetime(2026, 1, 1, tzinfo=UTC)
END = START + timedelta(days=30)
microseconds = st.integers(0, 10**15).map(lambda count: timedelta(microseconds=count))
amounts = st.integers(0, 10**12)


def test_a_third_of_the_time_left_is_a_third_of_the_amount() -> None:
    """10 of 30 days unused of 100.00 are 33.33."""
    assert pro_rata(10000, START, END, END - timedelta(days=10)) == 3333


def test_half_a_minor_unit_is_rounded_up_and_less_is_not() -> None:
    """At exactly one half the buyer gets the unit, one microsecond later not."""
    middle = START + timedelta(days=15)

    assert pro_rata(3, START, END, middle) == 2
    assert pro_rata(3, START, END, middle + timedelta(microseconds=1)) == 1


def test_outside_its_time_a_service_is_wholly_unused_or_wholly_used() -> None:
    """Before the beginning everything is left, from the end on nothing; without duration nothing."""
    assert pro_rata(999, START, END, START - timedelta(days=1)) == 999
    assert pro_rata(999, START, END, START) == 999
    assert pro_rata(999, START, END, END) == 0
    assert pro_rata(999, START, END, END + timedelta(days=1)) == 0
    assert pro_rata(999, START, START, START) == 0


@given(amounts, microseconds.filter(bool), microseconds)
def test_it_is_the_exact_fraction_rounded_half_up(captured: int, total: timedelta, used: timedelta) -> None:
    """No size and no duration loses a unit: the result is that of rational numbers."""
    share = Fraction(max(total - used, timedelta()) // timedelta(microseconds=1))
    exact = captured * share / (total // timedelta(microseconds=1))

    amount = pro_rata(captured, START, START + total, START + used)

    assert amount == floor(exact + Fraction(1, 2))
    assert 0 <= amount <= captured


@given(amounts, microseconds, microseconds, microseconds)
def test_it_never_rises_with_time(captured: int, total: timedelta, one: timedelta, other: timedelta) -> None:
    """Whoever waits longer is left with the same or less."""
    early, late = sorted((one, other))
    end = START + total

    assert pro_rata(captured, START, end, START + early) >= pro_rata(captured, START, end, START + late)
