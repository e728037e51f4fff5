"""Files of rows, CSV or JSON Lines, read line by line in constant memory: good rows beside bad ones."""

import csv
import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple, TypeVar

from refundflow.errors import BadInput
from refundflow.spreadsheet import harmless

LONGEST_ROW = 65_536  # bytes
FORMS = ("csv", "jsonl")
_BOM = b"\xef\xbb\xbf"
Form = Literal["csv", "jsonl"]
Line = tuple[int, bytes]  # its number from 1, and its bytes
T = TypeVar("T")
Found = tuple[int, bytes, T | str]  # where it begins, as it stands there, what it is or why it is none


@dataclass(frozen=True, kw_only=True)
class RejectedRow:
    """A row that was not taken: where it stood, why, and the row as it stood there."""

    line_number: int
    reason: str
    raw: str


class Columns(NamedTuple):
    """The columns of a CSV file: those that must be there, all that may be, and how to say so."""

    required: tuple[str, ...]
    known: tuple[str, ...]
    needed: str


def read(path: str | os.PathLike[str], parse: Callable[[BinaryIO, Form | None], Iterator[T]]) -> Iterator[T]:
    """Yield what `parse` makes of a file; the form is told by its name, else by how it begins.

    Raises:
        BadInput: the file cannot be opened.
    """
    try:
        with Path(path).open("rb") as stream:
            yield from parse(stream, "jsonl" if Path(path).suffix in (".jsonl", ".ndjson") else None)
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror or error}", field="file") from error


def lines_of(
    stream: BinaryIO, form: Form | None, columns: Columns, longest: int = LONGEST_ROW
) -> tuple[Form, list[str], Iterator[Line]]:
    """Return the form of a file, the header of CSV, and the lines; what begins with a brace is JSON Lines.

    Raises:
        BadInput: CSV without a readable header.
    """
    lines = _numbered(stream, longest)
    first = next(lines, None)
    if form == "jsonl" or (form is None and first is not None and first[1].lstrip().startswith(b"{")):
        return "jsonl", [], chain([first] if first else [], lines)
    if first is None:
        raise BadInput(f"the file is empty: {columns.needed}", field="file")
    return "csv", _header(first[1], columns), lines


def csv_row(header: list[str], raw: bytes, longest: int = LONGEST_ROW) -> dict[str, str]:
    """Read one line of CSV by its header.

    Raises:
        BadInput: it is no row, or has another number of fields.
    """
    found = _cells(_decoded(raw, longest))
    if len(found) != len(header):
        raise BadInput(f"{len(found)} fields; the header names {len(header)}")
    return dict(zip(header, found, strict=True))


def json_row(raw: bytes, what: str, longest: int = LONGEST_ROW) -> dict[str, Any]:
    """Read one line of JSON Lines; `what` says what belongs on each line.

    Raises:
        BadInput: it is no JSON object, or a key stands twice in it.
    """
    try:
        value = json.loads(_decoded(raw, longest), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"not JSON: {error}") from None
    if not isinstance(value, dict):
        raise BadInput(f"not a JSON object: write {what} on each line")
    return value


def once(
    found: Iterator[Found[T]], name: Callable[[T], str], digest: Callable[[T], bytes]
) -> Iterator[T | RejectedRow]:
    """Reject what contradicts an earlier row of the same name; what was seen is kept on disk, not in memory.

    What repeats an earlier one is yielded again.
    """
    with closing(sqlite3.connect("")) as seen:  # a private file that vanishes by itself
        seen.execute("CREATE TABLE seen (name TEXT PRIMARY KEY, digest BLOB, number INTEGER) WITHOUT ROWID")
        for number, raw, row in found:
            if isinstance(row, str):
                yield rejected(number, raw, row)
                continue
            called, content = name(row), digest(row)
            seen.execute("INSERT OR IGNORE INTO seen VALUES (?, ?, ?)", (called, content, number))
            first = seen.execute("SELECT digest, number FROM seen WHERE name = ?", (called,)).fetchone()
            if first[0] == content:
                yield row
            else:
                yield rejected(number, raw, f"{called} stands on line {first[1]} with other content")


def rejected(number: int, raw: bytes, reason: str) -> RejectedRow:
    """Say why a row was not taken."""
    shown = raw[:LONGEST_ROW].decode("utf-8", errors="backslashreplace")
    return RejectedRow(line_number=number, reason=reason, raw=shown)


def write_rejects(path: str | os.PathLike[str], rows: Iterable[RejectedRow]) -> int:
    """Write rejected rows as CSV ``line,reason,raw`` and return how many.

    Cells that a spreadsheet would take for a formula get an apostrophe in front.

    Raises:
        BadInput: the file cannot be written.
    """
    written = 0
    try:
        with Path(path).open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("line", "reason", "raw"))
            for row in rows:
                writer.writerow((row.line_number, harmless(row.reason), harmless(row.raw)))
                written += 1
    except OSError as problem:
        raise BadInput(f"{path}: {problem.strerror or problem}", field="rejects") from problem
    return written


def _numbered(stream: BinaryIO, longest: int) -> Iterator[Line]:
    """Yield each line that is not blank; of one that is too long, a little too much."""
    number = 0
    while begun := stream.readline(longest + 1):
        number += 1
        rest = begun
        while len(rest) > longest and not rest.endswith(b"\n"):
            rest = stream.readline(longest + 1)  # the end of a line that is rejected anyway
        line = begun.removeprefix(_BOM) if number == 1 else begun
        line = line.removesuffix(b"\n").removesuffix(b"\r")
        if line.strip():
            yield number, line


def _decoded(raw: bytes, longest: int) -> str:
    if len(raw) > longest:
        raise BadInput(f"the row is longer than {longest} bytes", field="row")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadInput(f"not UTF-8 at byte {error.start + 1} of the row", field="row") from None


def _header(raw: bytes, columns: Columns) -> list[str]:
    try:
        names = [name.strip() for name in _cells(_decoded(raw, LONGEST_ROW))]
    except BadInput as error:
        raise BadInput(f"the header cannot be read: {error.message}; {columns.needed}", field="header") from None
    problems = [f"{name} is missing" for name in columns.required if name not in names]
    problems += [f"{name[:40]!r} is not known" for name in dict.fromkeys(names) if name not in columns.known]
    problems += [f"{name} stands twice" for name in columns.known if names.count(name) > 1]
    if problems:
        raise BadInput(f"the header cannot be used: {'; '.join(problems)}; {columns.needed}", field="header")
    return names


def _cells(line: str) -> list[str]:
    try:
        return next(csv.reader([line], strict=True), [])
    except csv.Error as error:
        raise BadInput(f"not a CSV row: {error}; a row stands on one line, quotes inside quotes double") from None


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key stands twice")
    return made
