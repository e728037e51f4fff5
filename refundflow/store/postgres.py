"""A PostgreSQL server as the store sees it: which settings a connection has, how it begins, what errors mean."""

import os
import select
import socket
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, cast

from sqlalchemy import URL
from sqlalchemy.sql.base import Executable

from refundflow.errors import Misconfigured
from refundflow.migrations import forbidden
from refundflow.store.documents import rows_text
from refundflow.store.sessions import (
    Conflict,
    Connection,
    LookingSession,
    Question,
    Row,
    Session,
    Writes,
    leave_to_parent,
)
from refundflow.store.statements import CHECK_TIME, DialectName, as_set, compiled_once, sets_together, together

# Where Citus says how tables are distributed: it locks no rows of several servers by one statement (docs/why/015).
_CATALOGUE_OF_SERVERS = "SELECT to_regclass('pg_dist_partition')"
_BY_KEY = "SELECT set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true)"


class PostgresDatabase:
    """A PostgreSQL server: READ COMMITTED for writes, one read-only snapshot for reads."""

    dialect: DialectName = "postgresql"
    durable = True
    remote = True

    def __init__(self, url: URL, wait_seconds: float) -> None:
        try:
            import psycopg
            from psycopg.generators import send
            from psycopg.types.numeric import Int8Dumper

            from refundflow.store.prepared import Prepared
        except ImportError as problem:
            raise Misconfigured("PostgreSQL needs the extra: pip install 'refundflow[postgres]'") from problem
        self._driver, self._int8, self._prepared, self._send = psycopg, Int8Dumper, Prepared, send
        self._idle = psycopg.pq.TransactionStatus.IDLE
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
            said = connection.said = select.poll()  # type: ignore[attr-defined]
            said.register(connection.fileno(), select.POLLIN)
        except self._driver.OperationalError as problem:
            raise Conflict("away", f"the server takes no connection: {problem}") from problem
        return connection

    @contextmanager
    def transaction(self, connection: Connection, *, write: bool, wipe: bool = False) -> Iterator[Session]:
        """Run one transaction: committed at the end, rolled back by an exception.

        Nothing is wiped: old rows stay in their pages until a vacuum, and in the write-ahead log until it is recycled.
        """
        kind = "READ COMMITTED READ WRITE" if write else "REPEATABLE READ READ ONLY"
        ended, outside = None, sys.exception()
        try:
            with connection.pipeline() as pipeline:
                connection.execute(f"BEGIN ISOLATION LEVEL {kind}")
                yield PipelinedSession(connection, pipeline, self._send, spans_orders=bool(self._is_one_server))
                ended = connection.execute("COMMIT")
        except BaseException as problem:
            self._roll_back(connection)
            if (interrupt := _interrupt(problem, outside)) is not None:
                raise interrupt from None
            if connection.closed and isinstance(problem, self._driver.OperationalError):
                if ended is not None:
                    raise Conflict("unknown", f"the server went away while it was committing: {problem}") from problem
                raise Conflict("away", f"the server went away before anything was committed: {problem}") from problem
            raise
        if ended.statusmessage != "COMMIT":
            # PostgreSQL answers so, without an error, when one inside the transaction was passed over
            raise self._driver.errors.InFailedSqlTransaction("a transaction with an error in it cannot be committed")

    def look(self, connection: Connection) -> "ServerSession":
        """Read without a transaction."""
        return ServerSession(connection, self.dialect, connection.prepared)

    def act(self, connection: Connection) -> "StatementSession":
        """Let each statement commit by itself: one that reads, one that writes if nothing has changed since."""
        return StatementSession(connection, self.dialect, connection.prepared)

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

    def conflict(self, problem: BaseException) -> Conflict | Misconfigured | None:
        """Read a lost race as changed, what took too long as busy, a full disk and what is forbidden as such."""
        if isinstance(problem, self._changed):
            return Conflict("changed", str(problem))
        if isinstance(problem, self._late):
            return Conflict("busy", str(problem))
        if isinstance(problem, self._disk):
            return Conflict("disk", str(problem))
        return forbidden(problem)

    def broken(self, connection: Connection) -> bool:
        """Tell whether the server has gone: on an idle connection it has nothing else to say."""
        # select() knows no number of a file beyond 1023, hence poll()
        return connection.pgconn.transaction_status != self._idle or bool(connection.said.poll(0))

    def forked(self, connection: Connection) -> None:
        """Let go of the socket: as long as any process has it open, the server does not see that the parent died.

        What the driver still says to it, it says to nobody.
        """
        if connection.closed:
            return
        nobody, other = socket.socketpair()
        other.close()
        with nobody:
            os.dup2(nobody.fileno(), connection.fileno(), inheritable=False)
        connection.close()
        leave_to_parent(connection, "execute", "cursor", "wait")
        leave_to_parent(connection.prepared, "execute")


class PipelinedSession(Session):
    """A session whose statements are answered together, when the first answer is asked for."""

    def __init__(
        self, connection: Connection, pipeline: Any, send: Callable[[Any], Any], *, spans_orders: bool
    ) -> None:
        """Take the driver's pipeline, and its steps to send all that was said to the server."""
        super().__init__(connection, "postgresql")
        self._pipeline, self._send, self.spans_orders, self._is_by_key = pipeline, send, spans_orders, False

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

    def write_each(self, parts: Iterable[Writes]) -> None:
        """Write as `Session` does, all sets of a part by one statement: each more costs the client 50 µs."""
        super().write_each(map(self._send_sets, parts) if self.spans_orders else parts)

    def _send_sets(self, rows: Writes) -> Writes:
        """Send what may go as sets, where there is more than one row of anything; return what is left."""
        sets = {statement: values for statement, values in rows.items() if values and as_set(statement)}
        if all(len(values) == 1 for values in sets.values()):
            return rows
        self.by_key()
        given = [*map(rows_text, sets.values()), *map(len, sets.values())]
        self._connection.execute(sets_together(tuple(sets)), given)
        return {statement: values for statement, values in rows.items() if statement not in sets}

    def _flush(self) -> None:
        # the driver alone waits for the answer to what it may have sent in part only, and the server for the rest
        self._connection.wait(self._send(self._connection.pgconn))
        self._pipeline.sync()


class ServerSession(LookingSession):
    """A session without a transaction on a server, which may go away."""

    def cut_off(self, problem: BaseException) -> Conflict | None:
        """Tell a problem of a connection that is closed now: behind a read nothing was done."""
        if not self._connection.closed or not isinstance(problem, self._connection.OperationalError):
            return None
        if self.written:
            return Conflict("unknown", f"the server went away while it was committing: {problem}")
        return Conflict("away", f"the server went away before anything was committed: {problem}")


class StatementSession(ServerSession):
    """A session without a transaction: it may read, and then write once, in one statement that commits by itself."""

    def write(self, rows: Writes, *, until: datetime | None = None) -> None:
        """Run all in one statement that fails from the moment `until` on; see `together`."""
        if self.written:
            raise TypeError("what is written twice needs a transaction")
        self.written = True
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


def _interrupt(problem: BaseException | None, outside: BaseException | None) -> BaseException | None:
    """Return the interrupt that the driver covers by an error of its own; what was handled `outside` is none."""
    while problem is not None and problem is not outside:
        if not isinstance(problem, Exception):
            return problem
        problem = problem.__context__
    return None
