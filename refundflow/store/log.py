"""The log as it is stored: pieces of tiles with the numbers of their entries, and checkpoints; only ever added to."""

import struct
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import BigInteger, Integer, bindparam, desc, func, select, tuple_

from refundflow.store.horizon import Horizon
from refundflow.store.sessions import Row
from refundflow.store.statements import insert_row
from refundflow.store.values import moment
from refundflow.tables import CheckpointRow, TilePiece, Transition, table_of
from states import times

HASH_SIZE, GID_SIZE = 32, 8  # bytes
TILE_WIDTH = 256  # hashes
PAGE = 500
_LOCK = 7_265_667_500_003  # of pg_advisory_xact_lock, so that one at a time adds to the log

_ENTRY = table_of(Transition)
_TILE = table_of(TilePiece)
_CHECKPOINT = table_of(CheckpointRow)

LOCK = select(func.pg_advisory_xact_lock(bindparam("lock", type_=BigInteger())))
READ_UNNUMBERED = (
    select(_ENTRY.c.gid, _ENTRY.c.hash)
    .where(
        _ENTRY.c.gid > bindparam("after", type_=BigInteger()), _ENTRY.c.gid <= bindparam("until", type_=BigInteger())
    )
    .order_by(_ENTRY.c.gid)
    .limit(bindparam("page"))
)
READ_LOG_END = (
    select(_TILE.c.number, _TILE.c.start, _TILE.c.hashes, _TILE.c.gids)
    .where(_TILE.c.level == 0)
    .order_by(desc(_TILE.c.number), desc(_TILE.c.start))
    .limit(1)
)
READ_TILE = (
    select(_TILE.c.start, _TILE.c.hashes, _TILE.c.gids)
    .where(_TILE.c.level == bindparam("level"), _TILE.c.number == bindparam("number"))
    .order_by(_TILE.c.start)
)
READ_PIECE_OF = (
    select(_TILE.c.number, _TILE.c.start, _TILE.c.gids)
    .where(_TILE.c.first_gid.is_not(None), _TILE.c.first_gid <= bindparam("gid", type_=BigInteger()))
    .order_by(desc(_TILE.c.first_gid))
    .limit(1)
)
READ_PIECES = (
    select(_TILE)
    .where(
        _TILE.c.level == bindparam("level"),
        tuple_(bindparam("number", type_=BigInteger()), bindparam("start", type_=Integer()))
        < tuple_(_TILE.c.number, _TILE.c.start),
    )
    .order_by(_TILE.c.number, _TILE.c.start)
    .limit(bindparam("page"))
)
READ_LOGGED = (
    select(_ENTRY.c.gid, _ENTRY.c.subject, _ENTRY.c.seq, _ENTRY.c.recorded_at, _ENTRY.c.body)
    .where(_ENTRY.c.gid > bindparam("after", type_=BigInteger()))
    .order_by(_ENTRY.c.gid)
    .limit(bindparam("page"))
)
ADD_PIECE = insert_row(TilePiece)
ADD_CHECKPOINT = insert_row(CheckpointRow)
NEWEST_CHECKPOINT = select(_CHECKPOINT).order_by(desc(_CHECKPOINT.c.number)).limit(1)
NEWEST_SIGNED = NEWEST_CHECKPOINT.where(_CHECKPOINT.c.note.is_not(None))
CHECKPOINT_OF = (
    select(_CHECKPOINT).where(_CHECKPOINT.c.size == bindparam("size")).order_by(desc(_CHECKPOINT.c.number)).limit(1)
)
FIRST_ABOVE = (
    select(_CHECKPOINT)
    .where(_CHECKPOINT.c.size > bindparam("leaf", type_=BigInteger()))
    .order_by(_CHECKPOINT.c.size, _CHECKPOINT.c.number)
    .limit(1)
)
LIST_CHECKPOINTS = (
    select(_CHECKPOINT)
    .where(_CHECKPOINT.c.number > bindparam("after", type_=BigInteger()))
    .order_by(_CHECKPOINT.c.number)
    .limit(bindparam("page"))
)


class LogEnd(NamedTuple):
    """How many leaves are numbered, and the number of the last one's entry (0: none yet)."""

    size: int
    last_gid: int


class Tile(NamedTuple):
    """A tile as far as it goes: its hashes, and on level 0 the numbers of their entries."""

    hashes: bytes
    gids: tuple[int, ...]


class Piece(NamedTuple):
    """Some hashes to be added to a tile, on level 0 with the numbers of their entries."""

    level: int
    number: int
    start: int
    hashes: bytes
    gids: tuple[int, ...] | None = None


class Logged(NamedTuple):
    """What the log binds of an entry, and where it stands."""

    gid: int
    subject: str
    seq: int
    recorded_at: datetime
    body: bytes


class StoredCheckpoint(NamedTuple):
    """One head of the tree: `root` in hexadecimal digits, `note` as signed (None: nobody has signed)."""

    number: int
    size: int
    root: str
    note: str | None
    made_at: datetime


class Log(Horizon):
    """Reading the log and adding to its end."""

    def hold_log(self) -> None:
        """Keep everybody else from adding to the log until the transaction ends; on SQLite the writer is alone."""
        if self.session.dialect == "postgresql":
            self.session.rows(LOCK, lock=_LOCK)

    def log_end(self) -> LogEnd:
        """Return how far the log is numbered."""
        row = self.session.one(READ_LOG_END)
        if row is None:
            return LogEnd(0, 0)
        number, start, hashes, gids = row
        return LogEnd(number * TILE_WIDTH + start + len(bytes(hashes)) // HASH_SIZE, _gids(bytes(gids))[-1])

    def unnumbered(self, after_gid: int, until: int, limit: int) -> list[tuple[int, str]]:
        """Return (number, hash) of the next entries behind `after_gid` up to a horizon, in log order."""
        rows = self.session.rows(READ_UNNUMBERED, after=after_gid, until=until, page=limit)
        self.session.forget_pages()
        return [(row[0], row[1]) for row in rows]

    def tile(self, level: int, number: int) -> Tile:
        """Return a tile, empty where there is none."""
        rows = self.session.rows(READ_TILE, level=level, number=number)
        hashes = b"".join(bytes(row[1]) for row in rows)
        return Tile(hashes, tuple(gid for row in rows if row[2] is not None for gid in _gids(bytes(row[2]))))

    def pieces(self, level: int) -> Iterator[Piece]:
        """Yield the pieces of all tiles of a level, in order.

        Raises:
            ValueError: one cannot be read.
        """
        place = (-1, -1)
        while rows := self.session.rows(READ_PIECES, level=level, number=place[0], start=place[1], page=PAGE):
            for _, number, start, hashes, gids, first in rows:
                told = None if gids is None else _gids(bytes(gids))
                if told is not None and told[:1] != (first,):
                    raise ValueError(f"tile {level}/{number}: its first number is not {first}")
                yield Piece(level, number, start, bytes(hashes), told)
            place = (rows[-1][1], rows[-1][2])

    def logged(self) -> Iterator[Logged]:
        """Yield what the log binds of every entry, in log order."""
        after = 0
        while rows := self.session.rows(READ_LOGGED, after=after, page=PAGE):
            yield from (Logged(row[0], row[1], row[2], moment(row[3]), bytes(row[4])) for row in rows)
            after = rows[-1][0]

    def leaf_of(self, gid: int) -> int | None:
        """Return the leaf number of an entry, None where it has none."""
        row = self.session.one(READ_PIECE_OF, gid=gid)
        if row is None:
            return None
        gids = _gids(bytes(row[2]))
        return row[0] * TILE_WIDTH + row[1] + gids.index(gid) if gid in gids else None

    def add_pieces(self, pieces: Sequence[Piece]) -> None:
        """Add hashes behind the end of the log; whoever calls holds it."""
        self.session.write({ADD_PIECE: [_columns(piece) for piece in pieces]})

    def add_checkpoint(self, size: int, root: str, note: str | None, made_at: datetime) -> StoredCheckpoint:
        """Keep a head of the tree behind the newest one; whoever calls holds the log."""
        newest = self.newest_checkpoint()
        added = StoredCheckpoint(newest.number + 1 if newest else 1, size, root, note, made_at)
        self.session.write({ADD_CHECKPOINT: [added._asdict() | {"made_at": times.text(made_at)}]})
        return added

    def newest_checkpoint(self) -> StoredCheckpoint | None:
        """Return the newest head of the tree."""
        return _found(self.session.one(NEWEST_CHECKPOINT))

    def newest_signed_checkpoint(self) -> StoredCheckpoint | None:
        """Return the newest head of the tree that somebody has signed."""
        return _found(self.session.one(NEWEST_SIGNED))

    def checkpoint_of(self, size: int) -> StoredCheckpoint | None:
        """Return the newest head of the tree at a size."""
        return _found(self.session.one(CHECKPOINT_OF, size=size))

    def checkpoint_above(self, leaf: int) -> StoredCheckpoint | None:
        """Return the first head of the tree that a leaf is under."""
        return _found(self.session.one(FIRST_ABOVE, leaf=leaf))

    def checkpoints(self, *, after_number: int = 0) -> Iterator[StoredCheckpoint]:
        """Yield all heads of the tree behind a number, in order."""
        while rows := self.session.rows(LIST_CHECKPOINTS, after=after_number, page=PAGE):
            yield from (_checkpoint(row) for row in rows)
            after_number = rows[-1][0]


def _found(row: Row | None) -> StoredCheckpoint | None:
    return _checkpoint(row) if row else None


def _checkpoint(row: Row) -> StoredCheckpoint:
    number, size, root, note, made_at = row
    return StoredCheckpoint(number, size, root, note, moment(made_at))


def _columns(piece: Piece) -> dict[str, object]:
    packed = struct.pack(f">{len(piece.gids)}q", *piece.gids) if piece.gids else None
    return piece._asdict() | {"gids": packed, "first_gid": piece.gids[0] if piece.gids else None}


def _gids(packed: bytes) -> tuple[int, ...]:
    if len(packed) % GID_SIZE:
        raise ValueError("the numbers of entries in a tile cannot be read")
    return struct.unpack(f">{len(packed) // GID_SIZE}q", packed)
