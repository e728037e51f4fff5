"""What the parts of the facade share: an open engine, acts on a refund and on a line, values for the reader."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NotRequired, TypedDict, TypeVar

from refundflow import values
from refundflow.errors import BadInput, Busy, ChangedMeanwhile, Misconfigured
from refundflow.service import views
from refundflow.service.callers import parse_caller
from refundflow.service.engine import Engine
from refundflow.service.requests import Answer, Request, place_of
from refundflow.store import Tx
from refundflow.vault import BuyerRow
from states.case import NOTHING, Aggregate, Case, Json, line_subject

log = logging.getLogger("refundflow.work")
PAGE = 500
Place = tuple[str, str]  # order id, line
T = TypeVar("T")


class By(TypedDict):
    """Who acts and how: the keyword arguments that every act takes.

    `actor` is ``role:name``; `key` makes a repeated call answer what the first one did; `at` is the
    time of the call, in a rehearsal only; `buyer` names whom a service acts for; `correlation` is
    kept in the entry.
    """

    actor: str
    key: NotRequired[str | None]
    at: NotRequired[datetime | None]
    buyer: NotRequired[str | None]
    correlation: NotRequired[str | None]


Facts = Callable[[Tx, Aggregate], Mapping[str, Json]]


class Facade:
    """The base of the facade: one method per act is one call of `_act` or `_fact`."""

    engine: Engine

    def _apart(self, place: Place, step: Callable[[], T]) -> T | None:
        """Take a step on one line; where it is damaged say so, once per process, and go on with others."""
        line = line_subject(*place)
        try:
            return step()
        except (Busy, Misconfigured):  # the database's, not this line's
            raise
        except ChangedMeanwhile as problem:
            log.warning("%s: %s", line, problem)
        except Exception as problem:
            if isinstance(problem, BadInput) and problem.field == "at":  # in a rehearsal others went on meanwhile
                raise
            if line not in self.engine.damaged:
                self.engine.damaged.add(line)
                log.error("%s stands still: %r; look with: refundflow audit verify", line, problem)
        return None

    def _act(
        self,
        refund_id: str,
        event: str,
        *,
        actor: str,
        key: str | None = None,
        at: datetime | None = None,
        buyer: str | None = None,
        correlation: str | None = None,
        params: Mapping[str, Any] | None = None,
        texts: Mapping[str, str | None] | None = None,
        evidence: Sequence[values.Attachment] = (),
        facts: Facts | None = None,
        occurred_at: datetime | None = None,
    ) -> values.Refund:
        """Carry out one act on a refund and return the refund as the actor may see it."""
        order_id, line = place_of(refund_id)
        request = Request(
            event=event,
            caller=parse_caller(actor, buyer),
            order_id=order_id,
            line=line,
            refund=refund_id,
            params=given(params) if params else NOTHING,
            texts=given(texts) if texts else NOTHING,
            files=tuple(evidence),
            key=key,
            at=at,
            correlation=correlation,
            occurred_at=occurred_at,
        )
        return self.refund_of(self.engine.move(request, facts))

    def _fact(
        self,
        order_id: str,
        line: str,
        event: str,
        *,
        params: Mapping[str, Any],
        actor: str,
        key: str | None = None,
        at: datetime | None = None,
        buyer: str | None = None,
        correlation: str | None = None,
        occurred_at: datetime | None = None,
    ) -> values.OrderLine:
        """Tell one fact of an order line and return the line; of a fact only the proof can be missing."""
        missing = [name for name, value in params.items() if value is None and name != "proof"]
        if missing:
            raise BadInput(f"{missing[0]} is missing", field=missing[0])
        request = Request(
            event=event,
            caller=parse_caller(actor, buyer),
            order_id=order_id,
            line=line,
            params=given(params),
            key=key,
            at=at,
            correlation=correlation,
            occurred_at=occurred_at,
        )
        answer = self.engine.move(request)

        def make() -> values.OrderLine:
            buyer_id = self.buyer_id(answer.owner)
            return views.order_line(answer.aggregate, buyer_id=buyer_id, waiting=answer.waiting, changed=answer.changed)

        return values.OrderLine.later(views.SeenLine(make).field)

    def open_cases(self, tx: Tx, *, clear: bool = False, assignee: str | None = None) -> Iterator[Case]:
        """Yield refunds that are not at their end, in order of their next due moment, as stored; see `Tx.queue`."""
        after: tuple[str, str] | None = None
        while page := tx.queue(clear=clear, assignee=assignee, after=after, limit=PAGE):
            yield from page
            last = page[-1]
            after = (min(item["due_at"] for item in last["deadlines"].values()), last["id"])

    def buyer_id(self, owner: BuyerRow | None) -> str | None:
        """Return the clear id of a line's buyer, None where it was erased."""
        return self.engine.vault.open_buyer_id(owner) if owner is not None else None

    def refund_of(self, answer: Answer) -> values.Refund:
        """Return the refund of an answer as who acted may see it."""
        refund, rules = answer.refund, self.engine.known_rules
        assert refund is not None, "an act on a refund answers with one"
        seen = views.SeenRefund(
            answer.aggregate, answer.aggregate.refunds[refund], rules, answer.actor, answer.now, self.engine.vault,
            answer.owner, answer.waiting,
        )  # fmt: skip
        return values.Refund.later(seen.field)


def given(values_by_name: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what was not given."""
    return {name: value for name, value in values_by_name.items() if value is not None}
