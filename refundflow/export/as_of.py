"""The state of every refund and the ledger of every order line at one past moment, as CSV or JSON Lines.

One row per order line and per refund that there was; columns that do not concern a row stay empty. `seq` and `hash`
name the newest entry that the row follows from, so that the row can be bound to the chain; `unstored` counts lapses
that were due by then and are not recorded yet.
"""

import csv
import json
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from itertools import groupby
from typing import Any, BinaryIO, Literal

from refundflow import audit
from refundflow.errors import BadInput, ProofFailed
from refundflow.export.whole_file import whole_file
from refundflow.spreadsheet import harmless
from refundflow.store import REGISTER_ORDER, StoredEntry, Tx
from states import clocks, money, times
from states.case import Aggregate, Case, line_subject, refund_place
from states.chart import phase_of
from states.decide import due
from states.draft import Rules

Json = Any
Row = dict[str, Json]
RulesFor = Callable[[Aggregate], Rules]
COLUMNS = (
    "as_of", "what", "order_id", "line", "refund", "product_type", "usage", "reason", "phase", "state", "instance",
    "currency", "captured", "claimed", "approved", "reserved", "in_flight", "settled", "charged_back", "excess", "left",
    "channel", "submitted_at", "effective_at", "deadline", "due_at", "rule", "deadlines", "level", "grounds",
    "imported", "erased", "policy", "chart", "seq", "hash", "unstored",
)  # fmt: skip
FORMS = ("csv", "jsonl")
_TOLD_EVERY = 500  # entries


def export_as_of(
    tx: Tx,
    *,
    as_of: datetime,
    known_at: datetime | None,
    rules_for: RulesFor,
    format: str,
    output: str,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Write every line and refund as of a moment to a file, in order of order id; return how many rows.

    Memory holds one order. `progress` is told how many entries were read since it was told last.

    Raises:
        BadInput: an unknown format, or a path that cannot be written.
        ProofFailed: the body of an entry cannot be read.
        RefundflowError: the disk did not take it all.
    """
    if format not in FORMS:
        raise BadInput(f"format {format!r} is unknown: one of {', '.join(FORMS)}", field="format")
    form: Literal["csv", "jsonl"] = "csv" if format == "csv" else "jsonl"
    written = 0
    with whole_file(output) as file:
        write = _writer(file, form)
        for row in rows_as_of(tx, as_of=as_of, known_at=known_at, rules_for=rules_for, progress=progress):
            write(row)
            written += 1
    return written


def rows_as_of(
    tx: Tx,
    *,
    as_of: datetime,
    known_at: datetime | None,
    rules_for: RulesFor,
    progress: Callable[[int], None] | None = None,
) -> Iterator[Row]:
    """Yield a row for every order line that there was, each followed by its refunds.

    Raises:
        ProofFailed: the body of an entry cannot be read; the order is named.
    """
    read = 0
    for order_id, entries in groupby(tx.scan_entries(), key=lambda entry: entry.order_id):
        chains = {name: list(chain) for name, chain in groupby(entries, key=lambda entry: entry.subject)}
        read += sum(map(len, chains.values()))
        if progress and read >= _TOLD_EVERY:
            progress(read)
            read = 0
        if order_id == REGISTER_ORDER:
            continue
        try:
            yield from _order_rows(order_id, chains, as_of, known_at, rules_for)
        except (ValueError, KeyError, TypeError, AttributeError) as problem:
            raise ProofFailed([f"{order_id}: its entries cannot be read: {problem!r}"]) from problem
    if progress and read:
        progress(read)


def _order_rows(
    order_id: str,
    chains: Mapping[str, list[StoredEntry]],
    as_of: datetime,
    known_at: datetime | None,
    rules_for: RulesFor,
) -> Iterator[Row]:
    lines: dict[str, dict[str, list[StoredEntry]]] = {}
    for name, chain in chains.items():
        line = name.split("/", 1)[1] if "/" in name else refund_place(name)[1]
        lines.setdefault(line, {})[name] = chain
    for line, own in lines.items():
        past = audit.line_at(own, order_id, line, as_of=as_of, known_at=known_at)
        if past is None:
            continue
        found = due(past.aggregate, rules=rules_for(past.aggregate), now=as_of)
        moment = times.text(as_of)
        yield _line_row(found.aggregate, moment) | _place(past.newest.get(line_subject(order_id, line)), 0)
        for case in found.aggregate.refunds.values():
            unstored = sum(entry.subject == case["id"] for entry in found.entries)
            yield _refund_row(found.aggregate, case, moment) | _place(past.newest.get(case["id"]), unstored)


def _place(newest: StoredEntry | None, unstored: int) -> Row:
    named = (newest.seq, newest.hash) if newest is not None else (None, None)
    return {"seq": named[0], "hash": named[1], "unstored": unstored}


def _line_row(aggregate: Aggregate, as_of: str) -> Row:
    line, ledger = aggregate.line, aggregate.ledger
    return dict.fromkeys(COLUMNS) | {
        "as_of": as_of, "what": "line", "order_id": line["order_id"], "line": line["line"],
        "product_type": line["product_type"], "usage": line["usage"], "currency": line["currency"],
        "captured": line["captured"], "reserved": ledger.reserved, "in_flight": ledger.in_flight,
        "settled": ledger.settled, "charged_back": ledger.charged_back, "excess": ledger.excess,
        "left": money.left(line, ledger), "channel": line["channel"], "effective_at": line["effective_at"],
        "erased": line.get("erased"),
    }  # fmt: skip


def _refund_row(aggregate: Aggregate, case: Case, as_of: str) -> Row:
    line, first = aggregate.line, clocks.next_due(case)
    standing = case["deadlines"][first[1]] if first else None
    clock = "appeal_review" if case["instance"] == "appeal" else "review"
    imported = case.get("imported")
    return dict.fromkeys(COLUMNS) | {
        "as_of": as_of, "what": "refund", "order_id": case["order_id"], "line": case["line"], "refund": case["id"],
        "product_type": line["product_type"], "usage": case["usage"], "reason": case["reason"],
        "phase": phase_of(case["state"]), "state": case["state"], "instance": case["instance"],
        "currency": case["currency"], "claimed": case["claimed"], "approved": case["approved"],
        "reserved": case["reserved"], "in_flight": case["in_flight"], "settled": case["settled"],
        "channel": case["channel"], "submitted_at": case["submitted_at"], "effective_at": case["effective_at"],
        "deadline": first[1] if first else None, "due_at": standing["due_at"] if standing else None,
        "rule": standing["rule"] if standing else None,
        "deadlines": {name: item["due_at"] for name, item in sorted(case["deadlines"].items())},
        "level": case["levels"].get(clock, 0), "grounds": list(case.get("rejection", {}).get("grounds", ())),
        "imported": imported["case"] if imported else None, "erased": case.get("erased"), "policy": case["policy"],
        "chart": case["chart"],
    }  # fmt: skip


def _writer(file: BinaryIO, form: Literal["csv", "jsonl"]) -> Callable[[Row], None]:
    if form == "jsonl":
        return lambda row: _write(file, json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n")
    file.write(BOM_UTF8)
    lines = csv.writer(_Encoded(file))
    lines.writerow(COLUMNS)
    return lambda row: _write_cells(lines, row)


def _write(file: BinaryIO, text: str) -> None:
    file.write(text.encode())


def _write_cells(lines: Any, row: Row) -> None:
    lines.writerow([_cell(row[name]) for name in COLUMNS])


def _cell(value: Json) -> str | int:
    if value is None or value == {} or value == []:
        return ""
    if type(value) is int:
        return value
    return harmless(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True))


class _Encoded:
    """Takes text for a file of bytes."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, text: str) -> None:
        self._file.write(text.encode())
