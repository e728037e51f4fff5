"""Whole tables read in the order of order ids, in pages: what verification walks along."""

from collections.abc import Iterator
from itertools import takewhile
from typing import Any

from sqlalchemy import Column, Select, bindparam, select, tuple_
from sqlmodel import SQLModel

from refundflow.store.entries import entry_of
from refundflow.store.rows import StoredEntry
from refundflow.store.sessions import Session
from refundflow.tables import Buyer, OrderLine, Payout, Refund, Transition, table_of
from refundflow.vault import BuyerRow

PAGE = 500


def _scan(model: type[SQLModel], *place: str) -> Select[Any]:
    """Select a page of rows behind the place that the parameters `after_…` name."""
    table = table_of(model)
    columns: list[Column[Any]] = [table.c[name] for name in place]
    behind = tuple_(*(bindparam(f"after_{column.name}", type_=column.type) for column in columns)) < tuple_(*columns)
    return select(table).where(behind).order_by(*columns).limit(bindparam("page"))


SCAN_ENTRIES = _scan(Transition, "order_id", "subject", "seq")
SCAN_LINES = _scan(OrderLine, "order_id", "line")
SCAN_REFUNDS = _scan(Refund, "order_id", "id")
SCAN_PAYOUTS = _scan(Payout, "order_id", "number")
SCAN_BUYERS = _scan(Buyer, "ref")
SCANS = {
    Transition: SCAN_ENTRIES, OrderLine: SCAN_LINES, Refund: SCAN_REFUNDS, Payout: SCAN_PAYOUTS, Buyer: SCAN_BUYERS,
}  # fmt: skip


class Scans:
    """Every row of a table, in constant memory."""

    session: Session

    def scan_entries(self, order_id: str | None = None) -> Iterator[StoredEntry]:
        """Yield all entries, or those of one order, chain by chain: by order id, subject, number."""
        rows = self._scanned(Transition, order_id=order_id or "", subject="", seq=0)
        return (entry_of(tuple(row.values())) for row in _only(rows, order_id))

    def scan_lines(self, order_id: str | None = None) -> Iterator[dict[str, Any]]:
        """Yield the columns of all order lines, or those of one order, by order id and line."""
        return _only(self._scanned(OrderLine, order_id=order_id or "", line=""), order_id)

    def scan_refunds(self, order_id: str | None = None) -> Iterator[dict[str, Any]]:
        """Yield the columns of all refunds, or those of one order, by order id and refund id."""
        return _only(self._scanned(Refund, order_id=order_id or "", id=""), order_id)

    def scan_payouts(self) -> Iterator[dict[str, Any]]:
        """Yield the columns of all payout numbers by order id and number."""
        return self._scanned(Payout, order_id="", number="")

    def scan_buyers(self) -> Iterator[BuyerRow]:
        """Yield all buyers that were not erased, by reference."""
        for row in self._scanned(Buyer, ref=""):
            if any(row["key"] or b""):  # of an erased one it is zeros
                key, cipher = bytes(row["key"]), bytes(row["cipher"] or b"")
                yield BuyerRow(ref=row["ref"], lookup=row["lookup"], key=key, cipher=cipher)

    def _scanned(self, model: type[SQLModel], **place: Any) -> Iterator[dict[str, Any]]:
        statement = SCANS[model]
        names = [column.name for column in table_of(model).c]
        while True:
            after = {f"after_{name}": value for name, value in place.items()}
            rows = self.session.rows(statement, **after, page=PAGE)
            for row in rows:
                yield dict(zip(names, row, strict=True))
            if len(rows) < PAGE:
                return
            last = dict(zip(names, rows[-1], strict=True))
            place = {name: last[name] for name in place}


def _only(rows: Iterator[dict[str, Any]], order_id: str | None) -> Iterator[dict[str, Any]]:
    return rows if order_id is None else takewhile(lambda row: row["order_id"] == order_id, rows)
