"""Exports by hand: the same columns with the bare driver, nothing checked, nothing bound, nothing to go on from.

Each way is the shortest that its tools allow: SQL that formats whole lines (server-side COPY on PostgreSQL), a loop
in Python, batches of ADBC where its driver is installed. A deadline that was set again is told by what changed.
"""

import csv
import sqlite3
from collections.abc import Callable, Iterator
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pyarrow
import pyarrow.parquet

from refundflow.export.rows import COLUMNS

Rows = Iterator[tuple[str, bytes, str]]
PAGE = 5_000
LEDGER = ("reserved", "in_flight", "settled", "charged_back", "excess")
TEXTS = (
    "subject", "kind", "event", "from", "to", "effective_at", "recorded_at", "occurred_at", "policy", "chart",
    "calendar", "key", "request", "correlation", "prev",
)  # fmt: skip
ENTRIES = "SELECT order_id, body, hash FROM transitions ORDER BY gid"


def rows_of(url: str) -> Rows:
    """Read order id, body and hash of every entry in log order."""
    if url.startswith("sqlite:"):
        yield from sqlite3.connect(url.removeprefix("sqlite:///")).execute(ENTRIES)
        return
    asked = f"COPY ({ENTRIES}) TO STDOUT (FORMAT binary)"
    with psycopg.connect(url) as connection, connection.cursor() as cursor, cursor.copy(asked) as copy:
        copy.set_types(["text", "bytea", "text"])
        yield from copy.rows()


def _row(leaf: int, order_id: str, body: bytes, hashed: str) -> dict[str, Any]:
    told = orjson.loads(body)
    get, actor, params, ledger = told.get, told["actor"], told["params"], told["ledger"].get
    due = told["patch"].get("deadlines")
    return {
        "leaf": leaf, "order_id": order_id, "subject": told["subject"], "seq": told["seq"], "kind": told["kind"],
        "event": told["event"], "from": told["from"], "to": told["to"], "effective_at": told["effective_at"],
        "recorded_at": told["recorded_at"], "occurred_at": get("occurred_at"), "actor_role": actor["role"],
        "actor_name": actor["name"], "reason": params.get("reason"), "params": params, "texts": told["texts"],
        "deadlines": [
            {"name": name, "due_at": item.get("due_at"), "rule": item.get("rule"), "provisional": False}
            for name, item in due.items() if item is not None
        ] if due else [],
        "blockers": get("blockers", []), "reserved": ledger("reserved", 0), "in_flight": ledger("in_flight", 0),
        "settled": ledger("settled", 0), "charged_back": ledger("charged_back", 0), "excess": ledger("excess", 0),
        "policy": told["policy"], "chart": told["chart"], "calendar": told["calendar"], "key": get("key"),
        "request": get("request"), "correlation": get("correlation"), "cause": get("cause"),
        "repeats": get("repeats", 0), "prev": told["prev"], "hash": hashed, "body": body.decode(),
    }  # fmt: skip


def _rows(url: str) -> Iterator[dict[str, Any]]:
    for leaf, (order_id, body, hashed) in enumerate(rows_of(url)):
        yield _row(leaf, order_id, body, hashed)


def jsonl_in_python(url: str, output: Path) -> int:
    """Write one object per line, as fast as a loop in Python can."""
    count, digest = 0, sha256()
    with output.open("wb") as file:
        for row in _rows(url):
            count += 1
            line = orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)
            file.write(line)
            digest.update(line)
    return count


def csv_in_python(url: str, output: Path) -> int:
    """Write a line per entry with the csv module; nothing is marked that runs as a formula."""
    count = 0
    with output.open("w", encoding="utf-8", newline="") as file:
        write = csv.writer(file).writerow
        for row in _rows(url):
            count += 1
            row["deadlines"] = "; ".join(item["due_at"] or "" for item in row["deadlines"])
            for name in ("params", "texts", "blockers"):
                row[name] = orjson.dumps(row[name]).decode() if row[name] else ""
            del row["body"]
            write(row.values())
    return count


def parquet_in_python(url: str, output: Path) -> int:
    """Write columns of text and numbers as Parquet; no moment is parsed, lists stay JSON."""
    count, batch, names = 0, [], COLUMNS
    numbers = {"leaf", "seq", *LEDGER, "cause", "repeats"}
    schema = pyarrow.schema([(name, pyarrow.int64() if name in numbers else pyarrow.string()) for name in names])
    with pyarrow.parquet.ParquetWriter(output, schema, compression="zstd") as writer:
        for row in _rows(url):
            count += 1
            for name in ("params", "texts", "deadlines", "blockers"):
                row[name] = orjson.dumps(row[name]).decode()
            batch.append(tuple(row[name] for name in names))
            if len(batch) == PAGE:
                writer.write_batch(_batch(batch, schema))
                batch = []
        if batch:
            writer.write_batch(_batch(batch, schema))
    return count


def _batch(rows: list[tuple[Any, ...]], schema: Any) -> Any:
    columns = zip(*rows, strict=True)
    return pyarrow.record_batch(
        [pyarrow.array(column, field.type) for field, column in zip(schema, columns, strict=True)], schema=schema
    )


def _postgres_columns(body: bool) -> str:
    fields = ", ".join(f'"{name}" text' for name in TEXTS)
    own = ", ".join(f'b."{name}"' for name in TEXTS)
    ledger = ", ".join(f"coalesce((b.ledger->>'{name}')::bigint, 0) AS {name}" for name in LEDGER)
    return (
        f"SELECT t.order_id, {own}, b.seq, b.actor->>'role' AS actor_role, b.actor->>'name' AS actor_name,"
        f" b.params->>'reason' AS reason, b.params, b.texts, b.patch->'deadlines' AS deadlines, b.blockers, {ledger},"
        f" b.cause, coalesce(b.repeats, 0) AS repeats, t.hash{', ' if body else ''}"
        f"{_POSTGRES_BODY if body else ''} FROM transitions t, json_to_record(convert_from(t.body, 'UTF8')::json) AS b"
        f"({fields}, seq bigint, actor json, params json, texts json, patch json, ledger json, blockers json,"
        " cause bigint, repeats bigint) ORDER BY t.gid"
    )


_POSTGRES_BODY = "convert_from(t.body, 'UTF8') AS body"


def _sqlite_columns(json: bool, body: bool) -> dict[str, str]:
    get = "->" if json else "->>"
    columns = {"order_id": "json_quote(order_id)" if json else "order_id"}
    columns |= {name: f"(b {get} '$.{name}')" for name in (*TEXTS, "seq", "params", "texts", "blockers", "cause")}
    columns |= {"actor_role": f"(b {get} '$.actor.role')", "actor_name": f"(b {get} '$.actor.name')"}
    columns |= {"reason": f"(b {get} '$.params.reason')", "deadlines": f"(b {get} '$.patch.deadlines')"}
    columns |= {name: f"coalesce(b ->> '$.ledger.{name}', 0)" for name in LEDGER}
    columns |= {"repeats": "coalesce(b ->> '$.repeats', 0)", "hash": "json_quote(hash)" if json else "hash"}
    return columns | ({"body": "json_quote(b)" if json else "b"} if body else {})


_SQLITE_ROWS = "(SELECT gid, order_id, hash, CAST(body AS TEXT) AS b FROM transitions ORDER BY gid)"


def jsonl_in_sql(url: str, output: Path) -> int:
    """Let the database write each line."""
    if url.startswith("sqlite:"):
        pairs = (
            f"'\"{name}\":' || coalesce({value}, 'null')" for name, value in _sqlite_columns(True, body=True).items()
        )
        line = "'{' || " + " || ',' || ".join(pairs) + " || '}' || char(10)"
        return _from_sqlite(url, f"SELECT {line} FROM {_SQLITE_ROWS}", output)
    asked = f"SELECT convert_to(row_to_json(r)::text, 'UTF8') FROM ({_postgres_columns(body=True)}) r"
    return _copied(url, f"COPY ({asked}) TO STDOUT (FORMAT binary)", output)


def csv_in_sql(url: str, output: Path) -> int:
    """Let the database write each line: COPY on PostgreSQL."""
    if url.startswith("sqlite:"):
        cells = (f"coalesce(replace({value}, '\"', '\"\"'), '')" for value in _sqlite_columns(False, False).values())
        line = "'\"' || " + " || '\",\"' || ".join(cells) + " || '\"' || char(13) || char(10)"
        return _from_sqlite(url, f"SELECT {line} FROM {_SQLITE_ROWS}", output)
    return _copied(url, f"COPY ({_postgres_columns(body=False)}) TO STDOUT (FORMAT csv)", output)


def _from_sqlite(url: str, asked: str, output: Path) -> int:
    count = 0
    with output.open("wb") as file:
        for (line,) in sqlite3.connect(url.removeprefix("sqlite:///")).execute(asked):
            file.write(line.encode())
            count += 1
    return count


def _copied(url: str, asked: str, output: Path) -> int:
    count = 0
    with (
        psycopg.connect(url) as connection,
        connection.cursor() as cursor,
        cursor.copy(asked) as copy,
        output.open("wb") as file,
    ):
        for line in copy:
            file.write(line)
            count += 1
    return count


def parquet_by_adbc(url: str, output: Path) -> int:
    """Let ADBC fetch batches of the columns and write them as they are.

    Raises:
        ImportError: the driver of this database is not installed.
    """
    if url.startswith("sqlite:"):
        driver = import_module("adbc_driver_sqlite.dbapi")
        columns = ", ".join(f'{value} AS "{name}"' for name, value in _sqlite_columns(False, True).items())
        asked, target = f"SELECT {columns} FROM {_SQLITE_ROWS}", url.removeprefix("sqlite:///")
    else:
        driver = import_module("adbc_driver_postgresql.dbapi")
        asked, target = f"SELECT * FROM ({_postgres_columns(True)}) r", url
        asked = asked.replace("b.params,", "b.params::text,").replace("b.texts,", "b.texts::text,")
        asked = asked.replace("b.patch->'deadlines' AS", "(b.patch->'deadlines')::text AS")
        asked = asked.replace("b.blockers,", "b.blockers::text,")
    count = 0
    with driver.connect(target) as connection, connection.cursor() as cursor:
        cursor.execute(asked)
        reader = cursor.fetch_record_batch()
        with pyarrow.parquet.ParquetWriter(output, reader.schema, compression="zstd") as writer:
            for batch in reader:
                writer.write_batch(batch)
                count += batch.num_rows
    return count


WAYS: dict[str, dict[str, Callable[[str, Path], int]]] = {
    "jsonl": {"lines by SQL": jsonl_in_sql, "loop in Python": jsonl_in_python},
    "csv": {"lines by SQL": csv_in_sql, "loop with csv.writer": csv_in_python},
    "parquet": {"batches by ADBC": parquet_by_adbc, "loop in Python": parquet_in_python},
}
