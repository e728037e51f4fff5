"""Chains folded into what they say, and what is wrong with an entry on the way."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from refundflow.store import FIRST_PREVIOUS, StoredEntry, read_document
from states import times
from states.case import line_subject, merge, refund_place

Json = Any


def replay(bodies: Iterable[Mapping[str, Json]]) -> tuple[dict[str, Json], dict[str, int]]:
    """Fold parsed bodies of one chain into its document and the sum of its changes to the ledger."""
    chain = Replayed("")
    for body in bodies:
        chain.fold(body)
    return chain.document, chain.ledger


def parse(body: bytes) -> dict[str, Json]:
    """Read a stored body."""
    parsed: dict[str, Json] = read_document(body)
    return parsed


@dataclass(frozen=True, slots=True)
class Finding:
    """One place where the proof fails: the chain or row, the entry (0: the whole), what is wrong."""

    subject: str
    seq: int
    what: str

    def __str__(self) -> str:
        return f"{self.subject}#{self.seq}: {self.what}" if self.seq else f"{self.subject}: {self.what}"


class Replayed:
    """The fold of one chain: what it says so far, and the findings on the way."""

    def __init__(self, subject: str) -> None:
        self.subject, self.count = subject, 0
        self.seq, self.head, self.effective_at = 0, FIRST_PREVIOUS, ""
        self.document: dict[str, Json] = {}
        self.ledger: dict[str, int] = {}
        self.texts: dict[tuple[int, str], str] = {}  # commitments by (seq, field)

    def add(self, entry: StoredEntry) -> Iterator[Finding]:
        """Fold the next entry in; yield what is wrong with it."""
        self.count += 1
        try:
            body = parse(entry.body)
            yield from (Finding(self.subject, entry.seq, problem) for problem in self._problems(entry, body))
            self.fold(body)
        except (ValueError, KeyError, TypeError, AttributeError) as problem:
            yield Finding(self.subject, entry.seq, f"the body cannot be read: {problem!r}")
        self.seq, self.head = entry.seq, entry.hash

    def fold(self, body: Mapping[str, Json]) -> None:
        """Apply the patch of one body and add its changes to the ledger."""
        self.document = merge(self.document, body["patch"])
        self.document["seq"], self.document["effective_at"] = body["seq"], body["effective_at"]
        self.effective_at = body["effective_at"]
        self.texts |= {(body["seq"], name): commitment for name, commitment in body.get("texts", {}).items()}
        for column, change in body["ledger"].items():
            self.ledger[column] = self.ledger.get(column, 0) + change

    def _problems(self, entry: StoredEntry, body: Mapping[str, Json]) -> Iterator[str]:
        if entry.seq != self.seq + 1:
            yield f"a gap: the entry before is {self.seq}"
        if hashlib.sha256(entry.body).hexdigest() != entry.hash:
            yield "the hash is not the hash of the body"
        if body["prev"] != self.head:
            yield "it does not hold the hash of the entry before"
        if body["effective_at"] < self.effective_at:
            yield "its effective time is before that of the entry before"
        yield from (f"the column {name} is not what the body says" for name in _other_columns(entry, body))


def _other_columns(entry: StoredEntry, body: Mapping[str, Json]) -> Iterator[str]:
    """Name the columns of an entry that do not repeat its body."""
    told = {
        "subject": body["subject"], "seq": body["seq"], "kind": body["kind"], "event": body["event"],
        "before": body["from"], "after": body["to"], "effective_at": times.moment(body["effective_at"]),
        "recorded_at": times.moment(body["recorded_at"]), "actor_role": body["actor"]["role"],
        "actor_name": body["actor"]["name"], "key": body.get("key"), "request_hash": body.get("request"),
    }  # fmt: skip
    yield from (name for name, value in told.items() if getattr(entry, name) != value)
    if entry.key_scope not in (_scopes(entry.subject) if entry.key else (None,)):
        yield "key_scope"


def _scopes(subject: str) -> tuple[str, ...]:
    """Return what a key of an entry may belong to: its chain, and for `submit` the line of the refund."""
    of_refund = "/" not in subject and "-" in subject  # the others: lines, and registers
    return (subject, line_subject(*refund_place(subject))) if of_refund else (subject,)
