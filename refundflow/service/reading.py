"""What the reads share: who may see, the moment of the read, and a refund as a move would find it."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from refundflow import audit, values
from refundflow.errors import BadInput, NotFound
from refundflow.service import views
from refundflow.service.base import Facade
from refundflow.service.callers import Caller, actor_on, require_known, require_registered
from refundflow.service.door import check_moment, one_line
from refundflow.service.requests import place_of
from refundflow.store import Sight, StoredEntry, Tx
from refundflow.vault import BuyerRow
from states import times
from states.case import NOTHING, Actor, Aggregate, Case, line_subject
from states.decide import due
from states.lapses import nothing_due

_WRITTEN_WITH = frozenset({"rejection", "standing", "request"})  # what texts to the buyer come with


class Seen(Struct, frozen=True):
    """A line as a caller finds it at a moment."""

    aggregate: Aggregate
    owner: BuyerRow | None  # None: erased
    who: Actor
    now: datetime


class Reading(Facade):
    """The base of the queries: nothing here moves anything."""

    def now(self, at: datetime | None = None) -> datetime:
        """Return the moment that a read at `at` is judged by, in UTC."""
        return self.engine.read(lambda tx: self.engine.time_to_read(tx, at))

    def _registered(self, tx: Tx, caller: Caller) -> None:
        if not self.engine.store.rehearsal:
            require_registered(tx, caller)

    def _sight(self, tx: Tx, order_id: str, line: str, caller: Caller, what: str) -> tuple[Sight, Actor]:
        known, calendars = one_line(order_id) and one_line(line), self.engine.calendar_count
        sight = tx.sight(order_id, line, calendars=calendars, staff=caller.name) if known else None
        if sight is None:
            self._registered(tx, caller)
            raise NotFound(what)
        if not self.engine.store.rehearsal:
            require_known(caller, sight.roles)
        return sight, actor_on(sight.aggregate.line, sight.owner, caller, self.engine.vault, what)

    def _pending(self, tx: Tx, aggregate: Aggregate, subject: str, at: datetime | None) -> Sequence[StoredEntry]:
        """Return what the next move would record first in a chain."""
        now, order_id = self.engine.time_to_read(tx, at), aggregate.line["order_id"]
        found = due(aggregate, rules=self.engine.rules(tx, aggregate), now=now)
        heads = {subject: tx.head(order_id, subject).hash} if found.entries else {}
        sealed = audit.seal(found.entries, heads=heads, recorded_at=now)
        return [views.not_yet_stored(item, order_id) for item in sealed if item.entry.subject == subject]

    def _see(self, tx: Tx, refund_id: str, caller: Caller, at: datetime | None) -> Seen:
        order_id, line = place_of(refund_id)
        sight, who = self._sight(tx, order_id, line, caller, refund_id)
        if refund_id not in sight.aggregate.refunds:
            raise NotFound(refund_id)
        return Seen(sight.aggregate, sight.owner, who, self.engine.time_to_read(tx, at))

    def _see_line(self, tx: Tx, order_id: str, line: str, caller: Caller, at: datetime | None) -> Seen:
        sight, who = self._sight(tx, order_id, line, caller, line_subject(order_id, line))
        now = self.engine.time_to_read(tx, at)
        found = due(sight.aggregate, rules=self.engine.rules(tx, sight.aggregate), now=now).aggregate
        return Seen(found, sight.owner, who, now)

    def _past(self, tx: Tx, now: Aggregate, as_of: datetime, known_at: datetime | None, what: str) -> Aggregate:
        """Return a line as it was at `as_of`, what was due by then included, from what was recorded by `known_at`.

        Raises:
            NotFound: it was not there yet.
        """
        order_id, line = now.line["order_id"], now.line["line"]
        subjects = (line_subject(order_id, line), *now.refunds)
        chains = {subject: tx.entries(subject, order_id=order_id) for subject in subjects}
        past = audit.line_at(chains, order_id, line, as_of=as_of, known_at=known_at)
        if past is None:
            raise NotFound(f"{what} at {times.text(as_of)}")
        return due(past.aggregate, rules=self.engine.rules(tx, past.aggregate), now=as_of).aggregate

    def _moments(
        self, tx: Tx, at: datetime | None, as_of: datetime | None, known_at: datetime | None
    ) -> datetime | None:
        """Check which past is asked for and return its moment: what was known at a moment is told as of it.

        Raises:
            BadInput: a moment that has not come yet, or is none.
        """
        now = self.engine.time_to_read(tx, at)
        for name, moment in (("as_of", as_of), ("known_at", known_at)):
            check_moment(name, moment)
            if moment is not None and moment > now:
                raise BadInput(f"{name}: {times.text(moment)} has not come yet", field=name)
        return as_of or known_at

    def _view(self, tx: Tx, seen: Seen, refund_id: str) -> values.Refund:
        rules = self.engine.rules(tx, seen.aggregate)
        found = seen.aggregate
        if not nothing_due(found, rules, seen.now):
            found = due(found, rules=rules, now=seen.now).aggregate
        case = found.refunds[refund_id]
        texts = NOTHING if _WRITTEN_WITH.isdisjoint(case) else self._standing_texts(tx, case, seen.owner)
        made_of = views.SeenRefund(found, case, rules, seen.who, seen.now, self.engine.vault, seen.owner, texts=texts)
        return values.Refund.later(made_of.field)

    def _standing_texts(self, tx: Tx, case: Case, owner: BuyerRow | None) -> dict[str, str]:
        """Return what was written with the standing rejection, offer and request for evidence."""
        offer = case["offers"].get(case.get("standing", ""), {})
        seqs = {"rejection": case.get("rejection", {}), "offer": offer, "request": case.get("request", {})}
        wanted = {name: (item["seq"], "message") for name, item in seqs.items() if item}
        kept = tx.personal(case["order_id"], case["id"])
        ciphers = {place: kept[place] for place in wanted.values() if place in kept}
        texts = views.texts_of(self.engine.vault, owner, case["id"], ciphers)
        return {name: texts[place] for name, place in wanted.items() if place in texts}

    def _read(self, tx: Tx, refund_id: str, caller: Caller, at: datetime | None) -> values.Refund:
        return self._view(tx, self._see(tx, refund_id, caller, at), refund_id)
