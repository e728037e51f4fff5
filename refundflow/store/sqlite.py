"""An SQLite file as the store sees it: how its writers queue, which settings it has, what its errors mean."""

import ctypes
import fcntl
import os
import sqlite3
import stat
import time
from contextlib import AbstractContextManager, suppress
from datetime import datetime
from pathlib import Path

from sqlalchemy import URL

from refundflow.clock import utc_now
from refundflow.disk import keep_content
from refundflow.store.sessions import Conflict, LookingSession, Session, Writes, leave_to_parent
from refundflow.store.statements import DialectName, compiled_once

# Short beside a move, so that whoever waits is as likely to be next as the one who just wrote.
_LOOK_AGAIN_SECONDS = 0.0002
# Of one connection, at most. A batch of lapses touches some hundred pages; the default of 2 MiB gives them up at once.
_CACHE_KIB = 32 * 1024
# 16 MiB of write-ahead log before its pages are copied into the file: what changes again and again is copied once.
_CHECKPOINT_PAGES = 4000


class SqliteDatabase:
    """An SQLite file in WAL mode, full synchronous; writers queue at a lock file before `BEGIN IMMEDIATE`."""

    dialect: DialectName = "sqlite"
    durable = True
    remote = False

    def __init__(self, url: URL, wait_seconds: float) -> None:
        # SQLite too follows links before it names the files beside
        self._path, self._wait_seconds = str(Path(str(url.database)).resolve()), wait_seconds

    def connect(self) -> "FileConnection":
        """Open the file; it must exist."""
        connection = sqlite3.connect(
            f"file:{_quoted(self._path)}?mode=rw", factory=FileConnection,
            uri=True, isolation_level=None, check_same_thread=False, timeout=self._wait_seconds, cached_statements=256,
        )  # fmt: skip
        connection.path, connection.wait_seconds = self._path, self._wait_seconds
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {'FULL' if self.durable else 'NORMAL'}")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        return connection

    def transaction(
        self, connection: "FileConnection", *, write: bool, wipe: bool = False
    ) -> AbstractContextManager[Session]:
        """Run one transaction: committed at the end, rolled back by an exception; wiped is what zeros overwrite."""
        return _Writing(connection, wipe=wipe) if write else _Reading(connection)

    def look(self, connection: "FileConnection") -> LookingSession:
        """Read without a transaction."""
        return LookingSession(connection, self.dialect)

    def act(self, connection: "FileConnection") -> "FileSession":
        """Read before the others must wait, and write if nothing has changed since."""
        return FileSession(connection, self.dialect)

    def settle(self, connection: "FileConnection") -> bool:
        """Copy the write-ahead log into the file and cut it to nothing, which needs a moment without readers."""
        try:
            connection.queue()
            busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if not busy:  # SQLite does not do it: a power cut would bring back what was cut off
                keep_content(Path(f"{self._path}-wal"))
        except OSError as problem:
            raise Conflict("disk", f"the write-ahead log cannot be written: {problem}") from problem
        finally:
            connection.leave()
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

    def broken(self, connection: "FileConnection") -> bool:
        """Answer that a file does not break."""
        return False

    def forked(self, connection: "FileConnection") -> None:
        """Close the file of the lock: a lock on it lasts as long as any process has it open, the parent or not.

        The connection itself is never closed here: that would roll back in the log that the parent writes.
        """
        connection.close_lock()
        leave_to_parent(connection, "execute", "executemany", "cursor", "commit", "rollback", "queue", "close")
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))  # so not at the end of the process either


class FileConnection(sqlite3.Connection):
    """A connection to a file that queues with all others, of this process too, before it writes.

    SQLite alone lets some of several processes wait for seconds. Each connection opens the file of the lock for
    itself, so that the lock is the connection's own: to give it back is right whether one has it or not.
    """

    path: str  # of the database
    wait_seconds: float
    _lock: int | None = None  # the number of the open file

    def queue(self) -> None:
        """Wait for the lock of the writers.

        Raises:
            Conflict: it did not come free, or could not be made.
        """
        if self._lock is None:
            try:
                self._make_lock()
                self._lock = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CLOEXEC)
            except OSError as problem:
                raise Conflict("disk", f"there can be no lock of the writers: {problem}") from problem
        end = 0.0
        while True:
            try:
                return fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as problem:
                end = end or time.monotonic() + self.wait_seconds
                if time.monotonic() > end:
                    raise Conflict("busy", "the lock of the writers did not come free") from problem
                time.sleep(_LOOK_AGAIN_SECONDS)

    def leave(self) -> None:
        """Let the next one write."""
        if self._lock is not None:
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    def _make_lock(self) -> None:
        """Make the file of the lock as SQLite makes those beside a database: for whoever may write that, no others."""
        with suppress(FileExistsError):
            made = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                database = Path(self.path).stat()
                if os.geteuid() == 0:
                    os.fchown(made, database.st_uid, database.st_gid)
                os.fchmod(made, stat.S_IMODE(database.st_mode))
            finally:
                os.close(made)

    def close_lock(self) -> None:
        """Close the file of the lock."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def close(self) -> None:
        """Close the connection, in the middle of whatever it was."""
        try:
            self.rollback()  # a cursor that somebody still has would keep it open
        finally:
            super().close()
            self.close_lock()


class FileSession(LookingSession):
    """A session on a file: it may read, and then write once, in one transaction that the other writers wait for."""

    def write(self, rows: Writes, *, until: datetime | None = None) -> None:
        """Run all in one transaction that begins before the moment `until`.

        Raises:
            Conflict: a row was not there, or not as it was expected, or it is later.
        """
        if self.written:
            raise TypeError("what is written twice needs a transaction")
        self.written = True
        connection = self._connection
        cursor = connection.cursor()  # one for all: the connection alone makes one for each statement
        execute = cursor.execute
        try:
            connection.queue()
            execute("BEGIN IMMEDIATE")
            if until is not None and utc_now() >= until:  # others may have been waited for
                raise Conflict("changed", "it was judged too long ago")
            for statement, values in rows.items():
                for row in values:
                    made = compiled_once(statement, "sqlite")
                    execute(made.text, made.bound(row))
                    if not (made.may_exist or (cursor.fetchone() if made.reads else cursor.rowcount == 1)):
                        raise Conflict("changed", "what was read is no longer so")
            execute("COMMIT")
        except BaseException:
            connection.rollback()
            raise
        finally:
            connection.leave()


class _Writing:
    """A write transaction on a file: the others wait; committed at the end, rolled back by an exception."""

    def __init__(self, connection: FileConnection, *, wipe: bool) -> None:
        self._connection, self._wipe = connection, wipe

    def __enter__(self) -> Session:
        connection = self._connection
        try:
            if self._wipe:
                connection.execute("PRAGMA secure_delete = ON").fetchall()
            connection.queue()
            connection.execute("BEGIN IMMEDIATE")
        except BaseException:
            self._end()
            raise
        return Session(connection, "sqlite")

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
            self._connection.leave()
            if self._wipe:
                self._connection.execute("PRAGMA secure_delete = OFF").fetchall()


class _Reading:
    """A transaction on a file that sees one moment and cannot write."""

    def __init__(self, connection: FileConnection) -> None:
        self._connection = connection

    def __enter__(self) -> Session:
        try:
            self._connection.execute("PRAGMA query_only = ON")
            self._connection.execute("BEGIN")
        except BaseException:
            self._end()
            raise
        return Session(self._connection, "sqlite")

    def __exit__(self, *_: object) -> None:
        self._end()

    def _end(self) -> None:
        try:
            self._connection.rollback()
        finally:
            self._connection.execute("PRAGMA query_only = OFF")


def _quoted(path: str) -> str:
    return path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
