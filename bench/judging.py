"""What careful code asks by hand before it makes one of the measured moves, and what it then writes: no IO.

Straight on, a function per move: is the caller registered in a role that may do this, or the buyer himself; is the
idempotency key used up, and by the same request; is anything due on the line; is the refund in its state; does
anything block this very move; how long do its deadlines run. The first answer that is no refuses.

Less than refundflow: each move is made from one state, without texts and files, by a person of its own role and not by
a service for the buyer; a refusal is neither recorded nor told with every blocker; what is due is not applied and a
first of two persons not recorded, both are refused, and so is what moves more of the ledger than the reserved amount;
a calendar or policy that came after the connection was opened is not read; nothing is answered, and nobody tries again
who was overtaken.
"""

import hmac
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from itertools import accumulate
from json.encoder import encode_basestring
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import orjson

from bench.recorded import Place
from refundflow import calendars, policies
from states.codes import EVIDENCE_KINDS
from states.policy import Policy

LONGEST = 128  # characters of a name or key
INSTANT = timedelta(microseconds=1)
FORESEEN = 3650  # days behind the calendar's coverage
STAFF = ("agent", "supervisor")
ROLES = {"begin_review": STAFF, "request_evidence": STAFF, "approve": STAFF, "withdraw": ("buyer",)}
SOURCES = {
    "begin_review": "submitted", "request_evidence": "under_review.reviewing", "approve": "under_review.reviewing",
    "withdraw": "submitted",
}  # fmt: skip
TARGETS = {
    "begin_review": "under_review.reviewing", "request_evidence": "awaiting_evidence", "approve": "approved.payable",
    "withdraw": "withdrawn",
}  # fmt: skip
KINDS = frozenset(EVIDENCE_KINDS)
Json = dict[str, Any]


class Refused(Exception):
    """What was asked for is not possible now; the argument is a code."""


class Request(NamedTuple):
    """One move, as it is asked for."""

    event: str
    place: Place
    role: str
    name: str
    key: str  # for idempotency
    kinds: Sequence[str] = ()  # of evidence that is asked for


class Found(NamedTuple):
    """All that a move must know, read by one statement; what is due is so at `now`."""

    document: str  # of the refund
    head: str
    version: int
    repeats: int  # refusals that were counted since its newest entry
    line: str  # document of the order line
    line_version: int
    reserved: int
    in_flight: int
    settled: int
    charged_back: int
    excess: int
    lookup: str | None  # of the buyer
    key: bytes | None  # of the buyer
    roles: str | None  # of the member of staff, if he is registered and active
    newer: int | None  # a calendar behind those that are known
    used: str | None  # hash of the request that has used the key
    is_due: bool  # anything on the line
    now: datetime


class Change(NamedTuple):
    """What a move writes; each row in the order of its statement's columns."""

    line: tuple[str, str, int]  # order id, line, and the version that was read
    reserved: int  # what the line's reserved amount changes by
    refund: tuple[Any, ...]
    entry: tuple[Any, ...]  # ENTRY
    effects: list[tuple[Any, ...]]  # EFFECT


class Span(NamedTuple):
    """How long a deadline runs that is counted in hours."""

    event: str
    rule: str
    given: timedelta
    warned: timedelta | None  # after it was set


class Terms(NamedTuple):
    """What the moves ask of a policy."""

    policy: Policy
    zone: ZoneInfo
    evidence: Span
    payout: Span


class Rules:
    """Secret, policies and calendar of one database, made ready for the moves."""

    def __init__(self, secret: str, kept: Sequence[tuple[str, str]], known: Sequence[tuple[str, Any]]) -> None:
        """Take the secret, policies (version, content), and calendars (content, moment of import) in their order."""
        self._secret = bytes.fromhex(secret)
        self.terms = {version: _terms(policies.restore(content)) for version, content in kept}
        self.calendars, self.imported = len(known), any(moment is not None for _, moment in known)
        calendar = calendars.parse(known[-1][0])
        self.calendar, self._first = calendar.version, calendar.first.toordinal()
        days = range(self._first, calendar.last.toordinal() + FORESEEN)
        self._worked = list(accumulate(calendar.is_workday(date.fromordinal(day)) for day in days))
        self.colleague = lru_cache(self.buyer)

    def buyer(self, name: str) -> str:
        """Return by what a buyer of this name would be found."""
        return hmac.digest(self._secret, f'["lookup", {encode_basestring(name)}]'.encode(), "sha256").hex()

    def days_left(self, now: datetime, deadline: Mapping[str, Any], zone: ZoneInfo) -> int:
        """Count the working days after today up to the last before a deadline is due.

        Raises:
            Refused: it is to be counted again by a calendar that was imported.
        """
        if self.imported and "provisional" in deadline:
            raise Refused("DUE")
        last = (datetime.fromisoformat(deadline["due_at"]) - INSTANT).astimezone(zone)
        worked, first = self._worked, self._first
        return worked[last.toordinal() - first] - worked[now.astimezone(zone).toordinal() - first]


class Turn(NamedTuple):
    """One move that nothing general has refused; `document` is to be changed."""

    name: str  # of who acts
    kinds: Sequence[str]
    found: Found
    document: Json
    line: Json
    rules: Rules
    terms: Terms
    now: datetime
    at: str  # now, as it is written


class Told(NamedTuple):
    """What a move changes: patch, values of its own columns, effects (kind, code, parameters), reserved amount."""

    patch: Json
    columns: tuple[Any, ...] = ()
    effects: tuple[tuple[str, str, Json], ...] = ()
    reserved: int = 0


def judge(request: Request, found: Found, rules: Rules) -> Change | None:
    """Judge a move and return what it writes, None where the same request was carried out before.

    Raises:
        Refused: it is not possible now.
    """
    event, (order_id, refund), role, name, key, kinds = request
    document, line, now, at = orjson.loads(found.document), orjson.loads(found.line), found.now, moment(found.now)
    name = _actor(request, found, rules, line["buyer"])
    request_hash = _request_hash(request, name, found.key)
    if found.used is not None:
        if found.used == request_hash:
            return None
        raise Refused("KEY_REUSED")
    if found.is_due or found.newer is not None:
        raise Refused("DUE")
    if at < document["effective_at"] or at < line["effective_at"]:
        raise Refused("CLOCK_BEHIND")
    before, after = document["state"], TARGETS[event]
    if before != SOURCES[event] or document["firsts"] or "enquiry" in document:
        raise Refused("WRONG_STATE")
    terms = rules.terms.get(document["policy"])
    if terms is None:
        raise Refused("UNKNOWN_POLICY")
    seq = document["seq"] + 1
    document["state"], document["seq"], document["effective_at"] = after, seq, at
    turn = Turn(name, kinds, found, document, line, rules, terms, now, at)
    patch, columns, effects, reserved = _MOVES[event](turn)
    patch["state"] = after
    body = {
        "actor": {"name": name, "role": role}, "calendar": rules.calendar, "chart": document["chart"],
        "effective_at": at, "event": event, "from": before, "key": key, "kind": "applied",
        "ledger": {"reserved": reserved} if reserved else {}, "params": {"kinds": kinds} if kinds else {},
        "patch": patch, "policy": document["policy"], "prev": found.head, "recorded_at": at, "request": request_hash,
        "seq": seq, "subject": refund, "texts": {}, "to": after, "v": 1,
    }  # fmt: skip
    if found.repeats:
        body["repeats"] = found.repeats
    sealed = canonical(body)
    head = sha256(sealed).hexdigest()
    return Change(
        (order_id, document["line"], found.line_version), reserved,
        (*columns, canonical(document).decode(), seq, head, order_id, refund, found.version),
        (order_id, refund, seq, "applied", event, before, after, at, at, role, name, refund, key, request_hash, sealed,
         head),
        [(order_id, refund, seq, kind, code, canonical(told).decode(), at, at, 0, at) for kind, code, told in effects],
    )  # fmt: skip


# who acts, and by which request


def _actor(request: Request, found: Found, rules: Rules, buyer: str) -> str:
    """Check who acts; return how the entry names him."""
    event, _, role, name, key, _ = request
    for given in (name, key):
        if not (0 < len(given) <= LONGEST and given.isprintable()):
            raise Refused("BAD_INPUT")
    if not (found.key and any(found.key)):
        raise Refused("ERASED")
    if role == "buyer":
        if rules.buyer(name) != found.lookup:
            raise Refused("NOT_FOUND")
        name = buyer
    elif found.roles is None or role not in orjson.loads(found.roles):
        raise Refused("NOT_REGISTERED")
    if role not in ROLES[event]:
        raise Refused("ROLE_NOT_ALLOWED")
    return name


def _request_hash(request: Request, name: str, key: bytes | None) -> str:
    """Name a request under the key of the buyer, as refundflow does: it knows the repeat too."""
    asked = orjson.dumps({
        "actor": [request.role, name], "event": request.event,
        "params": {"kinds": request.kinds} if request.kinds else {}, "target": request.place.refund, "texts": {},
    })  # fmt: skip
    return hmac.digest(hmac.digest(key or b"", b'["request"]', "sha256"), asked, "sha256").hex()


# the moves: what blocks each, what it changes


def _begin_review(turn: Turn) -> Told:
    return Told({})


def _request_evidence(turn: Turn) -> Told:
    _, kinds, _, document, _, rules, terms, now, at = turn
    number = document["rounds"].get("evidence.review", 0) + 1
    if not kinds or not KINDS.issuperset(kinds):
        raise Refused("UNKNOWN_KIND")
    if number > terms.policy.evidence_rounds:
        raise Refused("EVIDENCE_ROUNDS_USED")
    left = rules.days_left(now, document["deadlines"]["review"], terms.zone)
    deadline = _deadline(terms.evidence, now, at, rules.calendar)
    request = {"kinds": kinds, "round": number, "seq": document["seq"]}
    document["deadlines"], document["request"] = {"evidence": deadline}, request
    document["left"]["review"], document["rounds"]["evidence.review"] = left, number
    return Told(
        {"deadlines": {"evidence": deadline, "review": None}, "left": {"review": left}, "request": request,
         "rounds": {"evidence.review": number}},
        (deadline["due_at"], deadline.get("warn_at")),
        (("buyer_message", "EVIDENCE_REQUESTED",
          {"due_at": deadline["due_at"], "kinds": kinds, "silence": "rejected"}),),
    )  # fmt: skip


def _approve(turn: Turn) -> Told:
    name, _, found, document, line, rules, terms, now, at = turn
    amount, currency, policy = document["reserved"], document["currency"], terms.policy
    if rules.colleague(name) == found.lookup or name in document["parties"]:
        raise Refused("CLAIMANT_DECIDES")
    if policy.cell(document["reason"], line["product_type"], line["usage"]) != "review":
        raise Refused("NOT_ELIGIBLE")
    for chargeback in line["chargebacks"].values():
        if chargeback["state"] == "open":
            raise Refused("CHARGEBACK_OPEN")
    if found.excess or line["captured"] < found.reserved + found.in_flight + found.settled + found.charged_back:
        raise Refused("NOT_COVERED_BY_LINE")
    if amount > policy.money[currency].two_persons_above:
        raise Refused("SECOND_PERSON_NEEDED")
    left = rules.days_left(now, document["deadlines"]["review"], terms.zone)
    deadline = _deadline(terms.payout, now, at, rules.calendar)
    number, decided = document["approvals"] + 1, document["decided"].get("review", [])
    patch = {
        "approval": {"amount": amount, "at": at, "instance": "review", "no": number, "seq": document["seq"]},
        "approvals": number, "approved": amount,
        "decided": {"review": decided if name in decided else [*decided, name]},
    }  # fmt: skip
    document.update(patch)
    document["deadlines"], document["left"]["review"] = {"payout": deadline}, left
    patch["deadlines"], patch["left"] = {"payout": deadline, "review": None}, {"review": left}
    return Told(
        patch, (deadline["due_at"], deadline.get("warn_at"), amount),
        (("buyer_message", "APPROVED", {"amount": amount, "currency": currency}),
         ("entitlement_revoke", "ENTITLEMENT_REVOKE", {"product": line["product"]}),
         ("system_act", "dispatch_payout", {})),
    )  # fmt: skip


def _withdraw(turn: Turn) -> Told:
    _, _, found, document, line, rules, terms, now, _ = turn
    if found.excess or line["written_off"]:
        raise Refused("LEDGER_TO_BALANCE")
    amount, left = document["reserved"], rules.days_left(now, document["deadlines"]["review"], terms.zone)
    document["deadlines"], document["left"]["review"], document["reserved"] = {}, left, 0
    return Told({"deadlines": {"review": None}, "left": {"review": left}, "reserved": 0}, reserved=-amount)


_MOVES = {
    "begin_review": _begin_review, "request_evidence": _request_evidence, "approve": _approve, "withdraw": _withdraw,
}  # fmt: skip


def _deadline(span: Span, now: datetime, at: str, calendar: str) -> Json:
    deadline = {
        "calendar": calendar, "due_at": moment(now + span.given), "event": span.event, "rule": span.rule, "set_at": at,
    }  # fmt: skip
    if span.warned is not None:
        deadline["warn_at"] = moment(now + span.warned)
    return deadline


def _terms(policy: Policy) -> Terms:
    evidence = _span("evidence_lapsed", policy.evidence_hours, policy.warn_hours)
    payout = _span("payout_overdue", policy.payout_hours, policy.warn_payout_hours)
    return Terms(policy, ZoneInfo(policy.zone), evidence, payout)


def _span(event: str, hours: int, warned: int) -> Span:
    after = timedelta(hours=hours - warned)
    return Span(event, f"{hours} hours elapsed", timedelta(hours=hours), after if after else None)


def request_of(event: str, place: Place) -> Request:
    """Return what is asked for where `bench.scene.move` makes a move."""
    role, name = ("buyer", "mei") if event == "withdraw" else ("agent", "li")
    return Request(event, place, role, name, event, ["screenshot"] if event == "request_evidence" else ())


def moment(at: datetime) -> str:
    """Write a moment, which is in UTC, as the documents hold it."""
    return f"{at.isoformat(timespec='microseconds')[:-6]}Z"


def canonical(value: Any) -> bytes:
    """Write a value as its hash is made of it."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
