"""CSV for spreadsheets: UTF-8 with a byte order mark, CRLF, no cell that runs as a formula.

Values that are lists or objects stand in their cell as JSON. The sealed body itself is left to JSON Lines.
Text that looks like a formula has an apostrophe in front (`refundflow.spreadsheet.original` takes it away).
"""

import csv
import re
from codecs import BOM_UTF8
from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import Any

import orjson

from refundflow.export.port import Cursor, Piece, Plain
from refundflow.export.rows import COLUMNS, DEADLINE, row_of
from refundflow.export.source import Entry, Source
from refundflow.spreadsheet import RISKY, harmless

_DEADLINES, _BODY = COLUMNS.index("deadlines"), COLUMNS.index("body")
HEADER = (
    *COLUMNS[:_DEADLINES], *(f"deadline_{part}" for part in DEADLINE), *COLUMNS[_DEADLINES + 1 : _BODY],
)  # fmt: skip
_NO_DEADLINE = (None,) * len(DEADLINE)
_OBJECT_NAMES = ("params", "texts", "blockers")  # always hold quotes where they hold anything
_JSON, _OBJECTS = (tuple(map(names.index, _OBJECT_NAMES)) for names in (COLUMNS, HEADER))
_LINE = ",".join(["%s"] * len(HEADER))
_RISKY_CELL = re.compile(f',"?[{re.escape("".join(RISKY))}]').search  # or a number below 0
_QUOTE, _TWO_QUOTES = '"', '""'


class Csv(Plain):
    """The header, then one line per entry."""

    name, file = "csv", "entries.csv"

    def pieces(self, source: Source, cursor: Cursor) -> Generator[Piece]:
        """Yield the lines of page after page, the header before the first."""
        if cursor is None:
            yield Piece(BOM_UTF8 + _written(HEADER).encode(), 0, [])
        for lines, behind in source.pages(_line, cursor or None):
            yield Piece("".join(lines).encode(), len(lines), behind)


class _Echo:
    """What is written comes back as the answer."""

    def write(self, text: str) -> str:
        return text


_WRITER = csv.writer(_Echo())


def _written(cells: Iterable[Any]) -> str:
    return str(_WRITER.writerow(cells))


def _line(entry: Entry) -> str:
    """Write each value as a cell; several deadlines set by one entry stand in their cells one after the other."""
    row: list[Any] = list(row_of(entry).values())
    row.pop()  # the body
    for place in _JSON:
        row[place] = orjson.dumps(row[place]).decode() if row[place] else None
    if told := row[_DEADLINES]:
        row[_DEADLINES : _DEADLINES + 1] = map("; ".join, zip(*map(_parts, told), strict=True))
    else:
        row[_DEADLINES : _DEADLINES + 1] = _NO_DEADLINE
    return _joined(row)


def _joined(row: Sequence[Any]) -> str:
    """Mark and join cells as the csv module does, in half the time where none but the objects needs a mark."""
    commas, quotes, cells = len(row) - 1, 0, ["" if cell is None else cell for cell in row]
    for place in _OBJECTS:
        if text := cells[place]:
            cells[place] = f'"{text.replace(_QUOTE, _TWO_QUOTES)}"'
            commas, quotes = commas + text.count(","), quotes + 2 * text.count('"') + 2
    line = _LINE % tuple(cells)
    quoted = line.count(",") != commas or line.count('"') != quotes or "\n" in line or "\r" in line
    if quoted or (_RISKY_CELL(line) and [cell for cell in row if type(cell) is str and cell[:1] in RISKY]):
        return _written(harmless(cell) if type(cell) is str else cell for cell in row)
    return line + "\r\n"


def _parts(told: Mapping[str, Any]) -> tuple[str, ...]:
    return told["name"], told["due_at"], told["rule"], "true" if told["provisional"] else "false"
