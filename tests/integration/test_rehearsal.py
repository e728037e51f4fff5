"""A rehearsal ends as its rule says, on both databases, with the same history to the byte."""

from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from refundflow.errors import BadInput
from refundflow.gateways import FakeChannel
from refundflow.rehearsal import (
    Complaint,
    Summary,
    plan_of,
    policy_for,
    read_complaints,
    rehearse,
    rehearse_file,
)
from refundflow.service import Refunds
from tests.support.databases import Databases

HEADER = "case,received,product,sub_product,issue,via,sent,response,timely,disputed"
# One row for each way to end; C00009 overturns by its hash, C00012 waits 35 days for its review.
ROWS = """\
C00001,2016-01-26,Mortgage,,Settlement process and costs,Web,2016-01-27,Closed with monetary relief,Yes,No
C00002,2016-01-26,Credit card,,Rewards,Web,2016-01-26,Closed with monetary relief,No,Yes
C00003,2016-01-27,Credit reporting,,Improper use,Fax,2016-01-27,Closed with non-monetary relief,Yes,No
C00004,2016-01-27,Debt collection,,Communication tactics,Web,2016-01-29,Closed with non-monetary relief,Yes,Yes
C00005,2016-01-28,Payday loan,,Can't contact lender,Web,2016-01-28,Closed with explanation,Yes,No
C00006,2016-01-28,Student loan,,Getting a loan,Web,2016-01-28,Closed with explanation,No,
C00007,2016-02-01,Prepaid card,,Fees,Web,2016-02-01,Closed with explanation,Yes,Yes
C00008,2016-02-01,Money transfers,,Fraud or scam,Web,2016-02-02,Closed with explanation,Yes,Yes
C00009,2016-02-01,Consumer Loan,,Payment to acct not credited,Web,2016-02-02,Closed with explanation,No,Yes
C00010,2016-02-02,Something new,,Something else,Web,2016-02-02,Closed,Yes,Yes
C00011,2016-02-03,Bank account or service,,Using a debit or ATM card,Web,2016-02-03,Untimely response,No,
C00012,2016-02-04,Mortgage,,Other,Postal mail,2016-03-10,Closed with monetary relief,Yes,No
C00013,2016-02-05,Mortgage,,Other,Web,2016-02-04,In progress,Yes,
"""


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """Write the sample as a file."""
    file = tmp_path / "sample.csv"
    file.write_text(f"{HEADER}\n{ROWS}", encoding="utf-8")
    return file


def exported(url: str, output: Path) -> bytes:
    """Return every entry of every chain."""
    with Refunds.connect(url) as refunds:
        refunds.export(format="jsonl", output=str(output), actor="auditor:a")
    return output.read_bytes()


def counted(file: Path) -> Counter[str]:
    """Count a file's rows by how they ended."""
    return Counter(row.response for row in read_complaints(file) if isinstance(row, Complaint))


def assert_all_as_the_rule_says(summary: Summary, file: Path) -> None:
    """Assert that no row differs, and that the counts are those of the file."""
    assert summary.problems == ()
    assert summary.bad_rows == ()
    assert summary.verification.ok
    assert summary.per_response == counted(file)
    plans = [plan_of(row) for row in read_complaints(file) if isinstance(row, Complaint)]
    assert summary.per_state == Counter(plan.state for plan in plans)
    assert summary.per_outcome == Counter(plan.outcome for plan in plans)
    assert summary.money["CNY"].paid == summary.money["CNY"].settled == sum(plan.paid for plan in plans)


def test_every_way_to_end_ends_as_the_rule_says(database_url: str, sample: Path) -> None:
    """The sample runs through every branch of the rule, and each row is where it must be."""
    steps: list[tuple[int, int]] = []

    summary = rehearse_file(database_url, sample, progress=lambda done, total: steps.append((done, total)))

    assert_all_as_the_rule_says(summary, sample)
    assert set(summary.per_outcome) == {"paid", "compensated", "rejected", "withdrawn", "open"}
    assert summary.refusals_recorded == 1
    assert summary.lapses["review_overdue"] > 10
    assert steps[-1][0] == steps[-1][1]


def test_two_databases_have_the_same_history_to_the_byte(
    sample: Path, sqlite_databases: Databases, postgres_databases: Databases, tmp_path: Path
) -> None:
    """Nothing of a rehearsal is random or depends on the database: exports are equal, byte for byte."""
    urls = [sqlite_databases.empty(), sqlite_databases.empty(), postgres_databases.empty()]

    for url in urls:
        rehearse_file(url, sample)

    first, second, third = (exported(url, tmp_path / f"{n}.jsonl") for n, url in enumerate(urls))
    assert first == second == third
    assert first.count(b"\n") > 80


def test_a_slow_channel_changes_nothing_but_the_time(sqlite_url: str, sample: Path) -> None:
    """Where the channel takes hours or answers nothing, payouts settle all the same."""
    rows = [row for row in read_complaints(sample) if isinstance(row, Complaint)]
    channel = FakeChannel()
    for row, script in zip(rows, ["pending_then_settle", "timeout_done", *["timeout_not_done"] * 20], strict=False):
        channel.script(plan_of(row).order.payment_no, script, after=timedelta(hours=3))
    Refunds.init(sqlite_url, rehearsal=True)

    with Refunds.connect(sqlite_url, policy=policy_for(), gateways={"fake": channel}) as refunds:
        summary = rehearse(refunds, rows, channel)

    assert_all_as_the_rule_says(summary, sample)


def test_what_differs_from_the_rule_is_named(sqlite_url: str, sample: Path) -> None:
    """A payout that the channel never makes leaves its row open, and the summary names it; bad rows too."""
    sample.write_text(sample.read_text() + "C00014,yesterday,Mortgage,,Other,Web,2016-02-05,Closed,Yes,No\n")
    rows = list(read_complaints(sample))
    channel = FakeChannel()
    first = rows[0]
    assert isinstance(first, Complaint)
    channel.script(plan_of(first).order.payment_no, "timeout_for_ever")
    Refunds.init(sqlite_url, rehearsal=True)

    with Refunds.connect(sqlite_url, policy=policy_for(), gateways={"fake": channel}) as refunds:
        summary = rehearse(refunds, rows, channel)

    assert [(problem.case, problem.reason) for problem in summary.problems] == [
        ("C00001", "ended in approved.paying, the rule says paid_out.confirmed")
    ]
    assert [row.line_number for row in summary.bad_rows] == [15]
    assert not summary.ok


def test_a_database_in_use_or_live_is_refused(sqlite_databases: Databases, sample: Path) -> None:
    """Time never goes backwards and a live database takes none from a caller: both are said before anything is done."""
    used, live = sqlite_databases.empty(), sqlite_databases.empty()
    rehearse_file(used, sample)
    Refunds.init(live)

    with pytest.raises(BadInput, match="empty"):
        rehearse_file(used, sample)
    with pytest.raises(BadInput, match="rehearsal"):
        rehearse_file(live, sample)


def test_the_decision_stands_an_hour_from_the_due_moment(sqlite_url: str, sample: Path) -> None:
    """Timely is an hour before the due moment after begin_review, came that ever so late; not timely an hour after."""
    rehearse_file(sqlite_url, sample)

    with Refunds.connect(sqlite_url) as refunds:
        late = refunds.history("C00012-1-1", actor="auditor:a")
        untimely = refunds.history("C00006-1-1", actor="auditor:a")

    approved = next(entry for entry in late if entry.event == "approve")
    # Due on 14 February, a make-up workday; again on 5 days; then every 5 working days: 26 February, 4 and 11 March.
    assert [entry.event for entry in late][:10] == ["submit", *["review_overdue"] * 8, "begin_review"]
    assert approved.effective_at == datetime.fromisoformat("2016-03-11T23:00:00+08:00")
    assert [entry.event for entry in untimely][:4] == ["submit", "begin_review", "review_overdue", "reject"]
    assert untimely[3].effective_at - untimely[2].effective_at == timedelta(hours=1)


@pytest.mark.slow
def test_the_real_file_ends_as_the_rule_says(shared: Path, sqlite_url: str) -> None:
    """Each of the 3,186 real complaints ends where the rule says."""
    file = shared / "data" / "complaints.csv"

    summary = rehearse_file(sqlite_url, file)

    assert_all_as_the_rule_says(summary, file)
    assert summary.rows == 3186
    assert summary.provisional == 0
