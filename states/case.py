"""The values that the rules read and write: cases, lines, acts, entries, effects, blockers, decisions.

A case and a line are JSON documents (typed dictionaries of JSON values): an entry carries the
RFC 7396 merge patch that it made to the document of its chain, so replay is applying patches and
needs no second copy of the rules. An absent key means "none"; null never occurs in a document.
Moments in documents are the text of `states.times`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, NotRequired, TypedDict

from msgspec import Struct

Json = Any
Patch = dict[str, Json]
NOTHING: Mapping[str, Any] = MappingProxyType({})


class Working(TypedDict):
    """How a deadline of working days was counted, so that a newer calendar can count it again."""

    days: int
    start: NotRequired[str]
    resumed: NotRequired[bool]  # days left after the clock stood still
    extended: NotRequired[int]  # civil days on top


class Deadline(TypedDict):
    """A standing deadline of a case."""

    due_at: str
    event: str  # what its lapse causes
    rule: str  # how the moment was counted, e.g. "2 working days", "48 hours elapsed"
    calendar: str  # version of the calendar that it was counted with
    set_at: str
    warn_at: NotRequired[str]
    provisional: NotRequired[bool]  # counted outside the calendar's coverage
    working: NotRequired[Working]  # of a provisional one
    counted_at: NotRequired[str]  # the import that it was counted again by
    lapsed: NotRequired[int]  # how often it has already lapsed and was set again
    extended: NotRequired[bool]


class Case(TypedDict):
    """One refund, as the fold of its entries; amounts in minor units."""

    id: str
    order_id: str
    line: str
    chart: str  # "refund/1"
    policy: str  # version of the pinned policy
    state: str  # leaf path: "under_review.reviewing"
    seq: int  # of the newest entry
    effective_at: str  # of the newest entry
    submitted_at: str
    buyer: str  # salted reference of the claimant, never the clear id
    parties: list[str]  # names of the services that acted for the claimant
    reason: str
    usage: str  # as read at submit
    currency: str
    claimed: int  # at submit
    reserved: int  # what "claimed" means from then on
    in_flight: int
    settled: int
    approved: int
    instance: str  # "review" or "appeal"
    channel: str  # where the next payout goes
    deadlines: dict[str, Deadline]
    left: dict[str, int]  # working days kept while review / appeal_review stand still
    levels: dict[str, int]  # escalation, per deadline name
    hold: NotRequired[bool]
    evidence: dict[str, dict[str, Json]]  # "1" → {kind, commit, size, media_type, by, role, at, seq, audience}
    request: NotRequired[dict[str, Json]]  # standing evidence request: {kinds, seq}
    rounds: dict[str, int]  # "evidence.review", "offer.appeal", … → used
    offers: dict[str, dict[str, Json]]  # "1" → {by, role, amount, compensation, usage, seq, at, counter, ended}
    standing: NotRequired[str]  # the offer that stands
    rejection: NotRequired[dict[str, Json]]  # {grounds, seq, at, by}
    decided: dict[str, list[str]]  # instance → names of who decided in it
    approval: NotRequired[dict[str, Json]]  # {no, seq, amount, instance, at}
    approvals: int
    firsts: dict[str, dict[str, Json]]  # event → {name, role, terms, seq}
    attempts: dict[str, dict[str, Json]]  # number → {channel, amount, currency, approval, state, void, …}
    enquiry: NotRequired[dict[str, Json]]
    flags: dict[str, int]  # risk flags → seq
    assignee: NotRequired[str]
    clear_evidence: NotRequired[bool]  # the appeal brought evidence that goes first in queues
    kept: NotRequired[dict[str, int]]  # proofs that did not match → seq
    late_reversal: NotRequired[dict[str, Json]]  # {number, amount, seq}
    returned: NotRequired[str]  # PAYOUT_RETURNED: the refund whose payout came back
    chargeback_seen: NotRequired[bool]
    imported: NotRequired[dict[str, Json]]  # from another system: {case, file, row, by, at, digest}
    erased: NotRequired[str]  # when the key of the buyer's data was destroyed


class Line(TypedDict):
    """One order line, as the fold of its own chain; the ledger stands beside it (`Ledger`)."""

    order_id: str
    line: str
    seq: int
    effective_at: str
    buyer: str
    product_type: str
    product: str
    usage: str
    currency: str
    captured: int
    channel: str
    payment_no: str
    paid_at: NotRequired[str]
    completed_at: NotRequired[str]
    valid_from: NotRequired[str]
    valid_to: NotRequired[str]
    chargebacks: dict[str, dict[str, Json]]  # id → {amount, state: open|won|lost, seq, unopened}
    stray: int  # stray payments not yet returned or written off
    written_off: int
    returned_by_hand: NotRequired[int]  # of strays: told as returned by finance, not yet by the channel
    beside: NotRequired[int]  # paid beside every refund: strays, less what was returned beside its refund
    resolved: NotRequired[dict[str, int]]  # proofs of resolved excess → seq
    told: NotRequired[dict[str, int]]  # plain facts → seq of the entry that told them last
    erased: NotRequired[str]  # when the key of the buyer's data was destroyed
    firsts: dict[str, dict[str, Json]]


class Ledger(Struct, frozen=True):
    """The money of one order line in minor units; moved by entries of the line and of its refunds."""

    reserved: int = 0
    in_flight: int = 0
    settled: int = 0
    charged_back: int = 0
    excess: int = 0


LEDGER_COLUMNS = Ledger.__struct_fields__


class Actor(Struct, frozen=True):
    """Who acts: a role, a name, and for a service the buyer for whom it acts."""

    role: str
    name: str
    is_claimant: bool = False  # the name is that of the line's buyer, whatever the role


class Act(Struct, frozen=True):
    """What somebody wants: an event on a refund or a line, with its parameters.

    `texts` are free texts (message, note, reason …): they may identify a person, so entries hold
    only a salted commitment of each. `params` are codes, numbers and references and are written
    in clear. `facts` are what the rules cannot see from the line alone (counts over other orders
    or payments, registrations); they are written into the entry when they decide.
    """

    event: str
    actor: Actor
    refund: str | None = None
    params: Mapping[str, Json] = NOTHING
    texts: Mapping[str, str] = NOTHING
    facts: Mapping[str, Json] = NOTHING
    occurred_at: str | None = None
    probe: bool = False  # only ask what blocks; terms that were not given are not judged


@dataclass(frozen=True, kw_only=True, slots=True)
class Blocker:
    """One reason why an act is refused: a stable code, its parameters, until when if time lifts it."""

    code: str
    params: Mapping[str, Json] = field(default_factory=dict)
    until: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """Why nothing was done: `kind` is "role" or "rule"; `possible` are the events possible instead."""

    kind: Literal["role", "rule"]
    blockers: tuple[Blocker, ...]
    possible: tuple[str, ...]


class Entry(Struct, frozen=True):
    """One entry of a chain as the rules decide it; hash and record time are added by audit.

    Not a dataclass, as effects are not: thousands of them are made while others wait for the lock.
    """

    subject: str  # refund id, or "order/line" of a line
    seq: int
    kind: str  # applied | refused | fact | imported | migrated
    event: str
    before: str | None  # state
    after: str | None
    effective_at: str
    actor: Actor
    params: Mapping[str, Json]
    texts: tuple[str, ...]  # names of the texts whose commitments stand in the body
    patch: Patch  # RFC 7396, to the document of the chain
    ledger: Mapping[str, int]  # changes to the line's ledger
    policy: str
    calendar: str
    cause: int | None = None  # seq of the entry that this one follows from, in the same transaction
    blockers: tuple[Blocker, ...] = ()
    occurred_at: str | None = None


class Effect(Struct, frozen=True):
    """What must leave the process because of an entry."""

    kind: str  # buyer_message | staff_task | payout | channel_query | grant_compensation | entitlement_…
    subject: str
    seq: int
    code: str
    params: Mapping[str, Json]
    effective_at: str


class Aggregate(Struct):
    """One order line with its ledger and every refund on it: what one transaction sees and changes."""

    line: Line
    ledger: Ledger
    refunds: dict[str, Case]


class Decision(Struct, frozen=True):
    """What follows from an act: entries and effects in order, and the answer or the refusal.

    `known` names the entry of the first answer when the act told a fact that is already known.
    """

    aggregate: Aggregate
    entries: tuple[Entry, ...]
    effects: tuple[Effect, ...]
    refusal: Refusal | None = None
    refund: str | None = None  # the refund that the act touched or opened
    entry: int | None = None  # index in `entries` of the act's own entry
    known: int | None = None  # seq
    waiting: bool = False  # the first of two persons: 1 of 2


def merge(document: Mapping[str, Json], patch: Mapping[str, Json]) -> dict[str, Json]:
    """Apply an RFC 7396 merge patch; neither argument is changed."""
    result = dict(document)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            old = result.get(key)
            result[key] = merge(old if isinstance(old, dict) else {}, value)
        else:
            result[key] = value
    return result


def difference(before: Mapping[str, Json], after: Mapping[str, Json]) -> Patch:
    """Return the merge patch that makes `after` of `before`."""
    patch: Patch = {} if before.keys() <= after.keys() else {key: None for key in before if key not in after}
    old = before.get
    for key, new in after.items():
        was = old(key)
        if was is not new and (was != new or type(was) is not type(new)):
            patch[key] = difference(was, new) if type(was) is dict and type(new) is dict else new
    return patch


def line_subject(order_id: str, line: str) -> str:
    """Name the chain of an order line."""
    return f"{order_id}/{line}"


def refund_place(refund: str) -> tuple[str, str]:
    """Read order id and line out of a refund id (``ORDER-LINE-N``: the id lets its partition be found).

    Raises:
        ValueError: not the form of a refund id.
    """
    order_id, line, number = refund.rsplit("-", 2)
    if not (order_id and line and number.isdigit()):
        raise ValueError(refund)
    return order_id, line
