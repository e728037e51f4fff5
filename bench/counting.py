"""Counting statements: every connection that is opened meanwhile tells what is run on it."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import psycopg

from refundflow.store.pool import Pool


@dataclass(kw_only=True)
class Count:
    """How many statements were run, BEGIN, COMMIT and settings too."""

    statements: int = 0


@contextmanager
def counted_pools(count: Count) -> Iterator[None]:
    """Count on the connections of all pools, from the moment they are opened."""
    opening = Pool.open

    def counted(pool: Pool) -> Any:
        connection = opening(pool)
        count_on(connection, count)
        return connection

    with patch.object(Pool, "open", counted):
        yield


def count_on(connection: sqlite3.Connection | psycopg.Connection, count: Count) -> None:
    """Count on one connection."""
    if isinstance(connection, sqlite3.Connection):
        told = ""

        def tell(statement: str) -> None:
            nonlocal told
            if statement != told:  # a statement that fires a trigger is told once more for it
                count.statements += 1
            told = statement

        connection.set_trace_callback(tell)
        return

    class Counting(psycopg.Cursor[Any]):
        def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
            count.statements += 1
            return super().execute(query, params, **options)

    connection.cursor_factory = Counting
    connection.prepared = connection.cursor()  # type: ignore[attr-defined]  # what runs below cursors cannot be seen
