"""Many refunds at once: pages by what is asked for, and queues by what needs somebody first."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from refundflow import values
from refundflow.errors import BadInput
from refundflow.service.callers import Caller, parse_caller
from refundflow.service.door import check_moment, check_reference, one_line
from refundflow.service.reading import Reading
from refundflow.store import Tx, goes_first
from states import times
from states.case import Case
from states.chart import phase_of
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


class Lists(Reading):
    """Lists and queues."""

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
        leaves = leaves_of(state)
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
                    item = self._read(tx, case["id"], caller, at)
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
            now = self.engine.time_to_read(tx, at)
            found = (self._read(tx, case["id"], caller, at) for case in self._open_cases(tx, caller, mine))
            items = (self._queued(item, now) for item in found if item.state not in TABLE.final)
            wanted = (
                item
                for item in items
                if (turn is None or item.turn == turn) and (not mine or item.refund.assignee == caller.name)
            )
            return tuple(sorted(islice(wanted, limit), key=_urgency))

        return self.engine.read(read)

    def _open_cases(self, tx: Tx, caller: Caller, mine: bool) -> Iterator[Case]:
        """Yield open refunds as they stand in a queue: appeals with clear evidence, then by due moment."""
        if caller.buyer_seen is not None:
            owner = tx.buyer_by_lookup(self.engine.vault.buyer_lookup(caller.buyer_seen))
            yield from tx.find(buyer_ref=owner.ref, limit=MAX_PAGE) if owner else ()
            return
        assignee = caller.name if mine else None
        yield from self.open_cases(tx, clear=True, assignee=assignee)
        yield from (case for case in self.open_cases(tx, assignee=assignee) if not goes_first(case))

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


def leaves_of(state: str | None) -> Sequence[str] | None:
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
