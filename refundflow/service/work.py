"""The system's own work: what is due, payouts sent and asked for again, small claims, what the channel tells."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from refundflow import values
from refundflow.errors import Refused
from refundflow.gateways import Gateway, Notification, Outcome, PayoutOrder
from refundflow.service.base import Facade
from refundflow.service.callers import SYSTEM, Caller
from refundflow.service.engine import Answer, Request, place_of
from refundflow.store import EffectRow, Tx
from states import times
from states.case import Actor, Aggregate, Blocker, Case, Decision, Json
from states.decide import blocked, due
from states.payout import LASTING_RULES, MANUAL

BATCH = 100
LOOK_AGAIN = timedelta(minutes=10)  # at what no clock lifts: an open chargeback, a line that does not cover
_DONE = {"dispatch_payout": "dispatched", "retry_payout": "retried", "approve": "approved"}
_SYSTEM_ACTOR = Actor(role="system", name="system")


class SystemWork(Facade):
    """One round of what the system owes; calling it never or all the time gives the same history."""

    gateways: Mapping[str, Gateway]

    def work(self, *, at: datetime | None = None) -> values.Work:
        """Do everything that is to be done now: safe to call from many processes, any number of times."""
        done: Counter[str] = Counter()
        now = self.engine.write(lambda tx: self._start(tx, at))
        while self._lapse(now, at, done):
            pass
        self._listen(now, at, done)
        while effects := self.engine.read(lambda tx: tx.effects(BATCH, kinds=["system_act", "payout"], before=now)):
            for effect in effects:
                self._owe(effect, now, at, done) if effect.kind == "system_act" else self._send(effect, now, at, done)
        self._listen(now, at, done)
        return values.Work(**dict(done))

    def _start(self, tx: Tx, at: datetime | None) -> datetime:
        now = self.engine.time(tx, at)
        self.engine.reached(tx, now)
        return now

    def _lapse(self, now: datetime, at: datetime | None, done: Counter[str]) -> bool:
        """Fire what is due, one order line in one transaction; return whether there may be more."""
        places = self.engine.read(lambda tx: tx.due(now, BATCH))
        for order_id, line in places:
            done["lapsed"] += self.engine.write(lambda tx, o=order_id, n=line: self._lapse_line(tx, o, n, at))  # type: ignore[misc]
        return len(places) == BATCH

    def _lapse_line(self, tx: Tx, order_id: str, line: str, at: datetime | None) -> int:
        stored = tx.aggregate(order_id, line, lock=True)
        if stored is None:
            return 0
        now = self.engine.time(tx, at)
        decision: Decision = due(stored.aggregate, rules=self.engine.rules(tx, stored.aggregate), now=now)
        self.engine.commit(tx, stored, decision, now, None)
        return len(decision.entries)

    def _owe(self, effect: EffectRow, now: datetime, at: datetime | None, done: Counter[str]) -> None:
        """Do what the system owes a refund, if nothing blocks it now; else look again when it may be possible."""
        event, refund = effect.code, effect.subject
        if event == "dispatch_payout" and not self._has_gateway(refund):
            self._later(effect, now + LOOK_AGAIN)
            return
        found = {item.code: item for item in self._blocked(refund, event, at)}
        if not found:
            done[_DONE[event]] += self._try(refund, event, at)
        elif event == "dispatch_payout" and set(found) <= set(LASTING_RULES):
            rule = min(found)
            done["refused"] += self._try(refund, "payout_refused", at, {"rule": rule, "proof": f"rule:{rule}"})
        elif event == "dispatch_payout" and "WRONG_STATE" not in found:
            until = [times.moment(item.until) for item in found.values() if item.until]
            self._later(effect, max(until) if len(until) == len(found) else now + LOOK_AGAIN)
            return
        self.engine.write(lambda tx: tx.finish_effect(effect.id))

    def _later(self, effect: EffectRow, when: datetime) -> None:
        self.engine.write(lambda tx: tx.postpone_effect(effect.id, effect.tries + 1, when))

    def _has_gateway(self, refund: str) -> bool:
        channel = self._case(refund)["channel"]
        return channel in self.gateways or channel == MANUAL

    def _send(self, effect: EffectRow, now: datetime, at: datetime | None, done: Counter[str]) -> None:
        gateway = self.gateways.get(effect.params["channel"])
        if gateway is None:
            self._later(effect, now + LOOK_AGAIN)
            return
        order = PayoutOrder(
            number=effect.params["number"],
            payment_no=effect.params["payment_no"],
            amount=effect.params["amount"],
            currency=effect.params["currency"],
            refund=effect.subject,
            at=now,
        )
        outcome = gateway.send(order) if effect.tries == 0 else _ask(gateway, order)
        done["sent"] += 1
        self._heard(gateway.name, effect, outcome, now, at, done)

    def _heard(
        self, channel: str, effect: EffectRow, outcome: Outcome, now: datetime, at: datetime | None, done: Counter[str]
    ) -> None:
        """Feed a definite answer in as an event; ask again on the ladder where it is unknown or pending."""
        caller = Caller(role="channel", name=channel)
        if outcome.kind == "settled":
            params = {
                "number": outcome.number,
                "amount": outcome.amount,
                "currency": outcome.currency,
                "proof": outcome.reference,
            }
            done["settled"] += self._try(effect.subject, "payout_settled", at, params, caller, outcome.occurred_at)
        elif outcome.kind == "refused":
            proof = outcome.reference or outcome.reason or "refused"
            params = {"number": outcome.number, "proof": proof, "void": outcome.void or None}
            done["refused"] += self._try(effect.subject, "payout_refused", at, params, caller, outcome.occurred_at)
        else:
            self._ask_later(effect, now, at, done)
            return
        self.engine.write(lambda tx: tx.finish_effect(effect.id))

    def _ask_later(self, effect: EffectRow, now: datetime, at: datetime | None, done: Counter[str]) -> None:
        ladder = self.engine.policy.ask_again_seconds
        if effect.tries >= len(ladder):
            done["handed_over"] += self._try(effect.subject, "handed_to_finance", at)
            self.engine.write(lambda tx: tx.finish_effect(effect.id))
            return
        self._later(effect, now + timedelta(seconds=ladder[effect.tries]))

    def _listen(self, now: datetime, at: datetime | None, done: Counter[str]) -> None:
        """Take in what the channels tell by themselves; each is acknowledged once it is stored."""
        for gateway in self.gateways.values():
            for told in gateway.notifications(now):
                self._told(gateway.name, told, at, done)
                gateway.acknowledge(told)

    def _told(self, channel: str, told: Notification, at: datetime | None, done: Counter[str]) -> None:
        payout = self.engine.read(lambda tx: tx.payout(told.number))
        if payout is None:
            return
        caller = Caller(role="channel", name=channel)
        params: dict[str, Json] = {
            "number": told.number,
            "amount": told.amount,
            "currency": told.currency,
            "proof": told.reference,
        }
        if told.kind == "settled":
            done["settled"] += self._try(payout.refund, "payout_settled", at, params, caller, told.occurred_at)
        elif told.kind == "refused":
            said = {"number": told.number, "proof": told.reference, "void": told.void or None}
            done["refused"] += self._try(payout.refund, "payout_refused", at, said, caller, told.occurred_at)
        else:
            confirmed = self._case(payout.refund)["state"] == "paid_out.confirmed"
            event = "late_reversal" if confirmed else "payout_reversed"
            done["returned"] += self._try(payout.refund, event, at, params, caller, told.occurred_at)

    # what the steps share

    def _case(self, refund: str) -> Case:
        order_id, line = place_of(refund)

        def read(tx: Tx) -> Case:
            stored = tx.aggregate(order_id, line, lock=False)
            assert stored is not None, "a payout number belongs to a refund"
            return stored.aggregate.refunds[refund]

        return self.engine.read(read)

    def _blocked(self, refund: str, event: str, at: datetime | None) -> tuple[Blocker, ...]:
        """Return what blocks the system now, asked without leaving a trace."""
        order_id, line = place_of(refund)

        def read(tx: Tx) -> tuple[Blocker, ...]:
            stored = tx.aggregate(order_id, line, lock=False)
            assert stored is not None, "what is owed is owed to a refund"
            return blocked(
                stored.aggregate,
                refund,
                event,
                _SYSTEM_ACTOR,
                _payment_facts(tx, stored.aggregate, lock=False),
                rules=self.engine.rules(tx, stored.aggregate),
                now=self.engine.time(tx, at),
            )

        return self.engine.read(read)

    def _try(
        self,
        refund: str,
        event: str,
        at: datetime | None,
        params: Mapping[str, Any] | None = None,
        caller: Caller = SYSTEM,
        occurred_at: datetime | None = None,
    ) -> int:
        """Carry out an act of the system or the channel; 0 where others were first and it is refused now."""
        order_id, line = place_of(refund)
        request = Request(
            event=event,
            caller=caller,
            order_id=order_id,
            line=line,
            refund=refund,
            at=at,
            occurred_at=occurred_at,
            params={name: value for name, value in (params or {}).items() if value is not None},
        )
        facts = _locked_payment_facts if event == "dispatch_payout" else None
        try:
            answer: Answer = self.engine.move(request, facts)
        except Refused:
            return 0  # recorded in the refund's chain with every blocker
        return int(answer.changed)


def _ask(gateway: Gateway, order: PayoutOrder) -> Outcome:
    """Ask what became of a number; one that the channel has never seen is sent again, not replaced."""
    outcome = gateway.query(order)
    return gateway.send(order) if outcome.kind == "refused" and not outcome.void else outcome


def _payment_facts(tx: Tx, aggregate: Aggregate, *, lock: bool) -> dict[str, Json]:
    facts = tx.payment_facts(aggregate.line["payment_no"], lock=lock)
    last = facts.last_dispatched_at
    return {"payment_count": facts.count, "last_dispatched_at": times.text(last) if last else None}


def _locked_payment_facts(tx: Tx, aggregate: Aggregate) -> dict[str, Json]:
    return _payment_facts(tx, aggregate, lock=True)
