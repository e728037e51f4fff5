"""What is stored against what the entries say: every difference by row, field, and both values."""

import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any

from refundflow.audit.replay import Replayed
from refundflow.audit.verify import Reader, add_ledger
from refundflow.store import REGISTER_ORDER, StoredEntry, Tx, line_columns, refund_columns, written
from refundflow.store.documents import document_text
from states.case import Ledger, line_subject

Json = Any
MISSING = "(missing)"


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """One field of one row that is not what the entries say; `stored` or `replayed` may be missing."""

    subject: str
    field: str
    stored: Json
    replayed: Json


@dataclass(kw_only=True, slots=True)
class Compared:
    """How much was replayed, and what differs."""

    chains: int = 0
    entries: int = 0
    rows: int = 0
    differences: list[Difference]


def compare(tx: Tx, *, place: tuple[str, str] | None = None, progress: Callable[[int], None] | None = None) -> Compared:
    """Replay every chain, or those of one line (`place`: order id and line), and compare with the rows.

    Memory holds one order. `progress` is told how many entries were replayed since it was told last.
    """
    found = Compared(differences=[])
    only = place[0] if place else None
    log, lines, refunds = (Reader(scan(only)) for scan in (tx.scan_entries, tx.scan_lines, tx.scan_refunds))
    while orders := [reader.order for reader in (log, lines, refunds) if reader.order is not None]:
        order_id = min(orders)
        if order_id == REGISTER_ORDER:
            for _ in log.take(order_id):  # registers have no rows that a refund follows from
                pass
            continue
        entries, line = log.take(order_id), place[1] if place else None
        _order(found, order_id, entries, lines.take(order_id), refunds.take(order_id), line, progress)
    return found


def _order(
    found: Compared,
    order_id: str,
    entries: Iterator[StoredEntry],
    lines: Iterator[dict[str, Any]],
    refunds: Iterator[dict[str, Any]],
    only: str | None,
    progress: Callable[[int], None] | None,
) -> None:
    chains = _chains(found, entries, only, progress)
    ledgers: dict[str, dict[str, int]] = {}
    for row in refunds:
        if only in (None, row["line"]):
            chain = chains.pop(row["id"], None)
            add_ledger(ledgers.setdefault(row["line"], {}), chain.ledger if chain else {})
            columns = partial(refund_columns, warned_at=written(row["warned_at"]))
            _row(found, row["id"], row, chain, columns)
    for row in lines:
        if only in (None, row["line"]):
            subject = line_subject(order_id, row["line"])
            chain = chains.pop(subject, None)
            ledger = ledgers.get(row["line"], {})
            add_ledger(ledger, chain.ledger if chain else {})
            _row(found, subject, row, chain, partial(line_columns, ledger=Ledger(**ledger)))
    for subject in chains:
        found.differences.append(Difference(subject=subject, field="row", stored=MISSING, replayed="a chain"))


def _chains(
    found: Compared, entries: Iterator[StoredEntry], only: str | None, progress: Callable[[int], None] | None
) -> dict[str, Replayed]:
    """Fold the chains of an order; what is wrong with an entry itself is told by verification."""
    chains: dict[str, Replayed] = {}
    for subject, chain in groupby(entries, key=lambda entry: entry.subject):
        if only is not None and _line_of(subject) != only:
            continue
        chains[subject] = folded = Replayed(subject)
        for entry in chain:
            deque(folded.add(entry), maxlen=0)
        found.chains, found.entries = found.chains + 1, found.entries + folded.count
        if progress:
            progress(folded.count)
    return chains


def _line_of(subject: str) -> str:
    return subject.split("/", 1)[1] if "/" in subject else subject.rsplit("-", 2)[1]


def _row(
    found: Compared,
    subject: str,
    row: Mapping[str, Any],
    chain: Replayed | None,
    columns_of: Callable[[Any], Mapping[str, Any]],
) -> None:
    found.rows += 1
    if chain is None:
        found.differences.append(Difference(subject=subject, field="chain", stored="a row", replayed=MISSING))
        return
    try:
        told = {**columns_of(chain.document), "head": chain.head}
    except (KeyError, TypeError, AttributeError) as problem:
        what = f"no whole document: {problem!r}"
        found.differences.append(Difference(subject=subject, field="document", stored="a row", replayed=what))
        return
    for name, value in told.items():
        stored = written(row[name]) if name.endswith("_at") else row[name]
        if name == "document":
            found.differences += _documents(subject, str(stored), chain.document)
        elif stored != value:
            found.differences.append(Difference(subject=subject, field=name, stored=stored, replayed=value))


def _documents(subject: str, stored: str, replayed: Mapping[str, Json]) -> Iterator[Difference]:
    """Tell field by field what differs in a document; one whose bytes alone differ differs too."""
    try:
        document = json.loads(stored)
    except ValueError:
        yield Difference(subject=subject, field="document", stored=stored[:200], replayed=dict(replayed))
        return
    pairs = list(_fields(document, dict(replayed), "document"))
    yield from (Difference(subject=subject, field=name, stored=was, replayed=told) for name, was, told in pairs)
    if not pairs and stored != document_text(replayed):
        yield Difference(subject=subject, field="document", stored="other bytes", replayed="the same values")


def _fields(stored: Json, replayed: Json, path: str) -> Iterator[tuple[str, Json, Json]]:
    if isinstance(stored, dict) and isinstance(replayed, dict):
        for name in sorted({*stored, *replayed}):
            yield from _fields(stored.get(name, MISSING), replayed.get(name, MISSING), f"{path}.{name}")
    elif stored != replayed:
        yield path, stored, replayed
