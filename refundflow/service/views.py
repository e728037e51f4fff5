"""Documents turned into the values that a reader may see: a buyer sees no flags, notes or names of staff."""

from collections.abc import Callable, Mapping
from datetime import datetime
from operator import itemgetter
from typing import Any

from msgspec import Struct

from refundflow import values
from refundflow.service.callers import Caller
from refundflow.store import Sealed, StoredEntry
from refundflow.vault import BuyerRow, Vault
from states import clocks, money, times
from states.case import NOTHING, Actor, Aggregate, Blocker, Case, Json
from states.chart import phase_of
from states.draft import Rules
from states.evidence import BUYER_SIDE, missing
from states.judge import allowed_on
from states.refund_v1 import TABLE

NameOf = Callable[[str], str]
STAFF = "staff"
ERASED = "erased"
# What a buyer is told of the parameters of an entry; the rest is the platform's own.
_TOLD = (
    "reason",
    "amount",
    "kinds",
    "all",
    "offer",
    "compensation",
    "grounds",
    "answer",
    "number",
    "currency",
    "deadline",
    "days",
    "evidence",
)
_HIDDEN_EVENTS = (
    "assign",
    "flag_risk",
    "first_fell",
    "take_back",
    "handed_to_finance",
    "void_attempt",
    "payout_overdue",
    "review_overdue",
    "appeal_overdue",
    "enquiry_overdue",
    "chargeback_opened",
    "chargeback_closed",
)
# Acts of the staff whose text is written for the buyer; what accompanies any other is internal.
_WRITTEN_FOR_BUYERS = ("request_evidence", "offer", "decline_offer", "reject", "uphold", "note", "answer_enquiry")


def deadline_of(name: str, item: Mapping[str, Any]) -> values.Deadline:
    """Return one standing deadline."""
    return values.Deadline(
        name=name,
        due_at=times.moment(item["due_at"]),
        event=item["event"],
        rule=item["rule"],
        calendar=item["calendar"],
        provisional=item.get("provisional", False),
        extended=item.get("extended", False),
        lapsed=item.get("lapsed", 0),
    )


class SeenRefund(Struct):
    """A refund as one reader sees it at a moment: what the fields of a `values.Refund` are made of."""

    aggregate: Aggregate
    case: Case
    rules: Rules
    actor: Actor
    now: datetime
    vault: Vault
    owner: BuyerRow | None  # until his id is opened
    waiting: bool = False
    texts: Mapping[str, str] = NOTHING
    opened: str | None = None  # the buyer's id

    @property
    def hidden(self) -> bool:
        """Tell that what is not for the eyes of a buyer stays hidden."""
        return self.actor.role == "buyer"

    def field(self, name: str) -> Any:
        """Return one field of the value."""
        return _REFUND[name](self)

    def buyer_id(self) -> str | None:
        """Return the clear id of the buyer, None of an erased one: opened at the first call, which lets go of his key.

        Threads that ask at once may each open it.
        """
        owner = self.owner
        if owner is not None:
            self.opened = self.vault.open_buyer_id(owner)
            self.owner = None
        return self.opened

    def allowed(self) -> tuple[str, ...]:
        """Return the events that nothing blocks for the reader."""
        # Half-way through a case of another system no deadline of ours stands, and nothing was possible here.
        if not self.case["deadlines"] and self.case["state"] not in TABLE.final:
            return ()
        return allowed_on(self.aggregate, self.case, self.actor, self.rules, self.now)

    def deadline(self) -> values.Deadline | None:
        """Return the deadline that lapses first."""
        first = clocks.next_due(self.case)
        return deadline_of(first[1], self.case["deadlines"][first[1]]) if first else None

    def evidence(self) -> tuple[values.Evidence, ...]:
        """Return the evidence in order of number."""
        return tuple(
            _evidence(number, item, self.hidden, self.name_of)
            for number, item in _numbered(self.case["evidence"])
            if not self.hidden or item["audience"] == "buyer"
        )

    def missing_evidence(self) -> tuple[tuple[str, ...], ...]:
        """Return the groups of kinds that are not in yet: to a buyer those that he must bring."""
        policy = self.rules.policies[self.case["policy"]]
        needed = policy.needed_of_buyer if self.hidden else policy.needed
        return missing(needed(self.aggregate.line["product_type"], self.case["reason"]), self.case["evidence"])

    def offer(self) -> values.Offer | None:
        """Return the offer that stands."""
        number = self.case.get("standing")
        return next((item for item in self.offers() if str(item.offer) == number), None) if number else None

    def offers(self) -> tuple[values.Offer, ...]:
        """Return all offers in order of number."""
        return tuple(_offer(number, item, self.hidden, self.name_of) for number, item in _numbered(self.case["offers"]))

    def attempts(self) -> tuple[values.Attempt, ...]:
        """Return the payout numbers in the order in which they were made."""
        items = sorted(self.case["attempts"].items(), key=lambda pair: pair[1]["no"])
        return tuple(_attempt(number, item, self.hidden) for number, item in items)

    def firsts(self) -> tuple[values.First, ...]:
        """Return those who did the first half of what two persons do."""
        return tuple(
            values.First(event=event, name=item["name"], role=item["role"], seq=item["seq"])
            for event, item in sorted(self.case["firsts"].items())
        )

    def level(self) -> int:
        """Return how far the review, or the appeal, is escalated."""
        return self.case["levels"].get("appeal_review" if self.case["instance"] == "appeal" else "review", 0)

    def name_of(self, name: str) -> str:
        """Return the name of a person: of the buyer the clear one."""
        return (self.buyer_id() or ERASED) if name == self.case["buyer"] else name


class SeenLine:
    """An order line that is made at the first look, which lets go of what it is made of."""

    __slots__ = ("_made", "_make")

    def __init__(self, make: Callable[[], values.OrderLine]) -> None:
        self._make: Callable[[], values.OrderLine] | None = make
        self._made: values.OrderLine | None = None

    def field(self, name: str) -> Any:
        """Return one field of the value; threads that ask at once may each make it."""
        make = self._make
        if make is not None:
            self._made = make()
            self._make = None
        return getattr(self._made, name)


_REFUND: Mapping[str, Callable[[SeenRefund], Any]] = {
    "id": lambda seen: seen.case["id"],
    "order_id": lambda seen: seen.case["order_id"],
    "line": lambda seen: seen.case["line"],
    "buyer_id": lambda seen: seen.buyer_id(),
    "product_type": lambda seen: seen.aggregate.line["product_type"],
    "product": lambda seen: seen.aggregate.line["product"],
    "usage": lambda seen: seen.aggregate.line["usage"],
    "reason": lambda seen: seen.case["reason"],
    "phase": lambda seen: phase_of(seen.case["state"]),
    "state": lambda seen: seen.case["state"],
    "instance": lambda seen: seen.case["instance"],
    "currency": lambda seen: seen.case["currency"],
    "claimed_minor": lambda seen: seen.case["claimed"],
    "reserved_minor": lambda seen: seen.case["reserved"],
    "approved_minor": lambda seen: seen.case["approved"],
    "in_flight_minor": lambda seen: seen.case["in_flight"],
    "settled_minor": lambda seen: seen.case["settled"],
    "channel": lambda seen: seen.case["channel"],
    "submitted_at": lambda seen: times.moment(seen.case["submitted_at"]),
    "effective_at": lambda seen: times.moment(seen.case["effective_at"]),
    "seq": lambda seen: seen.case["seq"],
    "deadline": SeenRefund.deadline,
    "deadlines": lambda seen: tuple(deadline_of(*pair) for pair in sorted(seen.case["deadlines"].items())),
    "allowed": SeenRefund.allowed,
    "evidence": SeenRefund.evidence,
    "missing_evidence": SeenRefund.missing_evidence,
    "requested_evidence": lambda seen: tuple(seen.case.get("request", NOTHING).get("kinds", ())),
    "clear_evidence": lambda seen: seen.case.get("clear_evidence", False),
    "offer": SeenRefund.offer,
    "offers": SeenRefund.offers,
    "grounds": lambda seen: tuple(seen.case.get("rejection", NOTHING).get("grounds", ())),
    "enquiry_since": lambda seen: times.moment(seen.case["enquiry"]["at"]) if "enquiry" in seen.case else None,
    "attempts": SeenRefund.attempts,
    "policy": lambda seen: seen.case["policy"],
    "chart": lambda seen: seen.case["chart"],
    "firsts": lambda seen: () if seen.hidden else seen.firsts(),
    "flags": lambda seen: () if seen.hidden else tuple(sorted(seen.case["flags"])),
    "assignee": lambda seen: None if seen.hidden else seen.case.get("assignee"),
    "hold": lambda seen: not seen.hidden and seen.case.get("hold", False),
    "level": lambda seen: 0 if seen.hidden else seen.level(),
    "waiting": lambda seen: seen.waiting,
    "texts": lambda seen: dict(seen.texts),
    "imported": lambda seen: _imported(seen.case["imported"]) if "imported" in seen.case else None,
    "erased_at": lambda seen: _optional(seen.case.get("erased")),
}  # fmt: skip


def _imported(item: Mapping[str, Any]) -> values.Imported:
    return values.Imported(
        case=item["case"], file=item["file"], row=item["row"], by=item["by"], at=times.moment(item["at"])
    )


def _numbered(items: Mapping[str, Any]) -> list[tuple[int, Any]]:
    """Return numbered items in order of number; a stored document has them in order of text."""
    return sorted(((int(number), item) for number, item in items.items()), key=itemgetter(0))


def _evidence(number: int, item: Mapping[str, Any], hidden: bool, name_of: NameOf) -> values.Evidence:
    return values.Evidence(
        file=number,
        kind=item["kind"],
        media_type=item["media_type"],
        size=item["size"],
        by=STAFF if hidden and item["role"] not in BUYER_SIDE else name_of(item["by"]),
        role=item["role"],
        at=times.moment(item["at"]),
        audience=item["audience"],
        commitment=item["commit"],
    )


def _offer(number: int, item: Mapping[str, Any], hidden: bool, name_of: NameOf) -> values.Offer:
    return values.Offer(
        offer=number,
        by=STAFF if hidden and item["role"] != "buyer" else name_of(item["by"]),
        role=item["role"],
        counter=item["counter"],
        refund_minor=item["amount"],
        compensation_minor=item["compensation"],
        at=times.moment(item["at"]),
        ended=item.get("ended"),
    )


def _attempt(number: str, item: Mapping[str, Any], hidden: bool) -> values.Attempt:
    return values.Attempt(
        number=number,
        channel=item["channel"],
        amount_minor=item["amount"],
        currency=item["currency"],
        state=item["state"],
        void=item["void"],
        at=times.moment(item["at"]),
        reference=item.get("proof") if not hidden or item["state"] == "settled" else None,
    )


def _optional(written: str | None) -> datetime | None:
    return times.moment(written) if written else None


def order_line(
    aggregate: Aggregate, *, buyer_id: str | None, waiting: bool = False, changed: bool = True
) -> values.OrderLine:
    """Return an order line with its ledger."""
    line, ledger = aggregate.line, aggregate.ledger
    return values.OrderLine(
        order_id=line["order_id"],
        line=line["line"],
        buyer_id=buyer_id,
        product_type=line["product_type"],
        product=line["product"],
        usage=line["usage"],
        currency=line["currency"],
        channel=line["channel"],
        payment_no=line["payment_no"],
        paid_at=_optional(line.get("paid_at")),
        completed_at=_optional(line.get("completed_at")),
        valid_from=_optional(line.get("valid_from")),
        valid_to=_optional(line.get("valid_to")),
        captured_minor=line["captured"],
        reserved_minor=ledger.reserved,
        in_flight_minor=ledger.in_flight,
        settled_minor=ledger.settled,
        charged_back_minor=ledger.charged_back,
        excess_minor=ledger.excess,
        left_minor=money.left(line, ledger),
        overpaid=money.overpaid(line, ledger),
        chargebacks={number: dict(item) for number, item in sorted(line["chargebacks"].items())},
        refunds=tuple(aggregate.refunds),
        seq=line["seq"],
        waiting=waiting,
        changed=changed,
    )


def texts_of(
    vault: Vault, owner: BuyerRow | None, subject: str, ciphers: Mapping[tuple[int, str], bytes]
) -> dict[tuple[int, str], str]:
    """Decrypt the texts of a chain; nothing where the buyer's key is gone."""
    if owner is None:
        return {}
    return {
        (seq, name): vault.decrypt(owner.key, cipher, f"{subject}|{seq}|{name}").decode()
        for (seq, name), cipher in ciphers.items()
    }


def history_entry(
    entry: StoredEntry, texts: Mapping[tuple[int, str], str], caller: Caller, buyer_id: str | None
) -> values.HistoryEntry | None:
    """Return an entry as the caller may see it; None where it is not for a buyer's eyes."""
    body = entry.parsed()
    hidden = caller.reads_as_buyer
    buyers_own = body["actor"]["role"] in BUYER_SIDE
    if hidden and not _for_buyers(body, buyers_own):
        return None
    shown: dict[str, str | None] = {name: texts.get((entry.seq, name)) for name in body["texts"]}
    if hidden and not buyers_own and body["event"] not in _WRITTEN_FOR_BUYERS:
        shown = {}
    if hidden and body["kind"] == "imported":
        shown.pop("note", None)  # internal in the other system too
    params = {name: value for name, value in body["params"].items() if not hidden or name in _TOLD}
    deadlines = body["patch"].get("deadlines") or {}
    set_now = next(({"name": name, **item} for name, item in deadlines.items() if item and "due_at" in item), None)
    return values.HistoryEntry(
        subject=entry.subject,
        seq=entry.seq,
        kind=entry.kind,
        event=entry.event,
        before=entry.before,
        after=entry.after,
        effective_at=entry.effective_at,
        recorded_at=entry.recorded_at,
        occurred_at=_optional(body.get("occurred_at")),
        actor_role=body["actor"]["role"],
        actor_name=_name(body, hidden, buyers_own, buyer_id),
        params=params,
        texts=shown,
        blockers=tuple(Blocker(**item) for item in body.get("blockers", ())),
        deadline=set_now,
        ledger={} if hidden else body["ledger"],
        policy=body["policy"],
        calendar=body["calendar"],
        chart=body["chart"],
        key=body.get("key") if buyers_own or not hidden else None,
        correlation=None if hidden else body.get("correlation"),
        cause=body.get("cause"),
        repeats=body.get("repeats", 0),
        hash=entry.hash,
        pending=not entry.hash,
        deadlines=deadlines,
    )


def not_yet_stored(sealed: Sealed, order_id: str) -> StoredEntry:
    """Return an entry that a read has found due as if it were stored; its hash is only known once it is."""
    entry = sealed.entry
    return StoredEntry(
        gid=0,
        order_id=order_id,
        subject=entry.subject,
        seq=entry.seq,
        kind=entry.kind,
        event=entry.event,
        before=entry.before,
        after=entry.after,
        effective_at=times.moment(entry.effective_at),
        recorded_at=sealed.recorded_at,
        actor_role=entry.actor.role,
        actor_name=entry.actor.name,
        key_scope=None,
        key=None,
        request_hash=None,
        body=sealed.body,
        hash="",
    )


def _for_buyers(body: Mapping[str, Json], buyers_own: bool) -> bool:
    """Tell whether a buyer may see an entry; a service that acts for him also writes notes that are not his."""
    event, params = body["event"], body["params"]
    if body["actor"]["role"] == "buyer":
        return True
    if event == "note":
        return bool(params.get("audience") == "buyer")
    if event in _HIDDEN_EVENTS or params.get("first"):
        return False
    if buyers_own:
        return True
    return bool(body["kind"] != "refused" and (event != "add_evidence" or params.get("audience") == "buyer"))


def _name(body: Mapping[str, Json], hidden: bool, buyers_own: bool, buyer_id: str | None) -> str:
    name = str(body["actor"]["name"])
    if body["actor"]["role"] == "buyer":
        return buyer_id or ERASED
    if not hidden or buyers_own or body["actor"]["role"] in ("system", "channel"):
        return name
    return STAFF
