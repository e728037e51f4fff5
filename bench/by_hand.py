"""The floor: the same rows as a move of the facade, written with the bare drivers, as fast as careful code does it.

Statements are prepared, values are bound by place, the settings of the connection are those that refundflow uses.
`one` makes one move in one commit, `many` makes many in one commit, with as few statements as the database allows.
"""

import sqlite3
from collections.abc import Sequence
from functools import cache, cached_property
from typing import Any, Protocol

import orjson
import psycopg

from bench.recorded import EFFECT, ENTRY, REFUND, Found, Place, Recorded, filled, recorded

READ_BODIES = "SELECT body FROM transitions WHERE order_id = {0} AND subject = {0} AND seq > {0} ORDER BY seq"
READ_EFFECTS = "SELECT kind, code, params, seq FROM effects WHERE order_id = {0} AND subject = {0} AND seq > {0}"
READ_SEQ = "SELECT seq FROM refunds WHERE order_id = {0} AND id = {0}"


class Hand(Protocol):
    """A way to write by hand."""

    connection: Any
    mark: str  # of a value in a statement

    def begin(self) -> None:
        """Begin a transaction that is going to write."""
        ...

    def write(self, move: Recorded, place: Place) -> None:
        """Make one move within a transaction."""
        ...

    def commit(self) -> None:
        """Commit what was written."""
        ...

    def one(self, move: Recorded, place: Place) -> None:
        """Make one move in one commit."""
        ...

    def many(self, move: Recorded, places: Sequence[Place]) -> None:
        """Make many moves in one commit."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


def newest(hand: Hand, place: Place) -> int:
    """Return the number of the newest entry of a refund."""
    seq: int = hand.connection.execute(READ_SEQ.format(hand.mark), place).fetchone()[0]
    return seq


def record(hand: Hand, place: Place, after: int) -> Recorded:
    """Read what a move wrote after the entry `after`."""
    found = (*place, after)
    bodies = hand.connection.execute(READ_BODIES.format(hand.mark), found).fetchall()
    effects = hand.connection.execute(READ_EFFECTS.format(hand.mark) + " ORDER BY id", found).fetchall()
    return recorded([bytes(row[0]) for row in bodies], effects)


def require(done: int, expected: int) -> None:
    """Raise a RuntimeError where not as many refunds have changed as were to."""
    if done != expected:
        raise RuntimeError(f"{done} refunds changed instead of {expected}")


def _insert(table: str, columns: Sequence[str]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"


class SqliteHand:
    """The sqlite3 module of Python: a write-ahead log, write transactions from the start, executemany for many."""

    mark = "?"
    _READ = "SELECT document, seq, head, version FROM refunds WHERE order_id = ? AND id = ?"
    _READ_MANY = """
        SELECT document, seq, head, version FROM json_each(?) AS asked CROSS JOIN refunds
        ON refunds.order_id = asked.value ->> 0 AND refunds.id = asked.value ->> 1 ORDER BY asked.key"""
    _CHANGE = f"""
        UPDATE refunds SET {", ".join(f"{name} = ?" for name in REFUND)}, version = version + 1
        WHERE order_id = ? AND id = ? AND version = ?"""
    _LINE = "UPDATE order_lines SET reserved = reserved + ?, version = version + 1 WHERE order_id = ? AND line = '1'"
    _ADD_ENTRY, _ADD_EFFECT = _insert("transitions", ENTRY), _insert("effects", EFFECT)

    def __init__(self, url: str, synchronous: str = "full") -> None:
        path = url.removeprefix("sqlite:///")
        self.connection = sqlite3.connect(path, isolation_level=None, timeout=10)
        for setting in (
            "journal_mode = WAL", f"synchronous = {synchronous}", "foreign_keys = ON", "cache_size = -32768",
            "wal_autocheckpoint = 4000",
        ):  # fmt: skip
            self.connection.execute(f"PRAGMA {setting}")

    def begin(self) -> None:
        """Begin a transaction that is going to write."""
        self.connection.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        """Commit what was written."""
        self.connection.execute("COMMIT")

    def one(self, move: Recorded, place: Place) -> None:
        """Make one move in one commit."""
        self.begin()
        self.write(move, place)
        self.commit()

    def write(self, move: Recorded, place: Place) -> None:
        """Make one move within a transaction."""
        run = self.connection.execute
        rows = filled(move, place, Found(*run(self._READ, place).fetchone()))
        for entry in rows.entries:
            run(self._ADD_ENTRY, entry)
        if rows.reserved:
            run(self._LINE, (rows.reserved, place.order_id))
        require(run(self._CHANGE, rows.refund).rowcount, 1)
        for effect in rows.effects:
            run(self._ADD_EFFECT, effect)

    def many(self, move: Recorded, places: Sequence[Place]) -> None:
        """Make many moves in one commit."""
        every = self.connection.executemany
        self.begin()
        asked = orjson.dumps([tuple(place) for place in places]).decode()
        found = self.connection.execute(self._READ_MANY, (asked,)).fetchall()
        rows = [filled(move, place, Found(*row)) for place, row in zip(places, found, strict=True)]
        every(self._ADD_ENTRY, [entry for row in rows for entry in row.entries])
        every(self._LINE, [(row.reserved, row.refund[-3]) for row in rows if row.reserved])
        require(every(self._CHANGE, [row.refund for row in rows]).rowcount, len(rows))
        every(self._ADD_EFFECT, [effect for row in rows for effect in row.effects])
        self.commit()

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()


class PostgresHand:
    """psycopg: one statement after the other, READ COMMITTED, each statement prepared."""

    mark = "%s"
    _READ = "SELECT document, seq, head, version FROM refunds WHERE order_id = %s AND id = %s"
    _READ_MANY = """
        SELECT document, seq, head, version FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS asked(o, r, n)
        JOIN refunds ON order_id = asked.o AND id = asked.r ORDER BY asked.n"""
    _CHANGE, _LINE = SqliteHand._CHANGE.replace("?", "%s"), SqliteHand._LINE.replace("?", "%s")
    _ADD_ENTRY, _ADD_EFFECT = (
        statement.replace("?", "%s") for statement in (SqliteHand._ADD_ENTRY, SqliteHand._ADD_EFFECT)
    )

    def __init__(self, url: str) -> None:
        self.connection = psycopg.connect(url, autocommit=True)

    @cached_property
    def _cursor(self) -> psycopg.Cursor[Any]:
        return self.connection.cursor()

    def _run(self, statement: str, values: Sequence[Any] = ()) -> psycopg.Cursor[Any]:
        return self._cursor.execute(statement, values, prepare=True)

    def _found(self, place: Place) -> Found:
        row = self._run(self._READ, place).fetchone()
        if row is None:
            raise RuntimeError(f"{place.refund} is not there")
        return Found(*row)

    def begin(self) -> None:
        """Begin a transaction that is going to write."""
        self._run("BEGIN")

    def commit(self) -> None:
        """Commit what was written."""
        self._run("COMMIT")

    def one(self, move: Recorded, place: Place) -> None:
        """Make one move in one commit."""
        self.begin()
        self.write(move, place)
        self.commit()

    def write(self, move: Recorded, place: Place) -> None:
        """Make one move within a transaction."""
        rows = filled(move, place, self._found(place))
        for entry in rows.entries:
            self._run(self._ADD_ENTRY, entry)
        if rows.reserved:
            self._run(self._LINE, (rows.reserved, place.order_id))
        require(self._run(self._CHANGE, rows.refund).rowcount, 1)
        for effect in rows.effects:
            self._run(self._ADD_EFFECT, effect)

    def many(self, move: Recorded, places: Sequence[Place]) -> None:
        """Make many moves in one commit: what is read, and then one data-modifying statement over rows of JSON."""
        asked = self._run(self._READ_MANY, ([order for order, _ in places], [refund for _, refund in places]))
        rows = [filled(move, place, Found(*row)) for place, row in zip(places, asked.fetchall(), strict=True)]
        values = (
            as_json((*REFUND, *_KEYS), [row.refund for row in rows]),
            as_json(ENTRY, [(*entry[:-2], entry[-2].decode(), entry[-1]) for row in rows for entry in row.entries]),
            as_json(("order_id", "reserved"), [(row.refund[-3], row.reserved) for row in rows if row.reserved]),
            as_json(EFFECT, [effect for row in rows for effect in row.effects]),
        )
        changed = self._run(_MANY, values).fetchone()
        require(changed[0] if changed else 0, len(rows))

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()


class PostgresHandAtOnce(PostgresHand):
    """psycopg: what is read, and then one data-modifying statement that commits by itself."""

    def one(self, move: Recorded, place: Place) -> None:
        """Make one move in one commit."""
        rows = filled(move, place, self._found(place))
        values = [*rows.refund, *(value for row in (*rows.entries, *rows.effects) for value in row)]
        if rows.reserved:
            values.append(rows.reserved)
        statement = _at_once(len(rows.entries), len(rows.effects), bool(rows.reserved))
        changed = self._run(statement, values).fetchone()
        require(changed[0] if changed else 0, 1)


_KEYS = ("order_id", "id", "version")
_TYPES = {
    **dict.fromkeys(("seq", "approved", "version", "reserved"), "bigint"), "tries": "integer", "body": "bytea",
    **dict.fromkeys(
        ("next_due_at", "next_warn_at", "effective_at", "recorded_at", "next_try_at"), "timestamptz"
    ),
}  # fmt: skip


def _type(column: str) -> str:
    return _TYPES.get(column, "text")


@cache
def _at_once(entries: int, effects: int, ledger: bool) -> str:
    """Write the statement of one move with so many entries and effects; nothing is written where a version differs."""
    changes = ", ".join(f"{name} = %s" for name in REFUND)
    parts = [
        f"changed AS (UPDATE refunds SET {changes}, version = version + 1"
        " WHERE order_id = %s AND id = %s AND version = %s RETURNING order_id)",
        f"entry AS ({inserted('transitions', ENTRY, entries)})",
    ]
    if effects:
        parts.append(f"effect AS ({inserted('effects', EFFECT, effects)})")
    if ledger:
        parts.append(
            "ledger AS (UPDATE order_lines SET reserved = reserved + %s, version = version + 1 FROM changed"
            " WHERE order_lines.order_id = changed.order_id AND line = '1')"
        )
    return f"WITH {', '.join(parts)} SELECT count(*) FROM changed"


def inserted(table: str, columns: Sequence[str], count: int) -> str:
    """Write the part of a data-modifying statement of PostgreSQL that inserts rows where something is `changed`."""
    row = ", ".join(f"%{'b' if name == 'body' else 's'}::{_type(name)}" for name in columns)
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) SELECT rows.* FROM changed,"
        f" (VALUES {', '.join([f'({row})'] * count)}) AS rows"
    )


def given(name: str, columns: Sequence[str]) -> str:
    """Read rows of JSON; bytes stand there as text."""
    types = ", ".join(f"{column} {_type(column).replace('bytea', 'text')}" for column in columns)
    return f"jsonb_to_recordset(%s::jsonb) AS {name}({types})"


def selected(name: str, columns: Sequence[str]) -> str:
    """Write the columns of such rows as they are inserted."""
    return ", ".join(
        f"convert_to({name}.body, 'UTF8')" if column == "body" else f"{name}.{column}" for column in columns
    )


_MANY = f"""
    WITH changed AS (
        UPDATE refunds SET {", ".join(f"{name} = given.{name}" for name in REFUND)}, version = refunds.version + 1
        FROM {given("given", (*REFUND, *_KEYS))}
        WHERE {" AND ".join(f"refunds.{name} = given.{name}" for name in _KEYS)} RETURNING refunds.id
    ), entry AS (
        INSERT INTO transitions ({", ".join(ENTRY)}) SELECT {selected("given", ENTRY)}
        FROM {given("given", ENTRY)} JOIN changed ON changed.id = given.subject
    ), ledger AS (
        UPDATE order_lines SET reserved = order_lines.reserved + given.reserved, version = version + 1
        FROM {given("given", ("order_id", "reserved"))}
        WHERE order_lines.order_id = given.order_id AND line = '1'
    ), effect AS (
        INSERT INTO effects ({", ".join(EFFECT)}) SELECT {selected("given", EFFECT)}
        FROM {given("given", EFFECT)} JOIN changed ON changed.id = given.subject
    ) SELECT count(*) FROM changed"""  # fmt: skip


def as_json(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Write rows as `given` reads them."""
    return orjson.dumps([dict(zip(columns, row, strict=True)) for row in rows]).decode()


def open_hand(url: str, synchronous: str = "full") -> SqliteHand | PostgresHand:
    """Open a connection of the kind that the URL names."""
    return SqliteHand(url, synchronous) if url.startswith("sqlite:") else PostgresHand(url)
