"""Verify an export offline: nothing was changed, removed, inserted or back-dated, and every move obeyed the rules.

    python verifier.py EXPORT --key VKEY [--checkpoint FILE]... [--json]

EXPORT is a file with FILE.manifest beside it, or a folder; VKEY the operator's public key; a checkpoint a note kept
from an earlier day. Exit status: 0 nothing is wrong, 8 something is, 2 unreadable. Needed: Python 3.11, `cryptography`.

This is a second writing of the rules: it shares no line with the program that it judges. Not judged, because no entry
holds it: free texts (only commitments), whether staff is the claimant under another name, the limits of a channel over
all lines of a payment, when warnings were given, which appeals went first.
"""
# fmt: off

import argparse
import base64
import json
import sys
import tomllib
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple
from zoneinfo import ZoneInfo

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

Json = Any
Document = dict[str, Json]
Problems = Iterator[tuple[str, str]]  # codes, and what is wrong
CHARTS = {"refund/1": "a7267dfb51faa0869eb9378be0ba79cca408100b7f6d46e6ca809fd94b28d28f"}  # released ones, by digest
FORMAT, ZEROS = "refundflow-export/1", "0" * 64  # ZEROS: the hash before the first entry of a chain
DAY, INSTANT, SKEW = timedelta(days=1), timedelta(microseconds=1), timedelta(seconds=60)  # SKEW: of clocks of two hosts
WRONG = (ArithmeticError, AttributeError, LookupError, MemoryError, RecursionError, TypeError, ValueError)  # of content
# --- findings ---------------------------------------------------------------------------------------------------------
class Unreadable(Exception):
    """Say that there is nothing that could be verified, and what would be needed."""
class Finding(NamedTuple):
    """One thing that is wrong: a stable code, the chain and its entry, the leaf, the first checkpoint above it."""
    code: str; subject: str; seq: int; leaf: int | None; since: int | None; what: str  # noqa: E702
    def __str__(self) -> str:
        leaf = "" if self.leaf is None else f" (leaf {self.leaf}, under the checkpoint of size {self.since})"
        return f"{self.code} {self.subject}{f'#{self.seq}' if self.seq else ''}{leaf}: {self.what}"
class Report:
    """What was looked at, what is wrong, and (`limits`) what this export alone cannot show, with what is needed."""
    def __init__(self) -> None:
        self.findings, self.limits, self.sizes = list[Finding](), list[str](), list[int]()  # sizes: of checkpoints
        self.facts: Document = {"entries": 0, "chains": 0, "imported": 0}
    def blame(self, code: str, what: str, subject: str = "log", seq: int = 0, leaf: int | None = None) -> None:
        """Add a finding."""
        since = next((size for size in self.sizes if leaf is not None and size > leaf), None)
        self.findings.append(Finding(code, subject, seq, leaf, since, what))
    def as_json(self) -> Document:
        """Return it as JSON values."""
        return {**self.facts, "findings": [item._asdict() for item in self.findings], "limits": self.limits}
# --- notes (C2SP signed-note, tlog-checkpoint) ------------------------------------------------------------------------
Key = tuple[str, bytes, Ed25519PublicKey]  # name, the four bytes that mark its signatures, the key itself
def _key(vkey: str) -> Key:  # of ``name+mark+base64``
    try:
        name, mark, text = vkey.strip().split("+", 2)
        raw = base64.b64decode(text, validate=True)
        named = sha256(name.encode() + b"\n" + raw).digest()[:4]
        if raw[:1] != b"\x01" or bytes.fromhex(mark) != named: raise ValueError("it does not name itself")
        return name, named, Ed25519PublicKey.from_public_bytes(raw[1:])
    except ValueError as wrong: raise Unreadable(f"{vkey!r} is no verifying key, NAME+ID+BASE64: {wrong}") from wrong
def _opened(note: str, keys: Sequence[Key]) -> str:  # the text, if a key has signed it and no signature is wrong
    text, _, signatures = note.rpartition("\n\n")
    lines, held = [line.split(" ") for line in signatures.splitlines()], False
    for name, raw in ((line[1], base64.b64decode(line[2])) for line in lines if len(line) == 3 and line[0] == "—"):
        for key in (key for *own, key in keys if own == [name, raw[:4]]):
            try:
                key.verify(raw[4:], text.encode() + b"\n")
                held = True
            except InvalidSignature: raise ValueError(f"the signature of {name} does not hold") from None
    if not held: raise ValueError("it is not signed by a key that you gave")
    return text + "\n"
def _checkpoint(text: str) -> tuple[str, int, str]:  # origin, size, root
    origin, size, root = text.split("\n")[:3]
    return origin, int(size), root
# --- tree -------------------------------------------------------------------------------------------------------------
class Tree:
    """The log's Merkle tree (RFC 9162), built from the left in the memory of one path; `roots` are those asked for."""
    def __init__(self, sizes: Sequence[int] = ()) -> None:
        self.size, self.path, self.asked = 0, list[bytes](), frozenset(sizes)
        self.roots: dict[int, str] = {0: self.root()}
    def add(self, node: bytes, index: int, end: int) -> None:
        """Add the next subtree, number `index` on its level, whose leaves end before `end`."""
        path = self.path
        while index & 1:
            node = sha256(b"\x01" + path.pop() + node).digest()
            index >>= 1
        path.append(node)
        self.size = end
        if end in self.asked: self.roots[end] = self.root()
    def root(self) -> str:
        """Return the root over everything added so far, in base64."""
        root = self.path[-1] if self.path else sha256(b"").digest()
        for left in reversed(self.path[:-1]): root = sha256(b"\x01" + left + root).digest()
        return base64.b64encode(root).decode()
def bind(body: bytes, subject: str, previous: str, heads: dict[str, str], tree: Tree) -> tuple[str, bool]:
    """Hash an entry's bytes as they stand, into tree and chain; return the hash, and whether the chain holds."""
    digest = sha256(body).digest()
    node, index, path = sha256(b"\x00" + digest).digest(), tree.size, tree.path
    tree.size = end = index + 1
    while index & 1:  # as Tree.add does, without a call: this runs once for each entry
        node = sha256(b"\x01" + path.pop() + node).digest()
        index >>= 1
    path.append(node)
    if end in tree.asked: tree.roots[end] = tree.root()
    holds = heads.get(subject, ZEROS) == previous
    own = heads[subject] = digest.hex()
    return own, holds
# --- rulebook: what an export carries, each part checked against the digest that its version names --------------------
def _json(text: str | bytes) -> Json:  # a name that stands twice would be read in two ways
    def once(pairs: list[tuple[str, Json]]) -> Document:
        if len(found := dict(pairs)) < len(pairs): raise ValueError("a name stands twice")
        return found
    return json.loads(text, object_pairs_hook=once)
def _digest(value: Json) -> str:  # of canonical JSON
    return sha256(json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
class _Chart:
    def __init__(self, told: Document) -> None:
        self.initial: str = told["initial"]
        self.final, self.events = frozenset(told["final"]), {row["event"] for row in told["rows"]}
        self.standing: Mapping[str, str] = told["standing"]  # leaf → the deadline that stands in it
        self.lapses: Mapping[str, str] = told["events"]  # deadline → the event of its lapse
        self.rows = sorted((row["from"], row["event"], row["to"], sorted(row["guards"])) for row in told["rows"])
        self.digest = _digest([self.initial, sorted(self.final), self.rows, self.standing, self.lapses])
    def target(self, case: "_Refund", event: str) -> str | None:  # where an event leads to; None: it is no move
        came = "request" in case and bool(case.came("request"))
        outcomes = {"in_appeal": case["instance"] == "appeal", "evidence_came": came,
                    "refund_part": case.offer().get("amount", 1) > 0}
        return next((target for source, name, target, guards in self.rows if (source, name) == (case["state"], event)
                     and all(outcomes[guard.lstrip("!")] is not guard.startswith("!") for guard in guards)), None)
class _Calendar:  # Monday to Friday, less holidays, plus make-up workdays; outside coverage a guess
    def __init__(self, content: Document) -> None:
        self.version: str = content["version"]
        self.first, self.last = date.fromisoformat(content["first"]), date.fromisoformat(content["last"])
        self.holidays, self.makeup = ({*map(date.fromisoformat, content[name])} for name in ("holidays", "makeup"))
        days = {name: content[name] for name in ("first", "last", "holidays", "makeup")}
        self.true = self.version.endswith(f"-{self.last.year}-{_digest(days)[:8]}")
    def worked(self, day: date) -> bool:
        return day in self.makeup or (day.weekday() < 5 and day not in self.holidays)
    def between(self, after: date, last: date) -> int:  # working days after one day up to and with another
        return sum(self.worked(after + n * DAY) for n in range(1, (last - after).days + 1))
    def count(self, how: Document, set_at: str, zone: str) -> tuple[str, bool]:  # 24:00 of the last day; guessed?
        day, left, guessed = _day(how.get("start", set_at), zone), how["days"], False
        if how.get("resumed") and left == 0: day, left = day - DAY, 1  # today, or the next one if today is none
        while left > 0:
            day += DAY
            guessed = guessed or not self.first <= day <= self.last
            left -= self.worked(day)
        return _later(_end_of(day, zone), how.get("extended", 0), zone), guessed
class _Rulebook:
    def __init__(self, manifest: Document, report: Report) -> None:
        self.charts = {version: _Chart(told) for version, told in manifest["charts"].items()}
        self.policies: dict[str, Document] = {}
        for version in [name for name, chart in self.charts.items() if CHARTS.get(name) != chart.digest]:
            report.blame("CHART", "its moves are not those of the released chart", version)
        for version, text in manifest["policies"].items():
            content = self.policies[version] = json.loads(text) if text.startswith("{") else tomllib.loads(text)
            if _digest(content) != version: report.blame("POLICY", "its content is not that of its version", version)
        told = [(str(one["imported_at"] or ""), _Calendar(json.loads(one["content"]))) for one in manifest["calendars"]]
        for calendar in [calendar for _, calendar in told if not calendar.true]:
            report.blame("CALENDAR", "its days are not those of its version", calendar.version)
        told.sort(key=lambda each: each[0])  # the shipped one was always there
        self.imports, self._calendars = told[1:], [calendar for _, calendar in told]
        self.told = list[tuple[str, str]]()  # of the imports, by their register
    def calendar(self, at: str) -> _Calendar:  # in force at a moment: the newest imported before it
        return self._calendars[bisect_left(self.imports, at, key=lambda each: each[0])]
    def imports_due(self, deadline: Document) -> list[tuple[str, _Calendar]]:  # that a provisional deadline waits for
        key = (deadline.get("counted_at"), deadline["calendar"])  # of two at one moment the later in order is newer
        new = max((i for i, (at, one) in enumerate(self.imports, 1) if (at, one.version) == key), default=0)
        return [a for a in self.imports[new:] if deadline.get("provisional") and a[0] >= (key[0] or deadline["set_at"])]
# --- time: moments are text that sorts as time does; a day's 00:00 belongs to that day --------------------------------
@lru_cache(maxsize=4096)
def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
def _day(at: str, zone: str, less: timedelta = 0 * DAY) -> date:
    return (_moment(at) - less).astimezone(ZoneInfo(zone)).date()
def _end_of(day: date, zone: str) -> str:  # 24:00
    return _text(datetime.combine(day + DAY, datetime.min.time(), ZoneInfo(zone)))
def _later(at: str, days: int, zone: str) -> str:  # by civil days, at the same local time
    return _text(_moment(at).astimezone(ZoneInfo(zone)) + days * DAY)
# --- the tables -------------------------------------------------------------------------------------------------------
def _table(text: str) -> dict[str, tuple[str, ...]]:  # of rows "events: words", the words of each event
    rows = (row.split(":") for row in text.replace(";", "\n").strip().splitlines())
    return {event: tuple(words.split()) for events, words in rows for event in events.split()}
WHO = _table("""
counter_offer: buyer; submit provide_evidence withdraw appeal confirm_receipt: buyer service
accept_offer decline_offer: buyer agent supervisor; raise_enquiry: buyer service agent supervisor
add_evidence: buyer service agent supervisor finance; end_request offer uphold overturn assign: agent supervisor
registered completed captured usage_recorded paid validity imported: service; note: agent supervisor service finance
begin_review request_evidence approve reject answer_enquiry: agent supervisor system; retry_payout: finance system
flag_risk: agent supervisor service system; take_back: agent supervisor finance; effect_discarded: supervisor finance
revoke_approval extend staff_added staff_disabled calendar_imported erased: supervisor
reroute_payout pay_manually excess_resolved: finance; chargeback_opened chargeback_closed: finance channel
payout_settled payout_reversed late_reversal void_attempt stray_payment stray_payment_returned: finance channel
resolved_came_back: finance channel; payout_refused: finance channel system
auto_reject dispatch_payout handed_to_finance first_fell deadline_recomputed review_overdue evidence_lapsed: system
offer_lapsed appeal_window_closed appeal_overdue payout_overdue receipt_assumed enquiry_overdue: system
""")
BESIDE = _table("""
assign flag_risk: submitted under_review. awaiting_evidence rejected.appealable appealed
extend take_back: submitted under_review. awaiting_evidence rejected.appealable appealed approved. paid_out.settled
raise_enquiry: approved. paid_out.settled; handed_to_finance: approved.paying; answer_enquiry: *
note add_evidence effect_discarded void_attempt first_fell deadline_recomputed chargeback_opened chargeback_closed: *
payout_settled payout_reversed late_reversal erased: *
""")  # facts of a refund, and where they are possible: the beginnings of the leaves
CHANGES = _table("""
approve overturn: approval; auto_reject reject uphold: rejection; request_evidence: request
provide_evidence appeal add_evidence: evidence clear_evidence request assignee hold; assign flag_risk: assignee flags
end_request withdraw evidence_lapsed: request rejection offers; review_overdue appeal_overdue: levels hold
offer counter_offer accept_offer decline_offer offer_lapsed revoke_approval: offers approval
payout_settled payout_reversed late_reversal: kept late_reversal; raise_enquiry answer_enquiry: enquiry
chargeback_opened chargeback_closed erased: chargeback_seen chargebacks erased; resolved_came_back: written_off beside
completed captured usage_recorded paid validity: completed_at captured usage paid_at valid_from valid_to told
stray_payment stray_payment_returned excess_resolved: stray beside written_off returned_by_hand firsts resolved
""")  # what an event may change beside what is judged to the letter:
JUDGED = {key: code for code, keys in _table("""
ILLEGAL_MOVE: state instance; DEADLINE: deadlines left; AMOUNT: reserved in_flight settled approved approvals
TWO_PERSONS: firsts; PERSONS: decided parties; OFFER: standing; ROUNDS: rounds; PAYOUT: channel attempts
""").items() for key in keys}
REVIEWS, DEADLINE = ("review", "appeal_review"), ("name", "due_at", "rule", "provisional")  # in a column of its own
ATTEMPT = ("no", "channel", "amount", "currency", "approval", "state", "void", "retries")  # and of a payout attempt
COLUMNS = ("reserved", "in_flight", "settled", "charged_back", "excess")  # of the ledger of an order line
EMPTY = ("deadlines", "left", "levels", "rounds", "offers", "decided", "firsts", "attempts")  # when it is opened
DECIDING = ("approve", "reject", "offer", "accept_offer", "uphold", "overturn", "revoke_approval")
COVERED, MANUAL = "submit approve overturn offer accept_offer dispatch_payout pay_manually", "bank_manual"
FOLLOWS = ("auto_reject", "first_fell", "stray_payment", "stray_payment_returned", "resolved_came_back")  # never alone
PROOFS, PAID = ("payout_settled", "payout_reversed", "late_reversal"), ("settled", "reversed", "stray", "returned")
LASTING = ("CHANNEL_WINDOW_OVER", "CHANNEL_COUNT_USED", "MANUAL_CHANNEL", "CHANNEL_REFUSES_PAYMENT")  # rules
# --- a turn: one entry of a refund, what it found (`was`), what it must leave (`case`), what it told ------------------
class _Refund(dict[str, Any]):
    def offer(self) -> Document:  # the one that stands, or nothing
        return dict(self.get("offers", {}).get(self.get("standing", ""), {}))
    def came(self, since: str) -> set[str]:  # kinds of evidence from the buyer's side since a request or a rejection
        seq, items = self.get(since, {}).get("seq", 0), self["evidence"].values()
        return {item["kind"] for item in items if item["seq"] > seq and item["role"] in ("buyer", "service")}
    def flying(self) -> str | None:  # the payout number that is in flight
        return next((number for number, item in self["attempts"].items() if item["state"] == "open"), None)
    def newest(self) -> str:  # the newest payout number of the present approval, or nothing
        own = {number: item["no"] for number, item in self["attempts"].items() if item["approval"] == self["approvals"]}
        return max(own, key=own.__getitem__, default="")
    def alive(self) -> list[str]:  # the numbers that may still pay: neither void, nor did they pay
        return [number for number, item in self["attempts"].items() if not item["void"] and item["state"] not in PAID]
class _Turn:
    def __init__(self, book: "_Book", was: _Refund, body: Document, told: _Refund) -> None:
        self.book, self.was, self.told, self.body, self.at = book, was, told, body, body["effective_at"]
        self.line: Document = book.line or {}
        self.event, self.p, self.texts, self.seq = body["event"], body["params"], body["texts"], body["seq"]
        self.role, self.name, self.first = body["actor"]["role"], body["actor"]["name"], self.p.get("first") is True
        self.chart, self.policy = book.rules.charts[body["chart"]], book.rules.policies[body["policy"]]
        self.calendar, self.zone = book.rules.calendar(self.at), str(self.policy["zone"])
        self.limits: Document = self.policy["money"].get(told["currency"], {})
        self.reason: Document = self.policy["reasons"][told["reason"]]
        self.offer, self.amount, self.number = was.offer(), self.p.get("amount") or 0, str(self.p.get("number"))
        self.attempt: Document = was.get("attempts", {}).get(self.number, {})
        self.case = _Refund((key, dict(item) if isinstance(item, dict) else item) for key, item in was.items())
    def enter(self, target: str) -> None:  # another leaf; outside it a review's clock stands still, its days are kept
        case, today, review = self.case, _day(self.at, self.zone), REVIEWS[self.case["instance"] == "appeal"]
        old, new = self.chart.standing.get(case["state"]), self.chart.standing.get(target)
        case["state"] = target
        if old == new: return
        if old in REVIEWS and old in case["deadlines"]:
            case["left"][old] = self.calendar.between(today, _day(case["deadlines"][old]["due_at"], self.zone, INSTANT))
        if old == "offer" and self.offer.get("counter") and review in case["left"]:  # it waited for the platform
            waited = self.calendar.between(_day(self.offer["at"], self.zone), today)
            case["left"][review] = max(0, case["left"][review] - waited)
        case["deadlines"].pop(old or "", None)
        if new and not (new == "receipt" and "enquiry" in case["deadlines"]): self.stand(new)
    def stand(self, name: str) -> None:  # anew: by the pinned policy, from the effective time, by the calendar in force
        policy, left, unit = self.policy, self.case["left"], "minutes" if name == "enquiry" else "hours"
        if name in left:
            self.set(name, f"{left[name]} working days left", {"days": left.pop(name), "resumed": True})
        elif name in REVIEWS:
            days = policy["appeal_review_days"] if name == "appeal_review" else self.review_days()
            self.set(name, f"{days} working days", {"days": days})
        elif name in ("appeal_window", "receipt"):
            self.set(name, f"{policy[f'{name}_days']} civil days", self.days_after(self.at, policy[f"{name}_days"]))
        else:
            span = timedelta(**{unit: policy[f"{name}_{unit}"]})
            self.set(name, f"{policy[f'{name}_{unit}']} {unit} elapsed", _text(_moment(self.at) + span))
    def stand_again(self, name: str) -> None:  # from the moment that ended
        policy, ended, kind = self.policy, self.case["deadlines"][name], "overdue" if name in REVIEWS else "promise"
        due, lapsed = _moment(ended["due_at"]), ended.get("lapsed", 0) + 1
        pace = f"{kind}_{'short' if lapsed <= policy[f'{kind}_short_times'] else 'long'}"
        days, hours = policy.get(f"{pace}_days", 0), policy.get(f"{pace}_hours", 0)
        if days: self.set(name, f"{days} working days, again", {"days": days, "start": _text(due - INSTANT)})
        else: self.set(name, f"{hours} hours elapsed, again", _text(due + timedelta(hours=hours)))
        self.case["deadlines"][name]["lapsed"] = lapsed
    def set(self, name: str, rule: str, due: str | Document) -> None:  # to a moment, or as working days are counted
        how = {} if isinstance(due, str) else due
        at, guessed = (due, False) if isinstance(due, str) else self.calendar.count(due, self.at, self.zone)
        told = {"due_at": at, "event": self.chart.lapses[name], "rule": rule, "calendar": self.calendar.version}
        guess = {"provisional": True, "working": {"start": self.at, **how}} if guessed else {}
        self.case["deadlines"][name] = {**told, "set_at": self.at, **guess}
    def days_after(self, at: str, days: int) -> str:  # 24:00 of the last of so many civil days, the first not counted
        return _end_of(_day(at, self.zone) + days * DAY, self.zone)
    def review_days(self) -> int:  # of which product it is stands in the chain of the line: it may not be here
        if not self.line: return int(str(self.told["deadlines"]["review"]["rule"]).split(" ")[0])
        raised = self.case["claimed"] > self.limits["raised_review_above"] or bool(self.told["flags"])
        days, more = self.policy["review_days"][self.line["product_type"]], self.policy["review_days_raised"]
        return int(max(days, raised * more))
    def covers(self) -> bool:  # does the line have the amount for this refund? Only a whole line can say
        if not self.line or not self.book.whole: return True
        ledger, reserved = self.book.ledger, self.was.get("reserved", 0)
        has = self.line["captured"] - sum(ledger[name] for name in COLUMNS[:4]) - self.book.hidden + reserved
        accepted = 0 if self.role == "buyer" else self.offer.get("amount", 0)  # his was promised
        amounts = {"approve": reserved, "overturn": reserved, "accept_offer": accepted}
        amount = amounts.get(self.event, self.amount or self.was.get("approved", 0))
        return not amount or bool(has >= amount and (ledger["excess"] == 0 or self.event == "submit"))
    def cell(self) -> str:  # what Eligibility says of the usage that the line has now; a product may have tightened it
        if not self.line: return "review"
        usage, tighter = self.line["usage"], self.policy.get("tighter", {}).get(self.line["product_type"], {})
        return str(tighter.get(self.told["reason"], {}).get(usage, self.reason[usage]))
    def eligible(self, amount: int, *, whole: bool = True) -> bool:  # of partly used goods the whole is pro rata
        cell, part = self.cell(), -1
        if cell == "negotiate" and "valid_from" in self.line:
            begin, end, now = _moment(self.line["valid_from"]), _moment(self.line["valid_to"]), _moment(self.at)
            rest, span = min(max(end - now, 0 * DAY), end - begin) // INSTANT, (end - begin) // INSTANT
            part = (2 * self.line["captured"] * rest + span) // (2 * span)
        return cell == "review" or (cell == "negotiate" and (not whole or amount <= part))
    def needs_two(self) -> bool:  # persons
        claimed, offered = self.was.get("reserved", 0), 0 if self.role == "buyer" else self.offer.get("amount", 0)
        amounts = {"approve": claimed, "overturn": claimed, "offer": self.amount, "accept_offer": offered}
        proof = self.event == "payout_settled" and self.role == "finance" and self.proof()[0] != "kept"
        above = amounts.get(self.event, 0) > self.limits.get("two_persons_above", 0)
        return above or proof or self.event in ("reroute_payout", "pay_manually")
    def terms(self) -> str:  # on which two persons must agree; what was left open is what it means
        meant = {name: value for name, value in self.p.items() if value and name not in ("first", "as", "why")}
        return _terms(meant | ({"offer": self.was.get("standing")} if self.event == "accept_offer" else {}))
    def grounds_at_once(self) -> list[str]:  # on which a claim is rejected in the transaction that opens it
        cell, completed, at_once = self.cell(), self.line.get("completed_at"), not self.reason.get("service_only")
        window = self.days_after(completed, self.policy["claim_window_days"]) if completed else "~"
        late = self.at >= window and not self.reason.get("exempt_claim_window")
        return ["OUT_OF_WINDOW"] * late + [cell.removeprefix("reject:")] * (at_once and cell.startswith("reject:"))
    def proof(self) -> tuple[str, str]:  # what this proof is, and the state that it brings its number to
        was, old, event = self.was, self.attempt.get("state", ""), self.event
        if not old or any(self.p.get(name) != self.attempt[name] for name in ("amount", "currency")): return "kept", old
        if old in ("reversed", "returned") or (old in PAID and event == "payout_settled"): return "known", old
        present = was["state"].startswith("approved.") and self.attempt["approval"] == was["approvals"]
        if event == "payout_settled": return ("move", "settled") if present else ("stray", "stray")
        if old == "stray": return "stray_returned", "returned"
        kind, state = {"late_reversal": ("late", "confirmed"), "payout_reversed": ("move", "settled")}[event]
        if old == "settled": return (kind, "reversed") if was["state"] == f"paid_out.{state}" else ("kept", old)
        if kind == "move" and present and was.flying() in (None, self.number): return "move", "reversed"
        return ("kept", old) if old == "open" else ("early", "returned")
    def claimable(self) -> bool:  # by earlier claims on the line; what came back after the end is claimed again, once
        others, back, reasons = list(self.book.cases.values()), self.told.get("returned"), self.policy["reasons"]
        if self.reason.get("service_only"):
            came = [c["late_reversal"]["amount"] for c in others if c["id"] == back and "late_reversal" in c]
            return came == [self.amount] and back not in [case.get("returned") for case in others]
        count = sum(not reasons[case["reason"]].get("service_only") for case in others)
        ends = [o.get("ended") for c in others if c["reason"] == self.told["reason"] for o in c["offers"].values()]
        return count < self.policy["claims_per_line"] and (self.reason["family"] == "legal" or "accepted" not in ends)
    def open(self) -> None:  # a refund: the claim is reserved
        book, line, told, body, amount = self.book, self.line or self.told, self.told, self.body, self.p["amount"]
        number = len(book.cases) + 1 if book.whole else told["id"].rpartition("-")[2]
        self.case = _Refund((key, {}) for key in EMPTY)
        self.case |= {name: line[name] for name in ("order_id", "line", "buyer", "usage", "currency", "channel")}
        self.case |= {name: told[name] for name in ("evidence", "returned", "flags", "erased") if name in told}
        self.case |= {"id": f"{line['order_id']}-{line['line']}-{number}", "chart": body["chart"], "instance": "review",
                      "policy": body["policy"], "reason": self.p["reason"], "claimed": amount, "reserved": amount,
                      "parties": [self.name] if self.role == "service" else [], "submitted_at": self.at,
                      "in_flight": 0, "settled": 0, "approved": 0, "approvals": 0, "state": self.chart.initial}
        self.stand("review")
    def change(self) -> None:  # what the event changes, beyond the chart and its deadlines
        case, was, p, deadlines, number = self.case, self.was, self.p, self.case["deadlines"], self.number
        match self.event:
            case "approve" | "overturn": self.approve(was["reserved"])
            case "offer" | "counter_offer" | "request_evidence":
                name = f"{'offer' if self.event == 'offer' else 'evidence'}.{case['instance']}"
                if self.event != "counter_offer": case["rounds"][name] = case["rounds"].get(name, 0) + 1
                if self.event != "request_evidence": case["standing"] = str(len(was["offers"]) + 1)
                if self.event == "counter_offer": self.stand("offer")
            case "accept_offer": self.approve(self.offer["amount"])
            case "appeal": case["left"].pop("review", None)
            case "dispatch_payout" | "pay_manually":  # a number that may still pay is used again, never replaced
                fresh = sha256(f"{case['id']}|{case['approvals']}|{len(case['attempts']) + 1}".encode()).hexdigest()
                number = case.newest() if case.newest() in case.alive() else f"rf{fresh[:30]}"
                old = case["attempts"].get(number, {"no": len(case["attempts"]) + 1, "retries": 0})
                channel = MANUAL if self.event == "pay_manually" else case["channel"]
                told = old["no"], channel, case["approved"], case["currency"], was["approvals"], "open"
                case["attempts"][number] = dict(zip(ATTEMPT, (*told, False, old["retries"]), strict=True))
                self.pay("reserved", "in_flight", case["approved"])
            case "payout_refused" if case.flying() or p.get("number") is not None:
                number = case.flying() or number
                item = case["attempts"][number]
                void = item["void"] or p.get("void") or p.get("never_sent") or item["channel"] == MANUAL
                case["attempts"][number] = {**item, "state": "refused", "void": bool(void)}
                self.pay("in_flight", "reserved", case["in_flight"])
            case "retry_payout" if (number := case.newest()) and self.role == "system":
                case["attempts"][number] = (item := was["attempts"][number]) | {"retries": item["retries"] + 1}
            case "reroute_payout": case["channel"] = p.get("channel")
            case "revoke_approval": case["approved"] = 0
            case "void_attempt": case["attempts"][number] = {**self.attempt, "void": True}
            case "payout_settled" | "payout_reversed" | "late_reversal": self.take_proof(*self.proof())
            case event if event.endswith("_overdue"): self.stand_again(p["deadline"])
            case "extend":
                name = p.get("deadline") or self.chart.standing[was["state"]]
                old, days = was["deadlines"][name], p.get("days") or self.policy["extension_days"]
                self.set(name, f"{old['rule']}, extended by {days} days", _later(old["due_at"], days, self.zone))
                guess = {"provisional": True, "working": {**old.get("working", {}), "extended": days}}
                kept = {"lapsed": old["lapsed"]} if "lapsed" in old else {}
                deadlines[name] |= {"extended": True, **kept, **(guess if "working" in old else {})}
            case "deadline_recomputed":  # by the calendar imported; it never ends before the import
                old = was["deadlines"][p["deadline"]]
                at, calendar = self.book.rules.imports_due(old)[0]
                due, guessed = calendar.count(old["working"], old["set_at"], self.zone)
                new = {**old, "due_at": max(due, at), "calendar": calendar.version, "counted_at": at}
                gone = () if guessed else ("provisional", "working")
                deadlines[p["deadline"]] = {key: item for key, item in new.items() if key not in gone}
            case "raise_enquiry" | "answer_enquiry":
                over, then = ("receipt", "enquiry")[:: 1 if self.event == "raise_enquiry" else -1]
                deadlines.pop(over, None)
                if then == "enquiry" or case["state"] == "paid_out.settled": self.stand(then)
            case "take_back" | "first_fell":
                name, named = self.name if self.event == "take_back" else p["name"], p.get("event")
                gone = tuple(e for e, first in was["firsts"].items() if first["name"] == name and named in (None, e))
                case["firsts"] = {event: first for event, first in was["firsts"].items() if event not in gone}
    def take_proof(self, kind: str, state: str) -> None:  # one that does not match changes nothing
        case, number, old, amount = self.case, self.number, self.attempt.get("state"), self.attempt.get("amount", 0)
        if kind in ("move", "stray") and case["firsts"].get(self.event, {}).get("number") == number:
            del case["firsts"][self.event]
        if kind == "move" and state == "settled":
            for other in {case.flying()} - {None, number}:  # an older number paid while this one is in flight
                case["attempts"][other] = {**case["attempts"][other], "state": "unanswered"}
            case |= {"settled": case["settled"] + amount, "in_flight": 0, "reserved": 0}  # the rest is released
        elif kind == "move" and old in ("settled", "open"):
            self.pay("settled" if old == "settled" else "in_flight", "reserved", amount)
        elif kind == "late": case["settled"] -= amount
        if kind not in ("kept", "known"):
            case["attempts"][number] = {**self.attempt, "state": state, "void": state in ("reversed", "returned")}
    def approve(self, amount: int) -> None:  # an offer without a refund part ends the claim
        self.case |= {"approvals": self.case["approvals"] + 1, "approved": amount} if amount else {"reserved": 0}
    def pay(self, source: str, target: str, amount: int) -> None:  # between reserved, in flight and settled
        self.case |= {source: self.case[source] - amount, target: self.case[target] + amount}
def _terms(params: Document) -> str:
    return sha256(json.dumps(params, sort_keys=True).encode()).hexdigest()
# --- a book: one order line with its refunds, replayed and judged entry by entry, in the order of the log -------------
def _merge(document: Mapping[str, Json], patch: Mapping[str, Json]) -> Document:  # RFC 7396
    result = {key: value for key, value in document.items() if patch.get(key, key) is not None}
    for key, value in patch.items():
        if value is not None: result[key] = _merge(result.get(key) or {}, value) if isinstance(value, dict) else value
    return result
def _plain(key: str, value: Json) -> Json:  # without what is not judged: the moments of warnings, details of attempts
    if key == "attempts" and value: return {name: [item[part] for part in ATTEMPT] for name, item in value.items()}
    return {name: {**item, "warn_at": None} for name, item in (value or {}).items()} if key == "deadlines" else value
def _safely(problems: Problems) -> Problems:  # what cannot even be judged is wrong too
    try: yield from problems
    except WRONG as problem: yield "DOCUMENT", f"not judged: {problem!r}"
class _People:  # who was registered in which roles when; it binds where the manifest says that it does
    def __init__(self, enforced: bool) -> None:
        self.enforced, self.told = enforced, list[tuple[int, str, str, list[str]]]()  # leaf, recorded, name, roles
        self.erased = dict[int, str]()  # entries of the register → buyers whose erasure they begin
    def may(self, role: str, name: str, leaf: int, recorded: str) -> bool:  # what ended within SKEW is still good
        told = [(moved, roles) for at, moved, who, roles in self.told if at < leaf and who == name]
        ends = [_moment(moved) + SKEW >= _moment(recorded) for moved, _ in told[1:]] + [True]
        good = any(role in roles for (_, roles), near in zip(told, ends, strict=bool(told)) if near)
        return good or not self.enforced or role in ("buyer", "channel", "system")
class _Book:
    def __init__(self, rules: _Rulebook, people: _People, subject: str, whole: bool) -> None:
        self.rules, self.people, self.subject, self.whole = rules, people, subject, whole
        self.line: Document | None = None
        self.cases, self.ledger, self.hidden = dict[str, _Refund](), dict.fromkeys(COLUMNS, 0), 0  # hid from settled
        self.owed, self.newest, self.known = list[tuple[str, str, Document]](), "", set[Json]()  # owed: has to follow
    def take(self, leaf: int, subject: str, body: Document) -> Problems:  # the next entry
        own, event, follows = subject == self.subject, body["event"], False
        was = _Refund(self.line or {}) if own else self.cases.get(subject, _Refund())
        told = _Refund(_merge(was, body["patch"]) | {"seq": body["seq"], "effective_at": body["effective_at"]})
        if self.owed:
            chain, owed, params = self.owed.pop(0)
            follows = (chain, owed) == (subject, event) and params.items() <= body["params"].items()
            if not follows: yield "MISSING", f"{owed} of {chain} had to come before it"
            self.owed *= follows
        yield from _safely(self.judge(leaf, subject, body, was, told, follows))
        if own: self.line = told
        else: self.cases[subject] = told
        self.newest = max(self.newest, body["effective_at"])
        yield from _safely(self.balance(body, was, told))
    def judge(self, leaf: int, subject: str, body: Document, was: _Refund, told: _Refund, follows: bool) -> Problems:
        role, name, own = body["actor"]["role"], body["actor"]["name"], subject == self.subject
        event, kind = body["event"], body["kind"]
        yield from self.time(subject, body, was, follows)
        if kind == "refused":
            if body["patch"] or body["ledger"] or body["from"] != body["to"] or not body.get("blockers"):
                yield "REFUSED", "a refusal changes something, or does not say why"
        elif role not in WHO.get(event, ()) or not self.people.may(role, name, leaf, body["recorded_at"]) or (
                name != {"system": "system", "buyer": (self.line or told).get("buyer")}.get(role, name)):
            yield "ROLE", f"{role}:{name} may not do this"
        elif not follows and event in FOLLOWS and self.whole: yield "ILLEGAL_MOVE", "nothing calls for it"
        elif kind == "imported" and event == "imported" and not own:  # told by another system: not judged
            first, case = was.get("imported", {} if was else told["imported"]), body["params"]["case"]
            if first.get("case") != case or any(told[name] for name in ("reserved", "in_flight", *EMPTY)):
                yield "IMPORT", "decided here and then imported, or it holds what only this system gives"
        elif kind == "imported" and (was or event != "registered"): yield "IMPORT", f"{event} cannot be imported here"
        elif own and kind not in ("fact", "imported"): yield "ILLEGAL_MOVE", f"a line has nothing {kind}"
        else: yield from self.fact(body, was, told) if own else self.move(subject, body, was, told)
    def time(self, subject: str, body: Document, was: _Refund, follows: bool) -> Problems:  # what is due goes first
        at, recorded, event, kind = body["effective_at"], body["recorded_at"], body["event"], body["kind"]
        chart, imported, name = self.rules.charts[body["chart"]], kind == "imported", body["params"].get("deadline")
        lapse = kind == "applied" and event in chart.lapses.values()
        here: Document = was.get("deadlines", {}).get(name, {}) if lapse else {}
        if lapse and (chart.lapses.get(name) != event or at != max(here.get("due_at", ""), was["effective_at"])):
            yield "LAPSE", f"it lapsed at {at}: {name} stands until {here.get('due_at', 'nothing')}"
        first = (here.get("due_at", at), subject, name == "enquiry") if lapse else (at, "" if follows else "~")
        for case in () if imported else self.cases.values():
            for other, item in case["deadlines"].items():
                place = (item["due_at"], case["id"], other == "enquiry")
                if place < first and place not in self.known:
                    yield "LATE_ACT", f"{other} of {case['id']} was due at {item['due_at']}: its lapse comes first"
                    self.known.add(place)
                for since, calendar in self.rules.imports_due(item):
                    missed = since < at and _moment(since) + SKEW < _moment(recorded)
                    if missed and (place, since) not in self.known:
                        yield "DEADLINE", f"{other} of {case['id']} was not counted again by {calendar.version}"
                        self.known.add((place, since))
        last, own_time = max(recorded, self.newest), lapse or follows or imported or event == "deadline_recomputed"
        on_time = own_time or at == last or (not self.whole and at >= recorded)
        in_force = {self.rules.calendar(moment).version for moment in (at, _text(_moment(at) - SKEW))}
        if event != "deadline_recomputed" and body["calendar"] not in in_force:
            yield "CALENDAR", f"{body['calendar']} was not in force at {at}"
        if not was.get("effective_at", "") <= at <= last or not on_time:
            yield "BACK_DATED", f"it is effective at {at}, recorded at {recorded}, after one effective at {self.newest}"
    def move(self, subject: str, body: Document, was: _Refund, told: _Refund) -> Problems:  # to the letter
        turn, event = _Turn(self, was, body, told), body["event"]
        first = turn.first
        if self.whole and not self.line: yield "LINE", f"{self.subject} was never registered"
        if "imported" in was and was["state"] not in turn.chart.final: yield "IMPORT", "it is not at its end"
        chart, beside = turn.chart, event not in turn.chart.events or "as" in body["params"]
        if (body["from"], body["to"]) != (was.get("state"), told["state"]) or body["policy"] != told["policy"]:
            yield "REPLAY", f"from, to or policy are not those of its replay: {was.get('state')} to {told['state']}"
        if event == "appeal": turn.case["instance"] = "appeal"
        target = was.get("state") if beside or first else chart.target(turn.case, event) if was else None
        allowed = not beside or any(place == "*" or str(target).startswith(place) for place in BESIDE.get(event, ()))
        if event == "submit" and not was and body["kind"] == "applied": turn.open()
        elif target is None or not allowed or body["kind"] != ("fact" if beside else "applied"):
            yield "ILLEGAL_MOVE", f"{event} is no {body['kind']} move from {was.get('state')}"
            return
        case, given = turn.case, was.get("firsts", {}).get(event, {})
        if first:
            told_first = {"name": turn.name, "role": turn.role, "terms": turn.terms(), "seq": turn.seq}
            case["firsts"][event] = told_first | ({"number": turn.number} if event in PROOFS else {})
        elif was:
            turn.enter(target or "")
            turn.change()
            if event not in PROOFS: case["firsts"].pop(event, None)
            if case["state"] != "under_review.negotiating": case.pop("standing", None)
            if case["state"] in chart.final: case["reserved"] = 0
            if turn.role == "service" and "buyer" in WHO[event] and turn.name not in case["parties"]:
                case["parties"] = [*case["parties"], turn.name]
            if turn.needs_two() and (given.get("terms") != turn.terms() or given.get("name") == turn.name):
                yield "TWO_PERSONS", f"{turn.name} is not the second of two: the first is {given.get('name', 'nobody')}"
        names = case["decided"].get(was.get("instance"), [])
        if event in DECIDING and turn.role not in ("buyer", "system") and turn.name not in names:
            case["decided"][was["instance"]] = [*names, turn.name]
        yield from ((code, what) for events, code, what, holds in NEEDS if event in events.split() and not holds(turn))
        for key in sorted({*JUDGED, *was, *told} - {"seq", "effective_at", *CHANGES.get(event, ())}):
            right = case.get(key) if key in JUDGED or not was else was.get(key)
            if _plain(key, right) != _plain(key, told.get(key)):
                yield JUDGED.get(key, "DOCUMENT"), f"{key} is {told.get(key)}, and must be {right}"
        stamps = {"seq": turn.seq, "at": turn.at, "by": turn.name, "role": turn.role}
        for key, part in body["patch"].items():
            for item in (part, *(part.values() if isinstance(part, dict) else ())):
                if isinstance(item, dict) and any(item.get(name, stamp) != stamp for name, stamp in stamps.items()):
                    yield "DOCUMENT", f"{key} names another entry, time or person than its own"
        self.owe(turn, subject, told)
    def owe(self, turn: _Turn, subject: str, told: _Refund) -> None:  # what has to follow in the same transaction
        was, kind, grounds = turn.was, turn.p.get("as"), [] if turn.was else turn.grounds_at_once()
        if grounds: self.owed.append((subject, "auto_reject", {"grounds": grounds}))
        if kind in ("stray", "stray_returned") and self.whole:
            name = "stray_payment" if kind == "stray" else "stray_payment_returned"
            self.owed.append((self.subject, name, {"refund": subject, "amount": turn.amount}))
        if not was or turn.first or "cause" in turn.body: return
        before, after = was["state"], told["state"]
        if before != after and "enquiry" in told and not before.startswith("approved") * after.startswith("approved"):
            code = "BANK_RETURNED" if after.startswith("approved") else "ARRIVED_PER_CHANNEL"
            code = code if "paid_out.settled" in (before, after) else "CHANNEL_PROCESSING"
            self.owed.append((subject, "answer_enquiry", {"answer": code}))
        paid = told["attempts"].get(told["firsts"].get("payout_settled", {}).get("number"), {}).get("state") in PAID
        more = len(told["evidence"]) > len(was["evidence"])
        self.owed += [(subject, "first_fell", {"event": name}) for name in told["firsts"] if before != after
                      or (name == "payout_settled" and paid) or (name in DECIDING and more)]
    def fact(self, body: Document, was: _Refund, told: _Refund) -> Problems:  # it changes what it says, no more
        event, p, name = body["event"], body["params"], body["actor"]["name"]
        amount, changed = p.get("amount") or 0, {key for key in {*was, *told} if was.get(key) != told.get(key)}
        same = all(told[key] == value for key, value in p.items() if key in changed)
        fits = same and changed <= {"seq", "effective_at", *CHANGES.get(event, ())}
        delta = tuple(told.get(key, 0) - was.get(key, 0) for key in ("beside", "written_off"))
        if event == "registered":
            fits = not was and f"{told['order_id']}/{told['line']}" == self.subject and not any(
                told.get(name) for name in ("stray", "beside", "written_off", "chargebacks", "firsts"))
        elif event == "erased": fits = fits and (not self.whole or self.people.erased.get(p["entry"]) == was["buyer"])
        elif event.startswith("chargeback"):
            item, old = told["chargebacks"][p["chargeback"]], was["chargebacks"].get(p["chargeback"], {})
            early = event == "chargeback_opened" and old.get("unopened", False)  # its closing came before it
            right = (old["amount"], old["state"]) if early else (amount, p.get("outcome") or "open")
            fits = fits and (item["amount"], item["state"]) == right and amount > 0
            self.owed += [(case, event, {"chargeback": p["chargeback"]}) for case in self.cases] if self.whole else []
        elif event == "resolved_came_back": fits = fits and delta == (p["returned"], -p["lost"])
        elif event == "excess_resolved" and not p.get("first"):
            given, most = was["firsts"].get(event, {}), min(self.ledger["excess"], self.ledger["settled"])
            if given.get("terms") != _terms(p) or given.get("name") == name:
                yield "TWO_PERSONS", f"{name} is not the second of two: the first is {given.get('name', 'nobody')}"
            fits = fits and delta == ((-amount, 0) if p["how"] == "returned" else (0, amount)) and p["proof"]
            if self.whole and not 0 < amount <= most: yield "AMOUNT", f"{amount} is more than the excess of {most}"
        else:
            low, high = {"stray_payment": (amount, amount), "stray_payment_returned": (-amount, 0)}.get(event, (0, 0))
            fits = fits and low <= delta[0] <= high
        if not fits: yield "DOCUMENT", f"{', '.join(sorted(changed))} changed: that is not what {event} says"
    def balance(self, body: Document, was: _Refund, told: _Refund) -> Problems:  # of refund and line
        before, columns = dict(self.ledger), COLUMNS[:2] if "state" in told else ()
        for column, change in body["ledger"].items(): self.ledger[column] += change
        if "state" in told and not 0 <= told["settled"] <= told["approved"] <= told["claimed"]:
            yield "AMOUNT", f"settled {told['settled']}, approved {told['approved']}, claimed {told['claimed']}"
        right = {name: before[name] + told[name] - was.get(name, 0) for name in columns}
        if self.whole and self.line:
            line, cases = self.line, self.cases.values()
            reserved, flying = (sum(case[name] for case in cases) for name in COLUMNS[:2])
            paid = max(0, net := sum(case["settled"] for case in cases) + line.get("beside", 0))
            lost, short = line["written_off"], max(0, reserved + flying + paid - line["stray"] - line["captured"])
            hidden = self.hidden = min(lost, short, out := max(0, paid - line["stray"]))
            back, excess = {"lost": max(0, lost - out), "returned": max(0, -net)}, line["stray"] + short - hidden
            if any(back.values()): self.owed.insert(0, (self.subject, "resolved_came_back", back))
            taken = sum(item["amount"] for item in line["chargebacks"].values() if item["state"] != "won")
            right = dict(zip(COLUMNS, (reserved, flying, paid - hidden, taken, excess), strict=True))
            raised = excess > before["excess"] and body["event"] not in ("captured", "stray_payment", "payout_reversed")
            if raised or min(right.values()) < 0 or reserved + flying + paid - hidden > line["captured"] + excess:
                yield "LEDGER", f"{right} is more than the {line['captured']} captured, or less than nothing"
        if wrong := [name for name, value in right.items() if self.ledger[name] != value]:
            yield "LEDGER", f"the line has {self.ledger}, and by its refunds it is {right}: {', '.join(wrong)}"
class _Register:  # a chain that belongs to no order: who is staff, which calendars were imported, keys, erasures
    def __init__(self, rules: _Rulebook, people: _People) -> None:
        self.rules, self.people, self.document, self.owed, self.newest = rules, people, dict[str, Json](), (), ""
    def take(self, leaf: int, subject: str, body: Document) -> Problems:  # the next entry
        p, role, name, recorded = body["params"], body["actor"]["role"], body["actor"]["name"], body["recorded_at"]
        first = subject == "staff" and not self.document and name == p.get("name")  # the first supervisor adds himself
        if role != "supervisor" or not (first or self.people.may(role, name, leaf, recorded)):
            yield "ROLE", f"{role}:{name} may not change the register"
        if body["effective_at"] != max(recorded, self.newest): yield "BACK_DATED", f"it was recorded at {recorded}"
        self.newest = max(self.newest, body["effective_at"])
        self.document = _merge(self.document, body["patch"])
        if subject == "staff":
            if body["patch"] != {p["name"]: {"roles": p["roles"], "active": p["active"]}} or body["kind"] != "fact":
                yield "DOCUMENT", f"the patch is not what is said of {p['name']}"
            self.people.told.append((leaf, recorded, p["name"], p["roles"] if p["active"] else []))
        if body["event"] == "erasure_begun" and body["kind"] == "fact": self.people.erased[body["seq"]] = p["buyer"]
        if subject == "calendar":
            self.rules.told.append((self.newest, p["version"]))
            if self.rules.told[-1] not in [(a, c.version) for a, c in self.rules.imports]:
                yield "CALENDAR", f"the import of {p['version']} is not among the calendars of the manifest"
# --- needs: the events, a code, the words for where it does not hold, the question ------------------------------------
NEEDS: tuple[tuple[str, str, str, Callable[[Any], Any]], ...] = (
    (" ".join(DECIDING), "CLAIMANT_DECIDES", "he acted for the claimant, and decides",
     lambda t: t.role == "buyer" or t.name not in (*t.was["parties"], t.was["buyer"])),
    (" ".join(DECIDING), "REVIEWER_DECIDES", "he decided in the review, and decides in the appeal",
     lambda t: t.was["instance"] == "review" or t.role == "buyer" or t.name not in t.was["decided"].get("review", ())),
    ("approve", "ROLE", "the system approves small claims only, never flagged ones", lambda t: t.role != "system"
     or (t.was["reserved"] <= t.limits["small_claim_up_to"] and not t.was["flags"] and "chargeback_seen" not in t.was
         and not t.line.get("chargebacks"))),
    ("reject", "ROLE", "the system rejects only on grounds of the policy, never with evidence unread",
     lambda t: t.role != "system" or (not t.was["evidence"] and {*t.p["grounds"]} <= {*t.policy["system_grounds"]})),
    ("submit", "ROLE", "only a service claims this", lambda t: t.role == "service" or not t.reason.get("service_only")),
    ("reject uphold", "REASON", "none", lambda t: t.p.get("grounds") or (t.event == "uphold" and "message" in t.texts)),
    ("submit", "REASON", "no text", lambda t: not t.reason.get("text_required") or "note" in t.texts),
    ("submit", "CLAIM", "claims enough, settled, or nothing back", lambda t: not t.book.whole or t.claimable()),
    ("submit flag_risk", "FLAGS", "a flag of risk is missing", lambda t: ("USAGE_UNKNOWN" in t.told["flags"]
     or (t.was or t.line.get("usage")) != "unknown") and {*t.was.get("flags", ())} <= {*t.told["flags"]}),
    ("provide_evidence", "EVIDENCE", "not all that was asked for is here", lambda t: "request" not in t.was
     or t.p.get("all") or {*t.was["request"]["kinds"]} <= {item["kind"] for item in t.told["evidence"].values()}),
    ("answer_enquiry", "ENQUIRY", "nobody raised one", lambda t: "enquiry" in t.was),
    ("erased", "ERASED", "it is not at its end, or no register says so", lambda t: t.was["state"] in t.chart.final
     and t.book.people.erased.get(t.p["entry"], t.book.whole or t.was["buyer"]) == t.was["buyer"]),
    ("submit", "AMOUNT", "nothing is claimed, or in a currency without limits", lambda t: t.amount > 0 and t.limits),
    ("submit", "NOT_ELIGIBLE", "usage or product does not fit the reason, or it is not paid or completed", lambda t:
     not t.line or t.reason.get("service_only") or (t.cell() != "not_accepted" and "paid_at" in t.line
     and (t.reason.get("products", "all") == "all" or t.line["product_type"] in t.reason["products"])
     and ("completed_at" in t.line or not t.reason.get("needs_completion", True)))),
    ("submit", "TOO_LATE", "its last day was over", lambda t: not t.line or t.reason.get("exempt_claim_limit")
     or t.at < t.days_after(t.line.get("completed_at") or t.line["paid_at"], t.policy["claim_limit_days"])),
    ("submit", "IN_PROGRESS", "another refund is in progress on the line", lambda t: not t.book.whole or all(
        case["state"] in (*t.chart.final, "paid_out.settled") for case in t.book.cases.values())),
    ("approve overturn", "NOT_ELIGIBLE", "usage does not let the whole be paid",
     lambda t: (t.event == "overturn" and "ground" in t.texts) or t.eligible(t.was["reserved"])),
    ("offer", "NOT_ELIGIBLE", "such goods are not accepted", lambda t: not t.amount or t.cell() != "not_accepted"),
    ("offer counter_offer", "AMOUNT", "nothing, too much, or again", lambda t: 0 <= t.amount <= t.was["reserved"]
     and t.amount + (t.event == "offer") * t.p.get("compensation", 0) > 0 and not t.offer.get("counter")),
    ("offer", "AMOUNT", "the compensation is not within the limit", lambda t: 0 <= t.p.get("compensation", 0)
     <= t.limits["compensation_supervisor" if t.role == "supervisor" else "compensation_agent"]),
    ("offer counter_offer", "AMOUNT", "what is written down is another offer", lambda t: t.first
     or (t.told.offer()["amount"], t.told.offer()["compensation"]) == (t.amount, t.p.get("compensation") or 0)),
    ("approve overturn accept_offer", "AMOUNT", "what is written down is another amount",
     lambda t: t.first or t.told["approved"] == t.told.get("approval", {}).get("amount", 0)),
    ("auto_reject reject uphold", "DOCUMENT", "other grounds are written down",
     lambda t: t.told["rejection"]["grounds"] == list(t.p.get("grounds") or ())),
    ("submit appeal provide_evidence add_evidence", "DOCUMENT", "other files are written down",
     lambda t: t.was.get("evidence", {}).items() <= t.told["evidence"].items()
     and {(item["kind"], item["commit"]) for number, item in t.told["evidence"].items()
                if number not in t.was.get("evidence", ())}
     == {(item["kind"], item["commit"]) for item in t.p.get("evidence") or ()}),
    ("offer request_evidence", "ROUNDS", "no round is left", lambda t: all(
        count <= t.policy[f"{name.partition('.')[0]}_rounds"] for name, count in t.case["rounds"].items())),
    ("accept_offer decline_offer", "OFFER", "it does not stand, or is his own", lambda t: t.offer["by"] != t.name
     and t.p.get("offer") in (None, t.was["standing"]) and t.offer["counter"] != (t.role == "buyer")),
    ("accept_offer", "OFFER", "it is not called accepted",
     lambda t: t.first or t.told["offers"][t.was["standing"]].get("ended") == "accepted"),
    ("offer counter_offer accept_offer", "OFFER", "it is on other usage than the line has", lambda t: t.first
     or not t.line or t.line["usage"] == (t.offer if t.event == "accept_offer" else t.told.offer())["usage"]),
    ("accept_offer", "NOT_ELIGIBLE", "usage does not let it be paid", lambda t: t.role == "buyer" or t.eligible(
        t.offer["amount"], whole=t.offer["amount"] == t.was["reserved"])),
    (COVERED, "NOT_COVERED", "the line does not have it, or is overpaid", lambda t: t.covers()),
    (COVERED, "CHARGEBACK", "one is open",
     lambda t: "open" not in {item["state"] for item in t.line.get("chargebacks", {}).values()}),
    ("dispatch_payout retry_payout", "PAYOUT", "nothing is dispatched by hand", lambda t: t.was["channel"] != MANUAL),
    ("dispatch_payout pay_manually", "PAYOUT", "another number is in flight", lambda t: not t.was.flying()),
    ("dispatch_payout retry_payout reroute_payout pay_manually payout_refused revoke_approval", "TWO_PERSONS",
     "a proof of payment waits for its second person", lambda t: "payout_settled" not in t.was["firsts"]),
    ("reroute_payout pay_manually revoke_approval", "PAYOUT", "a number may still pay", lambda t: not t.was.alive()),
    ("retry_payout", "PAYOUT", "void, or tried too often", lambda t: t.was.newest() in ("", *t.was.alive())
     and (t.role != "system" or t.was["attempts"][t.was.newest()]["retries"] < t.policy["automatic_retries"])),
    ("reroute_payout", "PAYOUT", "it names no channel", lambda t: t.p["channel"] in {*t.policy["channels"]} - {MANUAL}),
    ("payout_refused", "PAYOUT", "time lifts the rule, or it is another number", lambda t: t.p.get("number") in
     (None, *([t.was.flying()] if t.was.flying() else t.was["attempts"])) and (t.was["state"] != "approved.payable"
     or t.p.get("rule") in LASTING or (t.p.get("number") and t.p.get("void")))),
    ("void_attempt", "PAYOUT", "it is unknown, or in flight", lambda t: t.attempt.get("state", "open") != "open"),
    ("payout_refused void_attempt " + " ".join(PROOFS), "PAYOUT", "no proof is given", lambda t: t.p.get("proof")),
    ("request_evidence", "EVIDENCE", "no kinds, or others", lambda t: t.told["request"]["kinds"] == t.p["kinds"] != []),
    (" ".join(PROOFS), "PAYOUT", "it is another channel's", lambda t: t.role != "channel"
     or t.attempt.get("channel", t.name) == t.name),
    ("payout_refused void_attempt", "PAYOUT", "the number has paid", lambda t: t.attempt.get("state") not in PAID),
    (" ".join(PROOFS), "PAYOUT", "the number has paid, or came back, before; or this is another kind of proof",
     lambda t: t.proof()[0] != "known" and (t.first or t.proof()[0] == t.p.get("as", "move"))),
    ("extend", "DEADLINE", "it may not be extended so", lambda t: 0 < t.p.get("days", 1) <= t.policy["extension_days"]
     and (name := t.p.get("deadline") or t.chart.standing[t.was["state"]]) not in ("payout", "receipt", "enquiry")
     and not t.was["deadlines"][name].get("extended")),
    ("raise_enquiry", "DEADLINE", "the promise is not broken, or an enquiry is open", lambda t: "enquiry" not in t.was
     and (not t.was["state"].startswith("approved.") or t.was["deadlines"]["payout"].get("lapsed"))),
)
# --- the way: from the bytes of an export to the findings -------------------------------------------------------------
class _Verification:  # one export, from its bytes to the findings
    def __init__(self, path: Path, keys: Sequence[str], held: Mapping[str, str], tell: Callable[[int], None]) -> None:
        self.report, self.tell, self.keys = Report(), tell, [_key(vkey) for vkey in keys]
        self.manifest = self._manifest(path)
        self.size, self.root, self.whole = *map(self.manifest["tree"].get, ("size", "root")), self.manifest["whole"]
        self.rules, self.held = _Rulebook(self.manifest, self.report), self._held(held)
        self.live = self.manifest.get("rehearsal") is False
        self.report.sizes = sorted({size for _, size, _ in self.held} | {self.size})
        self.places: dict[str, tuple[array[int], array[int]]] = {}  # chains by book → leaves, offsets of their rows
        self.partial = set[str]()  # books of which a chain does not begin here
        for data in self._files():
            with data.open("rb") as file:
                self._read(file)
                self._judge(file)
    def _manifest(self, path: Path) -> Document:
        beside = (path / "manifest", path.with_name(path.name + ".manifest"), path)
        found = next((each for each in beside if each.is_file() and each.name.endswith("manifest")), None)
        if found is None: raise Unreadable(f"{path}: no export: there is no FILE.manifest beside it, no manifest in it")
        self.folder, note = found.parent, found.read_text(encoding="utf-8")
        told: Document = _json(note.partition("\n")[0])
        if told.get("format") != FORMAT: raise Unreadable(f"{found} is of format {told.get('format')}, not {FORMAT}")
        if told["checkpoint"] and not self.keys: raise Unreadable(f"{found} is signed: give the public key, --key VKEY")
        if not self.keys: self.report.limits.append("nothing is signed: whoever wrote this could write all of it anew")
        try:
            signed = self.keys and _opened(note, self.keys) and _opened(told["checkpoint"] or "", self.keys)
            if signed and _checkpoint(signed) != (told["origin"], told["tree"]["size"], told["tree"]["root"]):
                self.report.blame("CHECKPOINT", "the tree of the manifest is not that of its checkpoint")
        except ValueError as problem: self.report.blame("SIGNATURE", f"the manifest or its checkpoint: {problem}")
        return told
    def _held(self, held: Mapping[str, str]) -> list[tuple[str, int, str]]:  # file, size, root of what the auditor has
        found = []
        for name, note in held.items():
            origin, size, root = _checkpoint(_opened(note, self.keys))
            found.append((name, size, root))
            if origin != self.manifest["origin"]: self.report.blame("CHECKPOINT", f"{name} is of another log, {origin}")
            if size > self.size: self.report.blame("CUT_OFF", f"{name} saw {size} entries: cut off, or an old log")
        return sorted(found, key=lambda item: item[1])
    def _files(self) -> list[Path]:  # judged by hash and size; those of JSON Lines are returned
        for told in self.manifest["files"]:
            path, same = self.folder / Path(told["path"]).name, ("", -1)
            if path.is_file():
                with path.open("rb") as file: same = file_digest(file, "sha256").hexdigest(), path.stat().st_size
            if same != (told["sha256"], told["size"]):
                self.report.blame("FILE", "it is not here, or not the file that was exported", told["path"])
        data = [self.folder / Path(told["path"]).name for told in self.manifest["files"] if told["format"] == "jsonl"]
        if not data and not self.report.findings: raise ValueError("no file of JSON Lines: entries are judged there")
        return [path for path in data if path.is_file()]
    def _read(self, file: BinaryIO) -> None:  # every entry, bound as it stands into chains and tree; each leaf once
        manifest, blame, pruned, rest = self.manifest, self.report.blame, list(self.manifest["pruned"]), True
        tree, heads, seqs, newest = Tree([size for _, size, _ in self.held]), dict[str, str](), dict[str, int](), ""
        leaf, first, count, offset = -1, None, 0, 0
        for line in file:
            try:
                row, before = _json(line), leaf
                body = _json(row["body"])
                leaf, subject, seq, recorded = row["leaf"], body["subject"], body["seq"], body["recorded_at"]
                while rest and pruned and tree.size < leaf: rest = self._skip(tree, *pruned.pop(0))
                if leaf <= before or (rest and tree.size != leaf):
                    blame("LEAF", f"it stands where leaf {tree.size} belongs", subject, seq, leaf)
                    rest = False
                own, holds = bind(row["body"].encode(), subject, body["prev"], heads, tree)
                if own != row["hash"]: blame("HASH", "its hash is not the hash of its body", subject, seq, leaf)
                if subject not in seqs and seq > 1 and not self.whole: self.partial.add(_book_of(subject))
                elif not holds or seq != seqs.get(subject, 0) + 1:
                    blame("CHAIN", f"it does not follow entry {seqs.get(subject, 0)} and its hash", subject, seq, leaf)
                if body["event"] != "registered" or self.live:  # where a rehearsal begins, orders bring their own times
                    if recorded < newest and _moment(recorded) + SKEW < _moment(newest):
                        blame("BACK_DATED", f"it is recorded at {recorded}, after one at {newest}", subject, seq, leaf)
                    newest = max(newest, recorded)
                told = {**body, **body["ledger"], "reason": body["params"].get("reason"), "leaf": leaf, "hash": own,
                        **{f"actor_{part}": value for part, value in body["actor"].items()}, "body": row["body"],
                        "order_id": _book_of(subject).rpartition("/")[0], "deadlines": row.get("deadlines")}
                wrong = [key for key, cell in row.items() if (cell or 0) != (told.get(key) or 0)]
                if wrong: blame("COLUMN", f"not what the body says: {', '.join(wrong)}", subject, seq, leaf)
                seqs[subject], first = seq, leaf if first is None else first
                leaves, offsets = self.places.setdefault(_book_of(subject), (array("Q"), array("Q")))
                leaves.append(leaf)
                offsets.append(offset)
            except WRONG as problem:
                blame("ROW", f"row {count + 1} cannot be read: {problem!r}")
                rest = False
            count, offset = count + 1, offset + len(line)
            self.tell(1)
        while rest and pruned: rest = self._skip(tree, *pruned.pop(0))
        if [count, first, leaf if count else None] != [manifest[key] for key in ("entries", "first_leaf", "last_leaf")]:
            blame("COUNT", f"here are {count} entries from leaf {first} on: the manifest says otherwise")
        if not rest or tree.size != self.size or (self.whole and count != self.size):
            blame("LEAF", f"of {self.size} leaves not all are here")
        elif tree.root() != self.root: blame("ROOT", "these entries do not make the tree that was signed")
        self._compare(tree, self.size if rest else -1)
        self.report.facts |= {"entries": count, "chains": len(seqs), "origin": manifest["origin"], "size": self.size}
    def _skip(self, tree: Tree, level: int, index: int, node: str) -> bool:  # a subtree without an entry here
        fits = index << level == tree.size
        if fits: tree.add(bytes.fromhex(node), index, min((index + 1) << level, self.size))
        return fits
    def _compare(self, tree: Tree, size: int) -> None:  # what lay under the auditor's checkpoints must lie there still
        same, roots = 0, tree.roots | {size: tree.root()}
        for name, old, root in self.held:
            if old not in roots: self.report.limits.append(f"{name}: not all under it is here: ask for a whole export")
            elif roots[old] == root: same = old
            else: self.report.blame("CHECKPOINT", f"{name}: leaves {same} to {old - 1} were changed since", leaf=same)
    def _judge(self, file: BinaryIO) -> None:  # one order line after the other, replayed; the registers first
        report, known = self.report, self.whole or "staff" in self.places.keys() - self.partial
        people = _People(self.live and known)
        for subject in sorted(self.places.keys() - self.partial, key=lambda name: ("/" in name, name != "staff", name)):
            register = "/" not in subject
            made = _Register(self.rules, people) if register else _Book(self.rules, people, subject, self.whole)
            for leaf, offset in zip(*self.places[subject], strict=True):
                file.seek(offset)
                row = json.loads(file.readline())
                body = json.loads(row["body"])
                report.facts["imported"] += body["kind"] == "imported"
                for code, what in made.take(leaf, body["subject"], body):
                    report.blame(code, what, body["subject"], body["seq"], leaf)
                stands = getattr(made, "cases", {}).get(body["subject"], {}).get("deadlines", {})  # told in full
                names = [name for name in body["patch"].get("deadlines") or () if name in stands]
                told = [{"provisional": False, **stands[name], "name": name} for name in names]
                if row["deadlines"] != [{part: each[part] for part in DEADLINE} for each in told]:
                    report.blame("COLUMN", "not what the body says: deadlines", body["subject"], body["seq"], leaf)
            for chain, event, _ in made.owed if self.whole else ():
                report.blame("MISSING", f"{event} had to follow at the end", chain)
        for at, calendar in self.rules.imports if self.whole else ():
            if (at, calendar.version) not in self.rules.told:
                report.blame("CALENDAR", f"nobody imported it at {at or 'the beginning'}", calendar.version)
        if self.partial: report.limits.append(f"{len(self.partial)} lines do not begin here: only hashes were judged")
        if not self.whole: report.limits.append("the export is filtered: what a line covers needs a whole one")
        if self.live and not known: report.limits.append("the chain of staff is not here: nobody's role was judged")
        if not self.live: report.limits.append("it is a rehearsal: who was staff, and what time it was, is only said")
def _book_of(subject: str) -> str:  # the order line of a chain; a register is its own
    return subject if "/" in subject or subject.count("-") < 2 else "/".join(subject.rsplit("-", 2)[:2])
def verify(path: Path, keys: Sequence[str] = (), held: Mapping[str, str] | None = None,
           progress: Callable[[int], None] = lambda more: None) -> Report:
    """Verify an export; `held` are checkpoints by name. Raises Unreadable: it, a key or a checkpoint cannot be read."""
    try:
        return _Verification(Path(path), keys, held or {}, progress).report
    except (OSError, *WRONG) as problem: raise Unreadable(f"{path}, or a checkpoint: {problem!r}") from problem
def main(arguments: Sequence[str] | None = None) -> int:
    """Verify what the command line names, and tell."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("path", type=Path, help="the file or folder that was exported")
    parser.add_argument("--key", action="append", default=[], help="a public key of the operator")
    parser.add_argument("--checkpoint", action="append", default=[], type=Path, help="a checkpoint that you hold")
    parser.add_argument("--json", action="store_true", help="tell it as JSON")
    asked = parser.parse_args(arguments)
    try:
        report = verify(asked.path, asked.key, {str(note): note.read_text("utf-8") for note in asked.checkpoint})
    except (Unreadable, OSError, ValueError) as problem:
        print(problem, file=sys.stderr)
        return 2
    lines = [*map(str, report.findings), *(f"not judged: {limit}" for limit in report.limits)]
    lines += [f"{report.facts['entries']} entries, {len(report.findings)} findings"]
    print(json.dumps(report.as_json(), ensure_ascii=False, indent=2) if asked.json else "\n".join(lines))
    return 8 if report.findings else 0
if __name__ == "__main__": sys.exit(main())
