"""Totals: what the entries of a chain add, whichever way they are cut into batches."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from refundflow.totals import Step, count

START = datetime(2026, 3, 2, 2, tzinfo=UTC)
Told = tuple[str, str | None, float]  # event, state afterwards (None: as it was), hours after the start
LATE = [
    ("submit", "submitted", 0), ("begin_review", "under_review.reviewing", 1), ("review_overdue", None, 48),
    ("review_overdue", None, 72), ("approve", "approved.payable", 75), ("dispatch_payout", "approved.paying", 76),
    ("raise_enquiry", None, 80), ("enquiry_overdue", None, 81), ("answer_enquiry", None, 83),
    ("payout_settled", "paid_out.settled", 90), ("receipt_assumed", "paid_out.confirmed", 300),
]  # fmt: skip


def chain(told: list[Told], **changes: datetime) -> list[Step]:
    """Make a chain; `changes` are the times at which events occurred outside."""
    steps: list[Step] = []
    state: str | None = None
    for seq, (event, after, hours) in enumerate(told, 1):
        at = START + timedelta(hours=hours)
        steps.append(
            Step(
                seq=seq, kind="applied", event=event, before=state, after=after or state, effective_at=at,
                recorded_at=at + timedelta(seconds=3), occurred_at=changes.get(event),
            )
        )  # fmt: skip
        state = after or state
    return steps


def counted(steps: list[Step]) -> dict[tuple[str, tuple[str, ...]], int]:
    """Count a whole chain."""
    return dict(count(steps, frozenset(step.seq for step in steps)))


def test_promises_are_judged_when_they_end() -> None:
    """A late review and a late answer are broken, a payout within its day is kept, and nothing is overdue any more."""
    found = counted(chain(LATE))  # type: ignore[arg-type]

    promises = {labels: value for (name, labels), value in found.items() if name == "promises"}
    assert promises == {("review", "broken"): 1, ("enquiry", "broken"): 1, ("payout", "kept"): 1}
    assert found["overdue", ("review", "sum")] == 27 * 3_600_000  # from 48 to 75 hours
    assert found["overdue_now", ("review",)] == found["overdue_now", ("enquiry",)] == 0
    assert found["moves", ("review_overdue", "applied")] == 2
    assert found["lapse_delay", ("5",)] == 4


def test_a_broken_promise_stands_until_it_ends() -> None:
    """As long as a broken promise is not met it is overdue now, and neither kept nor broken is counted."""
    found = counted(chain(LATE[:3]))  # type: ignore[arg-type]

    assert found["overdue_now", ("review",)] == 1
    assert not [key for key in found if key[0] == "promises"]


def test_time_in_state_is_counted_when_it_is_left() -> None:
    """Each state adds how long it lasted; the last one is not over."""
    found = counted(chain(LATE))  # type: ignore[arg-type]

    assert found["state", ("submitted", "sum")] == 3_600_000 and found["state", ("submitted", "3600")] == 1
    assert found["state", ("under_review.reviewing", "sum")] == 74 * 3_600_000
    assert not [key for key in found if key[1][0] == "paid_out.confirmed"]


def test_what_the_channel_says_decides_whether_it_paid_in_time() -> None:
    """A payment that was made within the promise but told of late is kept."""
    late = [*LATE[:6], ("payout_overdue", None, 99), ("payout_settled", "paid_out.settled", 110)]
    paid_at = START + timedelta(hours=98)

    in_time = counted(chain(late, payout_settled=paid_at))  # type: ignore[arg-type]
    too_late = counted(chain(late))  # type: ignore[arg-type]

    assert in_time["promises", ("payout", "kept")] == too_late["promises", ("payout", "broken")] == 1
    assert in_time["overdue_now", ("payout",)] == too_late["overdue_now", ("payout",)] == 0


def test_a_withdrawal_keeps_no_promise_and_breaks_none() -> None:
    """Whoever withdraws in time was promised nothing more."""
    found = counted(chain([*LATE[:2], ("withdraw", "withdrawn", 5)]))

    assert not [key for key in found if key[0] == "promises"]


@given(st.sets(st.integers(1, len(LATE) - 1)))
def test_batches_add_up_to_the_whole(cuts: set[int]) -> None:
    """However the entries are cut into batches, the sum is the count of all at once."""
    steps = chain(LATE)  # type: ignore[arg-type]
    total = dict.fromkeys(counted(steps), 0)
    for begin, end in pairwise([0, *sorted(cuts), len(LATE)]):
        for key, value in count(steps[:end], frozenset(range(begin + 1, end + 1))).items():
            total[key] = total.get(key, 0) + value

    assert total == counted(steps)
