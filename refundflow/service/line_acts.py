"""Facts of the order line: what the marketplace, finance and the channel tell about it."""

from datetime import datetime
from typing import Unpack

from refundflow import audit, values
from refundflow.errors import BadInput, RoleNotAllowed
from refundflow.orders import OrderRow
from refundflow.service import views
from refundflow.service.base import By, Facade
from refundflow.service.callers import Caller, parse_caller, require_registered
from refundflow.service.door import check_moment, check_reference
from refundflow.service.engine import Engine
from refundflow.service.requests import Answer, Request
from refundflow.store import Move, Stored, Tx
from refundflow.vault import BuyerRow
from states import codes, times
from states.case import Actor, Aggregate, Blocker, Ledger, Line
from states.decide import register

_FIXED = ("product_type", "product", "currency", "channel", "payment_no")
_TIMES = ("paid_at", "completed_at", "valid_from", "valid_to")


class LineActs(Facade):
    """Orders and their facts; each act returns the order line with its ledger.

    A fact that is already known adds nothing (`changed` is False then). See `ReviewActs` for the
    common arguments and errors.
    """

    def register_order(
        self, row: OrderRow, *, actor: str, at: datetime | None = None, correlation: str | None = None
    ) -> values.OrderLine:
        """Register one line of an order, or tell what has changed about it since.

        Raises:
            BadInput: it contradicts what was registered in something that cannot change.
        """
        caller = parse_caller(actor)
        check_reference("correlation", correlation)
        if caller.role != "service":
            raise RoleNotAllowed(
                (Blocker(code="ROLE_NOT_ALLOWED", params={"role": caller.role, "roles": ["service"]}),)
            )
        answer = self.engine.write(lambda tx: self._register(tx, row, caller, at, correlation))
        changed = answer.changed
        for event, params in changes_of(answer.aggregate.line, row) if not changed else ():
            request = Request(
                event=event,
                caller=caller,
                order_id=row.order_id,
                line=row.line,
                params=params,
                at=at or self._told_at(answer),
                correlation=correlation,
            )
            answer = self.engine.move(request)
            changed = True
        return views.order_line(answer.aggregate, buyer_id=row.buyer_id, changed=changed)

    def _told_at(self, answer: Answer) -> datetime | None:
        return answer.now if self.engine.store.rehearsal else None

    def _register(self, tx: Tx, row: OrderRow, caller: Caller, at: datetime | None, correlation: str | None) -> Answer:
        if not self.engine.store.rehearsal:
            require_registered(tx, caller)
        now = self._time(tx, row, at)
        actor = Actor(role=caller.role, name=caller.name)
        lookup = self.engine.vault.buyer_lookup(row.buyer_id)
        stored = tx.aggregate(row.order_id, row.line, lock=True)
        owner = tx.buyer_by_lookup(lookup, share=stored is None)
        if stored is not None:
            require_same(stored.aggregate.line, row, owner)
            return Answer(aggregate=stored.aggregate, actor=actor, owner=owner, now=now, refund=None, changed=False)
        if owner is None:
            owner = new_buyer(self.engine, tx, row.buyer_id)
        line = line_of(row, owner.ref)
        empty = Aggregate(line=line, ledger=Ledger(), refunds={})
        decision = register(line, actor, rules=self.engine.known_rules, now=now)
        sealed = audit.seal(decision.entries, heads={}, recorded_at=now, correlation=correlation)
        tx.commit_moves([Move(Stored.opening(empty), decision, sealed)])
        if at is not None:
            self.engine.reached(tx, now)
        return Answer(aggregate=decision.aggregate, actor=actor, owner=owner, now=now, refund=None)

    def _time(self, tx: Tx, row: OrderRow, at: datetime | None) -> datetime:
        """Return the moment of registration; in a rehearsal that has not begun, the order's own."""
        if at is None and self.engine.store.rehearsal and tx.rehearsal_time() is None:
            own = row.paid_at or row.completed_at
            if own is not None:
                return own
        return self.engine.time(tx, at)

    def record_usage(self, order_id: str, *, usage: str, line: str = "1", **by: Unpack[By]) -> values.OrderLine:
        """Record what the goods have been used for by now (of `states.codes.USAGES`)."""
        _one_of("usage", usage, codes.USAGES)
        return self._fact(
            order_id,
            line,
            "usage_recorded",
            params={"usage": usage},
            **by,
        )

    def record_completed(
        self, order_id: str, *, completed_at: datetime, line: str = "1", **by: Unpack[By]
    ) -> values.OrderLine:
        """Record when the transaction was completed."""
        return self._fact(
            order_id,
            line,
            "completed",
            params={"completed_at": _written(completed_at, "completed_at")},
            **by,
        )

    def record_captured(self, order_id: str, *, amount: int, line: str = "1", **by: Unpack[By]) -> values.OrderLine:
        """Record what was captured for the line by now, in minor units."""
        return self._fact(
            order_id,
            line,
            "captured",
            params={"captured": amount},
            **by,
        )

    def chargeback_opened(
        self,
        order_id: str,
        *,
        chargeback: str,
        amount: int,
        line: str = "1",
        occurred_at: datetime | None = None,
        **by: Unpack[By],
    ) -> values.OrderLine:
        """Tell of a chargeback on the line, in minor units; told in every refund of it, counted once."""
        return self._fact(
            order_id,
            line,
            "chargeback_opened",
            params={"chargeback": chargeback, "amount": amount},
            occurred_at=occurred_at,
            **by,
        )

    def chargeback_closed(
        self,
        order_id: str,
        *,
        chargeback: str,
        amount: int,
        outcome: str,
        line: str = "1",
        occurred_at: datetime | None = None,
        **by: Unpack[By],
    ) -> values.OrderLine:
        """Tell how a chargeback ended: won or lost; closed before opened counts as both."""
        return self._fact(
            order_id,
            line,
            "chargeback_closed",
            params={"chargeback": chargeback, "amount": amount, "outcome": outcome},
            occurred_at=occurred_at,
            **by,
        )

    def excess_resolved(
        self, order_id: str, *, amount: int, how: str, proof: str | None, line: str = "1", **by: Unpack[By]
    ) -> values.OrderLine:
        """Resolve what was paid too much: `how` is returned or written_off; two persons of finance."""
        return self._fact(
            order_id,
            line,
            "excess_resolved",
            params={"amount": amount, "how": how, "proof": proof},
            **by,
        )


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise BadInput(f"{name} {value!r} is unknown: one of {', '.join(allowed)}", field=name)


def _written(moment: datetime, name: str) -> str:
    check_moment(name, moment)
    return times.text(moment)


def new_buyer(engine: Engine, tx: Tx, buyer_id: str) -> BuyerRow:
    """Make and keep the row of a buyer who is not there (any more)."""
    life = 0
    while tx.is_taken((owner := engine.vault.new_buyer(buyer_id, life)).ref):
        life += 1  # in a rehearsal, where a key follows from the id: he was erased before
    tx.put_buyer(owner)
    return owner


def line_of(row: OrderRow, ref: str) -> Line:
    """Return the facts of a line that is not registered yet."""
    line = Line(
        order_id=row.order_id,
        line=row.line,
        seq=0,
        effective_at="",
        buyer=ref,
        product_type=row.product_type,
        product=row.product,
        usage=row.usage,
        currency=row.currency,
        captured=row.amount_minor,
        channel=row.channel,
        payment_no=row.payment_no,
        chargebacks={},
        stray=0,
        written_off=0,
        firsts={},
    )
    for name in _TIMES:
        moment = getattr(row, name)
        if moment is not None:
            line[name] = times.text(moment)  # type: ignore[literal-required]
    return line


def require_same(line: Line, row: OrderRow, owner: BuyerRow | None) -> None:
    """Check that an order line was not registered as something else.

    Raises:
        BadInput: it was; `field` names the first difference.
    """
    told = {name: getattr(row, name) for name in _FIXED}
    other = [name for name, value in told.items() if line[name] != value]  # type: ignore[literal-required]
    if "erased" not in line and (owner is None or owner.ref != line["buyer"]):
        other.append("buyer_id")
    other += [name for name in _TIMES if name in line and getattr(row, name) is None]
    if other:
        raise BadInput(
            f"order {row.order_id}/{row.line} is registered with another {', '.join(other)}; "
            "usage, amount and completion may change, the rest may not",
            field=other[0],
        )


def changes_of(line: Line, row: OrderRow) -> list[tuple[str, dict[str, object]]]:
    """Return the facts of the row that the line does not know yet."""
    changes: list[tuple[str, dict[str, object]]] = []
    if row.amount_minor != line["captured"]:
        changes.append(("captured", {"captured": row.amount_minor}))
    if row.usage != line["usage"]:
        changes.append(("usage_recorded", {"usage": row.usage}))
    for event, names in (
        ("paid", ("paid_at",)),
        ("completed", ("completed_at",)),
        ("validity", ("valid_from", "valid_to")),
    ):
        told = {name: times.text(moment) for name in names if (moment := getattr(row, name)) is not None}
        if any(line.get(name) != value for name, value in told.items()):
            changes.append((event, dict(told)))
    return changes
