"""Reading chains: one, all of them, or the entry that answered a key."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import bindparam, desc, func, select, tuple_

from refundflow.store.moves import INSERT_ENTRY, entry_columns
from refundflow.store.rows import FIRST_PREVIOUS, Head, Sealed, StoredEntry
from refundflow.store.sessions import Conflict, Row, Session
from refundflow.store.statements import select_where
from refundflow.store.values import moment
from refundflow.tables import Transition, table_of

REGISTER_ORDER = ""  # the order id of chains that belong to no order
Register = Literal["staff", "calendar", "keys", "privacy"]
PAGE = 500

_ENTRY = table_of(Transition)
_COLUMNS = tuple(column.name for column in _ENTRY.c)
_CHAIN = (_ENTRY.c.order_id == bindparam("order_id")) & (_ENTRY.c.subject == bindparam("subject"))
READ_CHAIN = (
    select(_ENTRY)
    .where(_CHAIN, _ENTRY.c.seq > bindparam("after_seq"), _ENTRY.c.seq <= bindparam("upto"))
    .order_by(_ENTRY.c.seq)
)
READ_HEAD = select(_ENTRY.c.seq, _ENTRY.c.hash).where(_CHAIN).order_by(desc(_ENTRY.c.seq)).limit(1)
READ_BY_KEY = select_where(Transition, "order_id", "key_scope", "key")
READ_LOG = select(_ENTRY).where(_ENTRY.c.gid > bindparam("after_gid")).order_by(_ENTRY.c.gid).limit(bindparam("page"))
_PLACE = tuple_(_ENTRY.c.order_id, _ENTRY.c.subject)
READ_SUBJECTS = (
    select(_ENTRY.c.order_id, _ENTRY.c.subject)
    .where(tuple_(bindparam("order_id"), bindparam("subject")) < _PLACE)
    .group_by(_ENTRY.c.order_id, _ENTRY.c.subject)
    .order_by(_ENTRY.c.order_id, _ENTRY.c.subject)
    .limit(bindparam("page"))
)
# Whoever has numbers of the log has a transaction id by then, as moves have from their lock: the horizon counts on it.
TAKE_ID = select(func.pg_current_xact_id())
COUNT_ENTRIES = select(func.count()).select_from(_ENTRY)
_NO_END = 2**62


class Entries:
    """Reading chains and adding to those of the registers."""

    session: Session

    def entries(self, subject: str, *, order_id: str, after_seq: int = 0, upto: int | None = None) -> list[StoredEntry]:
        """Return the entries of a chain in order, those with `after_seq` < seq ≤ `upto`."""
        rows = self.session.rows(
            READ_CHAIN, order_id=order_id, subject=subject, after_seq=after_seq, upto=_NO_END if upto is None else upto
        )
        return [entry_of(row) for row in rows]

    def chains(self, order_id: str, subjects: Sequence[str]) -> dict[str, list[StoredEntry]]:
        """Return the entries of some chains of one order, each in order, all of one moment."""
        asked = select(_ENTRY).where(_ENTRY.c.order_id == order_id, _ENTRY.c.subject.in_(subjects))
        found: dict[str, list[StoredEntry]] = {subject: [] for subject in subjects}
        for row in self.session.ask(asked.order_by(_ENTRY.c.subject, _ENTRY.c.seq)):
            entry = entry_of(row)
            found[entry.subject].append(entry)
        return found

    def entry_by_key(self, order_id: str, key_scope: str, key: str) -> StoredEntry | None:
        """Return the entry that used up an idempotency key."""
        row = self.session.one(READ_BY_KEY, order_id=order_id, key_scope=key_scope, key=key)
        return entry_of(row) if row else None

    def all_entries(self, *, after_gid: int = 0, limit: int | None = None) -> Iterator[StoredEntry]:
        """Yield all entries in the order in which they were numbered, at most `limit`.

        Whole within one `read()`. On PostgreSQL a later snapshot may show entries with smaller numbers.
        """
        left = limit
        while left is None or left > 0:
            page = PAGE if left is None else min(PAGE, left)
            rows = self.session.rows(READ_LOG, after_gid=after_gid, page=page)
            yield from (entry_of(row) for row in rows)
            if len(rows) < page:
                return
            after_gid = rows[-1][0]
            left = None if left is None else left - page

    def subjects(self) -> Iterator[tuple[str, str]]:
        """Yield (order id, subject) of every chain, in order."""
        place: tuple[str, str] = ("", "")
        while rows := self.session.rows(READ_SUBJECTS, order_id=place[0], subject=place[1], page=PAGE):
            yield from ((row[0], row[1]) for row in rows)
            place = (rows[-1][0], rows[-1][1])

    def count_entries(self) -> int:
        """Count the entries of all chains."""
        row = self.session.one(COUNT_ENTRIES)
        return int(row[0]) if row else 0

    def head(self, order_id: str, subject: str) -> Head:
        """Return number and hash of the newest entry of a chain; (0, zeros) where there is none."""
        row = self.session.one(READ_HEAD, order_id=order_id, subject=subject)
        return Head(row[0], row[1]) if row else Head(0, FIRST_PREVIOUS)

    def not_before(self, subject: Register, now: datetime) -> datetime:
        """Return the effective time of the next entry of a register: of two writers the later may have looked first."""
        newest = self.entries(subject, order_id=REGISTER_ORDER, after_seq=self.head(REGISTER_ORDER, subject).seq - 1)
        return max([now, *(entry.effective_at for entry in newest)])

    def append_register_entry(self, subject: Register, sealed: Sealed) -> None:
        """Add an entry to the chain of a register.

        Raises:
            Conflict: the chain went on since its head was read.
        """
        if self.session.dialect == "postgresql":
            self.session.rows(TAKE_ID)
        if self.head(REGISTER_ORDER, subject).seq != sealed.entry.seq - 1:
            raise Conflict("changed", f"the chain {subject}")
        self.session.write({INSERT_ENTRY: [entry_columns(REGISTER_ORDER, sealed)]})


def entry_of(row: Row) -> StoredEntry:
    """Read a row of the table of entries."""
    values: dict[str, Any] = dict(zip(_COLUMNS, row, strict=True))
    values["effective_at"] = moment(values["effective_at"])
    values["recorded_at"] = moment(values["recorded_at"])
    return StoredEntry(**values)
