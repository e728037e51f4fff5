"""The two databases as the store sees them: how to connect, begin and lock, which errors mean "try again"."""

import fcntl
import os
import select
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol, Self, cast

from sqlalchemy import URL
from sqlalchemy.sql.base import Executable

from refundflow.clock import utc_now
from refundflow.errors import Misconfigured
from refundflow.store.documents import rows_text
from refundflow.store.statements import CHECK_TIME, Compiled, DialectName, as_set, compiled_once, together

Row = Sequence[Any]
Writes = Mapping[Executable, Sequence[Mapping[str, Any]]]  # what each statement writes
Connection = Any  # sqlite3.Connection or psycopg.Connection: both have execute(text, values) → cursor
# Short beside a move, so that whoever waits is as likely to be next as the one who just wrote.
_LOOK_AGAIN_SECONDS = 0.0002
# Of one connection, at most. A batch of lapses touches some hundred pages; the default of 2 MiB gives them up at once.
_CACHE_KIB = 32 * 1024
# 16 MiB of write-ahead log before its pages are copied into the file: what changes again and again is copied once.
_CHECKPOINT_PAGES = 4000
# Where Citus says how tables are distributed: it locks no rows of several servers by one statement (docs/why/015).
_CATALOGUE_OF_SERVERS = "SELECT to_regclass('pg_dist_partition')"
_BY_KEY = "SELECT set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true)"
_BUSY = "the lock of the writers did not come free"


class Conflict(Exception):
    """Say that others were in the way and nothing was done, so that the whole act may be tried again.

    `reason` is "changed" when somebody else was first, "busy" when a lock did not come free, "disk" when the disk is
    full or fails, which somebody else must lift. "unknown" is the
    exception: the connection broke at the commit, so that only who asks again with a key learns what became of it.
    """

    def __init__(self, reason: Literal["changed", "busy", "disk", "unknown"], detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason


class Question(NamedTuple):
    """One read of several that are sent together."""

    statement: Executable
    values: Mapping[str, Any]


class Session:
    """One driver connection inside one transaction."""

    locks = True  # what was read under a lock stays so until the end
    spans_orders = True  # one statement may lock or change rows of several orders

    def __init__(self, connection: Connection, dialect: DialectName) -> None:
        self._connection, self.dialect = connection, dialect

    def rows(self, statement: Executable, **values: Any) -> list[Row]:
        """Return all rows that a statement answers with."""
        found: list[Row] = self._execute(statement, values).fetchall()
        return found

    def binary_rows(self, statement: Executable, **values: Any) -> list[Row]:
        """Return all rows as `rows` does, sent in binary form where there is one: large bodies come sooner."""
        return self.rows(statement, **values)

    def forget_pages(self) -> None:
        """Give back the memory of the pages that were read: who walks along the log does not come by them again."""
        if self.dialect == "sqlite":
            self._connection.execute("PRAGMA shrink_memory")

    def one(self, statement: Executable, **values: Any) -> Row | None:
        """Return the only or first row, None where there is none."""
        return cast("Row | None", self._execute(statement, values).fetchone())

    def ask(self, statement: Executable) -> list[Row]:
        """Return the rows of a statement that was built for this one question, values included."""
        made = Compiled(statement, self.dialect)
        return cast(list[Row], self._connection.execute(made.text, made.bound({})).fetchall())

    def gather(self, questions: Sequence[Question]) -> list[list[Row]]:
        """Return the rows of several questions in order, each read to its end before the next is asked."""
        return [self.rows(question.statement, **question.values) for question in questions]

    def ahead(self, questions: Sequence[Question]) -> Callable[[], list[list[Row]]]:
        """Send several questions; return what waits for their rows, in binary form, while other work is done.

        SQLite has nobody else who could work meanwhile: it is asked when the rows are waited for.
        """
        return lambda: self.gather(questions)

    def by_key(self) -> None:
        """Let the statements that follow look each of their rows up by its key, however small the tables are."""

    def run(self, statement: Executable, **values: Any) -> int:
        """Run a write; return how many rows it touched."""
        cursor = self._execute(statement, values)
        self._flush()
        return cast(int, cursor.rowcount)

    def write(self, rows: Writes, *, until: datetime | None = None) -> None:
        """Run each statement for each of its rows, in order, sent together; each must touch one, where none may exist.

        `until` is the moment from which on nothing may be written: for who holds locks there is none.

        Raises:
            Conflict: a row was not there, or not as it was expected.
        """
        self.write_each([rows])

    def write_each(self, parts: Iterable[Writes]) -> None:
        """Write as `write` does, part by part: a server writes one while the next is made.

        Raises:
            Conflict: see `write`; told after the last part.
        """
        asked = [
            (len(values), self._execute_all(statement, values), compiled_once(statement, self.dialect).may_exist)
            for rows in parts
            for statement, values in rows.items()
            if values
        ]
        self._flush()
        for expected, cursor, may_exist in asked:
            if cursor.rowcount != expected and not may_exist:
                raise Conflict("changed", f"{cursor.rowcount} rows instead of {expected}")

    def _flush(self) -> None:
        """Wait for the answers to what was sent; SQLite answers at once."""

    def _execute(self, statement: Executable, values: Mapping[str, Any]) -> Any:
        made = compiled_once(statement, self.dialect)
        return self._connection.execute(made.text, made.bound(values))

    def _execute_all(self, statement: Executable, rows: Sequence[Mapping[str, Any]]) -> Any:
        made = compiled_once(statement, self.dialect)
        if len(rows) == 1:
            return self._connection.execute(made.text, made.bound(rows[0]))
        cursor = self._connection.cursor()
        cursor.executemany(made.text, made.bound_rows(rows))
        return cursor


class PipelinedSession(Session):
    """A session whose statements are answered together, when the first answer is asked for."""

    def __init__(self, connection: Connection, pipeline: Any, *, spans_orders: bool) -> None:
        super().__init__(connection, "postgresql")
        self._pipeline, self.spans_orders, self._is_by_key = pipeline, spans_orders, False

    def binary_rows(self, statement: Executable, **values: Any) -> list[Row]:
        """Return all rows; bytes travel as they are, not as text."""
        return cast(list[Row], self._execute(statement, values, binary=True).fetchall())

    def gather(self, questions: Sequence[Question]) -> list[list[Row]]:
        """Return the rows of several questions, put in order and sent together."""
        asked = [self._execute(question.statement, question.values) for question in questions]
        return [cursor.fetchall() for cursor in asked]

    def ahead(self, questions: Sequence[Question]) -> Callable[[], list[list[Row]]]:
        """Send several questions; the server answers them while other work is done."""
        asked = [self._execute(question.statement, question.values, binary=True) for question in questions]
        return lambda: [cursor.fetchall() for cursor in asked]

    def by_key(self) -> None:
        """Leave the planner no join that reads whole tables.

        It knows neither how few rows are named nor that each of them stands in one partition.
        """
        if not self._is_by_key:
            self._connection.execute(_BY_KEY)
            self._is_by_key = True

    def _execute(self, statement: Executable, values: Mapping[str, Any], *, binary: bool | None = None) -> Any:
        made = compiled_once(statement, self.dialect)
        return self._connection.execute(made.text, made.bound(values), binary=binary)

    def _execute_all(self, statement: Executable, rows: Sequence[Mapping[str, Any]]) -> Any:
        """Send rows as one set where they may go so: each statement more costs the client 50 µs."""
        at_once = as_set(statement) if len(rows) > 1 and self.spans_orders else None
        if at_once is None:
            return super()._execute_all(statement, rows)
        self.by_key()
        return self._connection.execute(at_once, (rows_text(rows),))

    def _flush(self) -> None:
        self._pipeline.sync()


class LookingSession(Session):
    """A session without a transaction: each of its reads sees one moment, another the next."""

    locks = False
    _writing = False  # so far only reads were sent

    def __init__(
        self, connection: Connection, dialect: DialectName, runs: Any, lost: tuple[type[Exception], ...] = ()
    ) -> None:
        """Take what runs statements (a file's connection or `Prepared`), and how the driver tells of a lost server."""
        self._connection, self.dialect, self._runs, self._lost = connection, dialect, runs, lost

    def _execute(self, statement: Executable, values: Mapping[str, Any]) -> Any:
        """Run a statement; each is read to its end before the next."""
        made = compiled_once(statement, self.dialect)
        return self._runs.execute(made.text, made.bound(values))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None, trace: object) -> None:
        if problem is None or not isinstance(problem, self._lost) or not self._connection.closed:
            return
        if self._writing:
            raise Conflict("unknown", f"the server went away while it was committing: {problem}") from problem
        raise Conflict("busy", f"the server went away before anything was committed: {problem}") from problem

    def write(self, rows: Writes, *, until: datetime | None = None) -> None:
        """Refuse: who looks writes nothing."""
        raise TypeError("a look writes nothing")

    def write_each(self, parts: Iterable[Writes]) -> None:
        """Refuse; see `write`."""
        raise TypeError("parts need a transaction")

    def run(self, statement: Executable, **values: Any) -> int:
        """Refuse; see `write`."""
        raise TypeError("a look writes nothing")

    def _write_once(self) -> None:
        if self._writing:
            raise TypeError("what is written twice needs a transaction")
        self._writing = True


class StatementSession(LookingSession):
    """A session without a transaction: it may read, and then write once, in one statement that commits by itself."""

    def write(self, rows: Writes, *, until: datetime | None = None) -> None:
        """Run all in one statement that fails from the moment `until` on; see `together`."""
        self._write_once()
        if until is not None:  # last: others may have been waited for
            rows = {**rows, CHECK_TIME: [{"until": until}]}
        shape = [(statement, len(values)) for statement, values in rows.items() if values]
        values = [
            value
            for statement, _ in shape
            for made in (compiled_once(statement, self.dialect),)
            for row in rows[statement]
            for value in made.bound(row)
        ]
        self._runs.execute(together(tuple(shape)), values)


class FileSession(LookingSession):
    """A session on a file: it may read, and then write once, in one transaction that the other writers wait for."""

    def __init__(self, connection: Connection, database: "SqliteDatabase") -> None:
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


class Database(Protocol):
    """What the store needs of a kind of database."""

    dialect: DialectName
    durable: bool  # what is committed survives a power cut; a killed process loses nothing either way

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

    def look(self, connection: Connection) -> AbstractContextManager[Session]:
        """Read without a transaction: each statement sees one moment."""
        ...

    def act(self, connection: Connection) -> AbstractContextManager[Session]:
        """Read and then write once, together or not at all; without a lock where what was read is checked again."""
        ...

    def settle(self, connection: Connection) -> bool:
        """Bring what was overwritten to where the old bytes stand; False when readers still hold them."""
        ...

    def conflict(self, problem: BaseException) -> Conflict | None:
        """Read a driver's error as a conflict, None where trying again would not help."""
        ...

    def broken(self, connection: Connection) -> bool:
        """Tell whether a connection that is in no transaction is of no more use."""
        ...

    def interrupted(self, connection: Connection) -> None:
        """Give back what is held for a connection that an interrupt, which may come at any place, has left somehow."""
        ...

    def close(self) -> None:
        """Give back what is held beside the connections."""
        ...

    def forked(self) -> None:
        """Give back in a child process what it has inherited beside the connections."""
        ...


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

    def act(self, connection: sqlite3.Connection) -> FileSession:
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


class PostgresDatabase:
    """A PostgreSQL server: READ COMMITTED for writes, one read-only snapshot for reads."""

    dialect: DialectName = "postgresql"
    durable = True

    def __init__(self, url: URL, wait_seconds: float) -> None:
        try:
            import psycopg
            from psycopg.types.numeric import Int8Dumper

            from refundflow.store.prepared import Prepared
        except ImportError as problem:
            raise Misconfigured("PostgreSQL needs the extra: pip install 'refundflow[postgres]'") from problem
        self._driver, self._int8, self._prepared = psycopg, Int8Dumper, Prepared
        self._idle = psycopg.pq.TransactionStatus.IDLE
        self._lost = (psycopg.OperationalError,)
        self._is_one_server: bool | None = None  # not asked yet
        self._lock_timeout = f"SET lock_timeout = {int(wait_seconds * 1000)}"
        self._conninfo = url.set(drivername="postgresql").render_as_string(hide_password=False)
        again = psycopg.errors
        self._late = (again.LockNotAvailable, again.QueryCanceled)  # by the server's lock_timeout or statement_timeout
        self._disk = (again.InsufficientResources, again.DiskFull, again.IoError)
        # what `together` divides by is zero when a row was not as it was read
        self._changed = (
            again.SerializationFailure, again.DeadlockDetected, again.UniqueViolation, again.DivisionByZero,
        )  # fmt: skip

    def connect(self) -> Connection:
        """Open a connection that commits every statement by itself until a transaction begins."""
        try:
            connection = self._driver.connect(self._conninfo, autocommit=True)
            # psycopg sends a number in as few bytes as hold it, and prepares a statement anew for each width
            connection.adapters.register_dumper(int, self._int8)
            connection.execute(self._lock_timeout)
            if self._is_one_server is None:
                self._is_one_server = connection.execute(_CATALOGUE_OF_SERVERS).fetchone() == (None,)
            if not self.durable:
                connection.execute("SET synchronous_commit = off")
            connection.prepared = self._prepared(connection)  # type: ignore[attr-defined]
        except self._driver.OperationalError as problem:
            raise Conflict("busy", f"the server does not take a connection: {problem}") from problem
        return connection

    @contextmanager
    def transaction(self, connection: Connection, *, write: bool, wipe: bool = False) -> Iterator[Session]:
        """Run one transaction: committed at the end, rolled back by an exception.

        Nothing is wiped: old rows stay in their pages until a vacuum, and in the write-ahead log until it is recycled.
        """
        kind = "READ COMMITTED READ WRITE" if write else "REPEATABLE READ READ ONLY"
        ended = None
        try:
            with connection.pipeline() as pipeline:
                connection.execute(f"BEGIN ISOLATION LEVEL {kind}")
                yield PipelinedSession(connection, pipeline, spans_orders=bool(self._is_one_server))
                ended = connection.execute("COMMIT")
        except BaseException as problem:
            self._roll_back(connection)
            if connection.closed and isinstance(problem, self._driver.OperationalError):
                if ended is not None:
                    raise Conflict("unknown", f"the server went away while it was committing: {problem}") from problem
                raise Conflict("busy", f"the server went away before anything was committed: {problem}") from problem
            raise
        if ended.statusmessage != "COMMIT":
            # PostgreSQL answers so, without an error, when one inside the transaction was passed over
            raise self._driver.errors.InFailedSqlTransaction("a transaction with an error in it cannot be committed")

    def look(self, connection: Connection) -> LookingSession:
        """Read without a transaction."""
        return LookingSession(connection, self.dialect, connection.prepared, self._lost)

    def act(self, connection: Connection) -> StatementSession:
        """Let each statement commit by itself: one that reads, one that writes if nothing has changed since."""
        return StatementSession(connection, self.dialect, connection.prepared, self._lost)

    def _roll_back(self, connection: Connection) -> None:
        """End what was begun; a connection that cannot even do that is closed, and the server ends it."""
        if not connection.closed:
            try:
                connection.rollback()
            except self._driver.Error:
                connection.close()

    def settle(self, connection: Connection) -> bool:
        """Answer that nothing is left to do here: nothing was overwritten."""
        return True

    def conflict(self, problem: BaseException) -> Conflict | None:
        """Read a lost race as changed, what took the server too long as busy, a full disk as such."""
        if isinstance(problem, self._changed):
            return Conflict("changed", str(problem))
        if isinstance(problem, self._late):
            return Conflict("busy", str(problem))
        if isinstance(problem, self._disk):
            return Conflict("disk", str(problem))
        return None

    def broken(self, connection: Connection) -> bool:
        """Tell whether the server has gone: on an idle connection it has nothing else to say."""
        if connection.closed or connection.pgconn.transaction_status != self._idle:
            return True
        asked = select.poll()  # select() knows no number of a file beyond 1023
        asked.register(connection.fileno(), select.POLLIN)
        return bool(asked.poll(0))

    def interrupted(self, connection: Connection) -> None:
        """Do nothing: what the server holds for a connection ends with it."""

    def close(self) -> None:
        """Do nothing: there are only the connections."""

    def forked(self) -> None:
        """Do nothing; see `close`."""


def database_of(url: URL, wait_seconds: float) -> Database:
    """Choose the kind of database by the URL; a writer that waits longer for a lock gives up as busy."""
    kind = SqliteDatabase if url.get_backend_name() == "sqlite" else PostgresDatabase
    return kind(url, wait_seconds)


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
