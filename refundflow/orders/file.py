"""Files of order lines, CSV or JSON Lines, read row by row: good rows beside bad ones."""

import json
import os
from collections.abc import Iterator
from dataclasses import fields
from hashlib import sha256
from typing import BinaryIO

from refundflow import row_file
from refundflow.errors import BadInput
from refundflow.orders.row import COLUMNS, OPTIONAL, REQUIRED, OrderRow, from_cells
from refundflow.row_file import Form, Found, Line, RejectedRow

_NEEDED = (
    f"the first line names the columns, separated by commas: {','.join(REQUIRED)}"
    f" and, where wanted, {','.join(OPTIONAL)}"
)
_COLUMNS = row_file.Columns(REQUIRED, COLUMNS, _NEEDED)


def read(path: str | os.PathLike[str]) -> Iterator[OrderRow | RejectedRow]:
    """Yield the rows of an orders file in its order and in constant memory.

    Raises:
        BadInput: the file cannot be opened, or is CSV without a readable header.
    """
    return row_file.read(path, parse)


def parse(stream: BinaryIO, form: Form | None = None) -> Iterator[OrderRow | RejectedRow]:
    """Yield the rows of an orders file; without `form`, a file that begins with a brace is JSON Lines.

    A row that repeats an earlier one is yielded again; one that names the same order and line with
    other content is rejected, for nobody could say which is right.

    Raises:
        BadInput: CSV without a readable header.
    """
    form, header, lines = row_file.lines_of(stream, form, _COLUMNS)
    found = (_row(header if form == "csv" else None, line) for line in lines)
    return row_file.once(found, lambda row: f"order {row.order_id} line {row.line}", _digest)


def _row(header: list[str] | None, line: Line) -> Found[OrderRow]:
    number, raw = line
    try:
        cells = _object(raw) if header is None else row_file.csv_row(header, raw)
        return number, raw, from_cells(cells, number)
    except BadInput as error:
        return number, raw, error.message


def _object(raw: bytes) -> dict[str, object]:
    value = row_file.json_row(raw, "one object with the columns as keys")
    if missing := [name for name in REQUIRED if name not in value]:
        raise BadInput(f"missing: {', '.join(missing)}", field=missing[0])
    if unknown := [key for key in value if key not in COLUMNS]:
        raise BadInput(f"not known: {', '.join(map(repr, unknown))[:200]}; allowed: {', '.join(COLUMNS)}")
    return value


def _digest(row: OrderRow) -> bytes:
    values = [str(getattr(row, f.name)) for f in fields(row) if f.compare]
    return sha256(json.dumps(values).encode()).digest()
