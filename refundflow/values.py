"""The frozen values that the facade returns: never rows, and for a buyer only what a buyer may see."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Self

from states.case import Blocker

Json = Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Attachment:
    """A file to attach as evidence: its kind (of `states.codes.EVIDENCE_KINDS`), content and name."""

    kind: str
    content: bytes
    filename: str = ""
    media_type: str | None = None  # None: told by the name


@dataclass(frozen=True, kw_only=True, slots=True)
class Deadline:
    """A standing deadline: an act is in time strictly before `due_at` (UTC)."""

    name: str
    due_at: datetime
    event: str
    rule: str
    calendar: str
    provisional: bool = False
    extended: bool = False
    lapsed: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """One piece of evidence; `file` is its number in the refund."""

    file: int
    kind: str
    media_type: str
    size: int
    by: str
    role: str
    at: datetime
    audience: str
    commitment: str = ""  # what the chain binds of the content


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """One offer or counter-offer; amounts in minor units; `ended` is None while it stands."""

    offer: int
    by: str
    role: str
    counter: bool
    refund_minor: int
    compensation_minor: int
    at: datetime
    ended: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """One payout number and what became of it."""

    number: str
    channel: str
    amount_minor: int
    currency: str
    state: str
    void: bool
    at: datetime
    reference: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class First:
    """The first of two persons for an event."""

    event: str
    name: str
    role: str
    seq: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Imported:
    """Where a refund that was decided elsewhere comes from: its id there, the file (SHA-256) and its line."""

    case: str
    file: str
    row: int
    by: str
    at: datetime


class Answer:
    """The base of what acts and reads answer with: made when somebody looks at it, each field by itself."""

    __slots__ = ("_field",)
    _field: Callable[[str], Any] | None

    @classmethod
    def later(cls, field: Callable[[str], Any]) -> Self:
        """Stand for the value whose fields `field` makes by name; the look at the last of them lets go of it."""
        value = object.__new__(cls)
        object.__setattr__(value, "_field", field)
        return value

    def __getattr__(self, name: str) -> Any:
        """Make a field: Python asks here for what is not set yet. Of threads that look at once each may make it."""
        names = self.__dataclass_fields__
        if name not in names:
            raise AttributeError(name)
        field = self._field
        if field is None:
            return object.__getattribute__(self, name)  # another thread has just made all
        value = field(name)
        object.__setattr__(self, name, value)
        if name == next(reversed(names)):
            for each in names:
                getattr(self, each)
            object.__setattr__(self, "_field", None)
        return value


@dataclass(frozen=True, kw_only=True, slots=True)
class Refund(Answer):
    """One refund as a reader may see it; amounts in minor units, times in UTC.

    `deadline` is the one that lapses first. `allowed` are the events that nothing blocks for the
    reader. `waiting` tells that the act that returned this value was the first of two persons.
    `texts` are what was written with the standing rejection, offer or request; reads tell them.
    `imported` is told of one that another system decided.
    """

    id: str
    order_id: str
    line: str
    buyer_id: str | None
    product_type: str
    product: str
    usage: str
    reason: str
    phase: str
    state: str
    instance: str
    currency: str
    claimed_minor: int
    reserved_minor: int
    approved_minor: int
    in_flight_minor: int
    settled_minor: int
    channel: str
    submitted_at: datetime
    effective_at: datetime
    seq: int
    deadline: Deadline | None
    deadlines: tuple[Deadline, ...]
    allowed: tuple[str, ...]
    evidence: tuple[Evidence, ...] = ()
    missing_evidence: tuple[tuple[str, ...], ...] = ()
    requested_evidence: tuple[str, ...] = ()
    clear_evidence: bool = False
    offer: Offer | None = None
    offers: tuple[Offer, ...] = ()
    grounds: tuple[str, ...] = ()
    enquiry_since: datetime | None = None
    attempts: tuple[Attempt, ...] = ()
    policy: str = ""
    chart: str = ""
    firsts: tuple[First, ...] = ()
    flags: tuple[str, ...] = ()
    assignee: str | None = None
    hold: bool = False
    level: int = 0
    waiting: bool = False
    texts: Mapping[str, str] = field(default_factory=dict, hash=False)
    imported: Imported | None = None
    erased_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderLine(Answer):
    """One order line with its ledger, in minor units; `left_minor` may still be claimed."""

    order_id: str
    line: str
    buyer_id: str | None
    product_type: str
    product: str
    usage: str
    currency: str
    channel: str
    payment_no: str
    paid_at: datetime | None
    completed_at: datetime | None
    valid_from: datetime | None
    valid_to: datetime | None
    captured_minor: int
    reserved_minor: int
    in_flight_minor: int
    settled_minor: int
    charged_back_minor: int
    excess_minor: int
    left_minor: int
    overpaid: bool
    chargebacks: Mapping[str, Mapping[str, Json]]
    refunds: tuple[str, ...]
    seq: int
    waiting: bool = False
    changed: bool = True  # False: every fact was already known


@dataclass(frozen=True, kw_only=True, slots=True)
class HistoryEntry:
    """One entry of a chain, with the texts that the reader may see; `texts` of an erased buyer are None.

    A `pending` one is not stored yet: it lapsed by the time of the call, and whatever touches the
    refund next records it first. It has no hash.
    """

    subject: str
    seq: int
    kind: str
    event: str
    before: str | None
    after: str | None
    effective_at: datetime
    recorded_at: datetime
    occurred_at: datetime | None
    actor_role: str
    actor_name: str
    params: Mapping[str, Json]
    texts: Mapping[str, str | None]
    blockers: tuple[Blocker, ...]
    deadline: Mapping[str, Json] | None
    ledger: Mapping[str, int]
    policy: str
    calendar: str
    chart: str
    key: str | None
    correlation: str | None
    cause: int | None
    repeats: int
    hash: str
    pending: bool = False
    deadlines: Mapping[str, Json] = field(default_factory=dict)  # what it changed of each; null: ended


@dataclass(frozen=True, kw_only=True, slots=True)
class Dossier:
    """A dossier that was written; `entries` counts those of the refund that it shows."""

    refund: str
    output: str
    lang: str
    entries: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """What a claim for one reason would meet: `outcome` is accepted, rejected (at once) or blocked.

    `verdict` is the cell of Eligibility; `needed` are groups of evidence kinds of which any one
    suffices and that the buyer must bring; the marketplace proves `proven_by_us` itself.
    """

    order_id: str
    line: str
    reason: str
    outcome: str
    verdict: str | None
    grounds: tuple[str, ...]
    blockers: tuple[Blocker, ...]
    needed: tuple[tuple[str, ...], ...]
    proven_by_us: tuple[str, ...]
    window_ends_at: datetime | None
    limit_ends_at: datetime | None
    left_minor: int
    pro_rata_minor: int | None
    currency: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """For one actor: the events possible now, and what blocks each of the others."""

    refund: Refund
    actor: str
    possible: tuple[str, ...]
    blocked: Mapping[str, tuple[Blocker, ...]]


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueItem:
    """One open refund in a queue: whose move it is, and whether its deadline has lapsed before."""

    refund: Refund
    turn: str  # platform, agent, buyer, channel, finance
    urgency: str  # overdue, due_today, waiting, later


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """One page of refunds; `after` asks for the next one, None at the end."""

    refunds: tuple[Refund, ...]
    after: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class StaffMember:
    """One registered person."""

    name: str
    roles: tuple[str, ...]
    active: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What verification found: where, and what is wrong."""

    subject: str
    seq: int | None
    what: str

    def __str__(self) -> str:
        return f"{self.subject}#{self.seq}: {self.what}" if self.seq else f"{self.subject}: {self.what}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Verification:
    """The result of verifying: how much was looked at and every finding."""

    chains: int
    entries: int
    findings: tuple[Finding, ...]
    leaves: int = 0
    checkpoints: int = 0

    @property
    def ok(self) -> bool:
        """Tell that nothing is wrong."""
        return not self.findings


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredText:
    """One text that is kept of a buyer: in which chain, with which entry."""

    subject: str
    seq: int
    field: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredFile:
    """One file that is kept of a buyer, with the SHA-256 of its content."""

    refund: str
    file: int
    kind: str
    name: str
    media_type: str
    size: int
    sha256: str | None
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class PersonalData:
    """Everything that is kept of one buyer."""

    buyer_id: str
    orders: tuple[OrderLine, ...]
    refunds: tuple[Refund, ...]
    texts: tuple[StoredText, ...]
    files: tuple[StoredFile, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Erasure:
    """What an erasure did; `buyer` is the reference that is left of him."""

    buyer: str
    reason: str
    erased_at: datetime
    resumed: bool = False  # an interrupted one was ended
    lines: int = 0
    refunds: int = 0
    texts: int = 0
    files: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class HistoryImport:
    """What became of the cases of a file; `file` is its SHA-256, as the entries name it."""

    file: str
    dry_run: bool
    imported: int
    unchanged: int
    rejected: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """One field of one stored row that is not what the entries of its chain say."""

    subject: str
    field: str  # a column, or the path of a field in the document
    stored: Json
    replayed: Json


@dataclass(frozen=True, kw_only=True, slots=True)
class Replay:
    """What was replayed, and every difference between that and what is stored; none: they are equal."""

    chains: int
    entries: int
    rows: int
    differences: tuple[Difference, ...]

    @property
    def ok(self) -> bool:
        """Tell that stored and replayed state are equal."""
        return not self.differences


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """What one round of the system's own work did."""

    lapsed: int = 0
    warned: int = 0
    dispatched: int = 0
    sent: int = 0
    settled: int = 0
    refused: int = 0
    retried: int = 0
    approved: int = 0
    returned: int = 0
    handed_over: int = 0

    def __bool__(self) -> bool:
        """Tell whether anything was done."""
        return any(
            (
                self.lapsed,
                self.warned,
                self.dispatched,
                self.sent,
                self.settled,
                self.refused,
                self.retried,
                self.approved,
                self.returned,
                self.handed_over,
            )
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class PendingEffect:
    """Something that has not left the process yet; `next_try_at` is None where it was given up."""

    effect: int
    refund: str
    seq: int
    kind: str
    code: str
    params: Mapping[str, Json]
    recorded_at: datetime
    tries: int
    next_try_at: datetime | None
    problem: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivered:
    """What one round of delivery did; `dead` of the failed were given up."""

    delivered: int
    failed: int
    dead: int

    def __bool__(self) -> bool:
        """Tell whether anything was tried."""
        return bool(self.delivered or self.failed)


@dataclass(frozen=True, kw_only=True, slots=True)
class CalendarStatus:
    """The calendar in force: how far it reaches, and how many open refunds were counted beyond that."""

    version: str
    first: date
    last: date
    days_left: int
    ends_soon: bool
    imports: int
    provisional: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CalendarImport:
    """What an import of a calendar did."""

    version: str
    last: date
    recomputed: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Numbers:
    """What operations watch: totals by (name, labels), and what stands open, waits or is late now."""

    totals: Mapping[tuple[str, tuple[str, ...]], int]
    open_by_state: Mapping[str, int]
    waiting_by_kind: Mapping[str, int]
    dead: int
    lag_seconds: float
    outbox_lag_seconds: float
    coverage_days: int
    uncounted: int
    unsigned: int
    checkpoint_age_seconds: float
    unfinished_erasures: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportFilters:
    """What an export is limited to; nothing given: every entry.

    `recorded_from` ≤ recorded time < `recorded_to` and `since_size` (a size of the log: the entries after it)
    choose entries. The others choose refunds, each with its whole chain and that of its order line: `states`
    (leaf or phase) as they stood at the checkpoint, `products`, `agents` who did something on it, the claimed
    amount in minor units, `refunds` by id.
    """

    recorded_from: datetime | None = None
    recorded_to: datetime | None = None
    states: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    min_amount: int | None = None
    max_amount: int | None = None
    refunds: tuple[str, ...] = ()
    since_size: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Exported:
    """What an export wrote: how many entries of the log, which files, and the manifest that binds them."""

    entries: int
    files: tuple[str, ...]
    manifest: str
    size: int  # of the log that it covers
    signed: bool
    resumed: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    """One head of the log: so many leaves and their root; `note` is None where nobody has signed it."""

    number: int
    size: int
    root: str
    note: str | None
    made_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class LogKey:
    """One public key of the register; `until` is None while it may sign."""

    vkey: str
    id: str
    since: datetime
    until: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    """What a proof or a checkpoint proves, once it was checked with trusted keys alone."""

    kind: str
    origin: str
    size: int
    first: int | None = None
    subject: str | None = None
    entries: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class CaseFile:
    """Everything that a reader may see of one refund, of one moment: the refund, its line, both histories.

    `stored` counts the entries of the refund's chain, the ones that the reader may not see too, and `head` is the
    hash of its newest one; the first `covered` of them are under `checkpoint`, the newest of the log. `digests` are
    the SHA-256 of the contents of evidence by number, nothing once erased.
    """

    refund: Refund
    line: OrderLine
    entries: tuple[HistoryEntry, ...]
    line_entries: tuple[HistoryEntry, ...]
    digests: Mapping[int, str]
    stored: int
    head: str
    checkpoint: Checkpoint | None
    covered: int
    zone: str
    made_at: datetime
    rehearsal: bool
    for_buyer: bool
