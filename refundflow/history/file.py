"""Files of cases, CSV or JSON Lines, read case by case in constant memory: good cases beside bad ones."""

import os
from collections.abc import Iterator, Mapping
from hashlib import file_digest, sha256
from itertools import chain, groupby
from pathlib import Path
from typing import BinaryIO

from refundflow import orders, row_file
from refundflow.errors import BadInput
from refundflow.history.row import CASE, EVENT, MOST_EVENTS, OPTIONAL, CaseRow, case_of, content_of
from refundflow.orders import RejectedRow
from refundflow.row_file import FORMS, Form, Found, Line

__all__ = ["FORMS", "LONGEST_CASE", "digest_of_file", "parse", "read"]

LONGEST_CASE = 4_194_304  # bytes of one line
_REQUIRED = (*CASE, *orders.REQUIRED, *(name for name in EVENT if name not in OPTIONAL))
_NEEDED = (
    f"the first line names the columns, separated by commas: {','.join(_REQUIRED)}"
    f" and, where wanted, {', '.join((*orders.OPTIONAL, *OPTIONAL))}"
)
_COLUMNS = row_file.Columns(_REQUIRED, (*CASE, *orders.COLUMNS, *EVENT), _NEEDED)


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
    return row_file.read(path, parse)


def parse(stream: BinaryIO, form: Form | None = None) -> Iterator[CaseRow | RejectedRow]:
    """Yield the cases of a file; without `form`, a file that begins with a brace is JSON Lines.

    A case that stands there again with the same content is yielded again, with other content rejected.

    Raises:
        BadInput: CSV without a readable header.
    """
    form, header, lines = row_file.lines_of(stream, form, _COLUMNS, LONGEST_CASE)
    found = _csv_cases(header, lines) if form == "csv" else (_json_case(line) for line in lines)
    return row_file.once(found, lambda case: f"case {case.case}", lambda case: sha256(content_of(case)).digest())


def _json_case(line: Line) -> Found[CaseRow]:
    number, raw = line
    try:
        return number, raw, case_of(row_file.json_row(raw, "one case", LONGEST_CASE), number)
    except BadInput as error:
        return number, raw, error.message


Cells = tuple[int, bytes, dict[str, str] | str]


def _csv_cases(header: list[str], lines: Iterator[Line]) -> Iterator[Found[CaseRow]]:
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
        return number, raw, row_file.csv_row(header, raw, LONGEST_CASE)
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
