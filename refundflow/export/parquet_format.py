"""Parquet with real types: moments in UTC, whole numbers, codes as dictionaries, deadlines and blockers as lists.

The pieces are record batches, each behind its length, so that an interrupted export can go on; they become a
Parquet file at the end. Needs the extra `parquet`.
"""

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from refundflow.errors import Misconfigured
from refundflow.export.port import Cursor, Piece
from refundflow.export.rows import COLUMNS, LEDGER, row_of
from refundflow.export.source import Entry, Source

Json = Any
_LENGTH = struct.Struct("<Q")
_GROUP = 20_000  # rows
_MOMENTS = ("effective_at", "recorded_at", "occurred_at")
_NUMBERS = ("leaf", "seq", *LEDGER, "cause", "repeats")
_CODES = ("kind", "event", "from", "to", "actor_role", "reason", "policy", "chart", "calendar")
_PARAMS, _TEXTS, _DEADLINES, _BLOCKERS = map(COLUMNS.index, ("params", "texts", "deadlines", "blockers"))


class Parquet:
    """Row groups of 20,000 entries, compressed with zstd."""

    name, file = "parquet", "entries.parquet"

    def __init__(self) -> None:
        self._arrow = _arrow()
        self._schema = _schema(self._arrow)

    def pieces(self, source: Source, cursor: Cursor) -> Iterator[Piece]:
        """Yield a record batch for page after page."""
        page = _Page(self._arrow, self._schema)
        for rows, behind in source.pages(page.add, cursor):
            data = page.batch(rows).serialize()
            yield Piece(_LENGTH.pack(len(data)) + data.to_pybytes(), len(rows), behind)

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


class _Page:
    """The rows of one page on their way to columns; lists lie flat, each with the place where a row's begin."""

    def __init__(self, arrow: Any, schema: Any) -> None:
        self._arrow, self._schema = arrow, schema
        self._deadlines, self._blockers = _Lists(4), _Lists(3)

    def add(self, entry: Entry) -> tuple[Json, ...]:
        """Take the lists out of a row, and return the rest of it."""
        row = list(row_of(entry).values())
        row[_PARAMS] = orjson.dumps(row[_PARAMS]).decode()
        row[_TEXTS] = orjson.dumps(row[_TEXTS]).decode()
        self._deadlines.add([tuple(item.values()) for item in row[_DEADLINES]])
        self._blockers.add(
            [(item["code"], orjson.dumps(item["params"]).decode(), item["until"]) for item in row[_BLOCKERS]]
        )
        row[_DEADLINES] = row[_BLOCKERS] = None
        return tuple(row)

    def batch(self, rows: Sequence[tuple[Json, ...]]) -> Any:
        """Make a record batch of the rows that were added, and begin anew."""
        columns = list(zip(*rows, strict=True)) or [()] * len(COLUMNS)
        lists = {"deadlines": self._deadlines, "blockers": self._blockers}
        self._deadlines, self._blockers = _Lists(4), _Lists(3)
        arrays = [
            lists[field.name].array(self._arrow, field.type)
            if field.name in lists
            else _array(self._arrow, field.type, values)
            for field, values in zip(self._schema, columns, strict=True)
        ]
        return self._arrow.record_batch(arrays, schema=self._schema)


class _Lists:
    """One column of lists of tuples."""

    def __init__(self, width: int) -> None:
        self._offsets = [0]
        self._flat: list[list[Json]] = [[] for _ in range(width)]

    def add(self, items: Sequence[tuple[Json, ...]]) -> None:
        """Add the list of one row."""
        for item in items:
            for column, value in zip(self._flat, item, strict=True):
                column.append(value)
        self._offsets.append(len(self._flat[0]))

    def array(self, arrow: Any, kind: Any) -> Any:
        """Return the column."""
        fields = list(kind.value_type)
        flat = [_array(arrow, field.type, values) for field, values in zip(fields, self._flat, strict=True)]
        offsets = arrow.array(self._offsets, arrow.int32())
        return arrow.ListArray.from_arrays(offsets, arrow.StructArray.from_arrays(flat, fields=fields), type=kind)


def _array(arrow: Any, kind: Any, values: Sequence[Json]) -> Any:
    """Make one column; moments are read by Arrow itself, out of their text."""
    if arrow.types.is_timestamp(kind):
        return arrow.array(values, arrow.string()).cast(kind)
    return arrow.array(values, kind)
