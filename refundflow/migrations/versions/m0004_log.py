"""Tables of the log: the tiles of its Merkle tree, and checkpoints; both append-only."""

import sqlalchemy as sa
from alembic import op

from refundflow.migrations.guards import install_guards

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
OF_LEAVES = sa.text("first_gid IS NOT NULL")


def upgrade() -> None:
    """Create both tables and their guards; nothing is numbered yet, the next checkpoint does that."""
    moment = sa.String(27) if op.get_bind().dialect.name == "sqlite" else sa.DateTime(timezone=True)
    op.create_table(
        "tiles",
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("start", sa.Integer(), nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.Column("gids", sa.LargeBinary(), nullable=True),
        sa.Column("first_gid", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("level", "number", "start", name="pk_tiles"),
        sa.CheckConstraint("(level = 0) = (gids IS NOT NULL AND first_gid IS NOT NULL)", name=op.f("ck_tiles_leaves")),
        sa.CheckConstraint("start >= 0 AND start + length(hashes) / 32 <= 256", name=op.f("ck_tiles_width")),
    )
    op.create_index("ix_tiles_first_gid", "tiles", ["first_gid"], sqlite_where=OF_LEAVES, postgresql_where=OF_LEAVES)
    op.create_table(
        "checkpoints",
        sa.Column("number", NUMBER, autoincrement=False, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("made_at", moment, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_checkpoints"),
        sa.CheckConstraint("size >= 0", name=op.f("ck_checkpoints_size")),
    )
    op.create_index("ix_checkpoints_size_number", "checkpoints", ["size", "number"])
    install_guards(op.get_bind(), "tiles", "checkpoints")


def downgrade() -> None:
    """Forget the log; the entries stay, and what was published stays where it is."""
    op.drop_table("checkpoints")
    op.drop_table("tiles")
