"""One row per entry, the same in every format: what the sealed body says, in named columns."""

from collections.abc import Iterator, Mapping
from typing import Any

from refundflow.errors import ProofFailed
from refundflow.store import StoredEntry, Tx
from states.case import merge

Json = Any
Row = dict[str, Json]

LEDGER = ("reserved", "in_flight", "settled", "charged_back", "excess")
COLUMNS = (
    "order_id", "subject", "seq", "kind", "event", "from", "to", "effective_at", "recorded_at", "occurred_at",
    "actor_role", "actor_name", "reason", "params", "texts", "deadlines", "blockers", *LEDGER, "policy", "chart",
    "calendar", "key", "request", "correlation", "cause", "repeats", "prev", "hash", "body",
)  # fmt: skip
DEADLINE = ("name", "due_at", "rule", "provisional")


def rows_of(tx: Tx) -> Iterator[Row]:
    """Yield a row for every entry of every chain, in log order.

    Raises:
        ProofFailed: the body of an entry cannot be read; the entry is named.
    """
    for entry in tx.all_entries():
        try:
            body = entry.parsed()
            yield _row(entry, body, _deadlines_set(tx, entry, body))
        except (ValueError, KeyError, TypeError, AttributeError) as problem:
            place = f"{entry.subject}#{entry.seq}"
            raise ProofFailed([f"{place}: the body cannot be read: {problem!r}"]) from problem


def _row(entry: StoredEntry, body: Mapping[str, Json], deadlines: list[Json]) -> Row:
    """Repeat what the hash is of, not what the columns beside it say."""
    return {
        "order_id": entry.order_id, "subject": body["subject"], "seq": body["seq"], "kind": body["kind"],
        "event": body["event"], "from": body["from"], "to": body["to"], "effective_at": body["effective_at"],
        "recorded_at": body["recorded_at"], "occurred_at": body.get("occurred_at"),
        "actor_role": body["actor"]["role"], "actor_name": body["actor"]["name"],
        "reason": body["params"].get("reason"), "params": body["params"], "texts": body["texts"],
        "deadlines": deadlines, "blockers": body.get("blockers", []),
        **{column: body["ledger"].get(column, 0) for column in LEDGER},
        "policy": body["policy"], "chart": body["chart"], "calendar": body["calendar"], "key": body.get("key"),
        "request": body.get("request"), "correlation": body.get("correlation"), "cause": body.get("cause"),
        "repeats": body.get("repeats", 0), "prev": body["prev"], "hash": entry.hash, "body": entry.body.decode(),
    }  # fmt: skip


def _deadlines_set(tx: Tx, entry: StoredEntry, body: Mapping[str, Json]) -> list[Json]:
    """Return the deadlines that an entry set, each in full."""
    told = {name: item for name, item in _deadlines(body["patch"]).items() if item is not None}
    if any("due_at" not in item or "rule" not in item for item in told.values()):
        # Set again, a deadline is told by what changed in it: the rest stands in the entries before.
        standing: dict[str, Json] = {}
        for before in tx.entries(entry.subject, order_id=entry.order_id, upto=entry.seq):
            standing = merge(standing, _deadlines(before.parsed()["patch"]))
        told = {name: standing[name] for name in told}
    return [
        {"name": name, "due_at": item["due_at"], "rule": item["rule"], "provisional": item.get("provisional", False)}
        for name, item in told.items()
    ]


def _deadlines(patch: Mapping[str, Json]) -> dict[str, Json]:
    found: dict[str, Json] = patch.get("deadlines") or {}
    return found
