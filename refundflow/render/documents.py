"""Values as JSON documents: keys are the names of the fields, moments are UTC text, absent values are null."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from typing import Any

from refundflow.values import Page, QueueItem, Refund, Verification
from states import times
from states.case import Blocker

Json = Any


def document(value: object) -> Json:
    """Return a value of the facade, with everything in it, as JSON values."""
    if isinstance(value, Blocker):
        return {"code": value.code, **value.params, "until": value.until}
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: document(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, datetime):
        return times.text(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): document(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [document(item) for item in (sorted(value) if isinstance(value, set | frozenset) else value)]
    return value


def refund_json(refund: Refund) -> dict[str, Json]:
    """Return a refund as JSON values: id, order_id, line, phase, state, …, deadline, seq, allowed."""
    written: dict[str, Json] = document(refund)
    return written


def queue_json(item: QueueItem) -> dict[str, Json]:
    """Return a refund of a queue as JSON values: the refund's own, with turn and urgency."""
    return {"turn": item.turn, "urgency": item.urgency, **refund_json(item.refund)}


def page_json(page: Page) -> dict[str, Json]:
    """Return a page of refunds as JSON values; `after` asks for the next one, null at the end."""
    return {"refunds": [refund_json(refund) for refund in page.refunds], "after": page.after}


def verification_json(result: Verification) -> dict[str, Json]:
    """Return the result of verifying as JSON values."""
    return {"ok": result.ok, **document(result)}
