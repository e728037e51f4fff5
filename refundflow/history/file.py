"""Files of cases, CSV or JSON Lines, read case by case in constant memory: good cases beside bad ones."""

import json
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from hashlib import file_digest, sha256
from itertools import chain, groupby
from pathlib import Path
from typing import BinaryIO, Literal

from refundflow import orders
from refundflow.errors import BadInput
from refundflow.history.row import CASE, EVENT, MOST_EVENTS, OPTIONAL, CaseRow, case_of, content_of
from refundflow.orders import RejectedRow
from refundflow.orders.file import cells, decoded, numbered_lines, rejected, unique

FORMS = ("csv", "jsonl")
LONGEST_CASE = 4_194_304  # bytes of one line
_REQUIRED = (*CASE, *orders.REQUIRED, *(name for name in EVENT if name not in OPTIONAL))
_COLUMNS = (*CASE, *orders.COLUMNS, *EVENT)
Form = Literal["csv", "jsonl"]
Found = tuple[int, bytes, CaseRow | str]  # where it begins, as it stands there, the case or why not


def digest_of_file(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file, by which entries name it.

    Raises:
        BadInput: it cannot be read.
    """
    try:
        with Path(path).open("rb") as stream:
            return file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror or error}", field="file") from error


def read(path: str | os.PathLike[str]) -> Iterator[CaseRow | RejectedRow]:
    """Yield the cases of a file in its order.

    Raises:
        BadInput: the file cannot be opened, or is CSV without a readable header.
    """
    try:
        with Path(path).open("rb") as stream:
            yield from parse(stream, "jsonl" if Path(path).suffix in (".jsonl", ".ndjson") else None)
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror or error}", field="file") from error


def parse(stream: BinaryIO, form: Form | None = None) -> Iterator[CaseRow | RejectedRow]:
    """Yield the cases of a file; without `form`, a file that begins with a brace is JSON Lines.

    A case that stands there again with the same content is yielded again, with other content rejected.

    Raises:
        BadInput: CSV without a readable header.
    """
    lines = numbered_lines(stream, LONGEST_CASE)
    first = next(lines, None)
    if first is None:
        if form == "jsonl":
            return
        raise BadInput("the file is empty: " + _what_is_needed(), field="file")
    if form == "jsonl" or (form is None and first[1].lstrip().startswith(b"{")):
        yield from _once(_json_cases(chain([first], lines)))
    else:
        yield from _once(_csv_cases(_header(first[1]), lines))


def _once(found: Iterator[Found]) -> Iterator[CaseRow | RejectedRow]:
    """Reject a case that contradicts an earlier one; what was seen is kept on disk, not in memory."""
    with closing(sqlite3.connect("")) as seen:  # a private file that vanishes by itself
        seen.execute("CREATE TABLE seen (id TEXT PRIMARY KEY, digest BLOB, number INTEGER) WITHOUT ROWID")
        for number, raw, case in found:
            if isinstance(case, str):
                yield rejected(number, raw, case)
                continue
            digest = sha256(content_of(case)).digest()
            seen.execute("INSERT OR IGNORE INTO seen VALUES (?, ?, ?)", (case.case, digest, number))
            first = seen.execute("SELECT digest, number FROM seen WHERE id = ?", (case.case,)).fetchone()
            if first[0] == digest:
                yield case
            else:
                yield rejected(number, raw, f"case {case.case} stands on line {first[1]} with other content")


# --- JSON Lines --------------------------------------------------------------------------------


def _json_cases(lines: Iterator[tuple[int, bytes]]) -> Iterator[Found]:
    for number, raw in lines:
        try:
            value = json.loads(decoded(raw, LONGEST_CASE), object_pairs_hook=unique)
            if not isinstance(value, dict):
                raise BadInput("not a JSON object: write one case on each line")
            yield number, raw, case_of(value, number)
        except BadInput as error:
            yield number, raw, error.message
        except (ValueError, RecursionError) as error:
            yield number, raw, f"not JSON: {error}"


# --- CSV ---------------------------------------------------------------------------------------


def _what_is_needed() -> str:
    more = ", ".join((*orders.OPTIONAL, *OPTIONAL))
    return f"the first line names the columns, separated by commas: {','.join(_REQUIRED)} and, where wanted, {more}"


def _header(raw: bytes) -> list[str]:
    try:
        names = [name.strip() for name in cells(decoded(raw))]
    except BadInput as error:
        raise BadInput(f"the header cannot be read: {error.message}; {_what_is_needed()}", field="header") from None
    problems = [f"{name} is missing" for name in _REQUIRED if name not in names]
    problems += [f"{name[:40]!r} is not known" for name in dict.fromkeys(names) if name not in _COLUMNS]
    problems += [f"{name} stands twice" for name in _COLUMNS if names.count(name) > 1]
    if problems:
        raise BadInput(f"the header cannot be used: {'; '.join(problems)}; {_what_is_needed()}", field="header")
    return names


Cells = tuple[int, bytes, dict[str, str] | str]


def _csv_cases(header: list[str], lines: Iterator[tuple[int, bytes]]) -> Iterator[Found]:
    """Join the rows of each case; one bad row is the end of its case, wherever it stands in it."""
    rows = (_csv_row(header, number, raw) for number, raw in lines)
    for _, group in groupby(rows, key=_CaseOfRow()):
        number, raw, found = next(group)
        events, problem = [], found if isinstance(found, str) else None
        for place, (at, _, row) in enumerate(chain([(number, raw, found)], group)):
            if problem is None:
                problem = _problem(found, row, at) if place < MOST_EVENTS else f"more than {MOST_EVENTS} events"
            if problem is None and not isinstance(row, str):
                events.append({name: row[name] for name in EVENT if name in row})
        if problem is None and not isinstance(found, str):
            order = {name: found[name] for name in orders.COLUMNS if name in found}
            value = {name: found[name] for name in CASE} | {"order": order, "events": events}
            try:
                yield number, raw, case_of(value, number)
            except BadInput as error:
                yield number, raw, error.message
        else:
            yield number, raw, problem or ""


def _csv_row(header: list[str], number: int, raw: bytes) -> Cells:
    try:
        found = cells(decoded(raw, LONGEST_CASE))
        if len(found) != len(header):
            raise BadInput(f"{len(found)} fields; the header names {len(header)}")
        return number, raw, dict(zip(header, found, strict=True))
    except BadInput as error:
        return number, raw, error.message


class _CaseOfRow:
    """Name the case of a row; one that cannot be read belongs to the case before it."""

    def __init__(self) -> None:
        self._last: object = None

    def __call__(self, found: Cells) -> object:
        row = found[2]
        self._last = row["case"].strip() if not isinstance(row, str) else self._last or object()
        return self._last


def _problem(first: Mapping[str, str] | str, row: Mapping[str, str] | str, number: int) -> str | None:
    """Say why a row does not go with the first one of its case; a fact may be left out in later rows."""
    if isinstance(row, str) or isinstance(first, str):
        return f"line {number}: {row}"
    other = [name for name in (*CASE, *orders.COLUMNS) if row.get(name) not in ("", None, first.get(name))]
    return f"line {number}: another {', '.join(other)} than on the first line of the case" if other else None
