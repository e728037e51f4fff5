"""The two kinds of database as the store sees them: how to connect, begin and lock, which errors mean "try again"."""

from contextlib import AbstractContextManager
from typing import Protocol

from sqlalchemy import URL

from refundflow.errors import Misconfigured
from refundflow.store.postgres import PostgresDatabase
from refundflow.store.sessions import Conflict, Connection, LookingSession, Session
from refundflow.store.sqlite import SqliteDatabase
from refundflow.store.statements import DialectName


class Database(Protocol):
    """What the store needs of a kind of database."""

    dialect: DialectName
    durable: bool  # what is committed survives a power cut; a killed process loses nothing either way
    remote: bool  # it may go away between two transactions

    def connect(self) -> Connection:
        """Open a driver connection on which every statement commits by itself until a transaction begins."""
        ...

    def transaction(
        self, connection: Connection, *, write: bool, wipe: bool = False
    ) -> AbstractContextManager[Session]:
        """Run one transaction: committed at the end, rolled back by an exception.

        With `wipe` what is deleted or replaced within is overwritten where the database can do that.
        """
        ...

    def look(self, connection: Connection) -> LookingSession:
        """Make what reads without a transaction: each statement sees one moment."""
        ...

    def act(self, connection: Connection) -> LookingSession:
        """Make what reads and then writes once, together or not at all; what was read is checked, not locked."""
        ...

    def settle(self, connection: Connection) -> bool:
        """Bring what was overwritten to where the old bytes stand; False when readers still hold them."""
        ...

    def conflict(self, problem: BaseException) -> Conflict | Misconfigured | None:
        """Read a driver's error as a conflict, or as what somebody has to set right first; None: it is neither."""
        ...

    def broken(self, connection: Connection) -> bool:
        """Tell whether a connection that is in no transaction is of no more use."""
        ...

    def forked(self, connection: Connection) -> None:
        """Leave a connection to the parent in a child process: neither speak on it nor keep open what belongs to it."""
        ...


def database_of(url: URL, wait_seconds: float) -> Database:
    """Choose the kind of database by the URL; a writer that waits longer for a lock gives up as busy."""
    kind = SqliteDatabase if url.get_backend_name() == "sqlite" else PostgresDatabase
    return kind(url, wait_seconds)
