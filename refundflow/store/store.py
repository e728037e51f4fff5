"""The store: a pool of driver connections, and the transactions that the service runs on them."""

import hashlib
import os
import secrets
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from datetime import datetime
from functools import partial
from typing import Any, Self
from weakref import WeakSet

from sqlalchemy import URL

from refundflow import migrations
from refundflow.clock import utc_now
from refundflow.config import Synchronous
from refundflow.errors import BadInput, NotInitialised
from refundflow.store.database import Database, database_of
from refundflow.store.effects import Effects
from refundflow.store.entries import Entries
from refundflow.store.log import Log
from refundflow.store.log_pages import LogPages
from refundflow.store.moves import READ_CLOCK, Moves
from refundflow.store.news import News
from refundflow.store.people import People
from refundflow.store.pool import Pool
from refundflow.store.queries import Queries
from refundflow.store.registers import Registers
from refundflow.store.scans import Scans
from refundflow.store.sessions import Connection, Session
from refundflow.store.statements import DialectName
from refundflow.store.totals import Totals
from refundflow.store.values import moment
from refundflow.store.wiping import Wiping

WAIT_SECONDS = 10.0
# Known to everybody, so that two rehearsals of the same story have equal histories.
REHEARSAL_SECRET = hashlib.sha256(b"refundflow rehearsal").digest()


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


class Store:
    """An initialised database; safe for threads, and beside other processes and hosts."""

    def __init__(self, url: URL, database: Database) -> None:
        self._database = database
        self._pool = Pool(database)
        self.news = News(database)
        self.url = url.render_as_string(hide_password=True)
        self.dialect: DialectName = database.dialect
        self.rehearsal = False
        self.secret = b""
        _stores.add(self)

    @classmethod
    def create(cls, url: str, *, rehearsal: bool, partitions: int | None = None) -> Self:
        """Make the schema and choose live or rehearsal for ever; the same call again changes nothing.

        Raises:
            BadInput: the database is of the other mode or has another number of partitions, or the URL is no database.
            SchemaTooNew: the database was made by a newer version.
        """
        migrations.upgrade(url, partitions=partitions)
        store = cls._connected(url)
        mode = "rehearsal" if rehearsal else "live"
        with store.write() as tx:
            tx.add_meta("mode", mode)
            tx.add_meta("secret", (REHEARSAL_SECRET if rehearsal else secrets.token_bytes(32)).hex())
            found = tx.meta("mode")
        if found != mode:
            store.close()
            raise BadInput(f"this is a {found} database, for ever; a {mode} one needs its own", field="rehearsal")
        return store._opened()

    @classmethod
    def open(cls, url: str, *, wait_seconds: float = WAIT_SECONDS, synchronous: Synchronous = "full") -> Self:
        """Open a database that was made ready; writers wait so long for a lock, then there is a conflict.

        With `synchronous` "normal" an SQLite file is not flushed at every commit; a server follows its own settings.

        Raises:
            NotInitialised: it was not, or its schema is older than this version.
            SchemaTooNew: the database was made by a newer version.
        """
        migrations.require_current(url)
        store = cls._connected(url, wait_seconds)
        if store.dialect == "sqlite":
            store._database.durable = synchronous == "full"
        return store._opened()

    @classmethod
    def _connected(cls, url: str, wait_seconds: float = WAIT_SECONDS) -> Self:
        parsed = migrations.parse(url)
        return cls(parsed, database_of(parsed, wait_seconds))

    def _opened(self) -> Self:
        with self.read() as tx:
            mode, secret = tx.meta("mode"), tx.meta("secret")
        if mode is None or secret is None:
            self.close()
            raise NotInitialised("the database has no mode yet: run refundflow init")
        self.rehearsal, self.secret = mode == "rehearsal", bytes.fromhex(secret)
        if self.rehearsal:  # it can be rehearsed again
            self._database.durable = False
            self._pool.close()
        return self

    def forked(self) -> None:
        """Begin anew in a child process: two cannot speak on one connection."""
        self.news.forked()
        self._pool.forked()
        self._database.forked()

    def close(self) -> None:
        """Close all connections that are not in use."""
        self.news.close()
        self._pool.close()
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def act(self) -> AbstractContextManager[Tx]:
        """Read, and then write once; where others changed what was read, nothing is written.

        It costs two round trips; who is overtaken again and again queues for the locks of `write`.

        Raises:
            Conflict: others were in the way; nothing was done, the whole act may be tried again.
        """
        return _Lent(self._pool, self._database, self._database.act)

    def write(self, *, wipe: bool = False) -> AbstractContextManager[Tx]:
        """Run one short transaction: committed at the end, rolled back by an exception.

        With `wipe` what is deleted or replaced is overwritten where the database can do that; see `settle`.

        Raises:
            Conflict: others were in the way; nothing was done, the whole act may be tried again.
        """
        return _Lent(self._pool, self._database, partial(self._database.transaction, write=True, wipe=wipe))

    def read(self) -> AbstractContextManager[Tx]:
        """Read one consistent snapshot.

        Raises:
            Conflict: the database stayed locked.
        """
        return _Lent(self._pool, self._database, partial(self._database.transaction, write=False))

    def look(self) -> AbstractContextManager[Tx]:
        """Read without a snapshot: one statement sees one moment, the next another.

        Raises:
            Conflict: the database stayed locked.
        """
        return _Lent(self._pool, self._database, self._database.look)

    def settle(self) -> bool:
        """Bring what was wiped to the place of the old bytes; False when others still read these: try again.

        Raises:
            Conflict: the database stayed locked.
        """
        connection = self._pool.take()
        try:
            return self._database.settle(connection)
        finally:
            self._pool.give(connection)


class _Lent:
    """A connection that works, lent for one transaction; what the driver raises is a conflict where it reads so.

    A class, and no generator: half the calls.
    """

    _transaction: Any = None  # until it was made

    def __init__(
        self, pool: Pool, database: Database, begin: Callable[[Connection], AbstractContextManager[Session]]
    ) -> None:
        self._pool, self._database, self._begin = pool, database, begin

    def __enter__(self) -> Tx:
        self._connection = self._pool.take()
        try:
            self._transaction = self._begin(self._connection)
            return Tx(self._transaction.__enter__())
        except BaseException as problem:
            self._failed(problem)
            raise

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None, trace: Any) -> None:
        try:
            self._transaction.__exit__(kind, problem, trace)
        except BaseException as raised:
            self._failed(raised)
            raise
        if problem is None:
            self._pool.give(self._connection)
        else:
            self._failed(problem)

    def _failed(self, problem: BaseException) -> None:
        """Give the connection back if it is of use, and raise what the problem means if that is a conflict."""
        sound = False
        try:
            if isinstance(problem, Exception):
                sound = not self._database.broken(self._connection)
                conflict = self._database.conflict(problem)
                if conflict is not None:
                    raise conflict from problem
            else:
                self._interrupted(problem)
        finally:
            self._pool.give(self._connection, sound=sound)

    def _interrupted(self, problem: BaseException) -> None:
        """End what may be left: an interrupt can come anywhere, also while a transaction ends."""
        if self._transaction is not None:
            with suppress(BaseException):
                self._transaction.__exit__(type(problem), problem, problem.__traceback__)
        self._database.interrupted(self._connection)


_stores: WeakSet[Store] = WeakSet()


def _forked() -> None:
    for store in list(_stores):
        store.forked()


os.register_at_fork(after_in_child=_forked)
