"""Files of order lines, CSV or JSON Lines, read row by row: good rows beside bad ones."""

import csv
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, fields
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Literal

from refundflow.errors import BadInput
from refundflow.orders.row import COLUMNS, OPTIONAL, REQUIRED, OrderRow, from_cells
from refundflow.spreadsheet import harmless

LONGEST_ROW = 65_536  # bytes
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, kw_only=True)
class RejectedRow:
    """A row that was not taken: where it stood, why, and the row as it stood there."""

    line_number: int
    reason: str
    raw: str


def read(path: str | os.PathLike[str]) -> Iterator[OrderRow | RejectedRow]:
    """Yield the rows of an orders file in its order and in constant memory.

    Raises:
        BadInput: the file cannot be opened, or is CSV without a readable header.
    """
    try:
        with Path(path).open("rb") as stream:
            yield from parse(stream, "jsonl" if Path(path).suffix in (".jsonl", ".ndjson") else None)
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror or error}", field="file") from error


def parse(stream: BinaryIO, form: Literal["csv", "jsonl"] | None = None) -> Iterator[OrderRow | RejectedRow]:
    """Yield the rows of an orders file; without `form`, a file that begins with a brace is JSON Lines.

    A row that repeats an earlier one is yielded again; one that names the same order and line with
    other content is rejected, for nobody could say which is right.

    Raises:
        BadInput: CSV without a readable header.
    """
    lines = numbered_lines(stream)
    first = next(lines, None)
    if first is None:
        if form == "jsonl":
            return
        raise BadInput("the file is empty: " + _what_is_needed(), field="file")
    if form == "jsonl" or (form is None and first[1].lstrip().startswith(b"{")):
        yield from _without_contradictions(_json_rows(first, lines))
        return
    yield from _without_contradictions(_csv_rows(_header(first[1]), lines))


def write_rejects(path: str | os.PathLike[str], rows: Iterable[RejectedRow]) -> int:
    """Write rejected rows as CSV ``line,reason,raw`` and return how many.

    Cells that a spreadsheet would take for a formula get an apostrophe in front.
    """
    written = 0
    with Path(path).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("line", "reason", "raw"))
        for row in rows:
            writer.writerow((row.line_number, harmless(row.reason), harmless(row.raw)))
            written += 1
    return written


# --- lines of the file -------------------------------------------------------------------------


def numbered_lines(stream: BinaryIO, longest: int = LONGEST_ROW) -> Iterator[tuple[int, bytes]]:
    """Yield number and bytes of each line that is not blank; of one that is too long, a little too much."""
    number = 0
    while read := stream.readline(longest + 1):
        number += 1
        rest = read
        while len(rest) > longest and not rest.endswith(b"\n"):
            rest = stream.readline(longest + 1)  # the end of a line that is rejected anyway
        line = read.removeprefix(_BOM) if number == 1 else read
        line = line.removesuffix(b"\n").removesuffix(b"\r")
        if line.strip():
            yield number, line


def decoded(raw: bytes, longest: int = LONGEST_ROW) -> str:
    """Decode one row.

    Raises:
        BadInput: too long, or not UTF-8.
    """
    if len(raw) > longest:
        raise BadInput(f"the row is longer than {longest} bytes", field="row")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadInput(f"not UTF-8 at byte {error.start + 1} of the row", field="row") from None


def rejected(number: int, raw: bytes, reason: str) -> RejectedRow:
    """Say why a row was not taken."""
    shown = raw[:LONGEST_ROW].decode("utf-8", errors="backslashreplace")
    return RejectedRow(line_number=number, reason=reason, raw=shown)


Row = tuple[int, bytes, OrderRow | RejectedRow]


def _without_contradictions(rows: Iterator[Row]) -> Iterator[OrderRow | RejectedRow]:
    """Reject a row that contradicts an earlier one; what was seen is kept on disk, not in memory."""
    with closing(sqlite3.connect("")) as seen:  # a private file that vanishes by itself
        seen.execute("CREATE TABLE seen (place TEXT PRIMARY KEY, digest BLOB, number INTEGER) WITHOUT ROWID")
        for number, raw, row in rows:
            if isinstance(row, RejectedRow):
                yield row
                continue
            place, digest = f"{row.order_id}/{row.line}", _digest(row)
            seen.execute("INSERT OR IGNORE INTO seen VALUES (?, ?, ?)", (place, digest, number))
            first = seen.execute("SELECT digest, number FROM seen WHERE place = ?", (place,)).fetchone()
            if first[0] == digest:
                yield row
            else:
                reason = f"order {row.order_id} line {row.line} stands on line {first[1]} with other content"
                yield rejected(number, raw, reason)


def _digest(row: OrderRow) -> bytes:
    values = [str(getattr(row, f.name)) for f in fields(row) if f.compare]
    return sha256(json.dumps(values).encode()).digest()


# --- CSV ---------------------------------------------------------------------------------------


def _what_is_needed() -> str:
    needed, more = ",".join(REQUIRED), ",".join(OPTIONAL)
    return f"the first line names the columns, separated by commas: {needed} and, where wanted, {more}"


def _header(raw: bytes) -> list[str]:
    try:
        names = [name.strip() for name in cells(decoded(raw))]
    except BadInput as error:
        raise BadInput(f"the header cannot be read: {error.message}; {_what_is_needed()}", field="header") from None
    problems = [f"{name} is missing" for name in REQUIRED if name not in names]
    problems += [f"{name[:40]!r} is not known" for name in dict.fromkeys(names) if name not in COLUMNS]
    problems += [f"{name} stands twice" for name in COLUMNS if names.count(name) > 1]
    if problems:
        raise BadInput(f"the header cannot be used: {'; '.join(problems)}; {_what_is_needed()}", field="header")
    return names


def cells(line: str) -> list[str]:
    """Read one CSV row.

    Raises:
        BadInput: it is none.
    """
    try:
        return next(csv.reader([line], strict=True), [])
    except csv.Error as error:
        raise BadInput(f"not a CSV row: {error}; a row stands on one line, quotes inside quotes double") from None


def _csv_rows(header: list[str], lines: Iterator[tuple[int, bytes]]) -> Iterator[Row]:
    for number, raw in lines:
        try:
            found = cells(decoded(raw))
            if len(found) != len(header):
                raise BadInput(f"{len(found)} fields; the header names {len(header)}")
            yield number, raw, from_cells(dict(zip(header, found, strict=True)), number)
        except BadInput as error:
            yield number, raw, rejected(number, raw, error.message)


# --- JSON Lines --------------------------------------------------------------------------------


def _json_rows(first: tuple[int, bytes], lines: Iterator[tuple[int, bytes]]) -> Iterator[Row]:
    for number, raw in chain([first], lines):
        try:
            yield number, raw, from_cells(_object(decoded(raw)), number)
        except BadInput as error:
            yield number, raw, rejected(number, raw, error.message)


def _object(line: str) -> dict[str, object]:
    try:
        value = json.loads(line, object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"not JSON: {error}") from None
    if not isinstance(value, dict):
        raise BadInput("not a JSON object: write one object with the columns as keys on each line")
    if missing := [name for name in REQUIRED if name not in value]:
        raise BadInput(f"missing: {', '.join(missing)}", field=missing[0])
    if unknown := [key for key in value if key not in COLUMNS]:
        raise BadInput(f"not known: {', '.join(map(repr, unknown))[:200]}; allowed: {', '.join(COLUMNS)}")
    return value


def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Make an object of its pairs.

    Raises:
        ValueError: a key stands twice.
    """
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key stands twice")
    return made
