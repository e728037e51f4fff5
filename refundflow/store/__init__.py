"""The only door to the database: short transactions over compiled statements, and what they read and write."""

from refundflow.store.documents import canonical, read_document
from refundflow.store.entries import REGISTER_ORDER
from refundflow.store.log import TILE_WIDTH, LogEnd, Logged, Piece, StoredCheckpoint, Tile
from refundflow.store.log_pages import EntryFacts, LogEntry, LogPage
from refundflow.store.moves import NEAR, goes_first, line_columns, refund_columns
from refundflow.store.rows import (
    FIRST_PREVIOUS,
    Content,
    EffectId,
    EffectRow,
    Head,
    Move,
    PaymentFacts,
    PayoutRow,
    Scene,
    Sealed,
    Sight,
    StaffRow,
    Stored,
    StoredEntry,
    StoredText,
)
from refundflow.store.sessions import Conflict
from refundflow.store.store import Store
from refundflow.store.totals import COUNTED
from refundflow.store.tx import Tx
from refundflow.store.values import written

__all__ = [
    "COUNTED",
    "FIRST_PREVIOUS",
    "NEAR",
    "REGISTER_ORDER",
    "TILE_WIDTH",
    "Conflict",
    "Content",
    "EffectId",
    "EffectRow",
    "EntryFacts",
    "Head",
    "LogEnd",
    "LogEntry",
    "LogPage",
    "Logged",
    "Move",
    "PaymentFacts",
    "PayoutRow",
    "Piece",
    "Scene",
    "Sealed",
    "Sight",
    "StaffRow",
    "Store",
    "Stored",
    "StoredCheckpoint",
    "StoredEntry",
    "StoredText",
    "Tile",
    "Tx",
    "canonical",
    "goes_first",
    "line_columns",
    "read_document",
    "refund_columns",
    "written",
]
