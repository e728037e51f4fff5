"""How what can identify a person is wiped; the caller asks the store for a transaction that wipes."""

from sqlalchemy import bindparam, delete, select, update

from refundflow.store.people import buyer_of
from refundflow.store.sessions import Session
from refundflow.store.statements import next_version, select_where, update_where
from refundflow.tables import Buyer, EvidenceContent, OrderLine, PendingEffect, Personal, table_of
from refundflow.vault import BuyerRow

_BUYER = table_of(Buyer)
_LINE = table_of(OrderLine)
_PERSONAL = table_of(Personal)
_CONTENT = table_of(EvidenceContent)
_EFFECT = table_of(PendingEffect)

HOLD_LOOKUP = select_where(Buyer, "lookup").with_for_update()
HOLD_BUYER = select_where(Buyer, "ref").with_for_update()
# Found without a lock, then changed order by order: a distributed database locks no rows of several servers at once.
READ_PLACES = (
    select(_LINE.c.order_id, _LINE.c.line)
    .where(_LINE.c.buyer == bindparam("buyer"))
    .order_by(_LINE.c.order_id, _LINE.c.line)
)
RENEW_LINE = update_where(OrderLine, {"order_id": "order_id", "line": "line"}, ()).values(next_version(OrderLine))
OVERWRITE_BUYER = (
    update(_BUYER)
    .where(_BUYER.c.ref == bindparam("at_ref"))
    .values(lookup=bindparam("lookup"), key=bindparam("key"), cipher=bindparam("cipher"))
)
RENAME_BUYER = update(_BUYER).where(_BUYER.c.ref == bindparam("at_ref")).values(lookup=bindparam("lookup"))
DELETE_TEXTS = delete(_PERSONAL).where(
    _PERSONAL.c.order_id == bindparam("order_id"), _PERSONAL.c.buyer == bindparam("buyer")
)
_SOME = (
    select(_CONTENT.c.digest)
    .where(_CONTENT.c.buyer == bindparam("buyer"))
    .order_by(_CONTENT.c.digest)
    .limit(bindparam("page"))
)
DELETE_CONTENTS = delete(_CONTENT).where(_CONTENT.c.buyer == bindparam("buyer"), _CONTENT.c.digest.in_(_SOME))
FORGET_PROBLEMS = (
    update(_EFFECT)
    .where(
        _EFFECT.c.order_id == bindparam("at_order"), _EFFECT.c.subject == bindparam("at_subject"),
        _EFFECT.c.problem.is_not(None),
    )
    .values(problem=None)
)  # fmt: skip
_LOOKUP_LENGTH = 64
_BEGUN, _OVER = "erasing", "erased"  # at first with the lookup, then with the reference
# The bounds hold in every collation: a space may count for nothing there.
UNFINISHED = (
    select(_BUYER.c.ref, _BUYER.c.lookup)
    .where(_BUYER.c.lookup >= _BEGUN, _BUYER.c.lookup < "erasinh")
    .order_by(_BUYER.c.ref)
)


class Wiping:
    """The steps of an erasure, as far as they are rows."""

    session: Session

    def hold_buyer(self, lookup: str) -> BuyerRow | None:
        """Return a buyer and keep everybody off him, and off each of his lines, until the transaction ends.

        Whoever read one of the lines without a lock, key and all, finds it changed.
        """
        row = buyer_of(self.session.one(HOLD_LOOKUP, lookup=lookup))
        if row is not None:  # held, so that no line is added to those of his that are found now
            places = self.session.rows(READ_PLACES, buyer=row.ref)
            self.session.write({RENEW_LINE: [{"order_id": order, "line": line} for order, line in places]})
        return row

    def erasing(self, lookup: str) -> str | None:
        """Return the reference of a buyer whose erasure was begun, while he can still be found by his lookup."""
        row = self.session.one(HOLD_LOOKUP, lookup=_begun(lookup))
        return row[0] if row else None

    def unfinished_erasures(self) -> list[str]:
        """Return the references of all buyers whose erasure was begun and is not over."""
        return [row[0] for row in self.session.rows(UNFINISHED)]

    def forgotten(self) -> list[str]:
        """Return the references of buyers of whom nothing is left but old bytes that may not be overwritten yet."""
        return [row[0] for row in self.session.rows(UNFINISHED) if row[1] == _padded(_BEGUN, row[0])]

    def destroy_key(self, row: BuyerRow) -> None:
        """Overwrite key and id of a buyer in place: as long as before, so that no database moves the old bytes."""
        self.session.run(
            OVERWRITE_BUYER,
            at_ref=row.ref, lookup=_begun(row.lookup), key=bytes(len(row.key)), cipher=bytes(len(row.cipher)),
        )  # fmt: skip

    def is_forgotten(self, buyer_ref: str) -> bool:
        """Tell whether nothing is left of a buyer but old bytes; nobody else forgets him until the transaction ends."""
        row = self.session.one(HOLD_BUYER, ref=buyer_ref)
        return row is None or row[1] in (_padded(_BEGUN, buyer_ref), _padded(_OVER, buyer_ref))

    def forget_lookup(self, buyer_ref: str) -> None:
        """Overwrite the last that could tell who an erased buyer was."""
        self.session.run(RENAME_BUYER, at_ref=buyer_ref, lookup=_padded(_BEGUN, buyer_ref))

    def erasure_over(self, buyer_ref: str) -> None:
        """Say that no old bytes of an erased buyer are left."""
        self.session.run(RENAME_BUYER, at_ref=buyer_ref, lookup=_padded(_OVER, buyer_ref))

    def delete_texts(self, order_id: str, buyer_ref: str) -> int:
        """Delete the texts of a buyer in one order; return how many."""
        return self.session.run(DELETE_TEXTS, order_id=order_id, buyer=buyer_ref)

    def delete_contents(self, buyer_ref: str, limit: int) -> int:
        """Delete contents of evidence of a buyer; return how many."""
        return self.session.run(DELETE_CONTENTS, buyer=buyer_ref, page=limit)

    def forget_problems(self, order_id: str, subject: str) -> None:
        """Forget what receivers said about effects of a chain: it may repeat a text."""
        self.session.run(FORGET_PROBLEMS, at_order=order_id, at_subject=subject)


def _begun(lookup: str) -> str:
    return f"{_BEGUN} {lookup}"[:_LOOKUP_LENGTH]


def _padded(word: str, buyer_ref: str) -> str:
    return f"{word} {buyer_ref}".ljust(_LOOKUP_LENGTH, ".")
