"""Statements on one PostgreSQL connection, prepared at their first use and run below the cursors of the driver."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Self

import psycopg
from psycopg import errors, generators, pq
from psycopg.adapt import PyFormat, Transformer

KEPT = 100  # statements that the server keeps for a connection
_PLACE = re.compile(r"%(?:s|%)")
_DONE = (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK)
# The server lost the statement, or its plan no longer fits the tables.
_STALE = (errors.InvalidSqlStatementName, errors.FeatureNotSupported)


class Prepared:
    """Runs statements as a cursor does that is read to its end before the next; values are adapted by the driver.

    For each execution a cursor of the driver converts, counts and describes anew: half of the client's time of a move.
    """

    def __init__(self, connection: "psycopg.Connection[Any]") -> None:
        self._connection, self._pgconn = connection, connection.pgconn
        self._adapter = Transformer(connection)
        self._names: dict[tuple[str, tuple[int, ...]], bytes] = {}  # by text and types of the values
        self._made = 0

    def execute(self, text: str, values: Sequence[Any] = ()) -> Self:
        """Run a statement with its values in the places of %s; each of one type is prepared once.

        Raises:
            psycopg.Error: as a cursor does.
        """
        given = self._adapter.dump_sequence(values, _automatic(len(values)))
        types, formats = self._adapter.types or (), self._adapter.formats
        name = self._names.get((text, types)) or self._prepare(text, types)
        try:
            self._pgconn.send_query_prepared(name, given, formats)
            self._adapter.set_pgresult(self._answer())
        except _STALE:  # nothing was done
            del self._names[text, types]
            self._pgconn.send_query_prepared(self._prepare(text, types), given, formats)
            self._adapter.set_pgresult(self._answer())
        return self

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Return the rows of the statement that was run last, once: a row may hold the key of a buyer."""
        result = self._adapter.pgresult
        rows = self._adapter.load_rows(0, result.ntuples, tuple) if result is not None else []
        self._adapter.set_pgresult(None)
        return rows

    def fetchone(self) -> tuple[Any, ...] | None:
        """Return the first row of the statement that was run last."""
        rows = self.fetchall()
        return rows[0] if rows else None

    def _prepare(self, text: str, types: tuple[int, ...]) -> bytes:
        if len(self._names) >= KEPT:
            oldest = self._names.pop(next(iter(self._names)))
            self._connection.execute(f"DEALLOCATE {oldest.decode()}".encode())
        self._made += 1
        name = f"refundflow_{self._made}".encode()
        self._pgconn.send_prepare(name, _numbered(text), types)
        self._answer()
        self._names[text, types] = name
        return name

    def _answer(self) -> Any:
        """Wait for what the server answers; an interrupt meanwhile cancels the statement."""
        results = self._connection.wait(generators.execute(self._pgconn))
        for result in results:  # behind its answer a server may say that it goes away
            if result.status not in _DONE:
                raise errors.error_from_result(result)
        return results[0]


@lru_cache
def _automatic(count: int) -> list[PyFormat]:
    return [PyFormat.AUTO] * count


@lru_cache(2 * KEPT)
def _numbered(text: str) -> bytes:
    """Write the places of values as the server wants them, $1, $2 …."""
    count = 0

    def number(found: re.Match[str]) -> str:
        nonlocal count
        count += found[0] == "%s"
        return f"${count}" if found[0] == "%s" else "%"

    return _PLACE.sub(number, text).encode()
