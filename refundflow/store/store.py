"""The store: a pool of driver connections, and the transactions that the service runs on them."""

import hashlib
import os
import secrets
from contextlib import AbstractContextManager
from typing import Self
from weakref import WeakSet

from sqlalchemy import URL

from refundflow import migrations
from refundflow.config import Synchronous
from refundflow.errors import BadInput, NotInitialised
from refundflow.store.database import Database, database_of
from refundflow.store.news import News
from refundflow.store.pool import Pool, Transaction
from refundflow.store.statements import DialectName
from refundflow.store.tx import Tx

WAIT_SECONDS = 10.0
# Known to everybody, so that two rehearsals of the same story have equal histories.
REHEARSAL_SECRET = hashlib.sha256(b"refundflow rehearsal").digest()


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

    def close(self) -> None:
        """Close all connections that are not in use."""
        self.news.close()
        self._pool.close()

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
        lent = self._pool.take()
        lent.session = lent.acting
        return lent

    def write(self, *, wipe: bool = False) -> AbstractContextManager[Tx]:
        """Run one short transaction: committed at the end, rolled back by an exception.

        With `wipe` what is deleted or replaced is overwritten where the database can do that; see `settle`.

        Raises:
            Conflict: others were in the way; nothing was done, the whole act may be tried again.
        """
        return self._transaction(write=True, wipe=wipe)

    def read(self) -> AbstractContextManager[Tx]:
        """Read one consistent snapshot.

        Raises:
            Conflict: the database stayed locked.
        """
        return self._transaction(write=False)

    def look(self) -> AbstractContextManager[Tx]:
        """Read without a snapshot: one statement sees one moment, the next another.

        Raises:
            Conflict: the database stayed locked.
        """
        lent = self._pool.take()
        lent.session = lent.looking
        return lent

    def _transaction(self, *, write: bool, wipe: bool = False) -> Transaction:
        lent = self._pool.take()
        return Transaction(lent, self._database.transaction(lent.connection, write=write, wipe=wipe), self._pool)

    def settle(self) -> bool:
        """Bring what was wiped to the place of the old bytes; False when others still read these: try again.

        Raises:
            Conflict: the database stayed locked, or its disk fails.
        """
        lent = self._pool.take()
        try:
            settled = self._database.settle(lent.connection)
        except BaseException as problem:
            lent.failed(problem)
            raise
        self._pool.give(lent)
        return settled


_stores: WeakSet[Store] = WeakSet()


def _forked() -> None:
    for store in list(_stores):
        store.forked()


os.register_at_fork(after_in_child=_forked)
