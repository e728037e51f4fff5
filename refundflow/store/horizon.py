"""The horizon of the log: the number up to which every entry that there will ever be is visible."""

from sqlalchemy import BigInteger, Text, bindparam, cast, func, select
from sqlalchemy.dialects.postgresql import insert as upsert

from refundflow.store.sessions import Session
from refundflow.tables import Total, Transition, table_of

_LOG = table_of(Transition)
_TOTAL = table_of(Total)
SAFE, SEEN, SEEN_UNTIL = "safe", "seen", "seen_until"
NO_LABELS = "[]"

NEWEST = select(func.max(_LOG.c.gid))
# An own id is greater than that of everybody who has numbers by now; a snapshot's xmax is not: it names only the
# first after the last that has ended, and others that began later still run.
OWN_ID = select(cast(cast(func.pg_current_xact_id(), Text), BigInteger))
# No transaction that still runs has a smaller id.
OLDEST = select(cast(cast(func.pg_snapshot_xmin(func.pg_current_snapshot()), Text), BigInteger))
READ_TOTAL = select(_TOTAL.c.value).where(_TOTAL.c.name == bindparam("name"), _TOTAL.c.labels == NO_LABELS)
READ_HORIZON = select(_TOTAL.c.name, _TOTAL.c.value).where(
    _TOTAL.c.name.in_([SAFE, SEEN, SEEN_UNTIL]), _TOTAL.c.labels == NO_LABELS
)
_given = upsert(_TOTAL).values({column.name: bindparam(column.name) for column in _TOTAL.c})
SET_TOTAL = _given.on_conflict_do_update(index_elements=list(_TOTAL.primary_key), set_={"value": _given.excluded.value})


class Horizon:
    """What may be counted on and numbered for ever."""

    session: Session

    def horizon(self) -> int:
        """Return the number up to which every entry that there will ever be is visible now.

        SQLite has one writer at a time. On PostgreSQL a smaller number may become visible after a greater one:
        the newest number is kept with a transaction id that was given after it, and is the horizon once all before
        that have ended. Whoever asks moves the horizon for all, so it is asked for in a transaction that writes, and
        has written nothing yet.
        """
        if self.session.dialect == "sqlite":
            return self.newest_gid()
        kept = {row[0]: row[1] for row in self.session.rows(READ_HORIZON)}
        safe: int = kept.get(SAFE, 0)
        seen, until = kept.get(SEEN, 0), kept.get(SEEN_UNTIL, 0)
        newest = self.newest_gid()
        if newest <= safe:
            return safe
        [[following]] = self.session.rows(OWN_ID)
        [[oldest]] = self.session.rows(OLDEST)
        if oldest < until:
            return safe
        safe = newest if oldest >= following else max(safe, seen)
        for name, value in ((SAFE, safe), (SEEN, newest), (SEEN_UNTIL, following)):
            self.session.run(SET_TOTAL, name=name, labels=NO_LABELS, value=value)
        return safe

    def newest_gid(self) -> int:
        """Return the greatest number of an entry that is visible, 0 where there is none."""
        row = self.session.one(NEWEST)
        return (row[0] if row else 0) or 0

    def total_of(self, name: str) -> int:
        """Return one number without labels, 0 where nothing was counted."""
        row = self.session.one(READ_TOTAL, name=name)
        return row[0] if row else 0
