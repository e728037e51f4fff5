"""Many refunds with their whole histories: what a few have lived is written again for other orders, chained anew."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from hashlib import sha256
from typing import Any, NamedTuple

import orjson
import psycopg

from bench.recorded import Place, merged

FIRST = 10_000_000  # orders have names of one length
PAGE = 10_000
_TABLES = ("order_lines", "refunds", "transitions")  # in the order of their foreign keys
_BY = {"order_lines": "line", "refunds": "id", "transitions": "gid"}
Row = dict[str, Any]


class Lived(NamedTuple):
    """All rows of one order that has one refund, by table."""

    order_id: str
    rows: dict[str, list[Row]]

    def again(self, order_id: str) -> dict[str, list[Row]]:
        """Return the rows as another order would have them; its chains begin anew."""
        heads: dict[str, str] = {}
        entries = []
        for row in self.rows["transitions"]:
            written = self._renamed(row, order_id)
            body = row["body"].replace(self.order_id.encode(), order_id.encode())
            before = heads.get(written["subject"])
            if before is not None:
                body = body.replace(self._before(row).encode(), before.encode())
            heads[written["subject"]] = digest = sha256(body).hexdigest()
            entries.append(written | {"body": body, "hash": digest})
        lines = [self._renamed(row, order_id) for row in self.rows["order_lines"]]
        refunds = [self._renamed(row, order_id) for row in self.rows["refunds"]]
        for row in lines:
            row["head"] = heads[f"{order_id}/{row['line']}"]
        for row in refunds:
            row["head"] = heads[row["id"]]
        return {"order_lines": lines, "refunds": refunds, "transitions": entries}

    def newest(self, event: str) -> Row:
        """Follow the chains and compare the refund with its own; return its newest entry, which is of `event`.

        Raises:
            RuntimeError: a row is not what the chains say, or the newest entry is another's.
        """
        heads: dict[str, tuple[int, str]] = {}
        document: dict[str, Any] = {}
        [refund] = self.rows["refunds"]
        newest: Row = {}
        for row in self.rows["transitions"]:
            body, (seq, head) = orjson.loads(row["body"]), heads.get(row["subject"], (0, "0" * 64))
            heads[row["subject"]] = (seq + 1, row["hash"])
            told = (body["seq"], body["prev"], body["event"], sha256(row["body"]).hexdigest())
            if told != (seq + 1, head, row["event"], row["hash"]) or row["seq"] != seq + 1:
                raise RuntimeError(f"entry {row['seq']} of {row['subject']} does not continue its chain")
            if row["subject"] == refund["id"]:
                document, newest = merged(document, body["patch"]), row
                document |= {"seq": body["seq"], "effective_at": body["effective_at"]}
        found = (orjson.loads(refund["document"]), refund["state"], (refund["seq"], refund["head"]), newest["event"])
        if found != (document, document["state"], heads[refund["id"]], event):
            raise RuntimeError(f"{refund['id']} is not what its entries say, or {event} is not the newest of them")
        return newest

    def _before(self, entry: Row) -> str:
        """Return the hash of the entry before one that is not the first of its chain."""
        (found,) = (
            row["hash"]
            for row in self.rows["transitions"]
            if row["subject"] == entry["subject"] and row["seq"] == entry["seq"] - 1
        )
        return str(found)

    def _renamed(self, row: Row, order_id: str) -> Row:
        return {
            name: value.replace(self.order_id, order_id) if isinstance(value, str) else value
            for name, value in row.items()
        }


def place(prefix: str, number: int) -> Place:
    """Name the refund of a copy by its number from 0 on."""
    order_id = f"{prefix}{FIRST + number}"
    return Place(order_id, f"{order_id}-1-1")


def live(url: str, order_id: str) -> Lived:
    """Read what the refund of an order has lived."""
    with _opened(url) as connection:
        mark = "?" if isinstance(connection, sqlite3.Connection) else "%s"
        rows: dict[str, list[Row]] = {}
        for table in _TABLES:
            asked = f"SELECT * FROM {table} WHERE order_id = {mark} ORDER BY {_BY[table]}"
            rows[table] = _rows(connection.execute(asked, (order_id,)))
    for row in rows["transitions"]:
        del row["gid"]
    return Lived(order_id, rows)


def people(url: str) -> dict[str, list[Row]]:
    """Read the registered persons and the buyers."""
    with _opened(url) as connection:
        return {table: _rows(connection.execute(f"SELECT * FROM {table}")) for table in ("staff", "buyers")}


def copy(url: str, models: Sequence[Lived], count: int, *, prefix: str, **columns: Any) -> None:
    """Write `count` orders, each like the next of the models in turn; `columns` of the refund are set to values."""
    with _opened(url) as connection:
        for first in range(0, count, PAGE):
            numbers = range(first, min(first + PAGE, count))
            written = [models[number % len(models)].again(place(prefix, number).order_id) for number in numbers]
            for table in _TABLES:
                rows = (row | columns if table == "refunds" else row for new in written for row in new[table])
                _insert(connection, table, rows)
            connection.commit()


def settle(url: str) -> None:
    """Bring a database that was filled into the state of one that has long been so."""
    with _opened(url) as connection:
        if isinstance(connection, psycopg.Connection):
            connection.autocommit = True
            connection.execute("VACUUM ANALYZE")
            connection.execute("CHECKPOINT")
        else:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _insert(connection: Any, table: str, rows: Iterator[Row]) -> None:
    first = next(rows, None)
    if first is None:
        return
    names = ", ".join(first)
    if isinstance(connection, sqlite3.Connection):
        marks = ", ".join("?" * len(first))
        statement = f"INSERT INTO {table} ({names}) VALUES ({marks})"
        connection.execute(statement, tuple(first.values()))
        connection.executemany(statement, (tuple(row.values()) for row in rows))
        return
    with connection.cursor().copy(f"COPY {table} ({names}) FROM STDIN") as copying:
        copying.write_row(tuple(first.values()))
        for row in rows:
            copying.write_row(tuple(row.values()))


def _rows(found: Any) -> list[Row]:
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def _opened(url: str) -> Any:
    if url.startswith("sqlite:"):
        connection = sqlite3.connect(url.removeprefix("sqlite:///"))
        connection.execute("PRAGMA synchronous = OFF")
        return closing(connection)
    return psycopg.connect(url)
