"""One case of another system as a checked value, and how it is read out of the values of a file."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime

from refundflow import orders
from refundflow.errors import BadInput
from refundflow.orders import OrderRow
from refundflow.orders.row import from_cells
from states import codes, times

CASE = ("case", "reason", "claimed_minor")
EVENT = ("at", "state", "by", "told", "approved_minor", "grounds", "message", "note")
OPTIONAL = ("told", "approved_minor", "grounds", "message", "note")
MOST_EVENTS = 1_000
LONGEST_TEXT = 20_000
_ID = re.compile(r"[!-~]{1,64}")
_CODE = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_NAME = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]{0,128}")
_TEXT = re.compile(r"[^\x00\ud800-\udfff]*")


@dataclass(frozen=True, kw_only=True, slots=True)
class EventRow:
    """One event: when, the state that it led to, who did it there; texts may identify a person."""

    at: datetime
    state: str
    role: str
    name: str
    told: str | None  # what the other system calls it
    approved_minor: int | None
    grounds: tuple[str, ...]
    message: str  # what the buyer wrote or was told
    note: str  # internal


@dataclass(frozen=True, kw_only=True, slots=True)
class CaseRow:
    """One case: the facts of its order line, the claim, and every event in order."""

    line_number: int
    case: str
    reason: str
    claimed_minor: int
    order: OrderRow
    events: tuple[EventRow, ...]


def content_of(case: CaseRow) -> bytes:
    """Write all that a case says, wherever it stands: equal cases give equal bytes."""
    order = [str(getattr(case.order, name)) for name in orders.COLUMNS]
    events = [[str(getattr(event, field.name)) for field in fields(event)] for event in case.events]
    said = [case.case, case.reason, case.claimed_minor, order, events]
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()


def case_of(value: Mapping[str, object], number: int) -> CaseRow:
    """Make a case of a JSON object.

    Raises:
        BadInput: something is missing, not known or not allowed; the message says what.
    """
    _require_names(value, (*CASE, "order", "events"), (), "")
    order, events = value["order"], value["events"]
    if not isinstance(order, Mapping):
        raise BadInput("order: an object with the columns of an orders file", field="order")
    _require_names(order, orders.REQUIRED, orders.OPTIONAL, "order: ")
    if not isinstance(events, Sequence) or isinstance(events, str) or not 1 <= len(events) <= MOST_EVENTS:
        raise BadInput(f"events: a list of 1 to {MOST_EVENTS} events", field="events")
    case, facts = _matching("case", value["case"], _ID, "1 to 64 printable ASCII characters"), from_cells(order, number)
    return CaseRow(
        line_number=number,
        case=case,
        reason=_matching("reason", value["reason"], _CODE, "a code"),
        claimed_minor=_whole("claimed_minor", value["claimed_minor"]),
        order=facts,
        events=tuple(_event(item, place, facts) for place, item in enumerate(events, 1)),
    )


def _event(value: object, place: int, order: OrderRow) -> EventRow:
    try:
        if not isinstance(value, Mapping):
            raise BadInput("an object", field="events")
        _require_names(value, tuple(name for name in EVENT if name not in OPTIONAL), OPTIONAL, "")
        role, name = _person(value["by"], order)
        told, approved = value.get("told"), value.get("approved_minor")
        return EventRow(
            at=_moment(value["at"]),
            state=_matching("state", value["state"], _CODE, "a state"),
            role=role,
            name=name,
            told=None if told in (None, "") else _matching("told", told, _CODE, "a code"),
            approved_minor=None if approved in (None, "") else _whole("approved_minor", approved),
            grounds=_grounds(value.get("grounds")),
            message=_text("message", value.get("message")),
            note=_text("note", value.get("note")),
        )
    except BadInput as problem:
        raise BadInput(f"event {place}: {problem.message}", field=problem.field) from None


def _require_names(value: Mapping[str, object], needed: Sequence[str], more: Sequence[str], where: str) -> None:
    if missing := [name for name in needed if name not in value]:
        raise BadInput(f"{where}missing: {', '.join(missing)}", field=missing[0])
    if unknown := [name for name in value if name not in needed and name not in more]:
        allowed = ", ".join((*needed, *more))
        raise BadInput(f"{where}not known: {', '.join(map(repr, unknown))[:200]}; allowed: {allowed}")


def _matching(name: str, value: object, form: re.Pattern[str], allowed: str) -> str:
    if isinstance(value, str) and form.fullmatch(value.strip(" ")):
        return value.strip(" ")
    raise BadInput(f"{name}: {repr(value)[:80]} is not allowed; allowed: {allowed}", field=name)


def _whole(name: str, value: object) -> int:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,16}", value.strip(" "), re.ASCII):
        value = int(value)
    if type(value) is int and 0 <= value <= orders.LARGEST_AMOUNT:
        return value
    allowed = f"a whole number of minor units, 0 to {orders.LARGEST_AMOUNT}"
    raise BadInput(f"{name}: {repr(value)[:80]} is not allowed; allowed: {allowed}", field=name)


def _moment(value: object) -> datetime:
    try:
        if isinstance(value, str):
            moment = times.moment(value.strip(" "))
            if 1970 <= moment.year < 2200:
                return moment
    except (ValueError, OverflowError):
        pass  # told below, as anything else that is no time
    allowed = "a time with an offset, for instance 2025-03-02T12:00:00+08:00, 1970 to 2199"
    raise BadInput(f"at: {repr(value)[:80]} is not allowed; allowed: {allowed}", field="at")


def _person(value: object, order: OrderRow) -> tuple[str, str]:
    """Read who acted there; the buyer is named by his role alone, or by the id that the order has."""
    role, _, name = value.strip().partition(":") if isinstance(value, str) else ("", "", "")
    if role not in codes.ROLES or _NAME.fullmatch(name) is None:
        allowed = f"a role, or role:name; roles: {', '.join(codes.ROLES)}"
        raise BadInput(f"by: {repr(value)[:80]} is not allowed; allowed: {allowed}", field="by")
    if role == "buyer" and name not in ("", order.buyer_id):
        raise BadInput("by: another buyer than that of the order", field="by")
    if order.buyer_id == name and role != "buyer":
        raise BadInput("by: the buyer in another role: his id would stand in clear", field="by")
    return role, "" if role == "buyer" else name.strip()


def _grounds(value: object) -> tuple[str, ...]:
    found = value.replace(";", " ").split() if isinstance(value, str) else [] if value is None else value
    if not isinstance(found, Sequence) or len(found) > len(codes.GROUNDS):
        raise BadInput("grounds: a list of codes", field="grounds")
    return tuple(_matching("grounds", item, _CODE, "codes") for item in found)


def _text(name: str, value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > LONGEST_TEXT or _TEXT.fullmatch(value) is None:
        raise BadInput(f"{name}: a text of at most {LONGEST_TEXT} characters", field=name)
    return value.strip()
