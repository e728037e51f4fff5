"""Heads of the log against the log itself: stored, published and held ones, each signed and the root of a prefix."""

import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from refundflow.audit.replay import Finding
from refundflow.errors import BadInput, ProofFailed
from refundflow.proof.checkpoints import Head, opened, unverified
from refundflow.proof.keys import SUBJECT as KEYS
from refundflow.proof.keys import KnownKey, known_keys, origin_of
from refundflow.proof.notes import VerifyingKey
from refundflow.proof.publish import NEWEST, Place
from refundflow.store import Logged, Tx
from states import times

LOG = "log"  # the subject of what is wrong with the log as a whole
LATEST = timedelta(hours=1)  # how long a transaction may be under way beside a checkpoint that does not have it


@dataclass(frozen=True, kw_only=True, slots=True)
class Outside:
    """What is known outside of the database: held checkpoints by name, trusted keys, and the place of publication."""

    held: Mapping[str, str] = field(default_factory=dict)
    keys: tuple[VerifyingKey, ...] = ()
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class _Claim:
    size: int
    root: bytes
    kind: Literal["stored", "held", "published"]
    name: str
    note: str | None = None
    made_at: datetime | None = None


class Heads:
    """Every claim of a size and root, met in the order of sizes while the log is walked along."""

    def __init__(self, tx: Tx, secret: bytes, outside: Outside) -> None:
        self._tx, self._outside = tx, outside
        self._problems: list[Finding] = []
        self.count = 0  # of the stored ones
        self._agreed: dict[str, int] = {}  # by kind: the greatest size that agreed
        self._wrong: dict[str, _Claim] = {}
        self._wrong_later = 0
        self.newest: tuple[int, datetime] | None = None  # size and moment of the newest stored one that was met
        self._register: dict[VerifyingKey, int | None] = {}  # keys of the log: the leaf of their registration
        self._retired: dict[str, int] = {}  # the leaf by which a key was retired, by id
        self._origin: str | None = None
        known: list[KnownKey] = []
        try:
            known, self._origin = known_keys(tx), origin_of(tx, secret)
        except BadInput as problem:
            self._problems.append(Finding(KEYS, 0, problem.message))
        self._trusted = set(outside.keys) or {item.key for item in known}
        self._sizes = frozenset(outside.place.sizes()) if outside.place is not None else frozenset()
        self._largest = max(self._sizes, default=0)
        self._claims = heapq.merge(self._stored(), self._held(), self._published(), key=lambda claim: claim.size)
        self._next = next(self._claims, None)

    @property
    def any(self) -> bool:
        """Tell whether there is any claim."""
        return self._next is not None

    def key_entry(self, leaf: int, body: Mapping[str, Any]) -> None:
        """Take in an entry of the chain "keys"."""
        key = VerifyingKey.parse(body["params"]["vkey"])
        if body["event"] == "key_retired":
            self._retired[key.id] = leaf
        else:
            self._register[key] = leaf

    def reached(self, size: int, root: bytes) -> Iterator[Finding]:
        """Compare every claim of a size with the root that the log has there."""
        while self._next is not None and self._next.size <= size:
            claim, self._next = self._next, next(self._claims, None)
            yield from self._flushed()
            yield from self._signature(claim)
            if claim.root == root:
                self._agreed[claim.kind] = size
            elif claim.kind in self._wrong:
                self._wrong_later += 1
            else:
                self._wrong[claim.kind] = claim
            if claim.made_at is not None:
                self.newest = (size, claim.made_at)
        yield from self._flushed()

    def wants(self, size: int) -> bool:
        """Tell whether a claim of this size is next."""
        return self._next is not None and self._next.size <= size

    def back_dated(self, entry: Logged) -> Iterator[Finding]:
        """Tell an entry that says that it was recorded before a checkpoint that does not have it."""
        if self.newest is not None and entry.recorded_at < self.newest[1] - LATEST:
            size, made_at = self.newest
            yield Finding(
                entry.subject, entry.seq,
                f"it says that it was recorded at {times.text(entry.recorded_at)}, but the checkpoint of size {size}, "
                f"made at {times.text(made_at)}, does not have it",
            )  # fmt: skip

    def end(self, size: int) -> Iterator[Finding]:
        """Tell what claims more than the log has, and what did not agree."""
        while self._next is not None:
            claim, self._next = self._next, next(self._claims, None)
            yield from self._signature(claim)
            yield Finding(
                LOG, 0,
                f"{claim.name} has {claim.size} leaves, the log has {size}: "
                "its end was cut off, or an old state was restored",
            )  # fmt: skip
        for claim in self._wrong.values():
            agreed = max((size for size in self._agreed.values() if size < claim.size), default=0)
            yield Finding(
                LOG, 0,
                f"{claim.name} has another root than the first {claim.size} leaves of the log: something among the "
                f"leaves {agreed} to {claim.size - 1} was changed, removed, inserted or put in another order",
            )  # fmt: skip
        if self._wrong_later:
            yield Finding(LOG, 0, f"{self._wrong_later} later checkpoints do not agree with the log either")
        yield from self._flushed()

    def since(self, leaf: int) -> str:
        """Say since which checkpoint a leaf is in the log."""
        first = self._tx.checkpoint_above(leaf)
        if first is None:
            return "no checkpoint has it yet"
        return f"in the log since the checkpoint of size {first.size} ({times.text(first.made_at)})"

    def _signature(self, claim: _Claim) -> Iterator[Finding]:
        """Check who has signed; what a trusted key has signed vouches for the keys registered in it."""
        if claim.note is None:
            return
        allowed = [key for key in self._trusted if self._retired.get(key.id, claim.size) >= claim.size]
        try:
            head = opened(claim.note, allowed)
        except ProofFailed as problem:
            yield from (Finding(LOG, 0, f"{claim.name}: {what}") for what in problem.findings)
            return
        if (head.size, head.root) != (claim.size, claim.root):
            yield Finding(LOG, 0, f"{claim.name}: its size and root are not what was signed")
        if self._origin is not None and head.origin != self._origin:
            yield Finding(LOG, 0, f"{claim.name} is of the log {head.origin}, this is {self._origin}")
        if claim.kind == "stored" and claim.size not in self._sizes and claim.size <= self._largest:
            yield Finding(LOG, 0, f"{claim.name} is not published, though it is signed")
        self._trusted |= {key for key, leaf in self._register.items() if leaf is not None and leaf < claim.size}

    def _flushed(self) -> Iterator[Finding]:
        yield from self._problems
        self._problems.clear()

    def _stored(self) -> Iterator[_Claim]:
        number = size = 0
        for stored in self._tx.checkpoints():
            self.count += 1
            name = f"the checkpoint of size {stored.size}"
            if stored.number != number + 1:
                self._problems.append(Finding(LOG, 0, f"checkpoint number {number + 1} is missing before {name}"))
            number = stored.number
            if stored.size < size:
                self._problems.append(Finding(LOG, 0, f"{name} stands behind that of size {size}"))
                continue
            size = stored.size
            try:
                root = bytes.fromhex(stored.root)
            except ValueError:
                root = b""
            yield _Claim(stored.size, root, "stored", name, stored.note, stored.made_at)

    def _held(self) -> Iterator[_Claim]:
        heads = sorted(
            ((unverified(note), name, note) for name, note in self._outside.held.items()), key=lambda item: item[0].size
        )
        for head, name, note in heads:
            if self._tx.checkpoint_of(head.size) is None:
                self._problems.append(Finding(LOG, 0, f"the checkpoint {name} is not in the database"))
            yield _Claim(head.size, head.root, "held", f"the checkpoint {name}", note)

    def _published(self) -> Iterator[_Claim]:
        place = self._outside.place
        if place is None:
            return
        sizes = sorted(self._sizes)
        if not sizes and self._tx.newest_signed_checkpoint() is not None:
            self._problems.append(Finding(LOG, 0, "nothing is published there, though there are signed checkpoints"))
        for size in sizes:
            yield from self._published_one(place, f"checkpoints/{size}", size)
        newest = self._read(place, NEWEST) if sizes else None
        if newest is not None and newest[0].size != sizes[-1]:
            self._problems.append(Finding(LOG, 0, f"published {NEWEST} is not the greatest of those in checkpoints/"))

    def _published_one(self, place: Place, name: str, size: int) -> Iterator[_Claim]:
        found = self._read(place, name)
        if found is None:
            return
        head, note = found
        if head.size != size:
            self._problems.append(Finding(LOG, 0, f"published {name} is a checkpoint of size {head.size}"))
            return
        if self._tx.checkpoint_of(size) is None:
            self._problems.append(Finding(LOG, 0, f"published {name} is not in the database"))
        yield _Claim(size, head.root, "published", f"published {name}", note)

    def _read(self, place: Place, name: str) -> tuple[Head, str] | None:
        content = (place.read(name) or b"").decode("utf-8", "replace")
        try:
            return unverified(content), content
        except ProofFailed as problem:
            self._problems += [Finding(LOG, 0, f"published {name}: {what}") for what in problem.findings]
            return None


def held_checkpoints(notes: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return checkpoints that somebody holds, by name.

    Raises:
        BadInput: one of them is no checkpoint.
    """
    held = {}
    for name, note in notes:
        try:
            unverified(note)
        except ProofFailed as problem:
            raise BadInput(f"{name}: {problem.message}", field="checkpoint") from problem
        held[name] = note
    return held
