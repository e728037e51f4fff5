"""What can identify a person, always encrypted with the key of one buyer."""

from refundflow.store.connections import Row, Session
from refundflow.store.statements import insert_or, insert_row, select_where
from refundflow.tables import Buyer, EvidenceContent, Personal
from refundflow.vault import BuyerRow

READ_LOOKUP = select_where(Buyer, "lookup")
READ_BUYER = select_where(Buyer, "ref")
ADD_BUYER = insert_row(Buyer)
ADD_PERSONAL = insert_row(Personal)
READ_PERSONAL = select_where(Personal, "order_id", "subject")
ADD_CONTENT = insert_or(EvidenceContent)
READ_CONTENT = select_where(EvidenceContent, "buyer", "digest")


class People:
    """Buyers, their texts and their evidence."""

    session: Session

    def buyer_by_lookup(self, lookup: str) -> BuyerRow | None:
        """Return the buyer whose id the vault turns into `lookup`."""
        return _buyer_of(self.session.one(READ_LOOKUP, lookup=lookup))

    def buyer(self, ref: str) -> BuyerRow | None:
        """Return the buyer that documents call `ref`, None when he was erased."""
        return _buyer_of(self.session.one(READ_BUYER, ref=ref))

    def put_buyer(self, row: BuyerRow) -> None:
        """Keep a new buyer.

        Raises:
            Conflict: somebody else was first, as the end of the transaction tells.
        """
        self.session.run(ADD_BUYER, ref=row.ref, lookup=row.lookup, key=row.key, cipher=row.cipher)

    def put_personal(self, order_id: str, subject: str, seq: int, field: str, buyer_ref: str, cipher: bytes) -> None:
        """Keep one text of an entry."""
        self.session.run(
            ADD_PERSONAL,
            order_id=order_id, subject=subject, seq=seq, field=field, buyer=buyer_ref, cipher=cipher,
        )  # fmt: skip

    def personal(self, order_id: str, subject: str) -> dict[tuple[int, str], bytes]:
        """Return the texts of a chain by (seq, field)."""
        rows = self.session.rows(READ_PERSONAL, order_id=order_id, subject=subject)
        return {(row[2], row[3]): bytes(row[5]) for row in rows}

    def put_content(self, buyer_ref: str, digest: str, cipher: bytes) -> None:
        """Keep the content of a piece of evidence; the same of the same buyer is stored once."""
        self.session.run(ADD_CONTENT, buyer=buyer_ref, digest=digest, cipher=cipher)

    def content(self, buyer_ref: str, digest: str) -> bytes | None:
        """Return the content of a piece of evidence."""
        row = self.session.one(READ_CONTENT, buyer=buyer_ref, digest=digest)
        return bytes(row[2]) if row else None


def _buyer_of(row: Row | None) -> BuyerRow | None:
    if row is None or row[2] is None:
        return None
    return BuyerRow(ref=row[0], lookup=row[1], key=bytes(row[2]), cipher=bytes(row[3]))
