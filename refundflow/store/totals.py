"""Totals: numbers that are counted on below a horizon of the log, and what is counted where it stands."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import BigInteger, LargeBinary, bindparam, case, cast, func, null, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from refundflow.store.horizon import NEWEST, NO_LABELS, Horizon
from refundflow.store.values import moment
from refundflow.tables import PendingEffect, Refund, Total, Transition, table_of
from refundflow.totals import Key
from refundflow.totals import Step as Told
from states import times

_LOG = table_of(Transition)
_TOTAL = table_of(Total)
_EFFECT = table_of(PendingEffect)
_REFUND = table_of(Refund)
COUNTED = "counted"

# With the bodies only of those entries of which the outside may tell another time than ours.
_BODY = case((_LOG.c.event == "payout_settled", _LOG.c.body), else_=cast(null(), LargeBinary))
READ_NEW = (
    select(_LOG.c.gid, _LOG.c.order_id, _LOG.c.subject, _LOG.c.seq)
    .where(_LOG.c.gid > bindparam("after", type_=BigInteger()), _LOG.c.gid <= bindparam("until", type_=BigInteger()))
    .order_by(_LOG.c.gid)
    .limit(bindparam("page"))
)
READ_CHAIN = (
    select(
        _LOG.c.seq, _LOG.c.kind, _LOG.c.event, _LOG.c.before, _LOG.c.after, _LOG.c.effective_at, _LOG.c.recorded_at,
        _BODY,
    )
    .where(
        _LOG.c.order_id == bindparam("order_id"), _LOG.c.subject == bindparam("subject"),
        _LOG.c.seq <= bindparam("until", type_=BigInteger()),
    )
    .order_by(_LOG.c.seq)
)  # fmt: skip
READ_TOTALS = select(_TOTAL)
_given = upsert(_TOTAL).values({column.name: bindparam(column.name) for column in _TOTAL.c})
ADD = _given.on_conflict_do_update(
    index_elements=list(_TOTAL.primary_key), set_={"value": _TOTAL.c.value + _given.excluded.value}
)
BEGIN = _given.on_conflict_do_nothing(index_elements=list(_TOTAL.primary_key))
ADVANCE = (
    update(_TOTAL)
    .where(
        _TOTAL.c.name == COUNTED, _TOTAL.c.labels == NO_LABELS, _TOTAL.c.value == bindparam("was", type_=BigInteger())
    )
    .values(value=bindparam("now", type_=BigInteger()))
)
OPEN = select(_REFUND.c.state, func.count()).where(_REFUND.c.next_due_at.is_not(None)).group_by(_REFUND.c.state)
WAITING = select(_EFFECT.c.kind, func.count()).where(_EFFECT.c.next_try_at.is_not(None)).group_by(_EFFECT.c.kind)
DEAD = select(func.count()).select_from(_EFFECT).where(_EFFECT.c.next_try_at.is_(None))
FIRST_DUE = select(func.min(_REFUND.c.next_due_at)).where(_REFUND.c.next_due_at.is_not(None))
FIRST_TRY = select(func.min(_EFFECT.c.next_try_at)).where(_EFFECT.c.next_try_at.is_not(None))


class NewEntries(NamedTuple):
    """Entries that were not counted yet: where counting stands, where it will, and their places."""

    counted: int
    until: int
    places: Mapping[tuple[str, str], frozenset[int]]  # (order id, subject) → numbers


class Standing(NamedTuple):
    """What is counted where it stands, each along a small index."""

    open_by_state: Mapping[str, int]
    waiting_by_kind: Mapping[str, int]
    dead: int
    first_due_at: datetime | None
    first_try_at: datetime | None
    newest: int


class Totals(Horizon):
    """Counting on, and reading what was counted."""

    def new_entries(self, horizon: int, limit: int) -> NewEntries:
        """Return the next entries up to a horizon that nobody has counted."""
        counted = self.total_of(COUNTED)
        rows = self.session.rows(READ_NEW, after=counted, until=horizon, page=limit)
        places: dict[tuple[str, str], set[int]] = {}
        for _, order_id, subject, seq in rows:
            places.setdefault((order_id, subject), set()).add(seq)
        until = rows[-1][0] if rows else counted
        return NewEntries(counted, until, {place: frozenset(numbers) for place, numbers in places.items()})

    def chain_for_totals(self, order_id: str, subject: str, until: int) -> list[Told]:
        """Return the entries of a chain up to a number, as the totals see them."""
        rows = self.session.rows(READ_CHAIN, order_id=order_id, subject=subject, until=until)
        return [
            Told(
                seq=seq, kind=kind, event=event, before=before, after=after, effective_at=moment(effective_at),
                recorded_at=moment(recorded_at), occurred_at=_occurred(body),
            )
            for seq, kind, event, before, after, effective_at, recorded_at, body in rows
        ]  # fmt: skip

    def add_totals(self, new: NewEntries, counts: Mapping[Key, int]) -> bool:
        """Add what was counted, once; False when somebody else has counted these entries."""
        self.session.run(BEGIN, name=COUNTED, labels=NO_LABELS, value=0)
        if self.session.run(ADVANCE, was=new.counted, now=new.until) != 1:
            return False
        added = sorted(counts.items())
        self.session.write(
            {ADD: [{"name": name, "labels": json.dumps(labels), "value": value} for (name, labels), value in added]}
        )
        return True

    def totals(self) -> dict[Key, int]:
        """Return every total; the list is as long as there are kinds of things, not of entries."""
        return {(name, tuple(json.loads(labels))): value for name, labels, value in self.session.rows(READ_TOTALS)}

    def standing(self) -> Standing:
        """Count what is open, what waits to leave, and what was given up."""
        newest = self.session.one(NEWEST)
        dead = self.session.one(DEAD)
        due, tried = self.session.one(FIRST_DUE), self.session.one(FIRST_TRY)
        return Standing(
            open_by_state={row[0]: row[1] for row in self.session.rows(OPEN)},
            waiting_by_kind={row[0]: row[1] for row in self.session.rows(WAITING)},
            dead=dead[0] if dead else 0,
            first_due_at=moment(due[0]) if due else None,
            first_try_at=moment(tried[0]) if tried else None,
            newest=(newest[0] if newest else 0) or 0,
        )


def _occurred(body: bytes | None) -> datetime | None:
    told = json.loads(bytes(body)).get("occurred_at") if body is not None else None
    return times.moment(told) if told else None
