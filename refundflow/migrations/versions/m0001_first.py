"""The first schema: orders, refunds, chains, payouts, people, personal data."""

import sqlalchemy as sa
from alembic import op

from refundflow.migrations.guards import install_guards

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
MOMENT = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")
NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
LEAVES = (
    "'submitted', 'under_review.reviewing', 'under_review.negotiating', 'awaiting_evidence', "
    "'approved.payable', 'approved.paying', 'approved.payout_failed', 'rejected.appealable', "
    "'rejected.closed', 'appealed', 'paid_out.settled', 'paid_out.confirmed', 'withdrawn'"
)
FINAL = "'rejected.closed', 'paid_out.confirmed', 'withdrawn'"
KINDS = "'applied', 'refused', 'fact', 'migrated', 'imported'"
AMOUNTS = ("captured", "reserved", "in_flight", "settled", "charged_back", "excess")


def upgrade() -> None:
    """Create every table, index and guard."""
    _meta()
    _order_lines()
    _refunds()
    _transitions()
    _effects()
    _payouts()
    _people()
    _rules()
    install_guards(op.get_bind())


def downgrade() -> None:
    """Refuse: entries are never deleted."""
    raise NotImplementedError("a schema is never downgraded: restore a backup instead")


def _text(name: str, *, null: bool = False, kind: sa.types.TypeEngine[str] | None = None) -> sa.Column[str]:
    return sa.Column(name, kind or sa.Text(), nullable=null)


def _name(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, NAME, nullable=null)


def _whole(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False)


def _moment(name: str, *, null: bool = False) -> sa.Column[object]:
    return sa.Column(name, MOMENT, nullable=null)


def _bytes(name: str, *, null: bool = False) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary(), nullable=null)


def _where_set(name: str, table: str, columns: list[str], *, unique: bool = False) -> None:
    condition = sa.text(f"{columns[-1]} IS NOT NULL")
    op.create_index(name, table, columns, unique=unique, sqlite_where=condition, postgresql_where=condition)


def _check(table: str, name: str, condition: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(condition, name=op.f(f"ck_{table}_{name}"))


def _key(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=op.f(f"pk_{table}"))


def _numbered(number: str, table: str, *key: str) -> list[sa.schema.SchemaItem]:
    """Make a column that numbers rows: an ordinary identity on PostgreSQL, the row id on SQLite."""
    if op.get_bind().dialect.name == "sqlite":
        return [
            sa.Column(number, sa.Integer(), nullable=False),
            sa.PrimaryKeyConstraint(number, name=op.f(f"pk_{table}")),
        ]
    return [sa.Column(number, NUMBER, sa.Identity(always=True), nullable=False), _key(table, *key)]


def _meta() -> None:
    op.create_table("meta", _text("key"), _text("value"), _key("meta", "key"))


def _order_lines() -> None:
    op.create_table(
        "order_lines",
        *(_name("order_id"), _name("line"), _name("buyer"), _name("payment_no")),
        *(_text("channel"), _text("currency")),
        *(_whole(amount) for amount in AMOUNTS),
        *(_text("document"), _whole("seq"), _text("head"), _whole("version")),
        *(_text("refusal", null=True), sa.Column("repeats", sa.Integer(), nullable=False)),
        _key("order_lines", "order_id", "line"),
        *(_check("order_lines", amount, f"{amount} >= 0") for amount in AMOUNTS),
        _check("order_lines", "ledger", "reserved + in_flight + settled <= captured + excess"),
    )
    op.create_index("ix_order_lines_payment_no", "order_lines", ["payment_no"])


def _refunds() -> None:
    op.create_table(
        "refunds",
        *(_name("order_id"), _name("id"), _name("line"), _text("state"), _name("buyer")),
        *(_moment("submitted_at"), _moment("next_due_at", null=True)),
        *(_moment("next_warn_at", null=True), _moment("warned_at", null=True)),
        *(_whole("claimed"), _whole("approved"), _whole("in_flight"), _whole("settled")),
        sa.Column("abused", sa.Boolean(), nullable=False),
        *(_text("document"), _whole("seq"), _text("head"), _whole("version")),
        *(_text("refusal", null=True), sa.Column("repeats", sa.Integer(), nullable=False)),
        _key("refunds", "order_id", "id"),
        sa.ForeignKeyConstraint(
            ["order_id", "line"],
            ["order_lines.order_id", "order_lines.line"],
            name=op.f("fk_refunds_order_lines"),
        ),
        _check("refunds", "state", f"state IN ({LEAVES})"),
        _check("refunds", "standing_deadline", f"(state IN ({FINAL})) = (next_due_at IS NULL)"),
        _check("refunds", "amounts", "in_flight >= 0 AND settled >= 0"),
        _check("refunds", "approved", "in_flight + settled <= approved AND approved <= claimed"),
    )
    _where_set("ix_refunds_due", "refunds", ["next_due_at"])
    _where_set("ix_refunds_warn", "refunds", ["next_warn_at"])
    op.create_index("ix_refunds_order_id_line", "refunds", ["order_id", "line"])
    op.create_index("ix_refunds_submitted_at_id", "refunds", ["submitted_at", "id"])
    op.create_index("ix_refunds_buyer_submitted_at", "refunds", ["buyer", "submitted_at"])


def _transitions() -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    key = ("order_id", "subject", "seq")
    op.create_table(
        "transitions",
        *_numbered("gid", "transitions", *key),
        *(_name("order_id"), _name("subject"), _whole("seq"), _text("kind"), _text("event")),
        *(_text("before", null=True), _text("after", null=True)),
        *(_moment("effective_at"), _moment("recorded_at"), _text("actor_role"), _text("actor_name")),
        *(_name("key_scope", null=True), _name("key", null=True), _text("request_hash", null=True)),
        *(_bytes("body"), _text("hash")),
        _check("transitions", "kind", f"kind IN ({KINDS})"),
        _check("transitions", "seq", "seq >= 1"),
        *([sa.UniqueConstraint(*key, name=op.f("uq_transitions_order_id_subject_seq"))] if sqlite else []),
    )
    if not sqlite:
        op.create_index("ix_transitions_gid", "transitions", ["gid"])
    _where_set("uq_transitions_key", "transitions", ["order_id", "key_scope", "key"], unique=True)


def _effects() -> None:
    op.create_table(
        "effects",
        *_numbered("id", "effects", "order_id", "id"),
        *(_name("order_id"), _name("subject"), _whole("seq"), _text("kind"), _text("code"), _text("params")),
        *(_moment("effective_at"), _moment("recorded_at")),
        *(
            sa.Column("tries", sa.Integer(), nullable=False),
            _moment("next_try_at", null=True),
            _text("problem", null=True),
        ),
        sqlite_autoincrement=True,
    )
    _where_set("ix_effects_waiting", "effects", ["next_try_at"])
    op.create_index("ix_effects_order_id_subject_id", "effects", ["order_id", "subject", "id"])


def _payouts() -> None:
    op.create_table(
        "payouts",
        *(_name("order_id"), _name("number"), _name("subject"), _name("payment_no")),
        *(_text("channel"), _whole("amount"), _text("currency"), _text("state")),
        sa.Column("void", sa.Boolean(), nullable=False),
        _moment("dispatched_at", null=True),
        *(sa.Column("asked", sa.Integer(), nullable=False), _moment("next_ask_at", null=True)),
        _key("payouts", "order_id", "number"),
        _check("payouts", "amount", "amount > 0"),
    )
    op.create_index("ix_payouts_number", "payouts", ["number"])
    op.create_index("ix_payouts_payment_no", "payouts", ["payment_no"])
    _where_set("ix_payouts_ask", "payouts", ["next_ask_at"])


def _people() -> None:
    op.create_table(
        "staff",
        *(_name("name"), _text("roles"), sa.Column("active", sa.Boolean(), nullable=False)),
        *(_text("document"), _key("staff", "name")),
    )
    op.create_table(
        "buyers",
        *(_name("ref"), _text("lookup", null=True), _bytes("key", null=True), _bytes("cipher", null=True)),
        _key("buyers", "ref"),
        sa.UniqueConstraint("lookup", name=op.f("uq_buyers_lookup")),
    )
    op.create_table(
        "personal",
        *(_name("order_id"), _name("subject"), _whole("seq"), _name("field"), _name("buyer")),
        *(_bytes("cipher"), _key("personal", "order_id", "subject", "seq", "field")),
    )
    op.create_index("ix_personal_buyer", "personal", ["buyer"])
    op.create_table(
        "evidence_content",
        *(_name("buyer"), _name("digest"), _bytes("cipher")),
        _key("evidence_content", "buyer", "digest"),
    )


def _rules() -> None:
    op.create_table("policies", _name("version"), _text("content"), _key("policies", "version"))
    op.create_table(
        "calendars",
        sa.Column("ordinal", sa.Integer(), autoincrement=False, nullable=False),
        *(_name("version"), _moment("imported_at", null=True), _text("content")),
        _key("calendars", "ordinal"),
    )
