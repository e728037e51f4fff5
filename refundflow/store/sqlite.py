"""An SQLite file as the store sees it: how its writers queue, which settings it has, what its errors mean."""

import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from sqlalchemy import URL

from refundflow.clock import utc_now
from refundflow.store.sessions import Conflict, LookingSession, Session, Writes
from refundflow.store.statements import DialectName, compiled_once

# Short beside a move, so that whoever waits is as likely to be next as the one who just wrote.
_LOOK_AGAIN_SECONDS = 0.0002
# Of one connection, at most. A batch of lapses touches some hundred pages; the default of 2 MiB gives them up at once.
_CACHE_KIB = 32 * 1024
# 16 MiB of write-ahead log before its pages are copied into the file: what changes again and again is copied once.
_CHECKPOINT_PAGES = 4000
_BUSY = "the lock of the writers did not come free"


class SqliteDatabase:
    """An SQLite file in WAL mode, full synchronous; writers queue at a lock file before `BEGIN IMMEDIATE`."""

    dialect: DialectName = "sqlite"
    durable = True

    def __init__(self, url: URL, wait_seconds: float) -> None:
        self._path, self._wait_seconds = str(url.database), wait_seconds
        self._turn = threading.Lock()
        self._lock_file: int | None = None
        self._writer: sqlite3.Connection | None = None  # whose turn it is

    def connect(self) -> sqlite3.Connection:
        """Open the file; it must exist."""
        connection = sqlite3.connect(
            f"file:{_quoted(self._path)}?mode=rw",
            uri=True, isolation_level=None, check_same_thread=False, timeout=self._wait_seconds, cached_statements=256,
        )  # fmt: skip
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {'FULL' if self.durable else 'NORMAL'}")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        return connection

    @contextmanager
    def transaction(self, connection: sqlite3.Connection, *, write: bool, wipe: bool = False) -> Iterator[Session]:
        """Run one transaction: committed at the end, rolled back by an exception; wiped is what zeros overwrite."""
        if wipe:
            connection.execute("PRAGMA secure_delete = ON").fetchall()
        try:
            with _Writing(self, connection) if write else _Reading(connection):
                yield Session(connection, self.dialect)
        finally:
            if wipe:
                connection.execute("PRAGMA secure_delete = OFF").fetchall()

    def look(self, connection: sqlite3.Connection) -> LookingSession:
        """Read without a transaction."""
        return LookingSession(connection, self.dialect, connection)

    def act(self, connection: sqlite3.Connection) -> "FileSession":
        """Read before the others must wait, and write if nothing has changed since."""
        return FileSession(connection, self)

    def lock(self, writer: sqlite3.Connection) -> None:
        """Take the writers' lock: SQLite alone lets some of several processes wait for seconds."""
        if not self._turn.acquire(timeout=self._wait_seconds):
            raise Conflict("busy", _BUSY)
        try:
            if self._lock_file is None:
                self._lock_file = os.open(f"{self._path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            _acquire(self._lock_file, self._wait_seconds)
            self._writer = writer
        except BaseException:
            self.unlock()  # an interrupt may come when the lock is there already
            raise

    def unlock(self) -> None:
        """Give the writers' lock back."""
        if self._lock_file is not None:
            fcntl.flock(self._lock_file, fcntl.LOCK_UN)
        self._writer = None
        self._turn.release()

    def settle(self, connection: sqlite3.Connection) -> bool:
        """Copy the write-ahead log into the file and cut it to nothing, which needs a moment without readers."""
        self.lock(connection)
        try:
            busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            self.unlock()
        return not busy

    def conflict(self, problem: BaseException) -> Conflict | None:
        """Read a locked file as busy, a key that exists as changed, a full disk as such."""
        if not isinstance(problem, sqlite3.Error):
            return None
        code = getattr(problem, "sqlite_errorcode", None) or 0
        if code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return Conflict("busy", str(problem))
        if code & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
            return Conflict("disk", str(problem))
        exists = code in (sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)
        if exists or (code == sqlite3.SQLITE_CONSTRAINT_TRIGGER and "entry exists" in str(problem)):
            return Conflict("changed", str(problem))
        return None

    def broken(self, connection: sqlite3.Connection) -> bool:
        """Answer that a file does not break."""
        return False

    def interrupted(self, connection: sqlite3.Connection) -> None:
        """Give the writers' lock back, if it is held for this connection."""
        if self._writer is connection:
            connection.rollback()
            self.unlock()

    def close(self) -> None:
        """Close the file of the lock."""
        with self._turn:
            if self._lock_file is not None:
                os.close(self._lock_file)
                self._lock_file = None

    def forked(self) -> None:
        """Close the file of the lock: a lock on it lasts as long as any process has it open, the parent or not."""
        self._turn, self._writer = threading.Lock(), None
        self.close()


class FileSession(LookingSession):
    """A session on a file: it may read, and then write once, in one transaction that the other writers wait for."""

    def __init__(self, connection: sqlite3.Connection, database: SqliteDatabase) -> None:
        super().__init__(connection, database.dialect, connection)
        self._database = database

    def write(self, rows: Writes, *, until: datetime | None = None) -> None:
        """Run all in one transaction that begins before the moment `until`.

        Raises:
            Conflict: a row was not there, or not as it was expected, or it is later.
        """
        self._write_once()
        execute = self._connection.execute
        with _Writing(self._database, self._connection):
            if until is not None and utc_now() >= until:  # others may have been waited for
                raise Conflict("changed", "it was judged too long ago")
            for statement, values in rows.items():
                for row in values:
                    made = compiled_once(statement, "sqlite")
                    done = execute(made.text, made.bound(row))
                    if not (made.may_exist or (done.fetchone() if made.reads else done.rowcount == 1)):
                        raise Conflict("changed", "what was read is no longer so")


class _Writing:
    """A write transaction on a file: the others wait; committed at the end, rolled back by an exception.

    A class, and no generator: a third of the calls.
    """

    def __init__(self, database: SqliteDatabase, connection: sqlite3.Connection) -> None:
        self._database, self._connection = database, connection

    def __enter__(self) -> None:
        self._database.lock(self._connection)
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except BaseException:
            self._end()
            raise

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None, trace: object) -> None:
        try:
            if kind is None:
                self._connection.execute("COMMIT")
        finally:
            self._end()

    def _end(self) -> None:
        """Take back what was not committed, and let the others in."""
        try:
            self._connection.rollback()
        finally:
            self._database.unlock()


class _Reading:
    """A transaction on a file that sees one moment and cannot write."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("PRAGMA query_only = ON")
        try:
            self._connection.execute("BEGIN")
        except BaseException:
            self._end()
            raise

    def __exit__(self, *_: object) -> None:
        self._end()

    def _end(self) -> None:
        try:
            self._connection.rollback()
        finally:
            self._connection.execute("PRAGMA query_only = OFF")


def _acquire(lock: int, wait_seconds: float) -> None:
    end = 0.0
    while True:
        try:
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as problem:
            end = end or time.monotonic() + wait_seconds
            if time.monotonic() > end:
                raise Conflict("busy", _BUSY) from problem
            time.sleep(_LOOK_AGAIN_SECONDS)


def _quoted(path: str) -> str:
    return Path(path).absolute().as_posix().replace("%", "%25").replace("?", "%3f").replace("#", "%23")
