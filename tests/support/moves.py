"""Makes small moves for tests of store and audit: documents, entries, and their commit, without the rules."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, cast

from msgspec.structs import replace

from refundflow import audit
from refundflow.store import Move, Stored, Tx
from refundflow.vault import BuyerRow, Vault, reference
from states import times
from states.case import Actor, Aggregate, Case, Decision, Effect, Entry, Ledger, Line, difference, line_subject

START = datetime(2026, 3, 2, 1, tzinfo=UTC)
ORDER = "o1"
LINE = f"{ORDER}/1"
REFUND = f"{ORDER}-1-1"
KEY = b"k" * 32
BUYER = reference(KEY, "mei")
POLICY = sha256(b"{}").hexdigest()  # of the shortest policy, for cases that are to be verified
SHOP = Actor(role="service", name="shop")
_OF_THE_ENTRY = ("seq", "effective_at")


def at(**later: float) -> str:
    """Write a moment after the start."""
    return times.text(START + timedelta(**later))


def a_line(order_id: str = ORDER, **changes: Any) -> Line:
    """Make the facts of an order line of 1000 minor units."""
    line = {
        "order_id": order_id, "line": "1", "seq": 1, "effective_at": at(), "buyer": BUYER, "product_type": "game_card",
        "product": "card", "usage": "unused", "currency": "CNY", "captured": 1000, "channel": "fake",
        "payment_no": f"pay-{order_id}", "chargebacks": {}, "stray": 0, "written_off": 0, "firsts": {},
    }  # fmt: skip
    return cast(Line, line | changes)


def a_case(refund: str = REFUND, **changes: Any) -> Case:
    """Make a refund of 500 minor units that was just submitted and is due in a day."""
    deadline = {
        "due_at": at(days=1), "event": "review_overdue", "rule": "1 working days", "calendar": "c", "set_at": at(),
        "warn_at": at(hours=4),
    }  # fmt: skip
    order_id, line, _ = refund.rsplit("-", 2)
    case = {
        "id": refund, "order_id": order_id, "line": line, "chart": "refund/1", "policy": "p", "state": "submitted",
        "seq": 1, "effective_at": at(), "submitted_at": at(), "buyer": BUYER, "parties": [], "reason": "OTHER",
        "usage": "unused", "currency": "CNY", "claimed": 500, "reserved": 500, "in_flight": 0, "settled": 0,
        "approved": 0, "instance": "review", "channel": "fake", "deadlines": {"review": deadline}, "left": {},
        "levels": {}, "evidence": {}, "rounds": {}, "offers": {}, "decided": {}, "approvals": 0, "firsts": {},
        "attempts": {}, "flags": {},
    }  # fmt: skip
    return cast(Case, case | changes)


def an_attempt(**changes: Any) -> dict[str, Any]:
    """Make a payout attempt of 500 minor units that is in flight."""
    attempt = {
        "no": 1, "channel": "fake", "amount": 500, "currency": "CNY", "approval": 1, "state": "open", "void": False,
        "retries": 0, "dispatches": 1, "seq": 2, "at": at(hours=1),
    }  # fmt: skip
    return attempt | changes


def an_entry(
    old: Mapping[str, Any], new: Mapping[str, Any], ledger: Mapping[str, int] | None = None, **changes: Any
) -> Entry:
    """Make the entry that leads from one document to another."""
    patch = {name: value for name, value in difference(old, new).items() if name not in _OF_THE_ENTRY}
    values: dict[str, Any] = {
        "subject": new["id"] if "id" in new else line_subject(new["order_id"], new["line"]), "seq": new["seq"],
        "kind": "applied", "event": "note", "before": old.get("state"), "after": new.get("state"),
        "effective_at": new["effective_at"], "actor": SHOP, "params": {}, "texts": (), "patch": patch,
        "ledger": dict(ledger or {}), "policy": "p", "calendar": "c",
    }  # fmt: skip
    return Entry(**values | changes)


def commit(
    tx: Tx, stored: Stored, after: Aggregate, entries: Sequence[Entry], effects: Sequence[Effect] = (), **keyed: Any
) -> None:
    """Seal and commit entries as the service does."""
    decision = Decision(aggregate=after, entries=tuple(entries), effects=tuple(effects))
    sealed = audit.seal(entries, heads=stored.heads, recorded_at=START, repeats=stored.repeats, **keyed)
    tx.commit_moves([Move(stored, decision, sealed)])


def register(tx: Tx, line: Line | None = None, **keyed: Any) -> None:
    """Commit a new order line."""
    line = line or a_line()
    if not tx.is_taken(line["buyer"]):
        vault = Vault(bytes.fromhex(tx.meta("secret") or ""), rehearsal=False)
        lookup, cipher = vault.buyer_lookup("mei"), vault.encrypt(KEY, "mei", f"buyer {BUYER}")
        tx.put_buyer(BuyerRow(ref=BUYER, lookup=lookup, key=KEY, cipher=cipher))
    after = Aggregate(line=line, ledger=Ledger(), refunds={})
    entry = an_entry({}, cast(dict[str, Any], line), kind="fact", event="registered")
    commit(tx, Stored.opening(after), after, [entry], **keyed)


def submit(tx: Tx, case: Case | None = None, effects: Sequence[Effect] = ()) -> None:
    """Commit a new refund that reserves what it claims."""
    case = case or a_case()
    stored = tx.aggregate(case["order_id"], case["line"], lock=True)
    assert stored is not None
    ledger = stored.aggregate.ledger
    ledger = replace(ledger, reserved=ledger.reserved + case["reserved"])
    after = Aggregate(line=stored.aggregate.line, ledger=ledger, refunds={**stored.aggregate.refunds, case["id"]: case})
    entry = an_entry({}, cast(dict[str, Any], case), {"reserved": case["reserved"]}, event="submit")
    commit(tx, stored, after, [entry], effects)


def change_line(tx: Tx, stored: Stored, **changes: Any) -> None:
    """Commit one entry that changes facts of a line, on what was read earlier."""
    old = cast(dict[str, Any], stored.aggregate.line)
    new = {**old, **changes, "seq": old["seq"] + 1}
    commit(tx, stored, replace(stored.aggregate, line=cast(Line, new)), [an_entry(old, new, kind="fact")])


def change(
    tx: Tx,
    refund: str = REFUND,
    *,
    stored: Stored | None = None,
    kind: str = "applied",
    keyed: Mapping[str, Any] | None = None,
    **changes: Any,
) -> None:
    """Commit one entry that changes fields of a refund, on what was read now or earlier."""
    order_id, line, _ = refund.rsplit("-", 2)
    stored = stored or tx.aggregate(order_id, line, lock=True)
    assert stored is not None
    old = cast(dict[str, Any], stored.aggregate.refunds[refund])
    new = {**old, **changes, "seq": old["seq"] + 1}
    after = replace(stored.aggregate, refunds={**stored.aggregate.refunds, refund: cast(Case, new)})
    commit(tx, stored, after, [an_entry(old, new, kind=kind)], **(keyed or {}))


def an_effect(**changes: Any) -> Effect:
    """Make an effect of the refund's first entry."""
    values: dict[str, Any] = {
        "kind": "buyer_message", "subject": REFUND, "seq": 1, "code": "SUBMITTED", "params": {"amount": 500},
        "effective_at": at(),
    }  # fmt: skip
    return Effect(**values | changes)
