"""A session: what the store says to one driver connection, whichever database is behind it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple, NoReturn, cast

from sqlalchemy.sql.base import Executable

from refundflow.store.statements import Compiled, DialectName, compiled_once

Row = Sequence[Any]
Writes = Mapping[Executable, Sequence[Mapping[str, Any]]]  # what each statement writes
Connection = Any  # sqlite3.Connection or psycopg.Connection: both have execute(text, values) → cursor


class Conflict(Exception):
    """Say that others were in the way and nothing was done, so that the whole act may be tried again.

    `reason` is "changed" when somebody else was first, "busy" when a lock did not come free, "away" when the server
    takes no connection or cuts it, "disk" when the disk is full or fails, which somebody else must lift. "unknown" is
    the exception: the connection broke at the commit, so that only who asks again with a key learns what became of it.
    """

    def __init__(self, reason: Literal["changed", "busy", "away", "disk", "unknown"], detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason, self.detail = reason, detail


def leave_to_parent(what: object, *names: str) -> None:
    """Let a forked process be refused these methods of what it has inherited, with a RuntimeError."""
    for name in names:
        setattr(what, name, _of_parent)


def _of_parent(*_: object, **__: object) -> NoReturn:
    raise RuntimeError("this transaction is the parent's: a process that is forked within one begins its own")


class Question(NamedTuple):
    """One read of several that are sent together."""

    statement: Executable
    values: Mapping[str, Any]


class Session:
    """One driver connection inside one transaction."""

    locks = True  # what was read under a lock stays so until the end
    spans_orders = True  # one statement may lock or change rows of several orders

    def __init__(self, connection: Connection, dialect: DialectName, runs: Any = None) -> None:
        """Take what runs statements where that is not the connection itself."""
        self._connection, self.dialect, self._runs = connection, dialect, runs or connection

    def rows(self, statement: Executable, **values: Any) -> list[Row]:
        """Return all rows that a statement answers with; one call, for every act and every look comes by here."""
        made = compiled_once(statement, self.dialect)
        return self._runs.execute(made.text, made.bound(values)).fetchall()  # type: ignore[no-any-return]

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
        return self._runs.execute(made.text, made.bound(values))

    def _execute_all(self, statement: Executable, rows: Sequence[Mapping[str, Any]]) -> Any:
        made = compiled_once(statement, self.dialect)
        if len(rows) == 1:
            return self._connection.execute(made.text, made.bound(rows[0]))
        cursor = self._connection.cursor()
        cursor.executemany(made.text, map(made.bound, rows))
        return cursor


class LookingSession(Session):
    """A session without a transaction: each of its reads sees one moment, another the next; it is used again."""

    locks = False
    written = False  # what was read so far is all that was sent

    def cut_off(self, problem: BaseException) -> Conflict | None:
        """Tell what it means if the problem is that the other side went away; None where it is another."""
        return None

    def write(self, rows: Writes, *, until: datetime | None = None) -> None:
        """Refuse: who looks writes nothing."""
        raise TypeError("a look writes nothing")

    def write_each(self, parts: Iterable[Writes]) -> None:
        """Refuse; see `write`."""
        raise TypeError("parts need a transaction")

    def run(self, statement: Executable, **values: Any) -> int:
        """Refuse; see `write`."""
        raise TypeError("a look writes nothing")
