"""Reads: each shows what a move would find at that moment, and moves nothing."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Literal
from zoneinfo import ZoneInfo

from refundflow import audit, values
from refundflow.errors import BadInput, NotFound
from refundflow.export import export_entries
from refundflow.service import views
from refundflow.service.base import Facade
from refundflow.service.callers import Caller, actor_on, parse_caller, require_registered
from refundflow.service.door import check_moment, check_reference, one_line
from refundflow.service.engine import place_of
from refundflow.store import Stored, StoredEntry, Tx
from states import times
from states.case import Act, Actor, Aggregate, Case, line_subject
from states.chart import phase_of
from states.decide import due, explain, outlook
from states.refund_v1 import TABLE

TURNS = {
    "submitted": "agent",
    "under_review.reviewing": "agent",
    "under_review.negotiating": "buyer",
    "awaiting_evidence": "buyer",
    "approved.payable": "platform",
    "approved.paying": "channel",
    "approved.payout_failed": "finance",
    "rejected.appealable": "buyer",
    "appealed": "agent",
    "paid_out.settled": "buyer",
}
MAX_PAGE = 500
LONGEST_QUEUE = 1_000_000


class Queries(Facade):
    """What callers ask: one refund, lists, histories, queues, what is possible, what a claim would meet."""

    def get(self, refund_id: str, *, actor: str, at: datetime | None = None, buyer: str | None = None) -> values.Refund:
        """Return one refund as a move would find it now.

        Raises:
            NotFound: it does not exist, or is not the actor's to see.
        """
        caller = parse_caller(actor, buyer)

        def read(tx: Tx) -> values.Refund:
            stored, who, now = self._see(tx, refund_id, caller, at)
            return self._view(tx, stored.aggregate, refund_id, who, caller, now)

        return self.engine.read(read)

    def line(
        self, order_id: str, *, line: str = "1", actor: str, at: datetime | None = None, buyer: str | None = None
    ) -> values.OrderLine:
        """Return one order line with its ledger as a move would find it now."""
        caller = parse_caller(actor, buyer)

        def read(tx: Tx) -> values.OrderLine:
            aggregate, _, _ = self._see_line(tx, order_id, line, caller, at)
            return views.order_line(aggregate, buyer_id=self._buyer_of(tx, aggregate))

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
            stored, _ = self._stored(tx, order_id, line, caller, refund_id)
            if "/" not in refund_id and refund_id not in stored.aggregate.refunds:
                raise NotFound(refund_id)
            owner = tx.buyer(stored.aggregate.line["buyer"])
            texts = views.texts_of(self.engine.vault, owner, refund_id, tx.personal(order_id, refund_id))
            entries = [*tx.entries(refund_id, order_id=order_id), *self._pending(tx, stored, refund_id, at)]
            buyer_id = self._buyer_of(tx, stored.aggregate)
            shown = (views.history_entry(entry, texts, caller, buyer_id) for entry in entries)
            return tuple(entry for entry in shown if entry is not None)

        return self.engine.read(read)

    def list(
        self,
        *,
        actor: str,
        order: str | None = None,
        customer: str | None = None,
        payment: str | None = None,
        state: str | None = None,
        since: datetime | None = None,
        after: str | None = None,
        limit: int = 50,
        at: datetime | None = None,
        buyer: str | None = None,
    ) -> values.Page:
        """Return a page of refunds by order, customer (buyer id), payment number, state or phase, and date.

        `after` is what the page before returned. A buyer gets his own only.
        """
        caller = parse_caller(actor, buyer)
        if type(limit) is not int or not 0 < limit <= MAX_PAGE:
            raise BadInput(f"a page has 1 to {MAX_PAGE} refunds", field="limit")
        for name, given in (("order", order), ("customer", customer), ("payment", payment)):
            check_reference(name, given)
        check_moment("since", since)
        leaves = _leaves(state)
        wanted = caller.buyer_seen or customer

        def read(tx: Tx) -> values.Page:
            self._registered(tx, caller)
            owner = tx.buyer_by_lookup(self.engine.vault.buyer_lookup(wanted)) if wanted else None
            if wanted and owner is None:
                return values.Page(refunds=(), after=None)
            shown: list[values.Refund] = []
            place = _place(after)
            while len(shown) < limit:
                cases = tx.find(
                    order=order,
                    buyer_ref=owner.ref if owner else None,
                    payment_no=payment,
                    since=since,
                    after=place,
                    limit=limit,
                )
                for case in cases:
                    item = self._read_case(tx, case, caller, at)
                    place = (case["submitted_at"], case["id"])
                    if leaves is None or item.state in leaves:
                        shown.append(item)
                    if len(shown) == limit:
                        break
                if len(cases) < limit:
                    break
            full = len(shown) == limit and place is not None
            return values.Page(refunds=tuple(shown), after=",".join(place) if full and place else None)

        return self.engine.read(read)

    def queue(
        self,
        *,
        actor: str,
        at: datetime | None = None,
        limit: int = 50,
        turn: str | None = None,
        mine: bool = False,
        buyer: str | None = None,
    ) -> tuple[values.QueueItem, ...]:
        """Return open refunds, those most in need first: clear appeals, then by due moment.

        `turn` keeps those whose move it is (agent, buyer, channel, finance, platform), `mine` those
        assigned to the actor.
        """
        caller = parse_caller(actor, buyer)
        if type(limit) is not int or not 0 < limit <= LONGEST_QUEUE:
            raise BadInput(f"a queue shows 1 to {LONGEST_QUEUE} refunds", field="limit")
        if turn not in (None, *TURNS.values()):
            raise BadInput(f"{turn!r} has no moves: one of {', '.join(sorted(set(TURNS.values())))}", field="turn")

        def read(tx: Tx) -> tuple[values.QueueItem, ...]:
            self._registered(tx, caller)
            now = self._now(tx, at)
            found = (self._read_case(tx, case, caller, at) for case in self._open_cases(tx, caller))
            items = (self._queued(item, now) for item in found if item.state not in TABLE.final)
            wanted = (
                item
                for item in items
                if (turn is None or item.turn == turn) and (not mine or item.refund.assignee == caller.name)
            )
            return tuple(sorted(islice(wanted, limit), key=_urgency))

        return self.engine.read(read)

    def explain(
        self, refund_id: str, *, actor: str, at: datetime | None = None, buyer: str | None = None
    ) -> values.Explanation:
        """Return for this actor the events possible now, and for each other which rule blocks it and until when."""
        caller = parse_caller(actor, buyer)

        def read(tx: Tx) -> values.Explanation:
            stored, who, now = self._see(tx, refund_id, caller, at)
            rules = self.engine.rules(tx, stored.aggregate)
            answers = explain(stored.aggregate, refund_id, who, rules=rules, now=now)
            return values.Explanation(
                refund=self._view(tx, stored.aggregate, refund_id, who, caller, now),
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
            aggregate, who, now = self._see_line(tx, order_id, line, caller, at)
            offered = [code for code, rule in self.engine.policy.reasons.items() if not rule.service_only]
            return tuple(self._check(tx, aggregate, code, who, now) for code in ([reason] if reason else offered))

        return self.engine.read(read)

    def _check(self, tx: Tx, aggregate: Aggregate, reason: str, who: Actor, now: datetime) -> values.Check:
        act = Act(event="submit", actor=who, params={"reason": reason}, probe=True)
        said = outlook(aggregate, act, rules=self.engine.rules(tx, aggregate), now=now)
        ours = set(self.engine.policy.service_evidence)
        bring = tuple(group for group in said.needed if not ours & set(group))
        return values.Check(
            order_id=aggregate.line["order_id"],
            line=aggregate.line["line"],
            reason=reason,
            outcome="blocked" if said.blockers else "rejected" if said.grounds else "accepted",
            verdict=said.verdict,
            grounds=said.grounds,
            blockers=said.blockers,
            needed=bring,
            proven_by_us=tuple(sorted(kind for group in said.needed for kind in group if kind in ours)),
            window_ends_at=times.moment(said.window_ends) if said.window_ends else None,
            limit_ends_at=times.moment(said.limit_ends) if said.limit_ends else None,
            left_minor=said.left,
            pro_rata_minor=said.pro_rata,
            currency=aggregate.line["currency"],
        )

    def export(
        self,
        *,
        format: Literal["csv", "jsonl"],
        output: str,
        actor: str,
        progress: Callable[[int], None] | None = None,
        buyer: str | None = None,
        at: datetime | None = None,
    ) -> int:
        """Write every entry of every chain to a file in one of the formats; return how many.

        The file appears whole or not at all.
        """
        caller = parse_caller(actor, buyer)
        if caller.role == "buyer":
            raise NotFound("the export")

        def read(tx: Tx) -> int:
            self._registered(tx, caller)
            return export_entries(tx, format=format, output=output, progress=progress)

        return self.engine.read(read)

    def verify(self, *, progress: Callable[[int], None] | None = None) -> values.Verification:
        """Check every chain: hashes, gaps, and that stored state, texts and evidence are what the entries say."""

        def read(tx: Tx) -> values.Verification:
            found = audit.verify(tx, self.engine.vault, progress=progress)
            return values.Verification(
                chains=found.chains,
                entries=found.entries,
                findings=tuple(
                    values.Finding(subject=item.subject, seq=item.seq, what=item.what) for item in found.findings
                ),
            )

        return self.engine.read(read)

    def now(self, at: datetime | None = None) -> datetime:
        """Return the moment that a read at `at` is judged by, in UTC."""
        return self.engine.read(lambda tx: self.engine.time_to_read(tx, at))

    # what the reads share

    def _now(self, tx: Tx, at: datetime | None) -> datetime:
        return self.engine.time_to_read(tx, at)

    def _registered(self, tx: Tx, caller: Caller) -> None:
        if not self.engine.store.rehearsal:
            require_registered(tx, caller)

    def _stored(self, tx: Tx, order_id: str, line: str, caller: Caller, what: str) -> tuple[Stored, Actor]:
        self._registered(tx, caller)
        known = one_line(order_id) and one_line(line)
        stored = tx.aggregate(order_id, line, lock=False) if known else None
        if stored is None:
            raise NotFound(what)
        owner = tx.buyer(stored.aggregate.line["buyer"])
        return stored, actor_on(stored.aggregate.line, owner, caller, self.engine.vault, what)

    def _pending(self, tx: Tx, stored: Stored, subject: str, at: datetime | None) -> Sequence[StoredEntry]:
        """Return what the next move would record first in a chain."""
        now = self._now(tx, at)
        found = due(stored.aggregate, rules=self.engine.rules(tx, stored.aggregate), now=now)
        sealed = audit.seal(found.entries, heads=stored.heads, recorded_at=now)
        order_id = stored.aggregate.line["order_id"]
        return [views.not_yet_stored(item, order_id) for item in sealed if item.entry.subject == subject]

    def _see(self, tx: Tx, refund_id: str, caller: Caller, at: datetime | None) -> tuple[Stored, Actor, datetime]:
        order_id, line = place_of(refund_id)
        stored, who = self._stored(tx, order_id, line, caller, refund_id)
        if refund_id not in stored.aggregate.refunds:
            raise NotFound(refund_id)
        return stored, who, self._now(tx, at)

    def _see_line(
        self, tx: Tx, order_id: str, line: str, caller: Caller, at: datetime | None
    ) -> tuple[Aggregate, Actor, datetime]:
        stored, who = self._stored(tx, order_id, line, caller, line_subject(order_id, line))
        now = self._now(tx, at)
        found = due(stored.aggregate, rules=self.engine.rules(tx, stored.aggregate), now=now).aggregate
        return found, who, now

    def _view(
        self, tx: Tx, aggregate: Aggregate, refund_id: str, who: Actor, caller: Caller, now: datetime
    ) -> values.Refund:
        found = due(aggregate, rules=self.engine.rules(tx, aggregate), now=now).aggregate
        case = found.refunds[refund_id]
        shown = self.view(found, case, who, caller, now, self._buyer_of(tx, found))
        return replace(shown, texts=self._standing_texts(tx, case))

    def _standing_texts(self, tx: Tx, case: Case) -> dict[str, str]:
        """Return what was written with the standing rejection, offer and request for evidence."""
        offer = case["offers"].get(case.get("standing", ""), {})
        seqs = {"rejection": case.get("rejection", {}), "offer": offer, "request": case.get("request", {})}
        wanted = {name: item["seq"] for name, item in seqs.items() if item}
        if not wanted:
            return {}
        ciphers = tx.personal(case["order_id"], case["id"])
        texts = views.texts_of(self.engine.vault, tx.buyer(case["buyer"]), case["id"], ciphers)
        return {name: texts[seq, "message"] for name, seq in wanted.items() if (seq, "message") in texts}

    def _buyer_of(self, tx: Tx, aggregate: Aggregate) -> str | None:
        owner = tx.buyer(aggregate.line["buyer"])
        return self.engine.vault.open_buyer_id(owner) if owner is not None else None

    def _read_case(self, tx: Tx, case: Case, caller: Caller, at: datetime | None) -> values.Refund:
        stored, who, now = self._see(tx, case["id"], caller, at)
        return self._view(tx, stored.aggregate, case["id"], who, caller, now)

    def _open_cases(self, tx: Tx, caller: Caller) -> Iterator[Case]:
        """Yield open refunds as they stand in a queue: appeals with clear evidence, then by due moment."""
        if caller.buyer_seen is not None:
            owner = tx.buyer_by_lookup(self.engine.vault.buyer_lookup(caller.buyer_seen))
            yield from tx.find(buyer_ref=owner.ref, limit=MAX_PAGE) if owner else ()
            return
        yield from (case for case in self.open_cases(tx) if _goes_first(case))
        yield from (case for case in self.open_cases(tx) if not _goes_first(case))

    def _queued(self, refund: values.Refund, now: datetime) -> values.QueueItem:
        turn = TURNS[refund.state]
        standing = refund.offer
        if turn == "buyer" and standing is not None and standing.counter:
            turn = "agent"
        if refund.enquiry_since is not None:
            turn = "agent"
        return values.QueueItem(refund=refund, turn=turn, urgency=self._how_urgent(refund, turn, now))

    def _how_urgent(self, refund: values.Refund, turn: str, now: datetime) -> str:
        deadline, zone = refund.deadline, ZoneInfo(self.engine.policy.zone)
        if deadline is not None and deadline.lapsed:
            return "overdue"
        if turn == "buyer":
            return "waiting"
        if deadline is not None and _last_day(deadline.due_at, zone) <= now.astimezone(zone).date():
            return "due_today"
        return "later"


def _last_day(due_at: datetime, zone: ZoneInfo) -> date:
    return (due_at - timedelta(microseconds=1)).astimezone(zone).date()


def _goes_first(case: Case) -> bool:
    return case["state"] == "appealed" and bool(case.get("clear_evidence"))


def _urgency(item: values.QueueItem) -> tuple[bool, datetime, str]:
    deadline = item.refund.deadline
    due_at = deadline.due_at if deadline is not None else item.refund.submitted_at
    return not (item.refund.state == "appealed" and item.refund.clear_evidence), due_at, item.refund.id


def _place(after: str | None) -> tuple[str, str] | None:
    if after is None:
        return None
    moment, _, refund = after.partition(",")
    try:
        if refund and one_line(refund):
            return times.text(times.moment(moment)), refund
    except (ValueError, OverflowError) as problem:
        raise BadInput("`after` is not what a page returned", field="after") from problem
    raise BadInput("`after` is not what a page returned", field="after")


def _leaves(state: str | None) -> Sequence[str] | None:
    """Return the leaves of a state or phase by name.

    Raises:
        BadInput: there is none of that name.
    """
    if state is None:
        return None
    found = [leaf for leaf in TABLE.leaves if state in (leaf, phase_of(leaf), leaf.rpartition(".")[2])]
    if not found:
        raise BadInput(f"no state {state!r}: one of {', '.join(TABLE.leaves)}, or a phase", field="state")
    return found
