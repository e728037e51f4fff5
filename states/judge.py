"""Judging: what blocks an event for an actor now, every reason that can be told, nothing changed."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cache
from hashlib import sha256
from typing import NamedTuple

from states import claims, clocks, enquiry, negotiation, payout, proofs, review
from states.case import Act, Actor, Aggregate, Blocker, Case, Json
from states.draft import Draft, Look, Rules, Turn
from states.evidence import BUYER_SIDE
from states.lapses import catch_up
from states.line import Fact
from states.moves import OF_SYSTEM, OF_TERMS, Guard, Move, nothing, text_required, who
from states.refund_v1 import TABLE


def given_by(turn: Turn) -> list[str]:
    """Return the events of which the actor is the first of two persons."""
    named = turn.given("event")
    return [
        event
        for event, first in turn.case["firsts"].items()
        if first["name"] == turn.actor.name and named in (None, event)
    ]


def _given(turn: Turn) -> Iterable[Blocker]:
    return [] if given_by(turn) else [Blocker(code="NOTHING_TO_TAKE_BACK")]


TAKE_BACK = Move(
    roles=who("agent", "finance"), guards=(_given,), apply=nothing, kind="fact", states=frozenset(clocks.STANDING)
)  # fmt: skip
DISCARD = Move(
    roles=frozenset({"supervisor", "finance"}),
    guards=(text_required("REASON_REQUIRED", "message"),),
    kind="fact",
    states=frozenset(TABLE.leaves),
    offered=False,
)
MOVES: Mapping[str, Move] = {
    **review.MOVES, **negotiation.MOVES, **payout.MOVES, **proofs.MOVES, **enquiry.MOVES,
    "take_back": TAKE_BACK, "effect_discarded": DISCARD,
}  # fmt: skip
EVENTS = ("submit", *(event for event, move in MOVES.items() if move.offered))


def explain(
    aggregate: Aggregate, refund: str, actor: Actor, *, rules: Rules, now: datetime
) -> dict[str, tuple[Blocker, ...]]:
    """Return for every event of the chart and beside it what blocks this actor now; nothing where it is possible."""
    draft = caught_up(aggregate, rules, now)
    case, answers = draft.refunds[refund], {}
    for event, move in MOVES.items():
        if not move.offered:
            continue
        act = Act(event=event, actor=actor, refund=case["id"], probe=True)
        turn = Turn(draft=draft, act=act, case=case, policy=draft.policy_of(case))
        answers[event] = tuple(role_blockers(move, actor) or rule_blockers(turn, move))
    return answers


def allowed_on(aggregate: Aggregate, case: Case, actor: Actor, rules: Rules, now: datetime) -> tuple[str, ...]:
    """Return what `allowed` does, on a line on which nothing is due."""
    offered = _offered(case["state"], actor.role, bool(case["firsts"]))
    if not (offered.guards or case["firsts"]):
        return offered.events
    return allowed(Look(aggregate, rules, now), case, actor)


def allowed(draft: Draft, case: Case, actor: Actor) -> tuple[str, ...]:
    """Return the events of which `explain` says that nothing blocks them for this actor.

    Only what may block a bare probe is judged, and each guard once, though several events have it: answers tell this.
    None of those guards asks for its event: what it says is the same for all that have it.
    """
    firsts = case["firsts"]
    offered = _offered(case["state"], actor.role, bool(firsts))
    turn = Turn(draft, Act("", actor, case["id"], probe=True), case, draft.policy_of(case))
    blocking = set()
    for guard in offered.guards:
        for _ in guard(turn):
            blocking.add(guard)
            break
    if not (blocking or firsts):
        return offered.events
    return tuple(
        event
        for event in offered.events
        if blocking.isdisjoint(MOVES[event].guards) and not (firsts and _waits_for_another(turn, MOVES[event], event))
    )


class _Offered(NamedTuple):
    """The events that the chart and the roles leave open, and the guards of theirs that may block a bare probe."""

    events: tuple[str, ...]
    guards: tuple[Guard, ...]


@cache
def _offered(state: str, role: str, anybody_first: bool) -> _Offered:
    """Return what is open in a state; where nobody was the first of two persons nothing can be taken back."""
    events = tuple(
        event
        for event, move in MOVES.items()
        if move.offered and role in move.roles and _in_place(event, state, role, probe=True)
        if anybody_first or move is not TAKE_BACK
    )
    silent = OF_TERMS if role == "system" else OF_TERMS | OF_SYSTEM
    guards = dict.fromkeys(guard for event in events for guard in MOVES[event].guards if guard not in silent)
    return _Offered(events, tuple(guards))


def outlook(aggregate: Aggregate, act: Act, *, rules: Rules, now: datetime) -> claims.Outlook:
    """Say what a claim for the act's reason would meet."""
    draft = caught_up(aggregate, rules, now)
    turn = Turn(draft=draft, act=act, case=unborn(draft, act), policy=rules.policy)
    return claims.outlook(turn, str(act.params.get("reason")))


def caught_up(aggregate: Aggregate, rules: Rules, now: datetime) -> Draft:
    """Return the working copy of a line after everything that is due: what an act is judged on."""
    draft = Draft(aggregate, rules, now)
    catch_up(draft)
    return draft


def role_blockers(move: Move | Fact, actor: Actor) -> list[Blocker]:
    """Return the blocker of a role that may not do this."""
    if actor.role in move.roles:
        return []
    return [Blocker(code="ROLE_NOT_ALLOWED", params={"role": actor.role, "roles": sorted(move.roles)})]


def rule_blockers(turn: Turn, move: Move) -> list[Blocker]:
    """Return every blocker that can be judged; the wrong state first."""
    blockers: list[Blocker] = []
    act, state = turn.act, turn.case["state"]
    if not _in_place(act.event, state, act.actor.role, probe=act.probe):
        possible = [event for event in TABLE.events_of[state] if event in MOVES]
        blockers.append(Blocker(code="WRONG_STATE", params={"state": state, "possible": possible}))
        if move.states is not None or act.probe:
            return blockers
    for guard in move.guards:
        blockers += guard(turn)
    if not blockers and _waits_for_another(turn, move, act.event):
        blockers.append(Blocker(code="SECOND_PERSON_NEEDED", params={"first": act.actor.name}))
    return blockers


def _waits_for_another(turn: Turn, move: Move, event: str) -> bool:
    """Tell whether the actor was the first of two persons for an event, on the same terms."""
    first = turn.case["firsts"].get(event)
    if first is None or first["name"] != turn.actor.name or not move.two_persons(turn):
        return False
    return turn.act.probe or first["terms"] == terms(turn)


@cache
def _in_place(event: str, state: str, role: str, *, probe: bool) -> bool:
    """Tell whether the state is one in which the event is possible."""
    if event in proofs.EVENTS:
        # A proof is never refused; asked beforehand, it is offered where it would move something.
        return not probe or state in TABLE.sources(event) or (event, state) == ("late_reversal", "paid_out.confirmed")
    if event == "add_evidence" and role in BUYER_SIDE and state in TABLE.final:
        return False
    states = MOVES[event].states
    return state in (TABLE.sources(event) if states is None else states)


def terms_of(params: Mapping[str, Json]) -> str:
    """Name terms by their content."""
    return sha256(json.dumps(dict(params), sort_keys=True).encode()).hexdigest()


def terms(turn: Turn) -> str:
    """Name the terms that two persons must agree on; what was left open is what it means."""
    meant = {name: value for name, value in turn.act.params.items() if value}
    if turn.act.event == "accept_offer":
        meant["offer"] = turn.case.get("standing")
    return terms_of(meant)


def unborn(draft: Draft, act: Act) -> Case:
    """Return the refund that a claim would open."""
    turn = Turn(draft=draft, act=act, case={}, policy=draft.rules.policy)  # type: ignore[typeddict-item]
    return claims.new_case(turn)
