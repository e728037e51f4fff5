"""The rule by which a file of complaints becomes a rehearsal: row → order, steps, and where it must end.

The file tells when a complaint was received and passed on, how it ended, whether in time, and whether the answer was
disputed. It has no decision date and no amount: those follow the fixed rule written in `RULE`, never a random one.
"""

import csv
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from refundflow.errors import BadInput
from refundflow.orders import OrderRow
from refundflow.rehearsal.mapping import GROUNDS, OTHER_GROUND, claim, product_type

COLUMNS = ("case", "received", "product", "issue", "sent", "response", "timely", "disputed")
RESPONSES = (
    "Closed with monetary relief",
    "Closed with non-monetary relief",
    "Closed with explanation",
    "Closed",
    "Untimely response",
    "In progress",
)
REVIEWER, SECOND, APPEALS, APPEALS_SECOND = "agent:lin", "agent:zhou", "agent:wen", "agent:tang"
STAFF: Mapping[str, tuple[str, ...]] = {name.partition(":")[2]: ("agent",) for name in (
    REVIEWER, SECOND, APPEALS, APPEALS_SECOND)}  # fmt: skip
ZONE = ZoneInfo("Asia/Shanghai")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
COMPENSATION = 2_000  # minor units, what one agent may offer alone
_CASE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:~@+-]{0,63}")

RULE = """\
Times   days of the file are days in Asia/Shanghai; received is 09:00, sent 17:00 of its day, not before received.
Order   id and buyer from the case id. From the sha256 of the case id: completed 0 to 6 days before received
        (at 08:00, paid an hour earlier), amount 100 to 500000 minor units of CNY.
Claim   product type, reason and usage by a table from product and issue; what it does not name is `other`,
        OTHER, unused.
Steps   submit at received, begin_review at sent. Decided one hour before the next due moment after that when
        timely is Yes, one hour after it when No.
        monetary relief      approved; paid by the fake channel; receipt assumed.
          disputed           an appeal is tried a day later, and its refusal recorded.
        non-monetary relief  a compensation offered (2000, at most the amount), accepted an hour later;
                             receipt assumed.
          disputed           declined an hour later, rejected an hour after that, appealed, upheld.
        explanation          rejected; the appeal window closes.
          disputed           appealed with new evidence; overturned (and paid) when the last hex digit of the
                             hash is 0 to 3, else upheld.
        Closed               withdrawn by the buyer; a dispute changes nothing.
        Untimely response    nobody acts after submit: deadlines alone speak.
        In progress          left in review.
        An appeal comes a day after the rejection and is decided by other persons, one hour before it is due.
        Where two persons are asked, the second acts a minute after the first. Assisted review is off.
End     30 days after the last step; everything due until then has lapsed.
"""


@dataclass(frozen=True, kw_only=True)
class Complaint:
    """One row of the file, as read."""

    line_number: int
    case: str
    received: date
    sent: date
    product: str
    issue: str
    response: str
    timely: bool
    disputed: bool


@dataclass(frozen=True, kw_only=True)
class BadRow:
    """A row that does not have the form of a complaint, with the reason."""

    line_number: int
    case: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Step:
    """One act of a plan.

    When it happens: at `at`, or `after` the step before it, or `after` the due moment that stands
    when the step before it is done (`after_due`; negative is before it). `refused` names the
    blocker with which it must be refused.
    """

    event: str
    actor: str
    second: str | None = None  # acts too where two persons are asked
    at: datetime | None = None
    after: timedelta = timedelta(0)
    after_due: bool = False
    refused: str | None = None


Outcome = Literal["paid", "compensated", "rejected", "withdrawn", "open"]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What becomes of one complaint: its order, what is claimed, the steps, and where it must end."""

    complaint: Complaint
    order: OrderRow
    reason: str
    note: str
    ground: str
    compensation: int
    steps: tuple[Step, ...]
    outcome: Outcome
    state: str

    @property
    def paid(self) -> int:
        """Return what the buyer must have in the end, in minor units."""
        return self.order.amount_minor if self.outcome == "paid" else 0


def read_complaints(path: str | os.PathLike[str]) -> Iterator[Complaint | BadRow]:
    """Yield the rows of a file of complaints (CSV with a header, UTF-8), bad ones with their reason.

    Raises:
        BadInput: the file cannot be read, or columns are missing; further columns are ignored.
    """
    try:
        with Path(path).open(encoding="utf-8-sig", errors="backslashreplace", newline="") as file:
            yield from _rows(csv.DictReader(file), str(path))
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror or error}", field="file") from error
    except csv.Error as error:
        raise BadInput(f"{path}: not CSV: {error}", field="file") from error


def _rows(reader: "csv.DictReader[str]", source: str) -> Iterator[Complaint | BadRow]:
    header = reader.fieldnames or ()
    if missing := [name for name in COLUMNS if name not in header]:
        raise BadInput(f"{source}: columns missing: {', '.join(missing)}; needed: {', '.join(COLUMNS)}", field="header")
    seen: dict[str, int] = {}
    for cells in reader:
        row = complaint(cells, reader.line_num)
        first = seen.setdefault(row.case, row.line_number)
        if isinstance(row, Complaint) and first != row.line_number:
            row = BadRow(line_number=row.line_number, case=row.case, reason=f"the case stands on line {first} too")
        yield row


def complaint(cells: Mapping[str, str | None], line_number: int) -> Complaint | BadRow:
    """Read one row; the reason of a bad one names the column and what is allowed."""
    texts = {name: (cells.get(name) or "").strip() for name in COLUMNS}

    def bad(name: str, allowed: str) -> BadRow:
        reason = f"{name}: {texts[name][:60]!r} is not allowed; allowed: {allowed}"
        return BadRow(line_number=line_number, case=texts["case"][:64], reason=reason)

    days = {}
    for name in ("received", "sent"):
        try:
            days[name] = date.fromisoformat(texts[name])
        except ValueError:
            return bad(name, "a day as YYYY-MM-DD")
        if not 1970 <= days[name].year < 9000:
            return bad(name, "a day from 1970 to 8999")
    if _CASE.fullmatch(texts["case"]) is None:
        return bad("case", "1 to 64 of A-Z a-z 0-9 . _ : ~ @ + -")
    if texts["response"] not in RESPONSES:
        return bad("response", "; ".join(RESPONSES))
    if texts["timely"] not in ("Yes", "No"):
        return bad("timely", "Yes or No")
    if texts["disputed"] not in ("Yes", "No", ""):
        return bad("disputed", "Yes, No or nothing")
    return Complaint(
        line_number=line_number,
        case=texts["case"],
        received=days["received"],
        sent=days["sent"],
        product=texts["product"],
        issue=texts["issue"],
        response=texts["response"],
        timely=texts["timely"] == "Yes",
        disputed=texts["disputed"] == "Yes",
    )


def plan_of(row: Complaint) -> Plan:
    """Apply the rule to one complaint."""
    digest = sha256(row.case.encode()).hexdigest()
    order = _order(row, digest)
    steps, outcome, state = _story(row, digest)
    reason = claim(row.product, row.issue).reason
    return Plan(
        complaint=row,
        order=order,
        reason=reason,
        ground=GROUNDS.get(reason, OTHER_GROUND),
        note=_shown(row),
        compensation=min(COMPENSATION, order.amount_minor),
        steps=(Step(event="submit", actor=f"buyer:{order.buyer_id}", at=_at(row.received, 9)), *steps),
        outcome=outcome,
        state=state,
    )


def _shown(row: Complaint) -> str:
    text = f"{row.product}: {row.issue}"
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _at(day: date, hour: int) -> datetime:
    return datetime.combine(day, time(hour), ZONE).astimezone(UTC)


def _order(row: Complaint, digest: str) -> OrderRow:
    completed = row.received - timedelta(days=int(digest[:8], 16) % 7)
    return OrderRow(
        order_id=row.case,
        buyer_id=f"buyer-{row.case}",
        product_type=product_type(row.product),
        product=_shown(row)[:200],
        usage=claim(row.product, row.issue).usage,
        amount_minor=100 + int(digest[8:24], 16) % 499_901,
        currency="CNY",
        channel="fake",
        payment_no=f"pay-{digest[:24]}",
        paid_at=_at(completed, 7),
        completed_at=_at(completed, 8),
    )


def _story(row: Complaint, digest: str) -> tuple[tuple[Step, ...], Outcome, str]:
    """Return the steps after `submit`, what comes of them, and the state in which they end."""
    buyer = f"buyer:buyer-{row.case}"
    sent = max(_at(row.received, 9), _at(row.sent, 17))
    begin = Step(event="begin_review", actor=REVIEWER, at=sent)
    when = -HOUR if row.timely else HOUR

    def decided(event: str, actor: str = REVIEWER, second: str | None = None) -> Step:
        return Step(event=event, actor=actor, second=second, after=when, after_due=True)

    def appealed(event: str) -> tuple[Step, Step]:
        appeal = Step(event="appeal", actor=buyer, after=DAY)
        return appeal, Step(event=event, actor=APPEALS, second=APPEALS_SECOND, after=-HOUR, after_due=True)

    match row.response, row.disputed:
        case "Closed with monetary relief", disputed:
            tried = Step(event="appeal", actor=buyer, after=DAY, refused="WRONG_STATE")
            rest = (tried,) if disputed else ()
            return (begin, decided("approve", second=SECOND), *rest), "paid", "paid_out.confirmed"
        case "Closed with non-monetary relief", False:
            accepted = Step(event="accept_offer", actor=buyer, after=HOUR)
            return (begin, decided("offer"), accepted), "compensated", "paid_out.confirmed"
        case "Closed with non-monetary relief", True:
            declined = Step(event="decline_offer", actor=buyer, after=HOUR)
            rejected = Step(event="reject", actor=REVIEWER, after=HOUR)
            return (begin, decided("offer"), declined, rejected, *appealed("uphold")), "rejected", "rejected.closed"
        case "Closed with explanation", False:
            return (begin, decided("reject")), "rejected", "rejected.closed"
        case "Closed with explanation", True if digest[-1] in "0123":
            return (begin, decided("reject"), *appealed("overturn")), "paid", "paid_out.confirmed"
        case "Closed with explanation", True:
            return (begin, decided("reject"), *appealed("uphold")), "rejected", "rejected.closed"
        case "Closed", _:
            return (begin, decided("withdraw", actor=buyer)), "withdrawn", "withdrawn"
        case "In progress", _:
            return (begin,), "open", "under_review.reviewing"
        case _:
            return (), "open", "submitted"


def rule_text() -> str:
    """Return the rule in words, as it is printed with the summary."""
    return RULE
