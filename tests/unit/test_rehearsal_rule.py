"""The rule of the rehearsal: what a row of the file becomes, and that the table can keep its promise."""

from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refundflow import policies
from refundflow.errors import BadInput
from refundflow.rehearsal.mapping import CLAIMS, GROUNDS, OTHER_GROUND, OTHER_ISSUE, OTHER_PRODUCT, PRODUCTS
from refundflow.rehearsal.rule import RESPONSES, BadRow, Complaint, complaint, plan_of, read_complaints
from states.codes import GROUNDS as KNOWN_GROUNDS
from states.codes import PRODUCT_TYPES

CELLS = {
    "case": "C00001",
    "received": "2016-01-26",
    "product": "Mortgage",
    "issue": "Other",
    "sent": "2016-01-28",
    "response": "Closed with explanation",
    "timely": "Yes",
    "disputed": "No",
}
CLAIM_CELLS = [(product, issue) for product, issues in CLAIMS.items() for issue in issues]


def row(**changes: str) -> Complaint:
    """Read a good row with changes."""
    read = complaint(CELLS | changes, 2)
    assert isinstance(read, Complaint)
    return read


def events(**changes: str) -> list[str]:
    """Name the steps of a row."""
    return [step.event for step in plan_of(row(**changes)).steps]


def case_with_last_digit(digits: str) -> str:
    """Find a case id whose hash ends with one of the digits."""
    return next(f"C{n}" for n in range(1000) if sha256(f"C{n}".encode()).hexdigest()[-1] in digits)


@pytest.mark.parametrize(("product", "issue"), [*CLAIM_CELLS, ("no such product", "no such issue")])
def test_every_cell_of_the_table_can_end_in_money_back(product: str, issue: str) -> None:
    """By the default policy the reason fits the product, and its usage is reviewed: it can be approved."""
    policy = policies.parse(policies.default_text(), "default")
    what = CLAIMS.get(product, {}).get(issue, OTHER_ISSUE)
    product_type = PRODUCTS.get(product, OTHER_PRODUCT)

    rule = policy.reasons[what.reason]

    assert rule.products is None or product_type in rule.products
    assert policy.cell(what.reason, product_type, what.usage) == "review"
    assert not rule.service_only


def test_the_table_shows_every_product_type_and_most_reasons() -> None:
    """A rehearsal walks through all product types and every reason that a buyer can name."""
    policy = policies.parse(policies.default_text(), "default")
    reasons = {CLAIMS[product][issue].reason for product, issue in CLAIM_CELLS}

    assert set(PRODUCTS.values()) == set(PRODUCT_TYPES)
    assert reasons == {code for code, rule in policy.reasons.items() if not rule.service_only}
    assert {*GROUNDS.values(), OTHER_GROUND} <= set(KNOWN_GROUNDS)


def test_the_order_follows_from_the_case_alone() -> None:
    """Id and buyer are the case's, amount and completion come from its hash, inside their limits."""
    plans = [plan_of(row(case=f"C{n}")) for n in range(300)]

    days = {
        (plan.complaint.received - plan.order.completed_at.date()).days for plan in plans if plan.order.completed_at
    }
    assert days == set(range(7))
    assert all(100 <= plan.order.amount_minor <= 500_000 for plan in plans)
    assert plans[7].order.order_id == "C7"
    assert plans[7].order.buyer_id == "buyer-C7"
    assert plans[7] == plan_of(row(case="C7"))


def test_a_claim_is_submitted_when_received_and_reviewed_when_sent() -> None:
    """Days are days in Shanghai: submitted at 09:00, reviewed at 17:00, and never before it was received."""
    submit, begin, *_ = plan_of(row()).steps
    _, early, *_ = plan_of(row(sent="2016-01-25")).steps

    assert submit.at == datetime(2016, 1, 26, 1, 0, tzinfo=UTC)
    assert begin.at == datetime(2016, 1, 28, 9, 0, tzinfo=UTC)
    assert early.at == submit.at


@pytest.mark.parametrize(("timely", "hours"), [("Yes", -1), ("No", 1)])
def test_the_decision_stands_an_hour_from_the_due_moment(timely: str, hours: int) -> None:
    """In time is one hour before the due moment that stands after begin_review, late is one hour after it."""
    decided = plan_of(row(timely=timely)).steps[2]

    assert decided.after_due
    assert decided.after == timedelta(hours=hours)


@pytest.mark.parametrize(
    ("response", "disputed", "steps", "outcome", "state"),
    [
        ("Closed with monetary relief", "", ["approve"], "paid", "paid_out.confirmed"),
        ("Closed with monetary relief", "Yes", ["approve", "appeal"], "paid", "paid_out.confirmed"),
        ("Closed with non-monetary relief", "No", ["offer", "accept_offer"], "compensated", "paid_out.confirmed"),
        (
            "Closed with non-monetary relief",
            "Yes",
            ["offer", "decline_offer", "reject", "appeal", "uphold"],
            "rejected",
            "rejected.closed",
        ),
        ("Closed with explanation", "No", ["reject"], "rejected", "rejected.closed"),
        ("Closed", "Yes", ["withdraw"], "withdrawn", "withdrawn"),
        ("In progress", "", [], "open", "under_review.reviewing"),
    ],
)
def test_a_response_becomes_its_story(response: str, disputed: str, steps: list[str], outcome: str, state: str) -> None:
    """Each way in which the file says a complaint ended has its acts, its outcome and its last state."""
    plan = plan_of(row(response=response, disputed=disputed))

    assert [step.event for step in plan.steps] == ["submit", "begin_review", *steps]
    assert (plan.outcome, plan.state) == (outcome, state)


def test_nobody_acts_on_an_untimely_response() -> None:
    """After submit deadlines alone speak."""
    plan = plan_of(row(response="Untimely response", timely="No"))

    assert [step.event for step in plan.steps] == ["submit"]
    assert plan.state == "submitted"


@pytest.mark.parametrize(
    ("digits", "decision", "state"),
    [("0123", "overturn", "paid_out.confirmed"), ("456789abcdef", "uphold", "rejected.closed")],
)
def test_the_hash_decides_an_appeal_against_an_explanation(digits: str, decision: str, state: str) -> None:
    """The last hex digit 0 to 3 overturns, any other upholds, and by another person than in the review."""
    case = case_with_last_digit(digits)
    plan = plan_of(row(case=case, disputed="Yes"))

    assert [step.event for step in plan.steps][2:] == ["reject", "appeal", decision]
    assert plan.state == state
    assert not {plan.steps[2].actor, plan.steps[2].second} & {plan.steps[4].actor, plan.steps[4].second}


def test_an_appeal_after_payment_is_tried_to_be_refused() -> None:
    """Where relief was paid and yet disputed, the last step is an appeal that must be refused."""
    assert plan_of(row(response="Closed with monetary relief", disputed="Yes")).steps[-1].refused == "WRONG_STATE"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"case": "C 1"}, "case: 'C 1' is not allowed"),
        ({"received": "26/01/2016"}, "received: '26/01/2016' is not allowed; allowed: a day as YYYY-MM-DD"),
        ({"sent": ""}, "sent: '' is not allowed"),
        ({"received": "0001-01-01"}, "a day from 1970 to 8999"),
        ({"response": "Open"}, "Closed with monetary relief; Closed with non-monetary relief"),
        ({"timely": "maybe"}, "Yes or No"),
        ({"disputed": "N/A"}, "Yes, No or nothing"),
    ],
)
def test_a_bad_row_is_named_with_what_is_allowed(changes: dict[str, str], said: str) -> None:
    """A row without the form of a complaint names the column and what is allowed there."""
    read = complaint(CELLS | changes, 7)

    assert isinstance(read, BadRow)
    assert said in read.reason
    assert read.line_number == 7


def test_a_file_without_the_columns_is_refused(tmp_path: Path) -> None:
    """The error names the columns that are missing and those that are needed."""
    file = tmp_path / "other.csv"
    file.write_text("case,received\nC1,2016-01-01\n")

    with pytest.raises(BadInput, match="columns missing: product, issue, sent"):
        list(read_complaints(file))
    with pytest.raises(BadInput, match="No such file"):
        list(read_complaints(tmp_path / "nowhere.csv"))


def test_a_case_that_stands_twice_is_taken_once(tmp_path: Path) -> None:
    """The second row of a case is bad and names the first; columns not known are no harm."""
    file = tmp_path / "twice.csv"
    line = ",".join(CELLS.values())
    file.write_text(f"{','.join(CELLS)},via\n{line},Web\n{line},Fax\n", encoding="utf-8-sig")

    first, second = read_complaints(file)

    assert isinstance(first, Complaint)
    assert second == BadRow(line_number=3, case="C00001", reason="the case stands on line 2 too")


@given(
    case=st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._:~@+-]{0,63}\Z"),
    product=st.sampled_from([*PRODUCTS, "?"]) | st.text(max_size=300),
    issue=st.text(max_size=300),
    response=st.sampled_from(RESPONSES),
    received=st.dates(date(1971, 1, 1), date(8000, 1, 1)),
    delay=st.integers(-400, 400),
    flags=st.tuples(st.sampled_from(["Yes", "No"]), st.sampled_from(["Yes", "No", ""])),
)
def test_any_good_row_has_a_plan(
    case: str, product: str, issue: str, response: str, received: date, delay: int, flags: tuple[str, str]
) -> None:
    """Whatever a good row says, it has an order that can be imported and steps that go forward in time."""
    sent = received + timedelta(days=delay)
    read = complaint(
        {
            "case": case, "received": received.isoformat(), "product": product, "issue": issue,
            "sent": sent.isoformat(), "response": response, "timely": flags[0], "disputed": flags[1],
        },
        2,
    )  # fmt: skip

    assert isinstance(read, Complaint)
    plan = plan_of(read)
    moments = [step.at for step in plan.steps if step.at]
    assert moments == sorted(moments)
    assert plan.order.completed_at is not None
    assert plan.order.completed_at < moments[0]


def test_the_shared_file_has_a_plan_for_every_row(shared: Path) -> None:
    """Every row of the real file is good, and each of its products and issues stands in the table."""
    rows = list(read_complaints(shared / "data" / "complaints.csv"))

    complaints = [read for read in rows if isinstance(read, Complaint)]
    assert len(complaints) == len(rows) == 3186
    assert all(read.issue in CLAIMS[read.product] for read in complaints)
    assert all(plan_of(read).steps for read in complaints)
