"""The shipped calendar states what it covers, and calendars travel as JSON without change."""

import json
from datetime import date, timedelta

import chinese_calendar
import pytest

from refundflow.calendars import dump, laid_over, make, parse, shipped
from refundflow.errors import BadInput

HAND_WRITTEN = {
    "name": "cn", "first": "2027-01-01", "last": "2027-12-31",
    "holidays": ["2027-01-01", "2027-01-02", "2027-10-01"], "makeup": ["2027-10-09"],
}  # fmt: skip


def written(**changes: object) -> str:
    """Write the hand-written calendar with some keys changed; None leaves a key out."""
    content = HAND_WRITTEN | changes
    return json.dumps({key: value for key, value in content.items() if value is not None})


def test_the_shipped_calendar_knows_every_day_that_it_covers() -> None:
    """Day by day it says what its source says, from the first to the last day of its coverage."""
    calendar = shipped()

    days = [calendar.first + timedelta(days=n) for n in range((calendar.last - calendar.first).days + 1)]

    assert [day for day in days if calendar.is_workday(day) != chinese_calendar.is_workday(day)] == []


def test_the_shipped_calendar_claims_no_day_that_its_source_does_not_know() -> None:
    """The day after its coverage is unknown to the source; the name tells the last year."""
    calendar = shipped()

    with pytest.raises(NotImplementedError):
        chinese_calendar.is_workday(calendar.last + timedelta(days=1))
    assert not calendar.covers(calendar.last + timedelta(days=1))
    assert calendar.version.startswith(f"cn-{calendar.last.year}-")


def test_a_calendar_written_and_read_is_the_same() -> None:
    """Nothing is lost and nothing added on the way through JSON."""
    assert parse(dump(shipped()), "copy.json") == shipped()


def test_a_calendar_by_hand_gets_its_version_from_its_content() -> None:
    """Weekend days among the holidays change nothing: they are off anyway."""
    calendar = parse(written(), "cn2027.json")

    assert calendar.holidays == {date(2027, 1, 1), date(2027, 10, 1)}
    assert calendar.makeup == {date(2027, 10, 9)}
    assert calendar == parse(written(holidays=["2027-10-01", "2027-01-01"]), "other.json")
    assert calendar.version != parse(written(makeup=[]), "other.json").version


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"first": None}, "first: None is no day"),
        ({"holidays": None}, "holidays: a list of days"),
        ({"makeup": "2027-10-09"}, "makeup: a list of days"),
        ({"holidays": ["2027-02-30"]}, "'2027-02-30' is no day"),
        ({"holidays": ["20271001"]}, "'20271001' is no day"),
        ({"holidays": [20271001]}, "20271001 is no day"),
        ({"holidays": ["2028-01-03"]}, "outside the coverage"),
        ({"makeup": ["2027-10-08"]}, "is a weekday"),
        ({"last": "2026-12-31"}, "before it begins"),
        ({"name": "c n"}, "name: a word"),
        ({"name": None}, "name: a word"),
        ({"workdays": []}, "workdays: not one of"),
        ({"version": "cn-2027-00000000"}, "the content is that of cn-2027-"),
    ],
)
def test_a_calendar_that_cannot_be_right_is_refused_by_file_and_reason(changes: dict[str, object], says: str) -> None:
    """The message names the file and what is wrong in it."""
    with pytest.raises(BadInput) as caught:
        parse(written(**changes), "cn2027.json")

    assert caught.value.message.startswith("cn2027.json: ")
    assert says in caught.value.message


@pytest.mark.parametrize("text", ["", "[]", "{"])
def test_what_is_no_json_object_is_no_calendar(text: str) -> None:
    """Neither broken JSON nor another JSON value passes."""
    with pytest.raises(BadInput, match="JSON"):
        parse(text, "cn2027.json")


def test_a_later_year_laid_over_the_shipped_one_extends_its_coverage() -> None:
    """The past stays as it was, the new year is known, and the version is a new one."""
    joined = laid_over(shipped(), parse(written(), "cn2027.json"))

    assert (joined.first, joined.last) == (shipped().first, date(2027, 12, 31))
    assert joined.holidays > shipped().holidays
    assert not joined.is_workday(date(2027, 10, 1))
    assert joined.version.startswith("cn-2027-")
    assert joined == parse(dump(joined), "stored")


def test_a_year_that_leaves_a_gap_is_refused() -> None:
    """What stands between the two would be covered by neither."""
    late = make(name="cn", holidays=frozenset(), makeup=frozenset(), first=date(2040, 1, 1), last=date(2040, 12, 31))

    with pytest.raises(BadInput, match="no calendar covers"):
        laid_over(shipped(), late)
