"""What can be done inside a transaction: all that the store reads and writes, on one session."""

from datetime import datetime

from refundflow.clock import utc_now
from refundflow.store.effects import Effects
from refundflow.store.entries import Entries
from refundflow.store.log import Log
from refundflow.store.log_pages import LogPages
from refundflow.store.moves import READ_CLOCK, Moves
from refundflow.store.people import People
from refundflow.store.queries import Queries
from refundflow.store.registers import Registers
from refundflow.store.scans import Scans
from refundflow.store.sessions import Session
from refundflow.store.totals import Totals
from refundflow.store.values import moment
from refundflow.store.wiping import Wiping


class Tx(Moves, Entries, LogPages, Scans, Queries, Effects, Registers, People, Wiping, Totals, Log):
    """One transaction; `now` is asked of the clock that all hosts of a live database share."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def now(self) -> datetime:
        """Return the present moment: the host's on SQLite, on PostgreSQL the server's, as of the newest lock."""
        if self.session.dialect == "sqlite":
            return utc_now()
        if self.clock is None:
            [[now]] = self.session.rows(READ_CLOCK)
            self.clock = moment(now)
        return self.clock
