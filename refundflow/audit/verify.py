"""The proof of a whole database: every chain, and every row against the chain that it follows from."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any

from refundflow.audit.heads import Outside
from refundflow.audit.registers import registers_agree
from refundflow.audit.replay import Finding, Replayed
from refundflow.audit.texts import texts_agree
from refundflow.audit.tree import LogProof
from refundflow.store import REGISTER_ORDER, StoredEntry, Tx, line_columns, refund_columns, written
from refundflow.vault import Vault
from states.case import Ledger, line_subject

Json = Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Verified:
    """What was walked along, and every place where it does not hold; none: the proof stands."""

    chains: int
    entries: int
    findings: tuple[Finding, ...]
    leaves: int = 0  # of the log
    checkpoints: int = 0


def verify(
    tx: Tx, vault: Vault, *, outside: Outside | None = None, progress: Callable[[int], None] | None = None
) -> Verified:
    """Walk all chains once, in memory bounded by one order, and tell whatever does not hold.

    Per entry: no gap, the hash of the one before, the hash of the body, columns that repeat the body, texts and
    evidence that it commits to. Per row: it equals the replay of its chain. Per line: the ledger is the sum of all
    changes. Per policy: its version is that of its content. Of the log: see `tree`, with what is known `outside`.
    `progress` is told how many entries were read since it was told last.
    """
    chains = entries = 0

    def walked(more: int) -> None:
        nonlocal chains, entries
        chains, entries = chains + 1, entries + more
        if progress:
            progress(more)

    findings: list[Finding] = []
    try:
        for finding in _findings(tx, vault, walked):
            findings.append(finding)
        log = LogProof(tx, vault.secret, outside or Outside())
        for finding in log.findings(progress or (lambda more: None)):
            findings.append(finding)
    except (ValueError, KeyError, TypeError) as problem:
        # A row that cannot even be read: whoever wrote it was not us, and nothing behind it was looked at.
        findings.append(Finding("", 0, f"a row cannot be read, verification ends there: {problem}"))
        return Verified(chains=chains, entries=entries, findings=tuple(findings))
    return Verified(
        chains=chains, entries=entries, findings=tuple(findings), leaves=log.leaves, checkpoints=log.heads.count
    )


def _findings(tx: Tx, vault: Vault, walked: Callable[[int], None]) -> Iterator[Finding]:
    entries = Reader(tx.scan_entries())
    lines, refunds, payouts = Reader(tx.scan_lines()), Reader(tx.scan_refunds()), Reader(tx.scan_payouts())
    people, erasures = Replayed("staff"), Replayed("privacy")
    pinned: set[str] = set()
    while orders := [reader.order for reader in (entries, lines, refunds, payouts) if reader.order is not None]:
        order_id = min(orders)
        chains = {}
        for subject, chain in groupby(entries.take(order_id), key=lambda entry: entry.subject):
            chains[subject] = replayed = Replayed(subject)
            for entry in chain:
                yield from replayed.add(entry)
            walked(replayed.count)
        if order_id == REGISTER_ORDER:
            people, erasures = chains.get("staff", people), chains.get("privacy", erasures)
            continue
        pinned |= {str(chain.document["policy"]) for chain in chains.values() if "policy" in chain.document}
        yield from texts_agree(tx, vault, order_id, chains, erasures.document)
        yield from _rows_agree(chains, order_id, lines.take(order_id), refunds.take(order_id), payouts.take(order_id))
    yield from registers_agree(tx, vault, people, pinned)


class Reader:
    """Rows in order of order id, taken order by order."""

    def __init__(self, rows: Iterator[Any]) -> None:
        self._rows = rows
        self._next = next(rows, None)

    @property
    def order(self) -> str | None:
        """Name the order of the next row, None at the end."""
        return None if self._next is None else _order_of(self._next)

    def take(self, order_id: str) -> Iterator[Any]:
        """Yield the rows of one order."""
        while self._next is not None and _order_of(self._next) == order_id:
            row, self._next = self._next, None
            self._next = next(self._rows, None)
            yield row


def _order_of(row: Any) -> str:
    order_id: str = row.order_id if isinstance(row, StoredEntry) else row["order_id"]
    return order_id


def _rows_agree(
    chains: dict[str, Replayed],
    order_id: str,
    lines: Iterable[dict[str, Any]],
    refunds: Iterable[dict[str, Any]],
    payouts: Iterable[dict[str, Any]],
) -> Iterator[Finding]:
    """Compare the rows of one order with what its chains say."""
    ledgers: dict[str, dict[str, int]] = {}
    cases: dict[str, Replayed] = {}
    payments: dict[str, str] = {}
    for row in refunds:
        chain = cases[row["id"]] = chains.pop(row["id"], Replayed(row["id"]))
        add_ledger(ledgers.setdefault(row["line"], {}), chain.ledger)
        yield from _row_agrees(chain, row, partial(refund_columns, warned_at=written(row["warned_at"])))
    for row in lines:
        subject = line_subject(order_id, row["line"])
        chain = chains.pop(subject, Replayed(subject))
        add_ledger(ledger := ledgers.pop(row["line"], {}), chain.ledger)
        payments[row["line"]] = row["payment_no"]
        yield from _row_agrees(chain, row, partial(line_columns, ledger=Ledger(**ledger)))
    yield from (Finding(line_subject(order_id, line), 0, "refunds of a line that has no row") for line in ledgers)
    yield from _payouts_agree(cases, payments, payouts)
    yield from (Finding(subject, 0, "a chain without a row") for subject in chains)


def add_ledger(ledger: dict[str, int], changes: Mapping[str, int]) -> None:
    """Add the changes that one chain made to a ledger."""
    for column, change in changes.items():
        ledger[column] = ledger.get(column, 0) + change


def _row_agrees(
    chain: Replayed, row: Mapping[str, Any], columns_of: Callable[[Any], Mapping[str, Any]]
) -> Iterator[Finding]:
    """Compare one stored row with the replay of its chain."""
    if not chain.count:
        yield Finding(chain.subject, 0, "a row without a chain")
        return
    try:
        told = {**columns_of(chain.document), "head": chain.head}
    except (KeyError, TypeError, AttributeError) as problem:
        yield Finding(chain.subject, 0, f"the replay gives no whole document: {problem!r}")
        return
    for name, value in told.items():
        stored = written(row[name]) if name.endswith("_at") else row[name]
        if stored != value:
            yield Finding(chain.subject, 0, f"the stored {name} is not what the entries say")


def _payouts_agree(
    cases: Mapping[str, Replayed], payments: Mapping[str, str], payouts: Iterable[dict[str, Any]]
) -> Iterator[Finding]:
    """Compare the payout numbers of one order with the attempts that its refunds tell and the lines' payments."""
    told = {number: (name, item) for name, case in cases.items() for number, item in _attempts(case)}
    for row in payouts:
        name, attempt = told.pop(row["number"], (row["subject"], None))
        same = (
            attempt is not None
            and row["subject"] == name
            and row["payment_no"] == payments.get(cases[name].document.get("line", ""))
            and all(row[column] == attempt.get(column) for column in ("channel", "amount", "currency", "state", "void"))
            and written(row["dispatched_at"]) == attempt.get("at")
        )
        if not same:
            yield Finding(name, 0, f"the payout {row['number']} is not what the entries say")
    yield from (Finding(name, 0, f"the payout {number} has no row") for number, (name, _) in told.items())


def _attempts(case: Replayed) -> Iterable[tuple[str, dict[str, Json]]]:
    attempts: dict[str, dict[str, Json]] = case.document.get("attempts", {})
    return attempts.items()
