"""Effects that leave the process: delivered at least once and in order per refund, given up, tried again."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from refundflow import values
from refundflow.errors import BadInput, NotFound, Refused, RoleNotAllowed
from refundflow.outbox import COMMAND_SECONDS, MAX_TRIES, Message, NotDelivered, Receiver, wait_after
from refundflow.service import views
from refundflow.service.base import Facade, Place
from refundflow.service.callers import Caller, parse_caller, require_registered
from refundflow.service.requests import Request, place_of
from refundflow.service.sweep import BATCH
from refundflow.service.work import SYSTEM_KINDS, never
from refundflow.store import EffectRow, Tx
from states.case import Blocker

# Longer than a receiver takes, so that nobody else begins a message that is on its way and overtakes it.
PATIENCE = timedelta(seconds=2 * COMMAND_SECONDS)
_MAY = ("supervisor", "finance")
# Messages to the buyer that carry what was written for him; the texts of other entries are internal.
_WITH_TEXT = ("SUBMITTED", "EVIDENCE_REQUESTED", "OFFER_MADE", "REJECTED", "NOTE", "ENQUIRY_ANSWERED")


class Delivery(Facade):
    """The outbox: what has not left yet, and what was given up (dead letters)."""

    def deliver(
        self, receiver: Receiver, *, at: datetime | None = None, stop: Callable[[], bool] = never
    ) -> values.Delivered:
        """Hand what is waiting to a receiver: at least once, in order per refund; what fails is tried later.

        The next try is written down before this one begins, so that a process that dies costs two
        minutes and never a message. After the last try it becomes a dead letter. Once `stop` says so
        no other message is begun.
        """
        done: Counter[str] = Counter()
        now = self.engine.read(lambda tx: self.engine.time_to_read(tx, at))
        while not stop() and (waiting := self._deliverable(now)):
            before = done["delivered"]
            for effect in waiting:
                if stop():
                    break
                self._deliver_one(effect, receiver, at, done)
            if done["delivered"] == before:
                break
        return values.Delivered(delivered=done["delivered"], failed=done["failed"], dead=done["dead"])

    def _deliverable(self, now: datetime) -> list[EffectRow]:
        return self.engine.read(lambda tx: tx.deliverable(now, BATCH, without=SYSTEM_KINDS))

    def _deliver_one(self, effect: EffectRow, receiver: Receiver, at: datetime | None, done: Counter[str]) -> None:
        begin = partial(self._begin, effect=effect, at=at)
        message = self._apart(_place(effect), lambda: self.engine.write(begin))
        if message is None:
            return
        try:
            receiver.deliver(message)
        except NotDelivered as problem:
            said = str(problem)
            done["failed"] += 1
            done["dead"] += self.engine.write(lambda tx: self._failed(tx, effect, said, at))
        else:
            done["delivered"] += self.engine.write(lambda tx: tx.finish_effect(effect.id))

    def effects(self, *, actor: str, dead: bool | None = None, limit: int = 100) -> tuple[values.PendingEffect, ...]:
        """Return what has not left, waiting or (`dead`) given up, oldest first."""
        caller = parse_caller(actor)

        def read(tx: Tx) -> tuple[values.PendingEffect, ...]:
            self._staff_only(tx, caller)
            return tuple(_pending(row) for row in tx.all_effects(limit, dead=dead))

        return self.engine.read(read)

    def effect(self, number: int, *, actor: str) -> values.PendingEffect:
        """Return one effect that has not left.

        Raises:
            NotFound: it has left, or never was.
        """
        caller = parse_caller(actor)

        def read(tx: Tx) -> values.PendingEffect:
            self._staff_only(tx, caller)
            return _pending(_found(tx, number))

        return self.engine.read(read)

    def retry_effect(self, number: int, *, actor: str, at: datetime | None = None) -> values.PendingEffect:
        """Let an effect be tried again now, dead or not.

        Raises:
            NotFound: it has left, or never was.
        """
        caller = parse_caller(actor)

        def work(tx: Tx) -> values.PendingEffect:
            self._require(tx, caller)
            row = _found(tx, number)
            tx.postpone_effect(row.id, 0 if row.next_try_at is None else row.tries, self.engine.time_to_read(tx, at))
            return _pending(_found(tx, number))

        return self.engine.write(work)

    def discard_effect(
        self, number: int, *, message: str, actor: str, at: datetime | None = None
    ) -> values.PendingEffect:
        """Drop an effect for good, with a reason; an entry of the refund says who and why.

        Raises:
            NotFound: it has left, or never was.
            BadInput: it belongs to the system's own work, which is never dropped.
        """
        caller = parse_caller(actor)

        def work(tx: Tx) -> values.PendingEffect | Refused:
            self._require(tx, caller)
            row = _found(tx, number)
            if row.kind in SYSTEM_KINDS:
                raise BadInput("the system's own work is never dropped: it ends with the refund", field="effect")
            order_id, line = _place(row)
            request = Request(
                event="effect_discarded",
                caller=caller,
                order_id=order_id,
                line=line,
                refund=None if "/" in row.subject else row.subject,
                params={"effect": number, "kind": row.kind, "code": row.code, "of": row.seq},
                texts={"message": message},
                at=at,
            )
            outcome = self.engine.carry(tx, request)
            if isinstance(outcome, Refused):
                return outcome
            tx.finish_effect(row.id)
            return _pending(row)

        outcome = self.engine.write(work)
        if isinstance(outcome, Refused):
            raise outcome
        return outcome

    def _begin(self, tx: Tx, effect: EffectRow, at: datetime | None) -> Message | None:
        held = tx.hold_effect(effect.id)
        if held is None or held.tries != effect.tries or held.next_try_at is None:
            return None
        now = self.engine.time_to_read(tx, at)
        tx.postpone_effect(effect.id, held.tries + 1, now + PATIENCE, held.problem)
        return Message(
            id=f"{effect.id.order_id}:{effect.id.number}",
            kind=effect.kind,
            code=effect.code,
            refund=effect.subject,
            seq=effect.seq,
            params=effect.params,
            texts=self._texts(tx, effect),
            effective_at=effect.effective_at,
            recorded_at=effect.recorded_at,
        )

    def _texts(self, tx: Tx, effect: EffectRow) -> dict[str, str | None]:
        if effect.kind == "buyer_message" and effect.code not in _WITH_TEXT:
            return {}
        order_id, line = _place(effect)
        facts = tx.line(order_id, line)
        owner = tx.buyer(facts["buyer"]) if facts else None
        texts = views.texts_of(self.engine.vault, owner, effect.subject, tx.personal(order_id, effect.subject))
        return {name: text for (seq, name), text in texts.items() if seq == effect.seq and not name.startswith("file.")}

    def _failed(self, tx: Tx, effect: EffectRow, problem: str, at: datetime | None) -> int:
        """Try again later, or give up; 0 where somebody decided meanwhile."""
        held = tx.hold_effect(effect.id)
        if held is None or held.tries != effect.tries + 1:
            return 0
        given_up = held.tries >= MAX_TRIES
        again = None if given_up else self.engine.time_to_read(tx, at) + wait_after(held.tries)
        tx.postpone_effect(effect.id, held.tries, again, problem[:500])
        return int(given_up)

    def _staff_only(self, tx: Tx, caller: Caller) -> None:
        if caller.role == "buyer":
            raise NotFound("the effects")
        if not self.engine.store.rehearsal:
            require_registered(tx, caller)

    def _require(self, tx: Tx, caller: Caller) -> None:
        if caller.role not in _MAY:
            raise RoleNotAllowed((Blocker(code="ROLE_NOT_ALLOWED", params={"role": caller.role, "roles": list(_MAY)}),))
        self._staff_only(tx, caller)


def _place(effect: EffectRow) -> Place:
    order_id, _, line = effect.subject.partition("/")
    return (order_id, line) if line else place_of(effect.subject)


def _found(tx: Tx, number: int) -> EffectRow:
    row = tx.effect(number)
    if row is None:
        raise NotFound(f"effect {number}")
    return row


def _pending(row: EffectRow) -> values.PendingEffect:
    return values.PendingEffect(
        effect=row.id.number,
        refund=row.subject,
        seq=row.seq,
        kind=row.kind,
        code=row.code,
        params=row.params,
        recorded_at=row.recorded_at,
        tries=row.tries,
        next_try_at=row.next_try_at,
        problem=row.problem,
    )
