"""What `request_evidence` judges, changes and writes down, as the user of any library writes it himself.

The arms share it, whose libraries bring rows, transactions and a chart: the standard library, and the working days of
mainland China. Documents, patches and bodies have refundflow's form, so that its chains and these verify alike.
"""

import hmac
import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from importlib.metadata import version
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import chinese_calendar

from bench.recorded import merged

EVENT = "request_evidence"
ROLES = ("agent", "system")
KINDS = frozenset({
    "activation_record", "login_log", "provisioning_record", "topup_record", "usage_meter", "service_monitor_log",
    "screenshot", "chat_log", "platform_promise", "payment_proof", "listing_snapshot", "identity_proof",
    "guardianship_proof", "police_report", "statement", "other",
})  # fmt: skip
ROUNDS = 2  # of evidence, in the review and in the appeal
GIVEN, WARNED = timedelta(hours=48), timedelta(hours=24)  # until the evidence lapses, and before that a warning
ZONE = ZoneInfo("Asia/Shanghai")
CALENDAR = f"chinesecalendar-{version('chinesecalendar')}"
Document = dict[str, Any]


class Refused(Exception):
    """What was asked for is not possible; the argument is a code."""


class Request(NamedTuple):
    """One request for evidence, as it comes in."""

    order_id: str
    refund: str
    role: str = "agent"
    name: str = "li"
    kinds: Sequence[str] = ("screenshot",)
    key: str = EVENT  # for idempotency


# what is judged


def may_act(role: str, roles: str, active: bool) -> bool:
    """Tell whether a registered person has the role that he acts in (of `roles`, JSON), and may ask in it."""
    return active and role in ROLES and role in json.loads(roles)


def are_kinds(kinds: Sequence[str]) -> bool:
    """Tell whether there are kinds of evidence, and all of them known."""
    return bool(kinds) and KINDS.issuperset(kinds)


def has_rounds_left(document: Document) -> bool:
    """Tell whether evidence may be asked for once more."""
    return bool(document["rounds"].get(_rounds(document), 0) < ROUNDS)


def is_in_time(document: Document, now: datetime) -> bool:
    """Tell whether no deadline has lapsed that would have to be applied before."""
    return all(moment(now) < deadline["due_at"] for deadline in document["deadlines"].values())


# what changes


def changes(document: Document, request: Request, now: datetime) -> Document:
    """Return what the document changes by, but for the state, as a merge patch (RFC 7396)."""
    standing = "appeal_review" if document["instance"] == "appeal" else "review"
    number = document["rounds"].get(_rounds(document), 0) + 1
    evidence = {
        "due_at": moment(now + GIVEN), "warn_at": moment(now + GIVEN - WARNED), "event": "evidence_lapsed",
        "rule": f"{GIVEN // timedelta(hours=1)} hours elapsed", "calendar": CALENDAR, "set_at": moment(now),
    }  # fmt: skip
    return {
        "deadlines": {standing: None, "evidence": evidence},
        "left": {standing: _working_days_left(now, document["deadlines"][standing]["due_at"])},
        "request": {"kinds": list(request.kinds), "round": number, "seq": document["seq"] + 1},
        "rounds": {_rounds(document): number},
    }


def changed(document: Document, patch: Document, now: datetime) -> Document:
    """Return the document behind its next entry."""
    return merged(document, patch) | {"seq": document["seq"] + 1, "effective_at": moment(now)}


# what is written


def columns(document: Document, head: str) -> dict[str, Any]:
    """Derive what changes of a refund's columns from its document and the hash of its newest entry."""
    deadlines = document["deadlines"].values()
    return {
        "next_due_at": min(datetime.fromisoformat(deadline["due_at"]) for deadline in deadlines),
        "next_warn_at": min(datetime.fromisoformat(deadline["warn_at"]) for deadline in deadlines),
        "document": canonical(document).decode(), "seq": document["seq"], "head": head,
    }  # fmt: skip


def entry(
    request: Request, before: Document, patch: Document, *, digest: str, head: str, now: datetime
) -> dict[str, Any]:
    """Return the columns of the entry: its body chained onto `head`, and what repeats it; `digest` is `named`'s."""
    seq, source, target = before["seq"] + 1, before["state"], patch["state"]
    body = canonical({
        "v": 1, "subject": request.refund, "seq": seq, "kind": "applied", "event": EVENT, "from": source,
        "to": target, "effective_at": moment(now), "recorded_at": moment(now),
        "actor": {"role": request.role, "name": request.name}, "params": {"kinds": list(request.kinds)},
        "texts": {}, "patch": patch, "ledger": {}, "policy": before["policy"], "calendar": CALENDAR,
        "chart": before["chart"], "prev": head, "key": request.key, "request": digest,
    })  # fmt: skip
    return {
        "order_id": request.order_id, "subject": request.refund, "seq": seq, "kind": "applied", "event": EVENT,
        "before": source, "after": target, "effective_at": now, "recorded_at": now, "actor_role": request.role,
        "actor_name": request.name, "key_scope": request.refund, "key": request.key, "request_hash": digest,
        "body": body, "hash": sha256(body).hexdigest(),
    }  # fmt: skip


def effect(request: Request, after: Document, now: datetime) -> dict[str, Any]:
    """Return the columns of the message to the buyer."""
    params = {
        "kinds": list(request.kinds), "due_at": after["deadlines"]["evidence"]["due_at"],
        "silence": "closed" if after["instance"] == "appeal" else "rejected",
    }  # fmt: skip
    return {
        "order_id": request.order_id, "subject": request.refund, "seq": after["seq"], "kind": "buyer_message",
        "code": "EVIDENCE_REQUESTED", "params": canonical(params).decode(), "effective_at": now, "recorded_at": now,
        "tries": 0, "next_try_at": now,
    }  # fmt: skip


def named(request: Request, secret: bytes) -> str:
    """Name a request by its content, under the secret of the buyer, so that a repeat is known."""
    asked = [EVENT, request.role, request.name, request.refund, list(request.kinds)]
    return hmac.digest(secret, canonical(asked), "sha256").hex()


def canonical(value: Any) -> bytes:
    """Write JSON in the one form that is hashed."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def moment(at: datetime) -> str:
    """Write a moment in UTC as the documents hold it."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _rounds(document: Document) -> str:
    return f"evidence.{document['instance']}"


def _working_days_left(now: datetime, due_at: str) -> int:
    """Count the working days behind today up to the one at whose end something is due."""
    day = now.astimezone(ZONE).date()
    last = (datetime.fromisoformat(due_at) - timedelta(microseconds=1)).astimezone(ZONE).date()
    return sum(_is_workday(day + timedelta(days=n)) for n in range(1, (last - day).days + 1))


def _is_workday(day: date) -> bool:
    try:
        return bool(chinese_calendar.is_workday(day))
    except NotImplementedError:  # a year whose list is not published yet
        return day.weekday() < 5
