"""Finding refunds: what is due, lists in pages, the queue, and the counts that rules ask for."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Column, ColumnElement, Integer, Select, bindparam, exists, false, func, select, tuple_

from refundflow.store.documents import read_document
from refundflow.store.rows import ClaimsOfBuyer, PaymentFacts
from refundflow.store.sessions import Session
from refundflow.store.values import moment
from refundflow.tables import Moment, OrderLine, Payout, PendingEffect, Refund, table_of
from states import times
from states.case import Case, Line

_REFUND = table_of(Refund)
_LINE = table_of(OrderLine)
_PAYOUT = table_of(Payout)
_EFFECT = table_of(PendingEffect)
_BEFORE = bindparam("before", type_=Moment())
_PAGE = bindparam("page", type_=Integer())

READ_DUE = (
    select(_REFUND.c.id)
    .where(_REFUND.c.next_due_at.is_not(None), _REFUND.c.next_due_at <= _BEFORE)
    .order_by(_REFUND.c.next_due_at, _REFUND.c.id)
    .limit(_PAGE)
)
READ_WARNINGS = (
    select(_REFUND.c.id)
    .where(_REFUND.c.next_warn_at.is_not(None), _REFUND.c.next_warn_at <= _BEFORE)
    .order_by(_REFUND.c.next_warn_at, _REFUND.c.id)
    .limit(_PAGE)
)
FIRST_DUE = select(func.min(_REFUND.c.next_due_at)).where(_REFUND.c.next_due_at.is_not(None))
FIRST_WARNING = select(func.min(_REFUND.c.next_warn_at)).where(_REFUND.c.next_warn_at.is_not(None))
# A transfer by hand is made on no channel, so that its rules do not count it.
_ON_CHANNEL = (_PAYOUT.c.payment_no == bindparam("payment_no")) & (_PAYOUT.c.channel != "bank_manual")
READ_PAYMENT = select(func.count(), func.max(_PAYOUT.c.dispatched_at)).where(
    _ON_CHANNEL, _PAYOUT.c.dispatched_at.is_not(None)
)
LOCK_PAYMENT = select(func.pg_advisory_xact_lock(func.hashtextextended(bindparam("payment_no"), 0)))
_OF_BUYER = _REFUND.c.buyer == bindparam("buyer")
_COUNT_CLAIMS = (
    select(func.count())
    .select_from(_REFUND)
    .where(_OF_BUYER, _REFUND.c.submitted_at >= bindparam("since", type_=Moment()))
)
READ_BUYER = select(_COUNT_CLAIMS.scalar_subquery(), exists().where(_OF_BUYER, _REFUND.c.abused != false()))
READ_DOCUMENT = select(_REFUND.c.document).where(
    _REFUND.c.order_id == bindparam("order_id"), _REFUND.c.id == bindparam("id")
)
READ_LINE_DOCUMENT = select(_LINE.c.document).where(
    _LINE.c.order_id == bindparam("order_id"), _LINE.c.line == bindparam("line")
)


class Queries:
    """Questions over many orders; all bounded."""

    session: Session

    def due(self, before: datetime, limit: int) -> list[str]:
        """Return the refunds on which something is due at `before` or earlier, the oldest first."""
        return [row[0] for row in self.session.rows(READ_DUE, before=times.text(before), page=limit)]

    def warnings(self, before: datetime, limit: int) -> list[str]:
        """Return the refunds with a warning to give at `before` or earlier, the oldest first."""
        return [row[0] for row in self.session.rows(READ_WARNINGS, before=times.text(before), page=limit)]

    def next_work_at(self, kinds: Sequence[str] | None) -> datetime | None:
        """Return the first moment of a lapse, a warning, or a try of an effect (of `kinds`); None: nothing is open."""
        effect = select(func.min(_EFFECT.c.next_try_at)).where(_EFFECT.c.next_try_at.is_not(None))
        if kinds is not None:
            effect = effect.where(_EFFECT.c.kind.in_(kinds))
        moments = [self.session.one(statement) for statement in (FIRST_DUE, FIRST_WARNING)]
        moments += self.session.ask(effect)
        return min((at for row in moments if row and (at := moment(row[0])) is not None), default=None)

    def case(self, order_id: str, refund_id: str) -> Case | None:
        """Return one refund as stored."""
        row = self.session.one(READ_DOCUMENT, order_id=order_id, id=refund_id)
        return read_document(row[0]) if row else None

    def line(self, order_id: str, line: str) -> Line | None:
        """Return the facts of one order line as stored."""
        row = self.session.one(READ_LINE_DOCUMENT, order_id=order_id, line=line)
        return read_document(row[0]) if row else None

    def find(
        self,
        *,
        order: str | None = None,
        buyer_ref: str | None = None,
        payment_no: str | None = None,
        states: Sequence[str] | None = None,
        since: datetime | None = None,
        after: tuple[str, str] | None = None,
        limit: int = 50,
    ) -> list[Case]:
        """Return refunds in order of (submitted_at, id), from `after` that place on; states are leaf paths."""
        asked = select(_REFUND.c.document)
        if order is not None:
            asked = asked.where(_REFUND.c.order_id == order)
        if buyer_ref is not None:
            asked = asked.where(_REFUND.c.buyer == buyer_ref)
        if payment_no is not None:
            same = (_LINE.c.order_id == _REFUND.c.order_id) & (_LINE.c.line == _REFUND.c.line)
            asked = asked.join(_LINE, same).where(_LINE.c.payment_no == payment_no)
        if states is not None:
            asked = asked.where(_REFUND.c.state.in_(states))
        if since is not None:
            asked = asked.where(_REFUND.c.submitted_at >= _moment("since", times.text(since)))
        place = (_REFUND.c.submitted_at, _REFUND.c.id)
        return self._cases(_page(asked, place, after, limit))

    def queue(
        self, *, clear: bool = False, assignee: str | None = None, after: tuple[str, str] | None = None, limit: int = 50
    ) -> list[Case]:
        """Return open refunds in order of (next due moment, id), from `after` that place on.

        Of all, or only appeals with clear evidence (`clear`), or those of one assignee.
        """
        due_at = _REFUND.c.clear_due_at if clear else _REFUND.c.next_due_at
        asked = select(_REFUND.c.document).where(due_at.is_not(None))
        if assignee is not None:
            asked = asked.where(_REFUND.c.assignee == assignee)
        return self._cases(_page(asked, (due_at, _REFUND.c.id), after, limit))

    def payment_facts(self, payment_no: str, *, lock: bool) -> PaymentFacts:
        """Return what was sent on a channel payment, over all lines; `lock` lets no other writer send on it."""
        if lock and self.session.dialect == "postgresql":
            self.session.one(LOCK_PAYMENT, payment_no=payment_no)
        row = self.session.one(READ_PAYMENT, payment_no=payment_no)
        return PaymentFacts(count=row[0] if row else 0, last_dispatched_at=moment(row[1]) if row else None)

    def claims_of(self, buyer_ref: str, since: datetime) -> ClaimsOfBuyer:
        """Return what earlier claims say of a buyer."""
        count, abused = self.session.rows(READ_BUYER, buyer=buyer_ref, since=times.text(since))[0]
        return ClaimsOfBuyer(count, bool(abused))

    def _cases(self, asked: Select[tuple[str]]) -> list[Case]:
        return [cast(Case, read_document(row[0])) for row in self.session.ask(asked)]


def _moment(name: str, written: str) -> ColumnElement[datetime]:
    """Bind the text of a moment: both databases read it."""
    return bindparam(name, written, type_=Moment())


def _page(
    asked: Select[tuple[str]], place: tuple[Column[Any], ...], after: tuple[str, str] | None, limit: int
) -> Select[tuple[str]]:
    if after is not None:
        asked = asked.where(tuple_(*place) > tuple_(_moment("after_at", after[0]), bindparam("after_id", after[1])))
    return asked.order_by(*place).limit(limit)
