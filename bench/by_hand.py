"""The floor: the same rows as a move of the facade, written with the bare driver in one durable transaction.

No rules, no roles, no deadlines counted, no answer built: what is written was recorded from the facade beforehand
(`recorded`), and only what differs from refund to refund is filled in. The rows are whole all the same: each
entry is chained and hashed, the row of the refund is compared and set, so that the database verifies afterwards.
"""

import json
import re
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from typing import Any, Protocol

import psycopg

from bench.scene import Place

Values = Mapping[str, Any]

READ = "SELECT document, seq, head, version FROM refunds WHERE order_id = :order_id AND id = :id"
CHANGE_REFUND = """
    UPDATE refunds SET state = :state, next_due_at = :next_due_at, next_warn_at = :next_warn_at, approved = :approved,
        document = :document, seq = :seq, head = :head, version = version + 1
    WHERE order_id = :order_id AND id = :id AND version = :version"""
CHANGE_LINE = """
    UPDATE order_lines SET reserved = reserved + :reserved, version = version + 1
    WHERE order_id = :order_id AND line = '1'"""
ADD_ENTRY = """
    INSERT INTO transitions (order_id, subject, seq, kind, event, before, after, effective_at, recorded_at, actor_role,
        actor_name, key_scope, key, request_hash, body, hash)
    VALUES (:order_id, :id, :seq, :kind, :event, :before, :after, :at, :at, :actor_role, :actor_name, :key_scope, :key,
        :request_hash, :body, :hash)"""
ADD_EFFECT = """
    INSERT INTO effects (order_id, subject, seq, kind, code, params, effective_at, recorded_at, tries, next_try_at)
    VALUES (:order_id, :id, :seq, :kind, :code, :params, :at, :at, 0, :at)"""
READ_BODIES = "SELECT body FROM transitions WHERE order_id = :order_id AND subject = :id AND seq > :seq ORDER BY seq"
READ_EFFECTS = """
    SELECT kind, code, params, seq FROM effects
    WHERE order_id = :order_id AND subject = :id AND seq > :seq ORDER BY id"""


class Hand(Protocol):
    """A driver connection: runs statements with `:name` parameters; BEGIN and COMMIT are statements like others."""

    def run(self, statement: str, values: Values | None = None) -> Any:
        """Run one statement; return the driver's cursor."""
        ...

    def begin(self) -> None:
        """Begin a transaction that is going to write."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


class SqliteHand:
    """The sqlite3 module of Python: WAL, full synchronous, write transactions from the start."""

    def __init__(self, url: str) -> None:
        path = url.removeprefix("sqlite:///")
        self.connection = sqlite3.connect(path, isolation_level=None, timeout=10)
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("PRAGMA synchronous = FULL")

    def run(self, statement: str, values: Values | None = None) -> Any:
        """Run one statement; return the driver's cursor."""
        return self.connection.execute(statement, values or {})

    def begin(self) -> None:
        """Begin a transaction that is going to write."""
        self.run("BEGIN IMMEDIATE")

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()


class PostgresHand:
    """psycopg: one statement after the other, READ COMMITTED."""

    def __init__(self, url: str) -> None:
        self.connection = psycopg.connect(url, autocommit=True)

    def run(self, statement: str, values: Values | None = None) -> Any:
        """Run one statement; return the driver's cursor."""
        return self.connection.execute(_in_psycopg(statement), values)

    def begin(self) -> None:
        """Begin a transaction that is going to write."""
        self.run("BEGIN")

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()


@cache
def _in_psycopg(statement: str) -> str:
    """Write parameters as psycopg does."""
    return re.sub(r":(\w+)", r"%(\1)s", statement)


def open_hand(url: str) -> SqliteHand | PostgresHand:
    """Open a connection of the kind that the URL names."""
    return SqliteHand(url) if url.startswith("sqlite:") else PostgresHand(url)


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """What one move of the facade wrote: the bodies of its entries, and its effects."""

    bodies: Sequence[Values]
    effects: Sequence[Values]

    @property
    def lapses(self) -> int:
        """Count the entries that deadlines caused."""
        return len(self.bodies)

    @property
    def rows(self) -> int:
        """Count the rows that are inserted or changed."""
        moved = any(body["ledger"] for body in self.bodies)
        return 1 + len(self.bodies) + len(self.effects) + moved


def newest(hand: Hand, place: Place) -> int:
    """Return the number of the newest entry of a refund."""
    seq: int = hand.run(READ, _key(place)).fetchone()[1]
    return seq


def recorded(hand: Hand, place: Place, after: int) -> Recorded:
    """Read what a move wrote after the entry `after`."""
    found = {**_key(place), "seq": after}
    bodies = [json.loads(bytes(row[0])) for row in hand.run(READ_BODIES, found)]
    if any(set(body["ledger"]) - {"reserved"} for body in bodies):
        raise ValueError("only moves of the reserved amount are written by hand")
    effects = [
        {"kind": kind, "code": code, "params": params, "later": seq - after - 1}
        for kind, code, params, seq in hand.run(READ_EFFECTS, found)
    ]
    return Recorded(bodies=bodies, effects=effects)


def move_by_hand(hand: Hand, move: Recorded, place: Place) -> None:
    """Write the rows of a recorded move for another refund.

    Raises:
        RuntimeError: the refund is not in the state that the move begins in, or somebody else was first.
    """
    hand.begin()
    write_by_hand(hand, move, place)
    hand.run("COMMIT")


def write_by_hand(hand: Hand, move: Recorded, place: Place) -> None:
    """Write the rows of a recorded move for another refund within a transaction.

    Raises:
        RuntimeError: the refund is not in the state that the move begins in, or somebody else was first.
    """
    now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    key = _key(place)
    text, seq, head, version = hand.run(READ, key).fetchone()
    document = json.loads(text)
    if document["state"] != move.bodies[0]["from"]:
        raise RuntimeError(f"{place.refund} is {document['state']}")
    first = seq + 1
    for body in move.bodies:
        seq += 1
        actor = {**body["actor"], "name": document["buyer"]} if body["actor"]["role"] == "buyer" else body["actor"]
        filled = {
            **body, "subject": place.refund, "seq": seq, "prev": head, "effective_at": now, "recorded_at": now,
            "actor": actor,
        }  # fmt: skip
        sealed = _json(filled).encode()
        head = sha256(sealed).hexdigest()
        document = {**_merged(document, filled["patch"]), "seq": seq, "effective_at": now}
        hand.run(ADD_ENTRY, key | _entry(filled) | {"body": sealed, "hash": head, "at": now})
        if filled["ledger"]:
            hand.run(CHANGE_LINE, {"order_id": place.order_id, **filled["ledger"]})
    changed = hand.run(CHANGE_REFUND, key | _columns(document) | {"seq": seq, "head": head, "version": version})
    if changed.rowcount != 1:
        raise RuntimeError(f"{place.refund} changed meanwhile")
    for effect in move.effects:
        values = {name: effect[name] for name in ("kind", "code", "params")}
        hand.run(ADD_EFFECT, key | values | {"seq": first + effect["later"], "at": now})


def _key(place: Place) -> dict[str, Any]:
    return {"order_id": place.order_id, "id": place.refund}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _entry(body: Values) -> dict[str, Any]:
    key = body.get("key")
    return {
        "seq": body["seq"], "kind": body["kind"], "event": body["event"], "before": body["from"], "after": body["to"],
        "actor_role": body["actor"]["role"], "actor_name": body["actor"]["name"],
        "key_scope": body["subject"] if key else None, "key": key, "request_hash": body.get("request"),
    }  # fmt: skip


def _columns(document: Values) -> dict[str, Any]:
    deadlines = document["deadlines"].values()
    return {
        "state": document["state"], "approved": document["approved"], "document": _json(document),
        "next_due_at": min((item["due_at"] for item in deadlines), default=None),
        "next_warn_at": min((item["warn_at"] for item in deadlines if "warn_at" in item), default=None),
    }  # fmt: skip


def _merged(document: Values, patch: Values) -> dict[str, Any]:
    """Apply an RFC 7396 merge patch."""
    result = dict(document)
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, dict):
            result[name] = _merged(result.get(name) or {}, value)
        else:
            result[name] = value
    return result
