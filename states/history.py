"""Cases decided elsewhere: what must hold before they are taken in, and the entries that tell them as imported.

What another system decided is not judged. What must hold is that it can be told: known codes, times in order and
past, an end, and no more money than the order line has.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from states import codes, times
from states.case import Act, Actor, Aggregate, Case, Decision, Json, Ledger, Line
from states.chart import phase_of
from states.claims import new_case
from states.draft import Draft, Rules, Turn
from states.judge import caught_up
from states.outcome import outcome
from states.refund_v1 import TABLE

EVENT = "imported"


@dataclass(frozen=True, kw_only=True, slots=True)
class ToldEvent:
    """One event as the other system tells it; `texts` are the names of what was written with it."""

    at: datetime
    state: str
    role: str
    name: str
    told: str | None = None
    approved: int | None = None  # minor units
    grounds: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class ToldCase:
    """One case as the other system tells it; `source` names file, row and content for the entries."""

    id: str
    reason: str
    usage: str
    claimed: int  # minor units
    events: tuple[ToldEvent, ...]
    source: Mapping[str, Json]

    @property
    def paid(self) -> int:
        """Return what was paid in the end."""
        return _approved(self, len(self.events) - 1) if phase_of(self.events[-1].state) == "paid_out" else 0


def told_before(aggregate: Aggregate, case: str) -> Case | None:
    """Return the refund of the line that a case of this id was imported as."""
    found = (item for item in aggregate.refunds.values() if item.get("imported", {}).get("case") == case)
    return next(found, None)


def problems(line: Line, ledger: Ledger, told: ToldCase, *, rules: Rules, now: datetime) -> Iterator[str]:
    """Say everything that keeps a case from being told on a line, each with what would be allowed."""
    rule = rules.policy.reasons.get(told.reason)
    if rule is None:
        known_reasons = (code for code, item in rules.policy.reasons.items() if not item.service_only)
        yield f"reason {told.reason}: one of {', '.join(known_reasons)}"
    elif rule.service_only:
        yield f"reason {told.reason}: it names a refund of this database"
    if not 0 < told.claimed <= line["captured"]:
        yield f"claimed_minor {told.claimed}: 1 to the {line['captured']} that were captured"
    free = line["captured"] + ledger.excess - ledger.reserved - ledger.in_flight - ledger.settled
    known = all(event.state in TABLE.leaves for event in told.events)
    if known and told.paid > free:
        yield f"{told.paid} were paid, and {max(0, free)} of the captured {line['captured']} are left on the line"
    yield from _way(told.events)
    yield from _clock(told.events, now)
    for place, event in enumerate(told.events, 1):
        yield from (f"event {place}: {problem}" for problem in _event(told, event))


def _way(events: tuple[ToldEvent, ...]) -> Iterator[str]:
    if events[0].state != TABLE.initial:
        yield f"event 1: a case begins with the state {TABLE.initial}"
    if events[-1].state in TABLE.leaves and events[-1].state not in TABLE.final:
        yield (
            f"the case is open ({events[-1].state}): only closed ones are history; end it where it is, "
            f"final states are {', '.join(TABLE.final)}"
        )
    for place, event in enumerate(events[:-1], 1):
        if event.state in TABLE.final:
            yield f"event {place}: {event.state} is final, and nothing follows it"


def _clock(events: tuple[ToldEvent, ...], now: datetime) -> Iterator[str]:
    for place, event in enumerate(events, 1):
        if event.at > now:
            yield f"event {place}: {times.text(event.at)} has not come yet"
        if place > 1 and event.at < events[place - 2].at:
            yield f"event {place}: {times.text(event.at)} is before the event before it"


def _event(told: ToldCase, event: ToldEvent) -> Iterator[str]:
    if event.state not in TABLE.leaves:
        yield f"state {event.state}: one of {', '.join(TABLE.leaves)}"
        return
    phase = phase_of(event.state)
    unknown = [ground for ground in event.grounds if ground not in codes.GROUNDS]
    if unknown:
        yield f"grounds {', '.join(unknown)}: of {', '.join(codes.GROUNDS)}"
    if phase == "rejected" and not event.grounds:
        yield "a rejection has at least one ground"
    if phase != "rejected" and event.grounds:
        yield f"grounds go with a rejection, not with {event.state}"
    if event.approved is not None and phase not in ("approved", "paid_out"):
        yield f"approved_minor goes with an approval or a payment, not with {event.state}"
    if event.approved is not None and event.approved > told.claimed:
        yield f"approved_minor {event.approved}: at most the {told.claimed} that were claimed"


def import_case(
    aggregate: Aggregate, told: ToldCase, actor: Actor, *, registered: bool, rules: Rules, now: datetime
) -> Decision:
    """Tell a case, which has no problems, as entries of its own times; where it is not `registered`, the line first.

    The ledger learns only what was paid: what another system reserved was never reserved here.
    """
    if registered:
        draft = caught_up(aggregate, rules, now)
    else:
        draft = Draft(aggregate, rules, now)
        first = told.events[0].at
        paid_at = aggregate.line.get("paid_at")
        begins = min(first, times.moment(paid_at)) if paid_at else first
        params = {"case": told.id, **_place(told)}
        with draft.line_entry("registered", actor, begins, kind="imported", params=params, opens=True):
            pass
    index = len(draft.entries)
    case = _unborn(draft, told, actor)
    for number, event in enumerate(told.events):
        params = _params(told, event, first=number == 0)
        with draft.entry(
            case, EVENT, actor, event.at, kind="imported", params=params, texts=event.texts, opens=number == 0
        ) as new:
            _apply(new, told, number, at=now, actor=actor)
        case = new
    return outcome(draft, refund=case["id"], entry=index)


def _unborn(draft: Draft, told: ToldCase, actor: Actor) -> Case:
    act = Act(event=EVENT, actor=actor, params={"reason": told.reason})
    turn = Turn(draft=draft, act=act, case=cast(Case, {}), policy=draft.rules.policy)
    case = new_case(turn)
    case["submitted_at"], case["usage"], case["claimed"] = times.text(told.events[0].at), told.usage, told.claimed
    return case


def _apply(new: Case, told: ToldCase, number: int, *, at: datetime, actor: Actor) -> None:
    event = told.events[number]
    new["state"] = event.state
    if number == 0:
        new["imported"] = {"case": told.id, "by": actor.name, "at": times.text(at), **told.source}
    if event.state == "appealed":
        new["instance"] = "appeal"
    if event.grounds:
        new["rejection"] = {
            "grounds": list(event.grounds), "seq": new["seq"], "at": new["effective_at"], "instance": new["instance"],
        }  # fmt: skip
    phase = phase_of(event.state)
    if phase in ("approved", "paid_out"):
        new["approved"] = _approved(told, number)
    new["settled"] = new["approved"] if phase == "paid_out" else 0


def _approved(told: ToldCase, number: int) -> int:
    """Return what was approved by an event: what was said last, by default all that was claimed."""
    said = [event.approved for event in told.events[: number + 1] if event.approved is not None]
    return said[-1] if said else told.claimed


def _place(told: ToldCase) -> dict[str, Json]:
    return {name: told.source[name] for name in ("file", "row")}


def _params(told: ToldCase, event: ToldEvent, *, first: bool) -> dict[str, Json]:
    given: dict[str, Json] = {
        "case": told.id, **_place(told), "told_role": event.role, "told_name": event.name or None,
        "told_event": event.told, "grounds": list(event.grounds) or None,
    }  # fmt: skip
    if first:
        given |= {"reason": told.reason, "amount": told.claimed}
    elif event.approved is not None:
        given["amount"] = event.approved
    return {name: value for name, value in given.items() if value is not None}
