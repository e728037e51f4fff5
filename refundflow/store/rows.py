"""The values that pass between the store and its callers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Self, cast

from msgspec import Struct

from refundflow.store.documents import read_document
from refundflow.vault import BuyerRow
from states.case import Aggregate, Decision, Entry, line_subject

Json = Any
FIRST_PREVIOUS = "0" * 64  # what the first entry of a chain holds instead of the hash of the one before


class Sealed(Struct, frozen=True):
    """An entry as it is stored: its canonical body, the hash of that, and what is kept beside them.

    `fingerprint` is set for a refusal and tells whether the next one is the same.
    """

    entry: Entry
    body: bytes
    hash: str
    recorded_at: datetime
    key: str | None = None
    key_scope: str | None = None
    request_hash: str | None = None
    fingerprint: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredEntry:
    """One entry as read back; the columns repeat what `body` says."""

    gid: int
    order_id: str
    subject: str
    seq: int
    kind: str
    event: str
    before: str | None
    after: str | None
    effective_at: datetime
    recorded_at: datetime
    actor_role: str
    actor_name: str
    key_scope: str | None
    key: str | None
    request_hash: str | None
    body: bytes
    hash: str

    def parsed(self) -> dict[str, Json]:
        """Read the body; it is parsed anew at each call."""
        return cast(dict[str, Json], read_document(self.body))


class Chain(Struct, frozen=True):
    """What is told beside the document of one chain, as it was read."""

    version: int
    refusal: str | None  # the fingerprint of its newest entry, if that is a refusal
    warned_at: str | None = None  # of a refund


class Stored(Struct, frozen=True):
    """An order line as read, with what the next commit needs of its chain and those of its refunds, by subject."""

    subject: str  # of the line
    aggregate: Aggregate
    chains: Mapping[str, Chain]
    heads: Mapping[str, str]  # the hash of the newest entry
    repeats: Mapping[str, int]  # refusals that were only counted since

    @classmethod
    def opening(cls, aggregate: Aggregate) -> Self:
        """Stand for a line that is not in the database yet."""
        return cls(line_subject(aggregate.line["order_id"], aggregate.line["line"]), aggregate, {}, {}, {})


class StoredText(NamedTuple):
    """One text of an entry as it is kept, encrypted."""

    order_id: str
    subject: str
    seq: int
    field: str
    cipher: bytes


class Content(NamedTuple):
    """The content of a piece of evidence as it is kept, encrypted; the same of the same buyer is kept once."""

    digest: str
    cipher: bytes


class Move(Struct, frozen=True):
    """What was decided on one line as it was read, and its entries sealed: what one commit writes of it.

    Texts and contents are those of the line's buyer.
    """

    stored: Stored
    decision: Decision
    records: Sequence[Sealed]
    texts: Sequence[StoredText] = ()
    contents: Sequence[Content] = ()


class EffectId(NamedTuple):
    """The name of an effect that has not left yet."""

    order_id: str
    number: int


@dataclass(frozen=True, kw_only=True, slots=True)
class EffectRow:
    """What must still leave the process, and how often that was tried."""

    id: EffectId
    subject: str
    seq: int
    kind: str
    code: str
    params: Mapping[str, Json]
    effective_at: datetime
    recorded_at: datetime
    tries: int
    next_try_at: datetime | None  # None: given up, a dead letter
    problem: str | None = None  # why the last try failed


@dataclass(frozen=True, kw_only=True, slots=True)
class PayoutRow:
    """One payout number with its parameters; `asked` counts how often its outcome was asked for."""

    order_id: str
    number: str
    refund: str
    payment_no: str
    channel: str
    amount: int
    currency: str
    state: str
    void: bool
    dispatched_at: datetime | None
    asked: int
    next_ask_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class PaymentFacts:
    """What was sent out on one channel payment, over all lines: how many numbers, the last one when."""

    count: int
    last_dispatched_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class StaffRow:
    """One registered person; `document` is what the chain "staff" says of him, limits included."""

    name: str
    roles: tuple[str, ...]
    active: bool
    document: Mapping[str, Json] = field(default_factory=dict)


class Scene(Struct, frozen=True):
    """What an act finds: the line, its buyer if he was not erased, the roles of the acting member of staff, the key."""

    stored: Stored
    owner: BuyerRow | None
    roles: tuple[str, ...]  # none: not registered, or not active any more
    key_used: bool


class Sight(Struct, frozen=True):
    """What a look finds: the line, its buyer if he was not erased, the roles of the member of staff who looks."""

    aggregate: Aggregate
    owner: BuyerRow | None
    roles: tuple[str, ...]  # none: not registered, or not active any more


class ClaimsOfBuyer(NamedTuple):
    """How many claims a buyer made since a moment, and whether one ever was rejected as abuse."""

    claims: int
    abused: bool


class LineOfBuyer(NamedTuple):
    """The place of an order line, and whether its chain says that its buyer was erased."""

    order_id: str
    line: str
    erased: bool


class Head(NamedTuple):
    """The newest entry of a chain: its number (0: none yet) and hash."""

    seq: int
    hash: str
