"""What can identify a person, always encrypted with the key of one buyer."""

import json

from sqlalchemy import bindparam, select, tuple_

from refundflow.store.rows import LineOfBuyer, StoredText
from refundflow.store.sessions import Row, Session
from refundflow.store.statements import in_sets, insert_or, insert_row, select_where
from refundflow.tables import Buyer, EvidenceContent, OrderLine, Personal, Refund, table_of
from refundflow.vault import BuyerRow

_BUYER = table_of(Buyer)
_LINE = table_of(OrderLine)
_REFUND = table_of(Refund)
_PERSONAL = table_of(Personal)

READ_LOOKUP = select_where(Buyer, "lookup")
SHARE_LOOKUP = select_where(Buyer, "lookup").with_for_update(read=True, key_share=True)
READ_BUYER = select_where(Buyer, "ref")
ADD_BUYER = insert_row(Buyer)
ADD_PERSONAL = in_sets(insert_row(Personal))
READ_PERSONAL = select_where(Personal, "order_id", "subject")
ADD_CONTENT = insert_or(EvidenceContent)
READ_CONTENT = select_where(EvidenceContent, "buyer", "digest")
_OF_BUYER = _LINE.c.buyer == bindparam("buyer")
READ_LINES_OF = (
    select(_LINE.c.order_id, _LINE.c.line, _LINE.c.document)
    .where(
        _OF_BUYER,
        tuple_(_LINE.c.order_id, _LINE.c.line) > tuple_(bindparam("after_order"), bindparam("after_line")),
    )
    .order_by(_LINE.c.order_id, _LINE.c.line)
    .limit(bindparam("page"))
)
READ_UNFINISHED = (
    select(_REFUND.c.order_id, _REFUND.c.line)
    .where(_REFUND.c.buyer == bindparam("buyer"), _REFUND.c.next_due_at.is_not(None))
    .distinct()
)
READ_CHARGED = select(_LINE.c.order_id, _LINE.c.line).where(_OF_BUYER, _LINE.c.charged_back > 0)
READ_TEXTS_OF = (
    select(_PERSONAL.c.order_id, _PERSONAL.c.subject, _PERSONAL.c.seq, _PERSONAL.c.field, _PERSONAL.c.cipher)
    .where(_PERSONAL.c.buyer == bindparam("buyer"))
    .order_by(_PERSONAL.c.order_id, _PERSONAL.c.subject, _PERSONAL.c.seq, _PERSONAL.c.field)
)


class People:
    """Buyers, their texts and their evidence."""

    session: Session

    def buyer_by_lookup(self, lookup: str, *, share: bool = False) -> BuyerRow | None:
        """Return the buyer whose id the vault turns into `lookup`.

        With `share` nobody can erase him until the transaction ends.
        """
        return buyer_of(self.session.one(SHARE_LOOKUP if share else READ_LOOKUP, lookup=lookup))

    def buyer(self, ref: str) -> BuyerRow | None:
        """Return the buyer that documents call `ref`, None when he was erased."""
        return buyer_of(self.session.one(READ_BUYER, ref=ref))

    def is_taken(self, ref: str) -> bool:
        """Tell whether a buyer of this reference is or was there."""
        return self.session.one(READ_BUYER, ref=ref) is not None

    def put_buyer(self, row: BuyerRow) -> None:
        """Keep a new buyer.

        Raises:
            Conflict: somebody else was first, as the end of the transaction tells.
        """
        self.session.run(ADD_BUYER, ref=row.ref, lookup=row.lookup, key=row.key, cipher=row.cipher)

    def personal(self, order_id: str, subject: str) -> dict[tuple[int, str], bytes]:
        """Return the texts of a chain by (seq, field)."""
        rows = self.session.rows(READ_PERSONAL, order_id=order_id, subject=subject)
        return {(row[2], row[3]): bytes(row[5]) for row in rows}

    def content(self, buyer_ref: str, digest: str) -> bytes | None:
        """Return the content of a piece of evidence."""
        row = self.session.one(READ_CONTENT, buyer=buyer_ref, digest=digest)
        return bytes(row[2]) if row else None

    # all that is kept of one buyer

    def lines_of(self, buyer_ref: str, after: tuple[str, str], limit: int) -> list[LineOfBuyer]:
        """Return order lines of a buyer in order, from `after` that place on."""
        rows = self.session.rows(READ_LINES_OF, buyer=buyer_ref, after_order=after[0], after_line=after[1], page=limit)
        return [LineOfBuyer(row[0], row[1], "erased" in json.loads(row[2])) for row in rows]

    def texts_of(self, buyer_ref: str) -> list[StoredText]:
        """Return all texts of a buyer, encrypted, chain by chain."""
        rows = self.session.rows(READ_TEXTS_OF, buyer=buyer_ref)
        return [StoredText(row[0], row[1], row[2], row[3], bytes(row[4])) for row in rows]

    def places_in_question(self, buyer_ref: str) -> list[tuple[str, str]]:
        """Return the lines of a buyer on which a refund is not at its end, or that were charged back."""
        found = [self.session.rows(statement, buyer=buyer_ref) for statement in (READ_UNFINISHED, READ_CHARGED)]
        return sorted({(row[0], row[1]) for rows in found for row in rows})


def buyer_of(row: Row | None) -> BuyerRow | None:
    """Read a row of a buyer, None where there is none; of an erased one the key is zeros."""
    if row is None or not row[2] or not any(row[2]):
        return None
    return BuyerRow(row[0], row[1], bytes(row[2]), bytes(row[3]))
