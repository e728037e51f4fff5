"""Documents turned into the values that a reader may see: a buyer sees no flags, notes or names of staff."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from refundflow import values
from refundflow.service.callers import Caller
from refundflow.service.requests import key_of
from refundflow.store import Sealed, StoredEntry
from refundflow.vault import BuyerRow, Vault
from states import clocks, money, times
from states.case import Aggregate, Blocker, Case, Json
from states.chart import phase_of
from states.evidence import BUYER_SIDE, missing
from states.policy_values import Policy

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


def refund(
    aggregate: Aggregate,
    case: Case,
    *,
    policy: Policy,
    caller: Caller,
    buyer_id: str | None,
    allowed: tuple[str, ...],
    waiting: bool = False,
) -> values.Refund:
    """Return a refund as the caller may see it."""
    line, hidden = aggregate.line, caller.reads_as_buyer
    people = {case["buyer"]: buyer_id or ERASED}
    first = clocks.next_due(case)
    evidence = tuple(_evidence(int(number), item, hidden, people) for number, item in _numbered(case["evidence"]))
    offers = tuple(_offer(int(number), item, hidden, people) for number, item in _numbered(case["offers"]))
    standing = case.get("standing")
    clock = "appeal_review" if case["instance"] == "appeal" else "review"
    return values.Refund(
        id=case["id"],
        order_id=case["order_id"],
        line=case["line"],
        buyer_id=buyer_id,
        product_type=line["product_type"],
        product=line["product"],
        usage=line["usage"],
        reason=case["reason"],
        phase=phase_of(case["state"]),
        state=case["state"],
        instance=case["instance"],
        currency=case["currency"],
        claimed_minor=case["claimed"],
        reserved_minor=case["reserved"],
        approved_minor=case["approved"],
        in_flight_minor=case["in_flight"],
        settled_minor=case["settled"],
        channel=case["channel"],
        submitted_at=times.moment(case["submitted_at"]),
        effective_at=times.moment(case["effective_at"]),
        seq=case["seq"],
        deadline=deadline_of(first[1], case["deadlines"][first[1]]) if first else None,
        deadlines=tuple(deadline_of(name, item) for name, item in sorted(case["deadlines"].items())),
        allowed=allowed,
        evidence=tuple(item for item in evidence if not hidden or item.audience == "buyer"),
        missing_evidence=missing(policy, line["product_type"], case["reason"], case["evidence"]),
        requested_evidence=tuple(case.get("request", {}).get("kinds", ())),
        clear_evidence=case.get("clear_evidence", False),
        offer=next((item for item in offers if str(item.offer) == standing), None),
        offers=offers,
        grounds=tuple(case.get("rejection", {}).get("grounds", ())),
        enquiry_since=times.moment(case["enquiry"]["at"]) if "enquiry" in case else None,
        attempts=tuple(
            _attempt(number, item, hidden)
            for number, item in sorted(case["attempts"].items(), key=lambda pair: pair[1]["no"])
        ),
        policy=case["policy"],
        chart=case["chart"],
        firsts=()
        if hidden
        else tuple(
            values.First(event=event, name=item["name"], role=item["role"], seq=item["seq"])
            for event, item in sorted(case["firsts"].items())
        ),
        flags=() if hidden else tuple(sorted(case["flags"])),
        assignee=None if hidden else case.get("assignee"),
        hold=not hidden and case.get("hold", False),
        level=0 if hidden else case["levels"].get(clock, 0),
        waiting=waiting,
        imported=_imported(case["imported"]) if "imported" in case else None,
        erased_at=_optional(case.get("erased")),
    )


def _imported(item: Mapping[str, Any]) -> values.Imported:
    return values.Imported(
        case=item["case"], file=item["file"], row=item["row"], by=item["by"], at=times.moment(item["at"])
    )


def _numbered(items: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return numbered items in order of number; a stored document has them in order of text."""
    return sorted(items.items(), key=lambda pair: int(pair[0]))


def _evidence(number: int, item: Mapping[str, Any], hidden: bool, people: Mapping[str, str]) -> values.Evidence:
    return values.Evidence(
        file=number,
        kind=item["kind"],
        media_type=item["media_type"],
        size=item["size"],
        by=STAFF if hidden and item["role"] not in BUYER_SIDE else people.get(item["by"], item["by"]),
        role=item["role"],
        at=times.moment(item["at"]),
        audience=item["audience"],
        commitment=item["commit"],
    )


def _offer(number: int, item: Mapping[str, Any], hidden: bool, people: Mapping[str, str]) -> values.Offer:
    return values.Offer(
        offer=number,
        by=STAFF if hidden and item["role"] != "buyer" else people.get(item["by"], item["by"]),
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
    key = key_of(owner)
    if key is None:
        return {}
    return {
        (seq, name): vault.decrypt(key, cipher, f"{subject}|{seq}|{name}").decode()
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
