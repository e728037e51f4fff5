"""Parquet with real types: moments in UTC, whole numbers, codes as dictionaries, deadlines and blockers as lists.

The pieces are record batches, each behind its length, so that an interrupted export can go on; they become a
Parquet file at the end. Needs the extra `parquet`.
"""

import io
import struct
from array import array
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import orjson

from refundflow.errors import Misconfigured
from refundflow.export.port import Cursor, Piece
from refundflow.export.rows import COLUMNS, LEDGER, Row, row_of, taken
from refundflow.export.source import Entry, Source

Json = Any
_LENGTH = struct.Struct("<Q")
_BATCH, _GROUP = 1_000, 20_000  # entries, rows
_MOMENTS = ("effective_at", "recorded_at", "occurred_at")
_NUMBERS = ("leaf", "seq", *LEDGER, "cause", "repeats")
_BODY = COLUMNS.index("body")
_CODES = ("kind", "event", "from", "to", "actor_role", "reason", "policy", "chart", "calendar")


class Parquet:
    """Row groups of 20,000 entries, compressed with zstd."""

    name, file = "parquet", "entries.parquet"

    def __init__(self) -> None:
        self._arrow = _arrow()
        self._json = self._arrow.json
        self._schema = _schema(self._arrow)

    def pieces(self, source: Source, cursor: Cursor) -> Generator[Piece]:
        """Yield a record batch for page after page; another thread makes it, mostly outside of Python's lock."""
        bodies, lines, ends = io.BytesIO(), io.BytesIO(), array("i")

        def write(entry: Entry) -> None:
            bodies.write(entry.stored.body)
            ends.append(bodies.tell())
            lines.write(orjson.dumps(_row(entry), option=orjson.OPT_APPEND_NEWLINE))

        waiting: tuple[Future[bytes], int, Cursor] | None = None
        with ThreadPoolExecutor(1) as other:
            for written, behind in source.pages(write, cursor, size=_BATCH):
                if waiting:
                    yield Piece(waiting[0].result(), *waiting[1:])
                made = other.submit(self._batch, array("i", [0]) + ends, taken(bodies), taken(lines))
                waiting = made, len(written), behind
                del ends[:]
            if waiting:
                yield Piece(waiting[0].result(), *waiting[1:])

    def _batch(self, ends: "array[int]", bodies: bytes, lines: bytes) -> bytes:
        """Return a record batch behind its length; nothing where there are no rows.

        Arrow reads lines of JSON into columns of their types. The bodies, half of all bytes, are not read: a column
        of text is where each one ends, and the bytes.
        """
        if not lines:
            return b""
        arrow = self._arrow
        body = arrow.StringArray.from_buffers(len(ends) - 1, arrow.py_buffer(ends), arrow.py_buffer(bodies))
        once = self._json.ReadOptions(use_threads=False, block_size=len(lines) + 1)
        options = self._json.ParseOptions(explicit_schema=self._schema.remove(_BODY), unexpected_field_behavior="error")
        (others,) = self._json.read_json(arrow.py_buffer(lines), once, options).to_batches()
        batch = arrow.RecordBatch.from_arrays([*others.columns, body], schema=self._schema)
        data: bytes = batch.serialize().to_pybytes()
        return _LENGTH.pack(len(data)) + data

    def finish(self, part: Path) -> bool:
        """Write the batches as Parquet, in row groups of the same size each."""
        import pyarrow.parquet as parquet

        arrow, made = self._arrow, part.with_name(f"{part.name}.parquet")
        coded = arrow.schema([_coded(arrow, field) for field in self._schema])
        with parquet.ParquetWriter(made, coded, compression="zstd", write_statistics=True) as writer:
            for table in self._groups(part):
                writer.write_table(table.cast(coded), row_group_size=_GROUP)
        made.replace(part)
        return True

    def _groups(self, part: Path) -> Iterator[Any]:
        waiting: list[Any] = []
        with part.open("rb") as file:
            while head := file.read(_LENGTH.size):
                (length,) = _LENGTH.unpack(head)
                waiting.append(
                    self._arrow.ipc.read_record_batch(self._arrow.py_buffer(file.read(length)), self._schema)
                )
                table = self._arrow.Table.from_batches(waiting, self._schema)
                if len(table) >= _GROUP:
                    yield table.slice(0, _GROUP)
                    waiting = table.slice(_GROUP).to_batches()
        if waiting:
            yield self._arrow.Table.from_batches(waiting, self._schema)


def _arrow() -> Any:
    try:
        import pyarrow
        import pyarrow.ipc
        import pyarrow.json
    except ImportError as missing:
        raise Misconfigured("Parquet needs pyarrow: pip install 'refundflow[parquet]'", field="format") from missing
    return pyarrow


def _schema(arrow: Any) -> Any:
    moment, text = arrow.timestamp("us", "UTC"), arrow.string()
    deadline = arrow.struct([("name", text), ("due_at", moment), ("rule", text), ("provisional", arrow.bool_())])
    blocker = arrow.struct([("code", text), ("params", text), ("until", moment)])
    special = {"deadlines": arrow.list_(deadline), "blockers": arrow.list_(blocker)}
    special |= dict.fromkeys(_MOMENTS, moment) | dict.fromkeys(_NUMBERS, arrow.int64())
    return arrow.schema([(name, special.get(name, text)) for name in COLUMNS])


def _coded(arrow: Any, field: Any) -> Any:
    """Tell codes as dictionaries."""
    return field.with_type(arrow.dictionary(arrow.int32(), arrow.string())) if field.name in _CODES else field


def _row(entry: Entry) -> Row:
    """Return a row without the body, and with objects that have no columns of their own as text."""
    row = row_of(entry)
    del row["body"]
    row["params"], row["texts"] = _text(row["params"]), _text(row["texts"])
    if row["blockers"]:
        row["blockers"] = [{**item, "params": _text(item["params"])} for item in row["blockers"]]
    return row


def _text(told: Json) -> str:
    return orjson.dumps(told).decode() if told else "{}"
