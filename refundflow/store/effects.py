"""What must leave the process, and the payout numbers whose outcome is to be asked for."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import bindparam, delete, exists, select

from refundflow.store.documents import read_document
from refundflow.store.rows import EffectId, EffectRow, PayoutRow
from refundflow.store.sessions import Row, Session
from refundflow.store.statements import select_where, update_where
from refundflow.store.values import moment
from refundflow.tables import Moment, Payout, PendingEffect, table_of
from states import times

_EFFECT = table_of(PendingEffect)
_PAYOUT = table_of(Payout)
_EFFECT_KEY = {"order_id": "at_order", "id": "at_id"}

DELETE_EFFECT = delete(_EFFECT).where(_EFFECT.c.order_id == bindparam("at_order"), _EFFECT.c.id == bindparam("at_id"))
HOLD_EFFECT = select_where(PendingEffect, "order_id", "id").with_for_update(skip_locked=True)
POSTPONE_EFFECT = update_where(PendingEffect, _EFFECT_KEY, ("tries", "next_try_at", "problem"))
READ_PAYOUT = select_where(Payout, "number")
READ_TO_ASK = (
    select(_PAYOUT)
    .where(_PAYOUT.c.next_ask_at.is_not(None), _PAYOUT.c.next_ask_at <= bindparam("before", type_=Moment()))
    .order_by(_PAYOUT.c.next_ask_at, _PAYOUT.c.number)
    .limit(bindparam("page"))
)
ASK_LATER = update_where(Payout, {"order_id": "at_order", "number": "at_number"}, ("asked", "next_ask_at"))


class Effects:
    """Effects and payouts: what the worker, the outbox and the payouts ask for."""

    session: Session

    def effects(
        self, limit: int, kinds: Sequence[str] | None = None, before: datetime | None = None
    ) -> list[EffectRow]:
        """Return effects that have not left, the longest waiting first; `before`: to be tried at it or earlier."""
        waiting = _EFFECT.c.next_try_at.is_not(None)
        asked = select(_EFFECT).where(waiting).order_by(_EFFECT.c.next_try_at, _EFFECT.c.id).limit(limit)
        if kinds is not None:
            asked = asked.where(_EFFECT.c.kind.in_(kinds))
        if before is not None:
            asked = asked.where(_EFFECT.c.next_try_at <= bindparam("before", times.text(before), type_=Moment()))
        return [_effect_of(row) for row in self.session.ask(asked)]

    def hold_effect(self, effect: EffectId) -> EffectRow | None:
        """Hold one effect until the transaction ends; None where it has left or somebody else holds it."""
        rows = self.session.rows(HOLD_EFFECT, order_id=effect.order_id, id=effect.number)
        return _effect_of(rows[0]) if rows else None

    def finish_effect(self, effect: EffectId) -> bool:
        """Forget an effect that has left; False when somebody else did."""
        return self.session.run(DELETE_EFFECT, at_order=effect.order_id, at_id=effect.number) == 1

    def postpone_effect(
        self, effect: EffectId, tries: int, next_try_at: datetime | None, problem: str | None = None
    ) -> None:
        """Try an effect again at a later moment; None: give it up, as a dead letter."""
        at = times.text(next_try_at) if next_try_at else None
        place = {"at_order": effect.order_id, "at_id": effect.number}
        self.session.run(POSTPONE_EFFECT, **place, tries=tries, next_try_at=at, problem=problem)

    def deliverable(self, before: datetime, limit: int, *, without: Sequence[str]) -> list[EffectRow]:
        """Return effects to deliver at `before` or earlier, of each refund only the first that has not left."""
        earlier = _EFFECT.alias("earlier")
        blocked = exists().where(
            earlier.c.order_id == _EFFECT.c.order_id,
            earlier.c.subject == _EFFECT.c.subject,
            earlier.c.id < _EFFECT.c.id,
            earlier.c.kind.not_in(without),
            earlier.c.next_try_at.is_not(None),
        )
        asked = (
            select(_EFFECT)
            .where(
                _EFFECT.c.next_try_at.is_not(None),
                _EFFECT.c.next_try_at <= bindparam("before", times.text(before), type_=Moment()),
                _EFFECT.c.kind.not_in(without),
                ~blocked,
            )
            .order_by(_EFFECT.c.next_try_at, _EFFECT.c.id)
            .limit(limit)
        )
        return [_effect_of(row) for row in self.session.ask(asked)]

    def all_effects(self, limit: int, *, dead: bool | None = None) -> list[EffectRow]:
        """Return effects by number, waiting ones and dead letters, or only one of them."""
        asked = select(_EFFECT).order_by(_EFFECT.c.id).limit(limit)
        if dead is not None:
            asked = asked.where(_EFFECT.c.next_try_at.is_(None) if dead else _EFFECT.c.next_try_at.is_not(None))
        return [_effect_of(row) for row in self.session.ask(asked)]

    def effect(self, number: int) -> EffectRow | None:
        """Return one effect by its number."""
        rows = self.session.ask(select(_EFFECT).where(_EFFECT.c.id == number))
        return _effect_of(rows[0]) if rows else None

    def payout(self, number: str) -> PayoutRow | None:
        """Return one payout number."""
        row = self.session.one(READ_PAYOUT, number=number)
        return _payout_of(row) if row else None

    def payouts_to_ask(self, before: datetime, limit: int) -> list[PayoutRow]:
        """Return the numbers whose outcome is to be asked for at `before` or earlier, the oldest first."""
        rows = self.session.rows(READ_TO_ASK, before=times.text(before), page=limit)
        return [_payout_of(row) for row in rows]

    def ask_later(self, order_id: str, number: str, asked: int, next_ask_at: datetime | None) -> None:
        """Keep how often an outcome was asked for and when to ask again; None: not by itself."""
        at = times.text(next_ask_at) if next_ask_at else None
        self.session.run(ASK_LATER, at_order=order_id, at_number=number, asked=asked, next_ask_at=at)


def _effect_of(row: Row) -> EffectRow:
    number, order_id, subject, seq, kind, code, params, effective_at, recorded_at, tries, next_try_at, problem = row
    return EffectRow(
        id=EffectId(order_id, number), subject=subject, seq=seq, kind=kind, code=code, params=read_document(params),
        effective_at=moment(effective_at), recorded_at=moment(recorded_at), tries=tries,
        next_try_at=moment(next_try_at), problem=problem,
    )  # fmt: skip


def _payout_of(row: Row) -> PayoutRow:
    (order_id, number, subject, payment_no, channel, amount, currency, state, void, dispatched_at, asked,
     next_ask_at) = row  # fmt: skip
    return PayoutRow(
        order_id=order_id, number=number, refund=subject, payment_no=payment_no, channel=channel, amount=amount,
        currency=currency, state=state, void=bool(void), dispatched_at=moment(dispatched_at), asked=asked,
        next_ask_at=moment(next_ask_at),
    )  # fmt: skip
