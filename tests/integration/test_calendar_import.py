"""Calendars: the year that is not published yet, and what an import of it does to standing deadlines."""

import json
from datetime import UTC, date, datetime, timedelta

import pytest

from refundflow import calendars
from refundflow.errors import BadInput, RoleNotAllowed
from refundflow.service.engine import Engine
from tests.support.market import CHEN, LI, Market

# A year like one that will be published: New Year off, a Saturday worked.
NEXT_YEAR = {
    "name": "cn", "first": "2027-01-01", "last": "2027-12-31",
    "holidays": ["2027-01-01", "2027-01-04", "2027-02-08"], "makeup": ["2027-01-09"],
}  # fmt: skip
LATE = datetime(2026, 12, 30, 2, tzinfo=UTC)  # a Wednesday, 10:00 in Shanghai


@pytest.fixture
def late(market: Market) -> Market:
    """Move the rehearsal to the end of the year that is covered."""
    market.now = LATE
    return market


def bring(market: Market, actor: str = CHEN, **changes: object) -> int:
    """Import the next year now; the answer is how many deadlines were counted again."""
    text = json.dumps(NEXT_YEAR | changes)
    return market.refunds.calendar_import(text, source="2027.json", actor=actor, at=market.at).recomputed


def test_working_days_beyond_the_coverage_are_provisional(late: Market) -> None:
    """Outside coverage Monday to Friday count, the deadline says so, and the status counts it."""
    refund = late.submit().id  # two working days
    deadline = late.get(refund).deadline
    status = late.refunds.calendar_status(at=late.at)

    assert deadline is not None and deadline.provisional
    assert deadline.due_at == datetime(2027, 1, 1, 16, tzinfo=UTC)  # Friday 24:00 in Shanghai
    assert (status.last, status.days_left, status.ends_soon, status.provisional) == (date(2026, 12, 31), 1, True, 1)


def test_who_sees_that_a_calendar_came_sees_the_calendar(late: Market) -> None:
    """The count of calendars is told last: another thread that finds it right takes the rules beside it."""
    engine = late.refunds.engine
    before, seen = engine.known_rules, []

    class Watched(Engine):
        def __setattr__(self, name: str, value: object) -> None:
            super().__setattr__(name, value)
            if name == "calendar_count":
                seen.append(self.known_rules is before)

    engine.__class__ = Watched
    bring(late)
    late.submit()
    assert seen and not any(seen)


def test_every_host_counts_by_a_calendar_that_another_imported(late: Market) -> None:
    """A host that has long been running needs no restart: its next act counts by the calendar in force."""
    running = Market(late.url)
    running.now = late.now
    guessed = running.submit(running.order("X1")).deadline
    bring(late)
    running.now = late.later(hours=1)
    counted = running.submit(running.order("X2")).deadline
    running.close()

    assert guessed is not None and guessed.provisional
    assert counted is not None and not counted.provisional
    assert counted.due_at == datetime(2027, 1, 5, 16, tzinfo=UTC)  # Friday and Monday are off


def test_an_import_counts_provisional_deadlines_again(late: Market) -> None:
    """They move by an entry whose time is the import's; what was set for certain stays, and so does what is later."""
    refund = late.submit().id
    offered = late.to("under_review.negotiating")
    set_before = late.get(offered).deadline
    late.later(hours=1)
    counted = bring(late)
    deadline, entry = late.get(refund).deadline, late.history(refund)[-1]

    assert counted == 1
    assert deadline is not None and not deadline.provisional
    assert deadline.due_at == datetime(2027, 1, 5, 16, tzinfo=UTC)  # Friday and Monday are off
    assert (entry.event, entry.effective_at) == ("deadline_recomputed", late.now)
    assert late.get(offered).deadline == set_before
    assert late.refunds.calendar_status(at=late.at).provisional == 0
    late.require_sound()


def test_the_same_file_again_only_goes_on(late: Market) -> None:
    """Imported twice there is one calendar more and one entry of the chain, and nothing is counted twice."""
    late.submit()
    first, again = bring(late), bring(late)

    assert (first, again, late.refunds.calendar_status(at=late.at).imports) == (1, 0, 1)


class Dead(BaseException):
    """The process that imported died."""


def die(count: int) -> None:
    """Die after the first batch."""
    raise Dead


def test_an_interrupted_import_is_finished_by_the_next(late: Market) -> None:
    """Counting again goes in bounded batches; what a dead process left, the same command does, all at one moment."""
    refunds = [late.submit(late.order(f"P{number}")).id for number in range(5)]

    text = json.dumps(NEXT_YEAR)
    with pytest.raises(Dead):
        late.refunds.calendar_import(text, source="2027.json", actor=CHEN, at=late.at, progress=die, batch=2)
    imported_at = late.now
    half = late.refunds.calendar_status(at=late.at).provisional
    late.later(hours=2)
    rest = bring(late)
    entries = [entry for name in refunds for entry in late.history(name) if entry.event == "deadline_recomputed"]

    assert (half, rest, len(entries)) == (3, 3, 5)
    assert {entry.effective_at for entry in entries} == {imported_at}
    late.require_sound()


def test_a_move_after_an_import_counts_again_by_itself(late: Market) -> None:
    """Whoever touches a refund that the import has not reached finds the new deadline."""
    first, refund = late.submit().id, late.submit().id
    text = json.dumps(NEXT_YEAR)
    with pytest.raises(Dead):
        late.refunds.calendar_import(text, source="2027.json", actor=CHEN, at=late.at, progress=die, batch=1)
    late.later(minutes=5)
    late.act(refund, "begin_review", LI)
    assert late.history(first)[-1].event == "deadline_recomputed"

    assert [entry.event for entry in late.history(refund)] == ["submit", "deadline_recomputed", "begin_review"]


@pytest.mark.parametrize("actor", [LI, "buyer:wang", "finance:qian"])
def test_only_a_supervisor_imports(late: Market, actor: str) -> None:
    """Others are refused and nothing changes."""
    with pytest.raises(RoleNotAllowed):
        bring(late, actor)

    assert late.refunds.calendar_status(at=late.at).imports == 0


def test_years_must_meet(late: Market) -> None:
    """A calendar that leaves days uncovered between is refused."""
    with pytest.raises(BadInput):
        bring(late, first="2028-01-01", last="2028-12-31", holidays=[], makeup=[])


def test_the_coverage_ends_where_the_policy_counts_its_days(market: Market) -> None:
    """At half past midnight in Shanghai the last day is over, though not in Greenwich."""
    last = calendars.shipped().last
    market.now = datetime(last.year, last.month, last.day, 16, 30, tzinfo=UTC)
    market.submit()
    assert market.refunds.calendar_status(at=market.at).days_left == -1
    assert market.refunds.numbers(at=market.at).coverage_days == -1


def test_the_end_of_the_coverage_is_told_sixty_days_before(market: Market) -> None:
    """The warning begins on the sixtieth day before the last one, for the status and for the metrics."""
    last = calendars.shipped().last
    for days, soon in ((61, False), (59, True)):
        market.now = datetime(last.year, last.month, last.day, 3, tzinfo=UTC) - timedelta(days=days)
        market.submit()
        status = market.refunds.calendar_status(at=market.at)
        assert (status.ends_soon, status.days_left) == (soon, days)
        assert market.refunds.numbers(at=market.at).coverage_days == days
