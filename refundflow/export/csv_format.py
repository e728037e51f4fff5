"""CSV for spreadsheets: UTF-8 with a byte order mark, CRLF, no cell that runs as a formula.

Values that are lists or objects stand in their cell as JSON. The sealed body itself is left to JSON Lines.
Text that looks like a formula has an apostrophe in front (`refundflow.spreadsheet.original` takes it away).
"""

import csv
import json
from codecs import BOM_UTF8
from typing import BinaryIO

from refundflow.export.rows import COLUMNS, DEADLINE, Json, Row
from refundflow.spreadsheet import harmless

HEADER = tuple(
    name
    for column in COLUMNS
    if column != "body"
    for name in ([f"deadline_{part}" for part in DEADLINE] if column == "deadlines" else [column])
)


class CsvWriter:
    """Writes the header, then one line per row."""

    def __init__(self, file: BinaryIO) -> None:
        file.write(BOM_UTF8)
        self._lines = csv.writer(_Encoded(file))
        self._lines.writerow(HEADER)

    def write(self, row: Row) -> None:
        """Add one line; several deadlines set by one entry stand in their cells one after the other."""
        flat = row | {
            f"deadline_{part}": "; ".join(_written(item[part]) for item in row["deadlines"]) for part in DEADLINE
        }
        self._lines.writerow([_cell(flat[name]) for name in HEADER])

    def close(self) -> None:
        """Do nothing: a line ends itself."""


class _Encoded:
    """Takes text for a file of bytes."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, text: str) -> None:
        self._file.write(text.encode())


def _cell(value: Json) -> str | int:
    """Return numbers as they are, so that they can be added up; the rest as harmless text."""
    return value if type(value) is int else harmless(_written(value))


def _written(value: Json) -> str:
    if value is None or value == {} or value == []:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
