"""Exports by hand: what a reader needs of the same columns with the bare driver; nothing bound, nothing to go on from.

Each way is the shortest that its tools allow. The loops in Python write what the command writes: JSON Lines and CSV
byte for byte, Parquet with equal tables (`tests/integration/test_bench.py`). SQL that formats whole lines (server-side
COPY on PostgreSQL) and batches of ADBC, where its driver is installed, leave out what SQL is slow at: a deadline that
was set again is told by what changed; all deadlines of an entry, and in Parquet its blockers, are one text of JSON; SQL
on SQLite marks no formula, COPY those in the columns that callers fill. Every file is hashed at the end by whoever
measures, as a manifest wants it.
"""

import csv
import sqlite3
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pyarrow
import pyarrow.parquet

from refundflow.export.csv_format import HEADER
from refundflow.export.rows import COLUMNS
from refundflow.spreadsheet import RISKY, harmless

Rows = Iterator[tuple[str, bytes, str]]
PAGE = 5_000
LEDGER = ("reserved", "in_flight", "settled", "charged_back", "excess")
TEXTS = (
    "subject", "kind", "event", "from", "to", "effective_at", "recorded_at", "occurred_at", "policy", "chart",
    "calendar", "key", "request", "correlation", "prev",
)  # fmt: skip
MOMENTS = ("effective_at", "recorded_at", "occurred_at")
NUMBERS = ("leaf", "seq", *LEDGER, "cause", "repeats")
CODES = ("kind", "event", "from", "to", "actor_role", "reason", "policy", "chart", "calendar")
DEADLINES = COLUMNS.index("deadlines")
ENTRIES = "SELECT order_id, body, hash FROM transitions ORDER BY gid"
MOMENT, TEXT = pyarrow.timestamp("us", "UTC"), pyarrow.string()


def rows_of(url: str) -> Rows:
    """Read order id, body and hash of every entry in log order."""
    if url.startswith("sqlite:"):
        yield from sqlite3.connect(url.removeprefix("sqlite:///")).execute(ENTRIES)
        return
    asked = f"COPY ({ENTRIES}) TO STDOUT (FORMAT binary)"
    with psycopg.connect(url) as connection, connection.cursor() as cursor, cursor.copy(asked) as copy:
        copy.set_types(["text", "bytea", "text"])
        yield from copy.rows()


def _rows(url: str) -> Iterator[dict[str, Any]]:
    standing: dict[str, dict[str, Any]] = {}  # the deadlines of every chain that was met
    for leaf, (order_id, body, hashed) in enumerate(rows_of(url)):
        told = orjson.loads(body)
        due = told["patch"].get("deadlines")
        deadlines = _set(standing.setdefault(told["subject"], {}), due) if due else []
        yield _row(leaf, order_id, told, deadlines, hashed, body)


def _set(known: dict[str, Any], due: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the deadlines that an entry set; one that is set again is told by what changed."""
    found = []
    for name, item in due.items():
        if item is None:
            known.pop(name, None)
            continue
        if "rule" not in item:
            item = known[name] | item
        known[name] = item
        provisional = item.get("provisional", False)
        found.append({"name": name, "due_at": item["due_at"], "rule": item["rule"], "provisional": provisional})
    return found


def _row(
    leaf: int, order_id: str, told: dict[str, Any], deadlines: list[dict[str, Any]], hashed: str, body: bytes
) -> dict[str, Any]:
    get, actor, params, ledger = told.get, told["actor"], told["params"], told["ledger"].get
    return {
        "leaf": leaf, "order_id": order_id, "subject": told["subject"], "seq": told["seq"], "kind": told["kind"],
        "event": told["event"], "from": told["from"], "to": told["to"], "effective_at": told["effective_at"],
        "recorded_at": told["recorded_at"], "occurred_at": get("occurred_at"), "actor_role": actor["role"],
        "actor_name": actor["name"], "reason": params.get("reason"), "params": params, "texts": told["texts"],
        "deadlines": deadlines, "blockers": get("blockers", []), "reserved": ledger("reserved", 0),
        "in_flight": ledger("in_flight", 0), "settled": ledger("settled", 0),
        "charged_back": ledger("charged_back", 0), "excess": ledger("excess", 0), "policy": told["policy"],
        "chart": told["chart"], "calendar": told["calendar"], "key": get("key"), "request": get("request"),
        "correlation": get("correlation"), "cause": get("cause"), "repeats": get("repeats", 0), "prev": told["prev"],
        "hash": hashed, "body": body.decode(),
    }  # fmt: skip


def jsonl_in_python(url: str, output: Path) -> int:
    """Write one object per line, as fast as a loop in Python can."""
    count = 0
    with output.open("wb") as file:
        for row in _rows(url):
            count += 1
            file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
    return count


def csv_in_python(url: str, output: Path) -> int:
    """Write a line per entry with the csv module."""
    count = 0
    with output.open("w", encoding="utf-8-sig", newline="") as file:
        write = csv.writer(file).writerow
        write(HEADER)
        for row in _rows(url):
            count += 1
            for name in ("params", "texts", "blockers"):
                row[name] = orjson.dumps(row[name]).decode() if row[name] else None
            cells = list(row.values())
            cells.pop()
            told = row["deadlines"]
            cells[DEADLINES : DEADLINES + 1] = map("; ".join, zip(*map(_parts, told), strict=True)) if told else _NONE
            write([harmless(cell) if type(cell) is str and cell[:1] in RISKY else cell for cell in cells])
    return count


_NONE = (None,) * 4


def _parts(told: dict[str, Any]) -> tuple[str, ...]:
    return told["name"], told["due_at"], told["rule"], "true" if told["provisional"] else "false"


def parquet_in_python(url: str, output: Path) -> int:
    """Write columns of their types as Parquet."""
    count, batch = 0, []
    with pyarrow.parquet.ParquetWriter(output, _schema(), compression="zstd") as writer:
        for row in _rows(url):
            count += 1
            row["params"], row["texts"] = orjson.dumps(row["params"]).decode(), orjson.dumps(row["texts"]).decode()
            if row["blockers"]:
                row["blockers"] = [{**it, "params": orjson.dumps(it["params"]).decode()} for it in row["blockers"]]
            batch.append(tuple(row.values()))
            if len(batch) == PAGE:
                writer.write_batch(_batch(batch))
                batch = []
        if batch:
            writer.write_batch(_batch(batch))
    return count


def _types(moment: Any, code: Any) -> dict[str, Any]:
    deadline = pyarrow.struct([("name", TEXT), ("due_at", moment), ("rule", TEXT), ("provisional", pyarrow.bool_())])
    blocker = pyarrow.struct([("code", TEXT), ("params", TEXT), ("until", moment)])
    return (
        {"deadlines": pyarrow.list_(deadline), "blockers": pyarrow.list_(blocker)}
        | dict.fromkeys(MOMENTS, moment)
        | dict.fromkeys(NUMBERS, pyarrow.int64())
        | dict.fromkeys(CODES, code)
    )


def _schema() -> Any:
    types = _types(MOMENT, pyarrow.dictionary(pyarrow.int32(), TEXT))
    return pyarrow.schema([(name, types.get(name, TEXT)) for name in COLUMNS])


def _batch(rows: list[tuple[Any, ...]]) -> Any:
    """Make columns of rows; moments, read as text, are parsed by Arrow."""
    read = _types(TEXT, TEXT)
    columns = zip(COLUMNS, zip(*rows, strict=True), strict=True)
    arrays = [pyarrow.array(column, read.get(name, TEXT)) for name, column in columns]
    schema = _schema()
    return pyarrow.record_batch(
        [array.cast(field.type) for array, field in zip(arrays, schema, strict=True)], schema=schema
    )


def _postgres_columns(*, body: bool) -> dict[str, str]:
    columns = {"order_id": "t.order_id"} | {name: f'b."{name}"' for name in TEXTS}
    columns |= {name: f"b.{name}" for name in ("seq", "params", "texts", "blockers", "cause")}
    columns |= {"actor_role": "(b.actor->>'role')", "actor_name": "(b.actor->>'name')"}
    columns |= {"reason": "(b.params->>'reason')", "deadlines": "(b.patch->'deadlines')"}
    columns |= {name: f"coalesce((b.ledger->>'{name}')::bigint, 0)" for name in LEDGER}
    columns |= {"repeats": "coalesce(b.repeats, 0)", "hash": "t.hash"}
    return columns | ({"body": "convert_from(t.body, 'UTF8')"} if body else {})


def _postgres_rows(columns: dict[str, str]) -> str:
    chosen = ", ".join(f'{value} AS "{name}"' for name, value in columns.items())
    fields = ", ".join(f'"{name}" text' for name in TEXTS)
    return (
        f"SELECT {chosen} FROM transitions t, json_to_record(convert_from(t.body, 'UTF8')::json) AS b"
        f"({fields}, seq bigint, actor json, params json, texts json, patch json, ledger json, blockers json,"
        " cause bigint, repeats bigint) ORDER BY t.gid"
    )


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
    rows = _postgres_rows(_postgres_columns(body=True))
    lines = f"SELECT convert_to(row_to_json(r)::text || chr(10), 'UTF8') FROM ({rows}) r"
    count = 0
    with (
        psycopg.connect(url) as connection,
        connection.cursor() as cursor,
        cursor.copy(f"COPY ({lines}) TO STDOUT (FORMAT binary)") as copy,
        output.open("wb") as file,
    ):
        copy.set_types(["bytea"])
        for (line,) in copy.rows():
            file.write(line)
            count += 1
    return count


def csv_in_sql(url: str, output: Path) -> int:
    """Let the database write each line: COPY on PostgreSQL."""
    if url.startswith("sqlite:"):
        cells = (f"coalesce(replace({value}, '\"', '\"\"'), '')" for value in _sqlite_columns(False, False).values())
        line = "'\"' || " + " || '\",\"' || ".join(cells) + " || '\"' || char(13) || char(10)"
        return _from_sqlite(url, f"SELECT {line} FROM {_SQLITE_ROWS}", output)
    columns = _postgres_columns(body=False)
    for name in ("order_id", "subject", "actor_name", "reason", "key", "correlation"):
        columns[name] = _marked(columns[name])
    return _copied(url, f"COPY ({_postgres_rows(columns)}) TO STDOUT (FORMAT csv, HEADER)", output) - 1


def _marked(cell: str) -> str:
    return f"CASE WHEN left({cell}, 1) = ANY ('{{=,+,-,@,＝,＋,－,＠}}') THEN '''' || {cell} ELSE {cell} END"


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
    """Let ADBC fetch batches of the columns and write them, moments and codes in their types.

    Raises:
        ImportError: the driver of this database is not installed.
    """
    if url.startswith("sqlite:"):
        driver = import_module("adbc_driver_sqlite.dbapi")
        columns = ", ".join(f'{value} AS "{name}"' for name, value in _sqlite_columns(False, True).items())
        asked, target = f"SELECT {columns} FROM {_SQLITE_ROWS}", url.removeprefix("sqlite:///")
    else:
        driver = import_module("adbc_driver_postgresql.dbapi")
        of_server = _postgres_columns(body=True)
        of_server |= {name: f"{of_server[name]}::timestamptz" for name in MOMENTS}
        of_server |= {name: f"{of_server[name]}::text" for name in ("params", "texts", "deadlines", "blockers")}
        asked, target = _postgres_rows(of_server), url
    count = 0
    with driver.connect(target) as connection, connection.cursor() as cursor:
        cursor.execute(asked)
        reader = cursor.fetch_record_batch()
        types = dict.fromkeys(MOMENTS, MOMENT) | dict.fromkeys(CODES, pyarrow.dictionary(pyarrow.int32(), TEXT))
        schema = pyarrow.schema([field.with_type(types.get(field.name, field.type)) for field in reader.schema])
        with pyarrow.parquet.ParquetWriter(output, schema, compression="zstd") as writer:
            for batch in reader:
                writer.write_batch(batch.cast(schema))
                count += batch.num_rows
    return count


WAYS: dict[str, dict[str, Callable[[str, Path], int]]] = {
    "jsonl": {"lines by SQL": jsonl_in_sql, "loop in Python": jsonl_in_python},
    "csv": {"lines by SQL": csv_in_sql, "loop with csv.writer": csv_in_python},
    "parquet": {"batches by ADBC": parquet_by_adbc, "loop in Python": parquet_in_python},
}
