"""PostgreSQL explains every statement of the pools, run where it stands and taken back, before it is run for good."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import psycopg
from psycopg import sql

from refundflow.store.pool import Pool

PLANS = ("force_custom_plan", "force_generic_plan")
_PLACE = re.compile(r"%(?:\((?P<name>\w+)\))?[sbt]")
_SETTINGS = ("SET", "LISTEN")
_LOCKED = """
    SELECT DISTINCT CAST(CAST(i.inhparent AS regclass) AS text), CAST(CAST(i.inhrelid AS regclass) AS text)
    FROM pg_locks l JOIN pg_inherits i ON i.inhrelid = l.relation JOIN pg_class c ON c.oid = l.relation
    WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation' AND c.relkind = 'r'"""
Plan = Mapping[str, Any]


@dataclass(kw_only=True)
class Explained:
    """A statement, and its plans as they ran: one for these values, one for any."""

    text: str
    plans: list[Plan] = field(default_factory=list)

    def scanned(self) -> list[set[str]]:
        """Name the tables and partitions from which each plan did read."""
        return [set(_scanned(plan)) for plan in self.plans]

    def kinds(self) -> set[str]:
        """Name the kinds of the nodes in the plans."""
        return {node["Node Type"] for plan in self.plans for node in _nodes(plan)}

    def tables(self) -> set[str]:
        """Name all relations in the plans, read or written."""
        return {name for plan in self.plans for name in _named(plan)}


@dataclass(kw_only=True)
class Transaction:
    """What one transaction ran until it was committed, and the partitions (table, partition) that it had locked.

    A statement that commits by itself is one too.
    """

    read_only: bool = False
    statements: list[Explained] = field(default_factory=list)
    locked: set[tuple[str, str]] = field(default_factory=set)

    def holds(self, words: str) -> bool:
        """Tell whether one of its statements has these words."""
        return any(words in statement.text for statement in self.statements)


@contextmanager
def explained_pools(*, plans: Sequence[str] = PLANS) -> Iterator[list[Transaction]]:
    """Explain on the connections of all pools that are opened meanwhile; no `plans`: only look at the locks.

    A statement is prepared and explained in a savepoint. That takes locks on all partitions, so locks are to be looked
    at in a run of their own.
    """
    done: list[Transaction] = []
    opening = Pool.open

    def explained(pool: Pool) -> Any:
        connection = opening(pool)
        if isinstance(connection, psycopg.Connection):
            _explain_on(connection, done, plans)
        return connection

    with patch.object(Pool, "open", explained):
        yield done


def _explain_on(connection: psycopg.Connection, done: list[Transaction], plans: Sequence[str]) -> None:
    current: Transaction | None = None

    def tell(statement: str, values: Any) -> None:
        if current is not None:
            made = Explained(text=statement)
            made.plans += [_plan(connection, statement, values, mode) for mode in plans]
            current.statements.append(made)

    def end() -> None:
        nonlocal current
        if current is not None:
            current.locked = set(psycopg.Cursor(connection).execute(_LOCKED).fetchall())
            done.append(current)
            current = None

    class Explaining(psycopg.Cursor[Any]):
        def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
            nonlocal current
            first = str(query).split(maxsplit=1)[0].upper()
            if first in ("BEGIN", "COMMIT", *_SETTINGS):
                if first == "COMMIT":
                    end()
                answer = super().execute(query, params, **options)
                if first == "BEGIN":
                    current = Transaction(read_only="READ ONLY" in str(query))
                return answer
            if current is not None:
                tell(str(query), params)
                return super().execute(query, params, **options)
            psycopg.Cursor(connection).execute("BEGIN")
            current = Transaction()
            try:
                tell(str(query), params)
                answer = super().execute(query, params, **options)
                end()
            except BaseException:
                current = None
                psycopg.Cursor(connection).execute("ROLLBACK")
                raise
            psycopg.Cursor(connection).execute("COMMIT")
            return answer

        def executemany(self, query: Any, params_seq: Any, **options: Any) -> None:
            rows = list(params_seq)
            for params in rows:
                tell(str(query), params)
            super().executemany(query, rows, **options)

    connection.cursor_factory = Explaining
    connection.prepared = connection.cursor()  # type: ignore[attr-defined]  # what runs below cursors cannot be seen


def _plan(connection: psycopg.Connection, statement: str, values: Any, mode: str) -> Plan:
    """Run a statement by a plan of one kind, and take back what it did."""
    text, given = _numbered(statement, values)
    arguments = sql.SQL("({})").format(sql.SQL(", ").join(map(sql.Literal, given))) if given else sql.SQL("")
    cursor = psycopg.Cursor(connection)
    cursor.execute("SAVEPOINT explained")
    cursor.execute(sql.SQL("SET LOCAL plan_cache_mode = {}").format(sql.SQL(mode)))
    cursor.execute(f"PREPARE explained AS {text}".encode())
    asked = sql.SQL("EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE explained{}").format(arguments)
    row = cursor.execute(asked).fetchone()
    cursor.execute("DEALLOCATE explained")
    cursor.execute("ROLLBACK TO explained")
    assert row is not None
    plan: Plan = row[0][0]["Plan"]
    return plan


def _numbered(statement: str, values: Any) -> tuple[str, list[Any]]:
    """Write a statement with numbered parameters; return it with its values in their order."""
    names: list[str] = []
    given: list[Any] = []

    def number(found: re.Match[str]) -> str:
        name = found["name"]
        if name is None or name not in names:
            names.append(name or "")
            given.append(values[name] if name else values[len(given)])
        return f"${names.index(name) + 1 if name else len(names)}"

    return _PLACE.sub(number, statement).replace("%%", "%"), given


def _nodes(plan: Plan) -> Iterator[Plan]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from _nodes(part)


def _scanned(plan: Plan) -> Iterator[str]:
    for node in _nodes(plan):
        if "Relation Name" in node and node["Node Type"] != "ModifyTable" and node["Actual Loops"]:
            yield node["Relation Name"]


def _named(plan: Plan) -> Iterator[str]:
    for node in _nodes(plan):
        if "Relation Name" in node:
            yield node["Relation Name"]
