"""One line of an order as a checked value, and how it is read out of the cells of a file."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from refundflow.errors import BadInput
from states import times
from states.codes import CHANNELS, PRODUCT_TYPES, USAGES

REQUIRED = (
    "order_id", "buyer_id", "product_type", "product", "usage", "amount_minor", "currency", "channel",
    "payment_no", "paid_at", "completed_at",
)  # fmt: skip
OPTIONAL = ("line", "valid_from", "valid_to")
COLUMNS = (*REQUIRED, *OPTIONAL)
LARGEST_AMOUNT = 10**15  # minor units; far below what the database holds, so that sums fit too

_TIMES = ("paid_at", "completed_at", "valid_from", "valid_to")
_FORMS: Mapping[str, tuple[re.Pattern[str], str]] = {
    "order_id": (
        re.compile(r"[A-Za-z0-9][A-Za-z0-9._:~@+-]{0,63}"),
        "1 to 64 of A-Z a-z 0-9 . _ : ~ @ + - and begins with a letter or digit",
    ),
    "line": (re.compile(r"[A-Za-z0-9._]{1,16}"), "1 to 16 of A-Z a-z 0-9 . _"),
    "buyer_id": (re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,128}"), "1 to 128 printable characters"),
    "product": (re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,200}"), "1 to 200 printable characters"),
    "payment_no": (re.compile(r"[!-~]{1,64}"), "1 to 64 printable ASCII characters without a space"),
    "currency": (re.compile(r"[A-Z]{3}"), "three capital letters (ISO 4217), for instance CNY"),
}
_CODES: Mapping[str, tuple[str, ...]] = {"product_type": PRODUCT_TYPES, "usage": USAGES, "channel": CHANNELS}
_EARLIEST, _LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class OrderRow:
    """One line of an order, checked when it is made; `amount_minor` in minor units, moments in UTC.

    Raises:
        BadInput: a value is not allowed; the message says what is, `field` names it.
    """

    order_id: str
    buyer_id: str
    product_type: str
    product: str
    usage: str
    amount_minor: int
    currency: str
    channel: str
    payment_no: str
    paid_at: datetime | None = None
    completed_at: datetime | None = None
    line: str = "1"
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    line_number: int = field(default=0, compare=False)  # where it stood in its file

    def __post_init__(self) -> None:
        for name, (form, allowed) in _FORMS.items():
            if not isinstance(value := getattr(self, name), str) or form.fullmatch(value) is None:
                raise _wrong(name, value, allowed)
        for name, codes in _CODES.items():
            if (value := getattr(self, name)) not in codes:
                raise _wrong(name, value, f"one of {', '.join(codes)}")
        amount: Any = self.amount_minor
        if type(amount) is not int or not 0 <= amount <= LARGEST_AMOUNT:
            raise _wrong("amount_minor", amount, f"a whole number of minor units, 0 to {LARGEST_AMOUNT}")
        for name in _TIMES:
            object.__setattr__(self, name, _in_utc(name, getattr(self, name)))
        self._check_order_of_times()

    def _check_order_of_times(self) -> None:
        if self.completed_at is not None:
            if self.paid_at is None:
                raise BadInput("completed_at: an order completed was paid; give paid_at too", field="paid_at")
            if self.completed_at < self.paid_at:
                raise BadInput("completed_at: must not lie before paid_at", field="completed_at")
        if (self.valid_from is None) != (self.valid_to is None):
            raise BadInput("valid_from and valid_to: give both or neither", field="valid_to")
        if self.valid_from is not None and self.valid_to is not None and self.valid_to <= self.valid_from:
            raise BadInput("valid_to: must lie after valid_from", field="valid_to")


def _wrong(name: str, value: object, allowed: str) -> BadInput:
    shown = repr(value)
    if len(shown) > 80:
        shown = shown[:79] + "…"
    return BadInput(f"{name}: {shown} is not allowed; allowed: {allowed}", field=name)


def _in_utc(name: str, value: object) -> datetime | None:
    if value is None:
        return None
    if isinstance(value, datetime) and value.tzinfo is not None:
        try:
            moment = value.astimezone(UTC)
        except OverflowError:
            moment = _LATEST
        if _EARLIEST <= moment < _LATEST:
            return moment
    raise _wrong(name, value, "a time with an offset from 1970 to 8999, or nothing")


def from_cells(given: Mapping[str, object], number: int) -> OrderRow:
    """Make the value of one row; empty optional cells are the same as absent ones."""
    values: dict[str, Any] = {}
    for name, cell in given.items():
        value = cell.strip(" ") if isinstance(cell, str) else cell
        if name in _TIMES:
            values[name] = _moment(name, value)
        elif name == "amount_minor":
            values[name] = _amount(value)
        elif name != "line" or value not in ("", None):
            values[name] = value
    return OrderRow(**values, line_number=number)


def _amount(value: object) -> object:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,16}", value, re.ASCII):
        return int(value)
    return value  # refused by the value itself, which says what is allowed


def _moment(name: str, value: object) -> datetime | None:
    if value is None or value == "":
        return None
    try:
        return times.moment(value) if isinstance(value, str) else _in_utc(name, value)
    except (ValueError, OverflowError):
        raise _wrong(name, value, "a time with an offset, for instance 2026-03-02T12:00:00+08:00") from None
