"""The system's own work: what is due, warnings, payouts sent and asked for again, what the channel tells."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from msgspec.structs import replace

from refundflow import values
from refundflow.errors import Refused
from refundflow.gateways import Gateway, Notification, Outcome, PayoutOrder
from refundflow.service.base import Place, given
from refundflow.service.callers import SYSTEM, Caller
from refundflow.service.requests import Request, place_of
from refundflow.service.sweep import BATCH, Sweep
from refundflow.store import EffectId, EffectRow, Tx
from states import times
from states.case import NOTHING, Aggregate, Json
from states.decide import due
from states.payout import LASTING_RULES, MANUAL, reusable_number

log = logging.getLogger("refundflow.work")
LET_IN = 0.0005  # seconds between batches, in which whoever waits for the database gets it
LOOK_AGAIN = timedelta(minutes=10)  # at what no clock lifts: an open chargeback, a line that does not cover
SYSTEM_KINDS = ("system_act", "payout")  # effects that the system acts on by itself
_DONE = {"dispatch_payout": "dispatched", "retry_payout": "retried", "approve": "approved"}


def never() -> bool:
    """Go on."""
    return False


class SystemWork(Sweep):
    """One round of what the system owes; calling it never or all the time gives the same history."""

    gateways: Mapping[str, Gateway]

    def work(self, *, at: datetime | None = None, stop: Callable[[], bool] = never) -> values.Work:
        """Do everything that is to be done now: safe to call from many processes, any number of times.

        Once `stop` says so nothing new is begun: the running batch is the last one.
        """
        done: Counter[str] = Counter()
        now = self.engine.write(lambda tx: self._start(tx, at)) if self.engine.store.rehearsal else self._present(at)
        damaged: set[Place] = set()
        while not stop() and self.fire(done, at=at, damaged=damaged):
            time.sleep(0 if self.engine.store.rehearsal else LET_IN)
        while not stop() and self.warn(done, at=at, damaged=damaged):
            time.sleep(0 if self.engine.store.rehearsal else LET_IN)
        if not stop():
            self._listen(now, at, done)
        tried: set[EffectId] = set()
        while not stop() and (effects := self._waiting(at, tried)):
            for effect in effects:
                if stop():
                    break
                tried.add(effect.id)
                self._owe(effect, at, done) if effect.kind == "system_act" else self._send(effect, at, done)
        if not stop():
            self._listen(now, at, done)
        return values.Work(**dict(done))

    def next_work_at(self, *, delivering: bool = False) -> datetime | None:
        """Return when there is something to do next, by what is stored; None: nothing is open.

        Messages and tasks are work only for who is `delivering` them.
        """
        return self.engine.read(lambda tx: tx.next_work_at(None if delivering else SYSTEM_KINDS))

    def _present(self, at: datetime | None) -> datetime:
        return self.engine.read(lambda tx: self.engine.time(tx, at))

    def _start(self, tx: Tx, at: datetime | None) -> datetime:
        now = self.engine.time(tx, at)
        self.engine.reached(tx, now)
        return now

    def _waiting(self, at: datetime | None, tried: set[EffectId]) -> list[EffectRow]:
        """Return what is to be done by now, what this round itself has brought about included."""

        def read(tx: Tx) -> list[EffectRow]:
            return tx.effects(BATCH + len(tried), kinds=SYSTEM_KINDS, before=self.engine.time_to_read(tx, at))

        return [effect for effect in self.engine.read(read) if effect.id not in tried]

    def _owe(self, effect: EffectRow, at: datetime | None, done: Counter[str]) -> None:
        """Do what the system owes a refund in the transaction that takes it off the list."""
        owed = self._apart(place_of(effect.subject), lambda: self.engine.write(lambda tx: self._owe_in(tx, effect, at)))
        done.update(owed or {})

    def _owe_in(self, tx: Tx, effect: EffectRow, at: datetime | None) -> Counter[str]:
        held = _held(tx, effect)
        if held is None:
            return Counter()
        event, now = effect.code, self.engine.time(tx, at)
        if event == "dispatch_payout" and not self._has_gateway(tx, effect.subject):
            tx.postpone_effect(effect.id, held.tries + 1, now + LOOK_AGAIN)
            return Counter()
        if event == "retry_payout" and (not_before := self._retry_at(tx, held)) > now:
            tx.postpone_effect(effect.id, held.tries, not_before)
            return Counter()
        request = self._request(effect.subject, event, at)
        facts = _payment_facts if event == "dispatch_payout" else None
        outcome = self.engine.carry(tx, request, facts, quiet=True)
        if event == "approve" and isinstance(outcome, Refused) and _codes(outcome) == {"WRONG_STATE"}:
            # Nothing else stands in the way: where nobody has opened it yet, the system does.
            self.engine.carry(tx, replace(request, event="begin_review"), quiet=True)
            outcome = self.engine.carry(tx, request, quiet=True)
        if not isinstance(outcome, Refused):
            tx.finish_effect(effect.id)
            return Counter({_DONE[event]: 1})
        codes = _codes(outcome)
        if event == "dispatch_payout" and codes <= set(LASTING_RULES):
            rule = min(codes)
            params = {"rule": rule, "proof": f"rule:{rule}"}
            self.engine.carry(tx, self._request(effect.subject, "payout_refused", at, params), quiet=True)
        elif event == "dispatch_payout" and "WRONG_STATE" not in codes:
            until = [times.moment(item.until) for item in outcome.blockers if item.until]
            again = max(until) if len(until) == len(outcome.blockers) else now + LOOK_AGAIN
            tx.postpone_effect(effect.id, held.tries + 1, again)
            return Counter()
        tx.finish_effect(effect.id)
        return Counter()

    def _retry_at(self, tx: Tx, effect: EffectRow) -> datetime:
        """Return when a refused number is tried again: as long after its refusal as an unknown outcome waits."""
        case = tx.case(place_of(effect.subject)[0], effect.subject)
        number = reusable_number(case) if case is not None else None
        if case is None or number is None:
            return effect.effective_at
        ladder = self.engine.policy.ask_again_seconds
        tried = min(case["attempts"][number]["retries"], len(ladder) - 1)
        return effect.effective_at + timedelta(seconds=ladder[tried])

    def _has_gateway(self, tx: Tx, refund: str) -> bool:
        case = tx.case(place_of(refund)[0], refund)
        return case is None or case["channel"] == MANUAL or self._gateway(case["channel"]) is not None

    def _gateway(self, channel: str) -> Gateway | None:
        """Return what speaks to a channel; that this process has none is said once."""
        gateway = self.gateways.get(channel)
        if gateway is None and channel not in self.engine.missed:
            self.engine.missed.add(channel)
            log.warning("payouts by %s wait: this process has no such channel", channel)
        return gateway

    def _send(self, effect: EffectRow, at: datetime | None, done: Counter[str]) -> None:
        """Send a payout, or ask what became of it: the next time is written down before this one begins."""
        gateway = self._gateway(effect.params["channel"])
        place = place_of(effect.subject)
        begin = partial(self._begin_sending, effect=effect, at=at, known=gateway is not None)
        tries = self._apart(place, lambda: self.engine.write(begin))
        if tries is None or gateway is None:
            return
        order = PayoutOrder(
            number=effect.params["number"],
            payment_no=effect.params["payment_no"],
            amount=effect.params["amount"],
            currency=effect.params["currency"],
            refund=effect.subject,
            at=self.engine.read(lambda tx: self.engine.time(tx, at)),
        )
        outcome = gateway.send(order) if tries == 0 else _ask(gateway, order)
        done["sent"] += 1
        if outcome.kind in ("settled", "refused"):
            self._apart(place, lambda: self._heard(gateway.name, effect, outcome, at, done))
        elif tries >= len(self.engine.policy.ask_again_seconds):
            done.update(self._apart(place, lambda: self.engine.write(lambda tx: self._hand_over(tx, effect, at))) or {})

    def _begin_sending(self, tx: Tx, effect: EffectRow, at: datetime | None, *, known: bool) -> int | None:
        """Write down when to ask again, and return how often was tried before; None: it is somebody else's now."""
        held, now = _held(tx, effect), self.engine.time(tx, at)
        if held is None:
            return None
        if not _in_flight(tx, effect):
            tx.finish_effect(effect.id)
            return None
        ladder = self.engine.policy.ask_again_seconds
        wait = timedelta(seconds=ladder[min(held.tries, len(ladder) - 1)]) if known else LOOK_AGAIN
        tx.postpone_effect(effect.id, held.tries + known, now + wait)
        return held.tries

    def _heard(
        self, channel: str, effect: EffectRow, outcome: Outcome, at: datetime | None, done: Counter[str]
    ) -> None:
        """Feed a definite answer in as an event, and forget the effect with it; else it is asked again."""
        params: dict[str, Any] = {"number": outcome.number}
        if outcome.kind == "settled":
            params |= {"amount": outcome.amount, "currency": outcome.currency, "proof": outcome.reference}
        else:
            params |= {"proof": outcome.reference or outcome.reason or "refused", "void": outcome.void or None}
        request = self._request(
            effect.subject, f"payout_{outcome.kind}", at, params, channel=channel, occurred_at=outcome.occurred_at
        )
        try:
            done[outcome.kind] += self.engine.write(lambda tx: self._take_in(tx, request, effect.id))
        except _Pending:
            log.warning("%s waits for the second of two persons", effect.subject)

    def _take_in(self, tx: Tx, request: Request, effect: EffectId | None = None) -> int:
        """Store what a channel told; 1 where it was new. It is told again while a first of two persons stands."""
        if effect is not None:
            tx.hold_effect(effect)  # first, as everybody does who takes an effect and its refund
        void = request.event == "payout_refused" and bool(request.params.get("void"))
        outcome = self.engine.carry(tx, request, quiet=void)
        if isinstance(outcome, Refused) and any(item.code == "PROOF_PENDING" for item in outcome.blockers):
            raise _Pending
        if isinstance(outcome, Refused) and void:
            # Where nothing is refused any more, that the number will never pay is still worth knowing.
            params = {"number": request.params["number"], "proof": request.params["proof"]}
            outcome = self.engine.carry(tx, replace(request, event="void_attempt", params=params))
        if effect is not None:
            tx.finish_effect(effect)
        return int(not isinstance(outcome, Refused) and outcome.changed)

    def _hand_over(self, tx: Tx, effect: EffectRow, at: datetime | None) -> Counter[str]:
        held = tx.hold_effect(effect.id)
        if held is None:
            return Counter()
        self.engine.carry(tx, self._request(effect.subject, "handed_to_finance", at), quiet=True)
        tx.finish_effect(effect.id)
        return Counter(handed_over=1)

    def _listen(self, now: datetime, at: datetime | None, done: Counter[str]) -> None:
        """Take in what the channels tell by themselves; each is acknowledged once it is stored."""
        for gateway in self.gateways.values():
            for told in gateway.notifications(now):
                if self._told(gateway.name, told, at, done):
                    gateway.acknowledge(told)

    def _told(self, channel: str, told: Notification, at: datetime | None, done: Counter[str]) -> bool:
        """Store one notification; return whether it need not be told again."""
        payout = self.engine.read(lambda tx: tx.payout(told.number))
        if payout is None:
            log.error("%s told of %s, a number that is not ours (reference %s)", channel, told.number, told.reference)
            return True
        params: dict[str, Any] = {"number": told.number, "proof": told.reference}
        if told.kind == "refused":
            params["void"] = told.void or None
        else:
            params |= {"amount": told.amount, "currency": told.currency}
        kind = "returned" if told.kind == "reversed" else told.kind

        def store(tx: Tx) -> int:
            late = told.kind == "reversed" and self._ended_paid(tx, payout.refund, told.number, at)
            event = "late_reversal" if late else f"payout_{told.kind}"
            request = self._request(payout.refund, event, at, params, channel=channel, occurred_at=told.occurred_at)
            return self._take_in(tx, request)

        def heard() -> bool:
            try:
                done[kind] += self.engine.write(store)
            except _Pending:
                return False
            return True

        return bool(self._apart(place_of(payout.refund), heard))

    def _ended_paid(self, tx: Tx, refund: str, number: str, at: datetime | None) -> bool:
        """Tell whether the refund was confirmed by now, so that its payment comes back after the end."""
        stored = tx.aggregate(*place_of(refund), lock=True)
        if stored is None:
            return False
        rules = self.engine.rules(tx, stored.aggregate)
        case = due(stored.aggregate, rules=rules, now=self.engine.time(tx, at)).aggregate.refunds[refund]
        return case["state"] == "paid_out.confirmed" and case["attempts"][number]["state"] == "settled"

    def _request(
        self,
        refund: str,
        event: str,
        at: datetime | None,
        params: Mapping[str, Any] | None = None,
        *,
        channel: str | None = None,
        occurred_at: datetime | None = None,
    ) -> Request:
        order_id, line = place_of(refund)
        return Request(
            event=event,
            caller=SYSTEM if channel is None else Caller(role="channel", name=channel),
            order_id=order_id,
            line=line,
            refund=refund,
            at=at,
            occurred_at=occurred_at,
            params=given(params) if params else NOTHING,
        )


class _Pending(Exception):
    """Say that a fact of the channel must wait for the second of two persons; nothing was stored."""


def _codes(refused: Refused) -> set[str]:
    return {item.code for item in refused.blockers}


def _held(tx: Tx, effect: EffectRow) -> EffectRow | None:
    """Hold an effect that nobody has tried since it was read."""
    held = tx.hold_effect(effect.id)
    return held if held is not None and held.tries == effect.tries else None


def _in_flight(tx: Tx, effect: EffectRow) -> bool:
    """Tell whether the number may still be sent: one that was settled, refused or given up since never is."""
    case = tx.case(place_of(effect.subject)[0], effect.subject)
    return case is not None and case["attempts"][effect.params["number"]]["state"] == "open"


def _ask(gateway: Gateway, order: PayoutOrder) -> Outcome:
    """Ask what became of a number; one that the channel has never seen is sent again, not replaced."""
    outcome = gateway.query(order)
    return gateway.send(order) if outcome.kind == "refused" and not outcome.void else outcome


def _payment_facts(tx: Tx, aggregate: Aggregate) -> dict[str, Json]:
    """Return what was sent on the payment so far; nobody else sends on it until the transaction ends."""
    facts = tx.payment_facts(aggregate.line["payment_no"], lock=True)
    last = facts.last_dispatched_at
    return {"payment_count": facts.count, "last_dispatched_at": times.text(last) if last else None}
