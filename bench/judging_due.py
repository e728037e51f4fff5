"""What careful code asks by hand of a refund on which something is due, and what it then writes: no IO.

Straight on, deadline after deadline: which one is over, did evidence come, how long is the window of appeal that
follows, is that over too. Only what the measured refunds come to: no evidence came in the review, and nobody appealed.

Less than refundflow: any other lapse is refused and stops the batch, and so do another refund on the line, a first of
two persons, an enquiry, a rejection before, and a ledger that is to be balanced; calendars and policies are those that
were there when the connection was opened, and none was ever imported.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import orjson

from bench.judging import Json, Refused, Rules, Terms, canonical, moment

BUYER_SIDE = ("buyer", "service")
ONE_DAY = timedelta(days=1)


class Due(NamedTuple):
    """A refund on which something is due, with its line, as one statement reads it of many."""

    document: str
    head: str
    version: int
    repeats: int  # refusals that were counted since its newest entry
    warned_at: str | datetime | None
    line: str  # document of the order line
    line_version: int
    excess: int  # of the line
    is_alone: bool  # on its line
    newer: int | None  # a calendar behind those that are known
    now: datetime


class Lapsed(NamedTuple):
    """What is written of one refund; each row in the order of its statement's columns."""

    line: tuple[int, str, str, int]  # what its reserved amount changes by, order id, line, and the version read
    refund: tuple[Any, ...]
    entries: list[tuple[Any, ...]]  # ENTRY
    effect: tuple[Any, ...]  # EFFECT; an earlier message is overtaken


class Step(NamedTuple):
    """What one lapse changes beside the state."""

    after: str
    patch: Json
    code: str  # of the message
    params: Mapping[str, Any]
    reserved: int = 0


def lapse(found: Due, rules: Rules) -> Lapsed:
    """Judge what is due on a refund and return what is written.

    Raises:
        Refused: it comes to something that is not measured.
    """
    document, line, at = orjson.loads(found.document), orjson.loads(found.line), moment(found.now)
    if found.newer is not None or rules.imported:
        raise Refused("CALENDAR")
    if document["effective_at"] > at or line["effective_at"] > at:
        raise Refused("CLOCK_BEHIND")
    if not found.is_alone or document["firsts"] or "enquiry" in document or "rejection" in document:
        raise Refused("NOT_MEASURED")
    if found.excess or line["written_off"]:
        raise Refused("LEDGER_TO_BALANCE")
    terms = rules.terms.get(document["policy"])
    if terms is None:
        raise Refused("UNKNOWN_POLICY")
    order_id, refund, deadlines = document["order_id"], document["id"], document["deadlines"]
    entries: list[tuple[Any, ...]] = []
    head, reserved, step = found.head, 0, None
    while deadlines:
        [(name, deadline)] = deadlines.items()
        due_at, event, before = deadline["due_at"], deadline["event"], document["state"]
        if due_at > at:
            break
        seq, effective_at = document["seq"] + 1, max(due_at, document["effective_at"])
        document["seq"], document["effective_at"] = seq, effective_at
        step = _STEPS.get(name, _not_measured)(document, due_at, terms, rules.calendar)
        document["state"] = step.after
        body = {
            "actor": {"name": "system", "role": "system"}, "calendar": rules.calendar, "chart": document["chart"],
            "effective_at": effective_at, "event": event, "from": before, "kind": "applied",
            "ledger": {"reserved": step.reserved} if step.reserved else {}, "params": {"deadline": name},
            "patch": step.patch | {"state": step.after}, "policy": document["policy"], "prev": head,
            "recorded_at": at, "seq": seq, "subject": refund, "texts": {}, "to": step.after, "v": 1,
        }  # fmt: skip
        if found.repeats and not entries:
            body["repeats"] = found.repeats
        sealed = canonical(body)
        head, reserved = sha256(sealed).hexdigest(), reserved + step.reserved
        entries.append((
            order_id, refund, seq, "applied", event, before, step.after, effective_at, at, "system", "system", None,
            None, None, sealed, head,
        ))  # fmt: skip
    if step is None:
        raise Refused("NOT_DUE")
    due_at, warn_at = _moments(deadlines, found.warned_at)
    return Lapsed(
        (reserved, order_id, document["line"], found.line_version),
        (document["state"], due_at, warn_at, document.get("assignee") if due_at else None,
         canonical(document).decode(), document["seq"], head, order_id, refund, found.version),
        entries,
        (order_id, refund, document["seq"], "buyer_message", step.code, canonical(step.params).decode(),
         document["effective_at"], at, 0, at),
    )  # fmt: skip


def _evidence(document: Json, due_at: str, terms: Terms, calendar: str) -> Step:
    """Reject what no evidence came for: it may be appealed against."""
    asked = document.pop("request")["seq"]
    came = any(item["seq"] > asked and item["role"] in BUYER_SIDE for item in document["evidence"].values())
    if came or document["instance"] != "review":
        raise Refused("NOT_MEASURED")
    policy, start = terms.policy, datetime.fromisoformat(due_at)
    days = policy.appeal_window_days
    end = _start_of(start.astimezone(terms.zone).date() + timedelta(days=days) + ONE_DAY, terms.zone)
    window = {
        "calendar": calendar, "due_at": moment(end), "event": "appeal_window_closed", "rule": f"{days} civil days",
        "set_at": due_at,
    }  # fmt: skip
    warned = end - timedelta(hours=policy.warn_hours)
    if warned > start:
        window["warn_at"] = moment(warned)
    rejection = {
        "at": document["effective_at"], "grounds": ["EVIDENCE_MISSING"], "instance": "review", "seq": document["seq"],
    }  # fmt: skip
    del document["deadlines"]["evidence"]
    document["deadlines"]["appeal_window"], document["rejection"] = window, rejection
    patch = {"deadlines": {"appeal_window": window, "evidence": None}, "rejection": rejection, "request": None}
    told = {"appeal_until": window["due_at"], "grounds": ["EVIDENCE_MISSING"]}
    return Step("rejected.appealable", patch, "REJECTED", told)


def _appeal_window(document: Json, due_at: str, terms: Terms, calendar: str) -> Step:
    """Close what nobody appealed against: what it had reserved is released."""
    amount, document["reserved"] = document["reserved"], 0
    del document["deadlines"]["appeal_window"]
    patch = {"deadlines": {"appeal_window": None}, "reserved": 0}
    return Step("rejected.closed", patch, "APPEAL_WINDOW_CLOSED", {}, -amount)


def _not_measured(document: Json, due_at: str, terms: Terms, calendar: str) -> Step:
    raise Refused("NOT_MEASURED")


_STEPS = {"evidence": _evidence, "appeal_window": _appeal_window}


def _moments(deadlines: Json, warned_at: str | datetime | None) -> tuple[str | None, str | None]:
    """Return when the deadline that is left is due, and when to warn of it unless that was done."""
    if not deadlines:
        return None, None
    [deadline] = deadlines.values()
    warn_at, warned = deadline.get("warn_at"), _text(warned_at)
    return deadline["due_at"], warn_at if warn_at is not None and warn_at > warned else None


def _text(at: str | datetime | None) -> str:
    """Write a moment of either database; none is before all others."""
    return moment(at.astimezone(UTC)) if isinstance(at, datetime) else at or ""


@lru_cache
def _start_of(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)
