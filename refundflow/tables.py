"""The tables: one SQLModel class each, with the CHECKs and indexes that carry the invariants of the workflow.

Every table of an order has `order_id` in its primary key, so that an order's rows can lie together on one
server of several. Documents (`document`, `params`, `content`) are canonical JSON or TOML as text; the columns
beside a document are derived from it, so that the database itself can check, find and sort.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    TypeDecorator,
    text,
)
from sqlalchemy.types import TypeEngine
from sqlmodel import Field, SQLModel

from states import times

# The leaves of the chart refund/1; a test compares them with the chart.
LEAVES = (
    "submitted", "under_review.reviewing", "under_review.negotiating", "awaiting_evidence",
    "approved.payable", "approved.paying", "approved.payout_failed", "rejected.appealable",
    "rejected.closed", "appealed", "paid_out.settled", "paid_out.confirmed", "withdrawn",
)  # fmt: skip
FINAL = ("rejected.closed", "paid_out.confirmed", "withdrawn")
KINDS = ("applied", "refused", "fact", "migrated", "imported")

# Names compare by their bytes on both databases, so that both sort and page alike.
Name = Text().with_variant(Text(collation="C"), "postgresql")
# SQLite numbers rows only in a column that is called INTEGER.
Number = BigInteger().with_variant(Integer, "sqlite")


class Moment(TypeDecorator[datetime]):
    """A moment in UTC: `timestamptz` on PostgreSQL, the fixed-width text of `states.times` on SQLite.

    Raises:
        ValueError: a naive datetime is given.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the column's own type."""
        own: TypeEngine[Any] = String(27) if dialect.name == "sqlite" else DateTime(timezone=True)
        return dialect.type_descriptor(own)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Refuse a naive moment; write text on SQLite."""
        if value is None:
            return None
        written = times.text(value)
        return written if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Return an aware moment in UTC."""
        if value is None:
            return None
        return times.moment(value if isinstance(value, str) else value.isoformat())


def _one_of(column: str, values: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


def _where_set(name: str, *columns: str, when: str = "", unique: bool = False) -> Index:
    """Index only the rows in which a column is set: the one that is named, else the last."""
    condition = text(f"{when or columns[-1]} IS NOT NULL")
    return Index(name, *columns, unique=unique, sqlite_where=condition, postgresql_where=condition)


class Base(SQLModel):
    """The parent of all tables: its metadata names every constraint, so that migrations can name it too."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(referred_table_name)s",
        }
    )


class Meta(Base, table=True):
    """What the database says of itself: mode, secret, time of the rehearsal."""

    __tablename__ = "meta"

    key: str = Field(sa_type=Text, primary_key=True)
    value: str = Field(sa_type=Text)


class OrderLine(Base, table=True):
    """One order line: its facts as a document, and its ledger, which no race can pass (CHECK)."""

    __tablename__ = "order_lines"
    __table_args__ = (
        *(
            CheckConstraint(f"{column} >= 0", name=column)
            for column in ("captured", "reserved", "in_flight", "settled", "charged_back", "excess")
        ),
        CheckConstraint("reserved + in_flight + settled <= captured + excess", name="ledger"),
        Index(None, "buyer", "order_id", "line"),
    )

    order_id: str = Field(sa_type=Name, primary_key=True)
    line: str = Field(sa_type=Name, primary_key=True)
    buyer: str = Field(sa_type=Name)
    payment_no: str = Field(sa_type=Name, index=True)
    channel: str = Field(sa_type=Text)
    currency: str = Field(sa_type=Text)
    captured: int = Field(sa_type=BigInteger)
    reserved: int = Field(sa_type=BigInteger)
    in_flight: int = Field(sa_type=BigInteger)
    settled: int = Field(sa_type=BigInteger)
    charged_back: int = Field(sa_type=BigInteger)
    excess: int = Field(sa_type=BigInteger)
    document: str = Field(sa_type=Text)
    seq: int = Field(sa_type=BigInteger)
    head: str = Field(sa_type=Text)
    version: int = Field(sa_type=BigInteger)
    refusal: str | None = Field(sa_type=Text)
    repeats: int = Field(sa_type=Integer)


class Refund(Base, table=True):
    """One refund, the hot row: its document, and what the database needs to find, order and check it."""

    __tablename__ = "refunds"
    __table_args__ = (
        ForeignKeyConstraint(["order_id", "line"], ["order_lines.order_id", "order_lines.line"]),
        CheckConstraint(_one_of("state", LEAVES), name="state"),
        CheckConstraint(f"({_one_of('state', FINAL)}) = (next_due_at IS NULL)", name="standing_deadline"),
        CheckConstraint("in_flight >= 0 AND settled >= 0", name="amounts"),
        CheckConstraint("in_flight + settled <= approved AND approved <= claimed", name="approved"),
        # Thousands may be due at one midnight: with the id behind the moment the first of them are found unsorted.
        # With the state behind both, what stands open is counted without reading rows among millions that are over.
        _where_set("ix_refunds_due", "next_due_at", "id", "state", when="next_due_at"),
        _where_set("ix_refunds_warn", "next_warn_at", "id", when="next_warn_at"),
        _where_set("ix_refunds_clear", "clear_due_at", "id", when="clear_due_at"),
        _where_set("ix_refunds_assignee", "assignee", "next_due_at", "id", when="assignee"),
        Index(None, "order_id", "line"),
        Index(None, "submitted_at", "id"),
        Index(None, "buyer", "submitted_at"),
    )

    order_id: str = Field(sa_type=Name, primary_key=True)
    id: str = Field(sa_type=Name, primary_key=True)
    line: str = Field(sa_type=Name)
    state: str = Field(sa_type=Text)
    buyer: str = Field(sa_type=Name)
    submitted_at: datetime = Field(sa_type=Moment)
    next_due_at: datetime | None = Field(sa_type=Moment)
    next_warn_at: datetime | None = Field(sa_type=Moment)
    warned_at: datetime | None = Field(sa_type=Moment)
    clear_due_at: datetime | None = Field(sa_type=Moment)
    assignee: str | None = Field(sa_type=Text)
    claimed: int = Field(sa_type=BigInteger)
    approved: int = Field(sa_type=BigInteger)
    in_flight: int = Field(sa_type=BigInteger)
    settled: int = Field(sa_type=BigInteger)
    abused: bool
    document: str = Field(sa_type=Text)
    seq: int = Field(sa_type=BigInteger)
    head: str = Field(sa_type=Text)
    version: int = Field(sa_type=BigInteger)
    refusal: str | None = Field(sa_type=Text)
    repeats: int = Field(sa_type=Integer)


class Transition(Base, table=True):
    """One entry of a chain, append only: `body` is what `hash` is of, the columns beside it repeat it.

    `gid` numbers rows as they were written, gaps possible. On PostgreSQL a smaller number may become visible
    after a greater one: it is no cursor across snapshots. On SQLite it is the primary key.
    """

    __tablename__ = "transitions"
    __table_args__ = (
        PrimaryKeyConstraint("order_id", "subject", "seq"),
        CheckConstraint(_one_of("kind", KINDS), name="kind"),
        CheckConstraint("seq >= 1", name="seq"),
        Index(None, "gid"),
        _where_set("uq_transitions_key", "order_id", "key_scope", "key", unique=True),
    )

    gid: int = Field(sa_column=Column(Number, Identity(always=True), nullable=False))
    order_id: str = Field(sa_type=Name)
    subject: str = Field(sa_type=Name)
    seq: int = Field(sa_type=BigInteger)
    kind: str = Field(sa_type=Text)
    event: str = Field(sa_type=Text)
    before: str | None = Field(sa_type=Text)
    after: str | None = Field(sa_type=Text)
    effective_at: datetime = Field(sa_type=Moment)
    recorded_at: datetime = Field(sa_type=Moment)
    actor_role: str = Field(sa_type=Text)
    actor_name: str = Field(sa_type=Text)
    key_scope: str | None = Field(sa_type=Name)
    key: str | None = Field(sa_type=Name)
    request_hash: str | None = Field(sa_type=Text)
    body: bytes = Field(sa_type=LargeBinary)
    hash: str = Field(sa_type=Text)


class PendingEffect(Base, table=True):
    """What must still leave the process; gone when done. A number is never given twice."""

    __tablename__ = "effects"
    __table_args__ = (
        PrimaryKeyConstraint("order_id", "id"),
        _where_set("ix_effects_waiting", "next_try_at"),
        _where_set("ix_effects_kind", "kind", "next_try_at"),
        Index(
            "ix_effects_dead",
            "id",
            sqlite_where=text("next_try_at IS NULL"),
            postgresql_where=text("next_try_at IS NULL"),
        ),
        Index(None, "order_id", "subject", "id"),
    )

    id: int = Field(sa_column=Column(Number, Identity(always=True), nullable=False))
    order_id: str = Field(sa_type=Name)
    subject: str = Field(sa_type=Name)
    seq: int = Field(sa_type=BigInteger)
    kind: str = Field(sa_type=Text)
    code: str = Field(sa_type=Text)
    params: str = Field(sa_type=Text)
    effective_at: datetime = Field(sa_type=Moment)
    recorded_at: datetime = Field(sa_type=Moment)
    tries: int = Field(sa_type=Integer)
    next_try_at: datetime | None = Field(default=None, sa_type=Moment)  # null: given up, a dead letter
    problem: str | None = Field(default=None, sa_type=Text)  # why the last try failed


class Total(Base, table=True):
    """One number that is counted on as entries come; only metrics ask for it, and it can be counted again."""

    __tablename__ = "totals"

    name: str = Field(sa_type=Name, primary_key=True)
    labels: str = Field(sa_type=Name, primary_key=True)
    value: int = Field(sa_type=BigInteger)


class Payout(Base, table=True):
    """One number of a payout with its parameters and where it stands; never deleted."""

    __tablename__ = "payouts"
    __table_args__ = (
        CheckConstraint("amount > 0", name="amount"),
        _where_set("ix_payouts_ask", "next_ask_at"),
    )

    order_id: str = Field(sa_type=Name, primary_key=True)
    number: str = Field(sa_type=Name, primary_key=True, index=True)
    subject: str = Field(sa_type=Name)
    payment_no: str = Field(sa_type=Name, index=True)
    channel: str = Field(sa_type=Text)
    amount: int = Field(sa_type=BigInteger)
    currency: str = Field(sa_type=Text)
    state: str = Field(sa_type=Text)
    void: bool
    dispatched_at: datetime | None = Field(sa_type=Moment)
    asked: int = Field(sa_type=Integer)
    next_ask_at: datetime | None = Field(sa_type=Moment)


class Staff(Base, table=True):
    """One registered person; the chain "staff" says how the row came to be."""

    __tablename__ = "staff"

    name: str = Field(sa_type=Name, primary_key=True)
    roles: str = Field(sa_type=Text)
    active: bool
    document: str = Field(sa_type=Text)


class Buyer(Base, table=True):
    """One buyer: the key of all that can identify him; of an erased one only `ref` is left, the rest is overwritten."""

    __tablename__ = "buyers"

    ref: str = Field(sa_type=Name, primary_key=True)
    lookup: str | None = Field(sa_type=Text, unique=True)
    key: bytes | None = Field(sa_type=LargeBinary)
    cipher: bytes | None = Field(sa_type=LargeBinary)


class Personal(Base, table=True):
    """One text of an entry, encrypted with the key of the buyer whose refund it is in."""

    __tablename__ = "personal"

    order_id: str = Field(sa_type=Name, primary_key=True)
    subject: str = Field(sa_type=Name, primary_key=True)
    seq: int = Field(sa_type=BigInteger, primary_key=True)
    field: str = Field(sa_type=Name, primary_key=True)
    buyer: str = Field(sa_type=Name, index=True)
    cipher: bytes = Field(sa_type=LargeBinary)


class EvidenceContent(Base, table=True):
    """The content of evidence, stored once per buyer, encrypted with his key; `digest` is its commitment."""

    __tablename__ = "evidence_content"

    buyer: str = Field(sa_type=Name, primary_key=True)
    digest: str = Field(sa_type=Name, primary_key=True)
    cipher: bytes = Field(sa_type=LargeBinary)


class TilePiece(Base, table=True):
    """Some hashes in a row of one tile (256 wide) of the log's Merkle tree, append only.

    A tile is its pieces in the order of `start`. On level 0 the hashes are of leaves, and `gids` are the numbers of
    their entries, eight bytes each; on a level above, each is the root of a full tile below.
    """

    __tablename__ = "tiles"
    __table_args__ = (
        PrimaryKeyConstraint("level", "number", "start"),
        CheckConstraint("(level = 0) = (gids IS NOT NULL AND first_gid IS NOT NULL)", name="leaves"),
        CheckConstraint("start >= 0 AND start + length(hashes) / 32 <= 256", name="width"),
        _where_set("ix_tiles_first_gid", "first_gid"),
    )

    level: int = Field(sa_type=Integer)
    number: int = Field(sa_type=Number)
    start: int = Field(sa_type=Integer)
    hashes: bytes = Field(sa_type=LargeBinary)
    gids: bytes | None = Field(sa_type=LargeBinary)
    first_gid: int | None = Field(sa_type=BigInteger)


class CheckpointRow(Base, table=True):
    """One head of the log's tree, append only; `note` is the signed checkpoint, null where nobody has signed."""

    __tablename__ = "checkpoints"
    __table_args__ = (CheckConstraint("size >= 0", name="size"), Index(None, "size", "number"))

    number: int = Field(sa_column=Column(Number, primary_key=True, autoincrement=False))
    size: int = Field(sa_type=BigInteger)
    root: str = Field(sa_type=Text)
    note: str | None = Field(sa_type=Text)
    made_at: datetime = Field(sa_type=Moment)


class PolicyText(Base, table=True):
    """One policy by the version that its content gives it."""

    __tablename__ = "policies"

    version: str = Field(sa_type=Name, primary_key=True)
    content: str = Field(sa_type=Text)


class CalendarText(Base, table=True):
    """One calendar in the order of import; the shipped one has no moment of import."""

    __tablename__ = "calendars"

    ordinal: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    version: str = Field(sa_type=Name)
    imported_at: datetime | None = Field(sa_type=Moment)
    content: str = Field(sa_type=Text)


def table_of(model: type[SQLModel]) -> Table:
    """Return the SQLAlchemy table of a model."""
    return Base.metadata.tables[str(model.__tablename__)]
