"""Reads of one refund or line, and of all: each shows what a move would find at that moment, and moves nothing."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Literal

from msgspec.structs import replace

from refundflow import audit, values
from refundflow.errors import BadInput, NotFound
from refundflow.export import export_as_of
from refundflow.proof import VerifyingKey
from refundflow.proof.publish import Place
from refundflow.service import views
from refundflow.service.callers import Caller, parse_caller
from refundflow.service.door import one_line
from refundflow.service.lists import Lists
from refundflow.service.requests import place_of
from refundflow.store import Tx
from refundflow.vault import BuyerRow
from states import times
from states.case import Act, Actor, Aggregate, line_subject
from states.decide import explain, outlook


class Queries(Lists):
    """What callers ask: one refund, lists, histories, queues, what is possible, what a claim would meet."""

    place: Place | None = None  # where checkpoints are published

    def get(
        self,
        refund_id: str,
        *,
        actor: str,
        at: datetime | None = None,
        buyer: str | None = None,
        as_of: datetime | None = None,
        known_at: datetime | None = None,
    ) -> values.Refund:
        """Return one refund as a move would find it now, or as one would have found it at a past moment.

        `as_of` asks by effective time: a lapse counts from its due moment, whenever it was recorded. `known_at`
        leaves out what was recorded later than that moment (by itself it is `as_of` too).

        Raises:
            NotFound: it does not exist, did not then, or is not the actor's to see.
            BadInput: the moment has not come yet.
        """
        caller = parse_caller(actor, buyer)
        if as_of is None and known_at is None:
            return self.engine.look(lambda tx: self._view(tx, self._see(tx, refund_id, caller, at), refund_id))

        def read(tx: Tx) -> values.Refund:
            seen = self._see(tx, refund_id, caller, at)
            moment = self._moments(tx, at, as_of, known_at)
            if moment is not None:
                past = self._past(tx, seen.aggregate, moment, known_at, refund_id)
                if refund_id not in past.refunds:
                    raise NotFound(f"{refund_id} at {times.text(moment)}")
                seen = replace(seen, aggregate=past, now=moment)
            return self._view(tx, seen, refund_id)

        return self.engine.read(read)

    def line(
        self,
        order_id: str,
        *,
        line: str = "1",
        actor: str,
        at: datetime | None = None,
        buyer: str | None = None,
        as_of: datetime | None = None,
        known_at: datetime | None = None,
    ) -> values.OrderLine:
        """Return one order line with its ledger as a move would find it now, or at a past moment (see `get`)."""
        caller = parse_caller(actor, buyer)

        def read(tx: Tx) -> values.OrderLine:
            seen = self._see_line(tx, order_id, line, caller, at)
            aggregate, moment = seen.aggregate, self._moments(tx, at, as_of, known_at)
            if moment is not None:
                aggregate = self._past(tx, aggregate, moment, known_at, line_subject(order_id, line))
            return views.order_line(aggregate, buyer_id=self.buyer_id(seen.owner))

        return self.engine.read(read)

    def history(
        self, refund_id: str, *, actor: str, at: datetime | None = None, buyer: str | None = None
    ) -> tuple[values.HistoryEntry, ...]:
        """Return the entries of one refund, or of a line (``ORDER/LINE``), in order, with the texts one may see.

        What is due by now and not stored yet follows as pending.
        """
        caller = parse_caller(actor, buyer)

        def read(tx: Tx) -> tuple[values.HistoryEntry, ...]:
            order_id, line = refund_id.split("/", 1) if "/" in refund_id else place_of(refund_id)
            sight, _ = self._sight(tx, order_id, line, caller, refund_id)
            if "/" not in refund_id and refund_id not in sight.aggregate.refunds:
                raise NotFound(refund_id)
            return self._entries(tx, sight.aggregate, sight.owner, refund_id, caller, at)

        return self.engine.read(read)

    def _entries(
        self, tx: Tx, aggregate: Aggregate, owner: BuyerRow | None, subject: str, caller: Caller, at: datetime | None
    ) -> tuple[values.HistoryEntry, ...]:
        """Return the entries of one chain that the caller may see, with their texts; what is due follows."""
        order_id = aggregate.line["order_id"]
        texts = views.texts_of(self.engine.vault, owner, subject, tx.personal(order_id, subject))
        entries = [*tx.entries(subject, order_id=order_id), *self._pending(tx, aggregate, subject, at)]
        buyer_id = self.buyer_id(owner)
        shown = (views.history_entry(entry, texts, caller, buyer_id) for entry in entries)
        return tuple(entry for entry in shown if entry is not None)

    def explain(
        self, refund_id: str, *, actor: str, at: datetime | None = None, buyer: str | None = None
    ) -> values.Explanation:
        """Return for this actor the events possible now, and for each other which rule blocks it and until when."""
        caller = parse_caller(actor, buyer)

        def read(tx: Tx) -> values.Explanation:
            seen = self._see(tx, refund_id, caller, at)
            rules = self.engine.rules(tx, seen.aggregate)
            answers = explain(seen.aggregate, refund_id, seen.who, rules=rules, now=seen.now)
            return values.Explanation(
                refund=self._view(tx, seen, refund_id),
                actor=actor,
                possible=tuple(event for event, blockers in answers.items() if not blockers),
                blocked={event: blockers for event, blockers in answers.items() if blockers},
            )

        return self.engine.read(read)

    def check(
        self,
        order_id: str,
        *,
        line: str = "1",
        reason: str | None = None,
        actor: str,
        at: datetime | None = None,
        buyer: str | None = None,
    ) -> tuple[values.Check, ...]:
        """Say before a claim what one reason, or each, would meet: the rule, the evidence needed, until when."""
        caller = parse_caller(actor, buyer)

        def read(tx: Tx) -> tuple[values.Check, ...]:
            seen = self._see_line(tx, order_id, line, caller, at)
            offered = [code for code, rule in self.engine.policy.reasons.items() if not rule.service_only]
            return tuple(
                self._check(tx, seen.aggregate, code, seen.who, seen.now) for code in ([reason] if reason else offered)
            )

        return self.engine.read(read)

    def _check(self, tx: Tx, aggregate: Aggregate, reason: str, who: Actor, now: datetime) -> values.Check:
        act = Act(event="submit", actor=who, params={"reason": reason}, probe=True)
        said = outlook(aggregate, act, rules=self.engine.rules(tx, aggregate), now=now)
        policy, ours = self.engine.policy, set(self.engine.policy.service_evidence)
        return values.Check(
            order_id=aggregate.line["order_id"],
            line=aggregate.line["line"],
            reason=reason,
            outcome="blocked" if said.blockers else "rejected" if said.grounds else "accepted",
            verdict=said.verdict,
            grounds=said.grounds,
            blockers=said.blockers,
            needed=policy.needed_of_buyer(aggregate.line["product_type"], reason),
            proven_by_us=tuple(sorted(kind for group in said.needed for kind in group if kind in ours)),
            window_ends_at=times.moment(said.window_ends) if said.window_ends else None,
            limit_ends_at=times.moment(said.limit_ends) if said.limit_ends else None,
            left_minor=said.left,
            pro_rata_minor=said.pro_rata,
            currency=aggregate.line["currency"],
        )

    def export_as_of(
        self,
        *,
        format: Literal["csv", "jsonl"],
        output: str,
        actor: str,
        as_of: datetime | None = None,
        known_at: datetime | None = None,
        progress: Callable[[int], None] | None = None,
        buyer: str | None = None,
        at: datetime | None = None,
    ) -> int:
        """Write the ledger of every line and the state of every refund at a past moment; return how many rows.

        The moment is meant as `get` means it. The file appears whole or not at all.

        Raises:
            BadInput: no moment, one that has not come yet, or a file that cannot be written.
        """
        caller = parse_caller(actor, buyer)
        if caller.buyer_seen is not None:
            raise NotFound("the export")

        def read(tx: Tx) -> int:
            self._registered(tx, caller)
            moment = self._moments(tx, at, as_of, known_at)
            if moment is None:
                raise BadInput("as_of: say the moment that is asked for", field="as_of")
            return export_as_of(
                tx,
                as_of=moment,
                known_at=known_at,
                rules_for=lambda aggregate: self.engine.rules(tx, aggregate),
                format=format,
                output=output,
                progress=progress,
            )

        return self.engine.read(read)

    def replay(self, subject: str | None = None, *, progress: Callable[[int], None] | None = None) -> values.Replay:
        """Replay all chains, or those of one order line (named by it or by one of its refunds), against what is stored.

        Raises:
            NotFound: there is no such refund or line.
        """
        place = None if subject is None else _place_of(subject)

        def read(tx: Tx) -> values.Replay:
            found = audit.compare(tx, place=place, progress=progress)
            if place is not None and not (found.chains or found.rows):
                raise NotFound(str(subject))
            differences = tuple(
                values.Difference(subject=item.subject, field=item.field, stored=item.stored, replayed=item.replayed)
                for item in found.differences
            )
            return values.Replay(chains=found.chains, entries=found.entries, rows=found.rows, differences=differences)

        return self.engine.read(read)

    def verify(
        self,
        *,
        checkpoints: Mapping[str, str] | None = None,
        keys: Sequence[str] = (),
        progress: Callable[[int], None] | None = None,
    ) -> values.Verification:
        """Check every chain, what is stored against the entries, and the log with its tiles and checkpoints.

        `checkpoints` are signed ones that the caller holds, by name: the log must begin with each. `keys` are the
        verifying keys that he trusts, by default those that the register names. What was published is compared too.

        Raises:
            BadInput: one of them is no checkpoint, or no key.
        """
        outside = audit.Outside(
            held=audit.held_checkpoints((checkpoints or {}).items()),
            keys=tuple(VerifyingKey.parse(key) for key in keys),
            place=self.place,
        )

        def read(tx: Tx) -> values.Verification:
            found = audit.verify(tx, self.engine.vault, outside=outside, progress=progress)
            return values.Verification(
                chains=found.chains,
                entries=found.entries,
                findings=tuple(
                    values.Finding(subject=item.subject, seq=item.seq, what=item.what) for item in found.findings
                ),
                leaves=found.leaves,
                checkpoints=found.checkpoints,
            )

        return self.engine.read(read)


def _place_of(subject: str) -> tuple[str, str]:
    """Return (order id, line) of ``ORDER/LINE`` or of a refund id.

    Raises:
        NotFound: it cannot be one.
    """
    if not one_line(subject):
        raise NotFound(subject)
    if "/" in subject:
        order_id, line = subject.split("/", 1)
        return order_id, line
    return place_of(subject)
