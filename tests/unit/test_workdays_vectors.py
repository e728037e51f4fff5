"""The shipped calendar agrees with every reference vector of mainland China's working days."""

import csv
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from refundflow.calendars import shipped
from states.calendar import due_day, working_days

SHANGHAI = "Asia/Shanghai"


@pytest.mark.parametrize("moment", [time(0), time(12), time(23, 59, 59, 999999)])
def test_every_vector_holds_whatever_the_time_of_day(shared: Path, moment: time) -> None:
    """The due day of each line is the n-th working day after its start, and it is due at its 24:00."""
    lines = list(csv.DictReader((shared / "data" / "workdays.csv").read_text().splitlines()))
    assert len(lines) == 600
    for line in lines:
        start = datetime.combine(date.fromisoformat(line["start"]), moment, ZoneInfo(SHANGHAI))
        last = date.fromisoformat(line["due"])

        due = working_days(shipped(), start.astimezone(UTC), int(line["working_days"]), SHANGHAI)

        assert due_day(due.at, SHANGHAI) == last, line
        assert due.at == datetime.combine(last + timedelta(days=1), time(), ZoneInfo(SHANGHAI)), line
        assert not due.provisional
