"""What a move of the facade wrote, recorded once, and the same rows filled in for another refund.

The floor knows no rules, no roles and no deadlines: only what differs from refund to refund is filled in. The rows are
whole all the same: each entry is chained and hashed, the row of the refund is to be compared and set, so that the
database verifies afterwards.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, NamedTuple

import orjson

Values = Mapping[str, Any]
BATCH = 100  # moves of one commit, where many are made at once
LAPSE = "lapse"  # what is due on one refund: its evidence never came, and nobody appealed


class Place(NamedTuple):
    """One refund by its keys."""

    order_id: str
    refund: str


class Found(NamedTuple):
    """The row of a refund as the floor reads it."""

    document: str
    seq: int
    head: str
    version: int


class Recorded(NamedTuple):
    """What one move of the facade wrote on one refund: the bodies of its entries, and its effects."""

    bodies: Sequence[Values]
    effects: Sequence[Values]  # kind, code, params (text), and `later`: of which entry after the first

    @property
    def rows(self) -> int:
        """Count the rows that are inserted or changed."""
        return 1 + len(self.bodies) + len(self.effects) + any(body["ledger"] for body in self.bodies)


@dataclass(frozen=True, slots=True)
class Rows:
    """What is written for one refund; each row in the order of its statement's columns."""

    refund: tuple[Any, ...]  # REFUND, then order id, id and the version that was read
    entries: list[tuple[Any, ...]]  # ENTRY
    effects: list[tuple[Any, ...]]  # EFFECT
    reserved: int  # what the line's reserved amount changes by


REFUND = ("state", "next_due_at", "next_warn_at", "approved", "document", "seq", "head")
ENTRY = (
    "order_id", "subject", "seq", "kind", "event", "before", "after", "effective_at", "recorded_at", "actor_role",
    "actor_name", "key_scope", "key", "request_hash", "body", "hash",
)  # fmt: skip
EFFECT = (
    "order_id", "subject", "seq", "kind", "code", "params", "effective_at", "recorded_at", "tries", "next_try_at",
)  # fmt: skip


def recorded(bodies: Sequence[bytes], effects: Sequence[tuple[str, str, str, int]]) -> Recorded:
    """Make a recording of what was read: bodies in order, and effects (kind, code, params, seq of their entry).

    Raises:
        ValueError: the move changed more of the ledger than the reserved amount.
    """
    read = [orjson.loads(body) for body in bodies]
    if any(set(body["ledger"]) - {"reserved"} for body in read):
        raise ValueError("only moves of the reserved amount are written by hand")
    first = read[0]["seq"]
    named = [
        {"kind": kind, "code": code, "params": params, "later": seq - first} for kind, code, params, seq in effects
    ]
    return Recorded(bodies=read, effects=named)


def filled(move: Recorded, place: Place, found: Found) -> Rows:
    """Fill a recorded move in for another refund.

    Raises:
        RuntimeError: the refund is not in the state that the move begins in.
    """
    now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    order_id, refund = place
    document, head, reserved = orjson.loads(found.document), found.head, 0
    if document["state"] != move.bodies[0]["from"]:
        raise RuntimeError(f"{refund} is {document['state']}")
    entries = []
    for seq, body in enumerate(move.bodies, found.seq + 1):
        actor = body["actor"]
        if actor["role"] == "buyer":
            actor = {"role": "buyer", "name": document["buyer"]}
        patch, key = body["patch"], body.get("key")
        sealed = _canonical({
            **body, "subject": refund, "seq": seq, "prev": head, "effective_at": now, "recorded_at": now,
            "actor": actor,
        })  # fmt: skip
        head = sha256(sealed).hexdigest()
        document = merged(document, patch)
        document["seq"], document["effective_at"] = seq, now
        reserved += body["ledger"].get("reserved", 0)
        entries.append((
            order_id, refund, seq, body["kind"], body["event"], body["from"], body["to"], now, now, actor["role"],
            actor["name"], refund if key else None, key, body.get("request"), sealed, head,
        ))  # fmt: skip
    deadlines = document["deadlines"].values()
    return Rows(
        refund=(
            document["state"],
            min((item["due_at"] for item in deadlines), default=None),
            min((item["warn_at"] for item in deadlines if "warn_at" in item), default=None),
            document["approved"], _canonical(document).decode(), document["seq"], head, order_id, refund,
            found.version,
        ),
        entries=entries,
        effects=[
            (order_id, refund, found.seq + 1 + effect["later"], effect["kind"], effect["code"], effect["params"],
             now, now, 0, now)
            for effect in move.effects
        ],
        reserved=reserved,
    )  # fmt: skip


def _canonical(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def merged(document: Values, patch: Values) -> dict[str, Any]:
    """Apply an RFC 7396 merge patch."""
    result = dict(document)
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, dict):
            result[name] = merged(result.get(name) or {}, value)
        else:
            result[name] = value
    return result
