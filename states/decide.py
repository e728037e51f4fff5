"""The one door: an act on an order line becomes entries and effects, or a refusal with every blocker."""

import json
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256

from states import claims, clocks, enquiry, money, negotiation, payout, proofs, review
from states.case import Act, Actor, Aggregate, Blocker, Case, Decision, Json, Ledger, Line, Refusal
from states.draft import SYSTEM, Draft, Rules, Turn
from states.evidence import BUYER_SIDE, known_since, named_files
from states.follow import fall, follow_ups
from states.lapses import catch_up, situation_of
from states.line import FACTS, Fact
from states.moves import Move, nothing, text_required, who
from states.refund_v1 import TABLE

TAKE_BACK = Move(
    roles=who("agent", "finance"), apply=nothing, kind="fact", states=frozenset(clocks.STANDING)
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


def decide(aggregate: Aggregate, act: Act, *, rules: Rules, now: datetime) -> Decision:
    """Judge one act at `now`, after everything that is due on the line; pure, and the only way to change a refund.

    Lapses and a refusal that follows are both in the decision: they are committed together.
    """
    draft = Draft(aggregate, rules, now)
    catch_up(draft)
    reused = act.facts.get("key_reused")
    if reused is not None:
        return _refuse_key(draft, act, str(reused))
    if act.event in FACTS:
        return _tell_fact(draft, act, FACTS[act.event])
    if act.event == "submit":
        return _submit(draft, act)
    case = draft.refunds[str(act.refund)]
    turn = Turn(draft=draft, act=act, case=case, policy=draft.policy_of(case))
    return _act(turn, MOVES[act.event])


def register(line: Line, actor: Actor, *, rules: Rules, now: datetime) -> Decision:
    """Open the chain of an order line with what the marketplace tells about it (its seq is 0 before)."""
    draft = Draft(Aggregate(line=line, ledger=Ledger(), refunds={}), rules, now)
    with draft.line_entry("registered", actor, now, opens=True):
        pass
    return _decision(draft, entry=0)


def due(aggregate: Aggregate, *, rules: Rules, now: datetime) -> Decision:
    """Apply what is due at `now` and nothing else: what a read shows and what a worker fires."""
    draft = Draft(aggregate, rules, now)
    catch_up(draft)
    return _decision(draft)


def explain(
    aggregate: Aggregate, refund: str, actor: Actor, *, rules: Rules, now: datetime
) -> dict[str, tuple[Blocker, ...]]:
    """Return for every event of the chart and beside it what blocks this actor now; nothing where it is possible."""
    draft = Draft(due(aggregate, rules=rules, now=now).aggregate, rules, now)
    return _explain(draft, draft.refunds[refund], actor)


def blocked(
    aggregate: Aggregate,
    refund: str,
    event: str,
    actor: Actor,
    facts: Mapping[str, Json],
    *,
    rules: Rules,
    now: datetime,
) -> tuple[Blocker, ...]:
    """Return what would block one act that needs no terms; asking leaves no trace."""
    draft = Draft(due(aggregate, rules=rules, now=now).aggregate, rules, now)
    case, move = draft.refunds[refund], MOVES[event]
    act = Act(event=event, actor=actor, refund=refund, facts=facts, probe=True)
    turn = Turn(draft=draft, act=act, case=case, policy=draft.policy_of(case))
    return tuple(_role(move, actor) or _blockers(turn, move))


def allowed(draft: Draft, case: Case, actor: Actor) -> tuple[str, ...]:
    """Return the events that nothing blocks for this actor; every answer tells them, so only what may be is judged."""
    policy, possible = draft.policy_of(case), []
    for event, move in MOVES.items():
        if not move.offered or actor.role not in move.roles:
            continue
        act = Act(event=event, actor=actor, refund=case["id"], probe=True)
        turn = Turn(draft=draft, act=act, case=case, policy=policy)
        if _in_place(turn, move) and not _blockers(turn, move):
            possible.append(event)
    return tuple(possible)


def outlook(aggregate: Aggregate, act: Act, *, rules: Rules, now: datetime) -> claims.Outlook:
    """Say what a claim for the act's reason would meet."""
    draft = Draft(due(aggregate, rules=rules, now=now).aggregate, rules, now)
    turn = Turn(draft=draft, act=act, case=_unborn(draft, act), policy=rules.policy)
    return claims.outlook(turn, str(act.params.get("reason")))


def _explain(draft: Draft, case: Case, actor: Actor) -> dict[str, tuple[Blocker, ...]]:
    answers = {}
    for event, move in MOVES.items():
        if not move.offered:
            continue
        act = Act(event=event, actor=actor, refund=case["id"], probe=True)
        turn = Turn(draft=draft, act=act, case=case, policy=draft.policy_of(case))
        answers[event] = tuple(_role(move, actor) or _blockers(turn, move))
    return answers


def _refuse_key(draft: Draft, act: Act, event: str) -> Decision:
    """Refuse an idempotency key that another request has used up."""
    blockers = [Blocker(code="KEY_REUSED", params={"event": event})]
    if act.refund is None:
        return _refuse_on_line(draft, act, "rule", blockers)
    case = draft.refunds[act.refund]
    return _refuse(Turn(draft=draft, act=act, case=case, policy=draft.policy_of(case)), "rule", blockers)


def _role(move: Move | Fact, actor: Actor) -> list[Blocker]:
    if actor.role in move.roles:
        return []
    return [Blocker(code="ROLE_NOT_ALLOWED", params={"role": actor.role, "roles": sorted(move.roles)})]


def _blockers(turn: Turn, move: Move) -> list[Blocker]:
    """Return every blocker that can be judged; the wrong state first."""
    blockers = []
    if not _in_place(turn, move):
        possible = [event for event in TABLE.events_of[turn.case["state"]] if event in MOVES]
        blockers.append(Blocker(code="WRONG_STATE", params={"state": turn.case["state"], "possible": possible}))
        if move.states is not None or turn.act.probe:
            return blockers
    for guard in move.guards:
        blockers += guard(turn)
    if turn.act.event == "take_back" and not _given_by(turn):
        blockers.append(Blocker(code="NOTHING_TO_TAKE_BACK"))
    if not blockers and move.two_persons(turn):
        first = turn.case["firsts"].get(turn.act.event)
        same = first is not None and (turn.act.probe or first["terms"] == _terms(turn))
        if first is not None and same and first["name"] == turn.actor.name:
            blockers.append(Blocker(code="SECOND_PERSON_NEEDED", params={"first": first["name"]}))
    return blockers


def _in_place(turn: Turn, move: Move) -> bool:
    event, state = turn.act.event, turn.case["state"]
    if event in proofs.EVENTS:
        # A proof is never refused; asked beforehand, it is offered where it would move something.
        return (
            not turn.act.probe
            or state in TABLE.sources(event)
            or (event, state) == ("late_reversal", "paid_out.confirmed")
        )
    if event == "add_evidence" and turn.actor.role in BUYER_SIDE and state in TABLE.final:
        return False
    if move.states is not None:
        return state in move.states
    return state in TABLE.sources(event)


def _terms(turn: Turn) -> str:
    """Name the terms that two persons must agree on; what was left open is what it means."""
    terms = {name: value for name, value in turn.act.params.items() if value}
    if turn.act.event == "accept_offer":
        terms["offer"] = turn.case.get("standing")
    return sha256(json.dumps(terms, sort_keys=True).encode()).hexdigest()


def _given_by(turn: Turn) -> list[str]:
    named = turn.given("event")
    return [
        event
        for event, first in turn.case["firsts"].items()
        if first["name"] == turn.actor.name and named in (None, event)
    ]


def _submit(draft: Draft, act: Act) -> Decision:
    turn = Turn(draft=draft, act=act, case=_unborn(draft, act), policy=draft.rules.policy)
    rule = turn.policy.reasons.get(str(act.params.get("reason")))
    roles = frozenset({"service"}) if rule is not None and rule.service_only else claims.ROLES
    blockers = [] if act.actor.role in roles else [
        Blocker(code="ROLE_NOT_ALLOWED", params={"role": act.actor.role, "roles": sorted(roles)})
    ]  # fmt: skip
    if blockers:
        return _refuse_on_line(draft, act, "role", blockers)
    blockers = claims.claim_blockers(turn)
    if blockers:
        # What is possible instead is an act on the refund that is in the way.
        others = [draft.refunds[b.params["refund"]] for b in blockers if b.code == "REFUND_IN_PROGRESS"]
        possible = tuple(event for case in others[:1] for event in allowed(draft, case, act.actor))
        return _refuse_on_line(draft, act, "rule", blockers, possible)
    index = len(draft.entries)
    claims.open_case(turn)
    return _decision(draft, refund=draft.entries[index].subject, entry=index)


def _unborn(draft: Draft, act: Act) -> Case:
    turn = Turn(draft=draft, act=act, case={}, policy=draft.rules.policy)  # type: ignore[typeddict-item]
    return claims.new_case(turn)


def _tell_fact(draft: Draft, act: Act, fact: Fact) -> Decision:
    role = _role(fact, act.actor)
    if role:
        return _refuse_on_line(draft, act, "role", role)
    known = fact.known(draft, act)
    if known is not None:
        return _decision(draft, known=known)
    blockers = list(fact.blockers(draft, act))
    if blockers:
        return _refuse_on_line(draft, act, "rule", blockers)
    turn_terms = sha256(json.dumps(dict(act.params), sort_keys=True).encode()).hexdigest()
    first = draft.line["firsts"].get(act.event)
    if fact.two_persons and (first is None or first["terms"] != turn_terms):
        return _first_on_line(draft, act, turn_terms)
    if fact.two_persons and first is not None and first["name"] == act.actor.name:
        return _refuse_on_line(
            draft, act, "rule", [Blocker(code="SECOND_PERSON_NEEDED", params={"first": first["name"]})]
        )
    index = len(draft.entries)
    with draft.line_entry(
        act.event,
        act.actor,
        draft.now,
        params=act.params,
        texts=tuple(act.texts),
        occurred_at=act.occurred_at,
    ) as line:
        line["firsts"].pop(act.event, None)
        fact.apply(draft, act, line)
    if fact.told_to_refunds:
        for case in list(draft.refunds.values()):
            with draft.entry(case, act.event, act.actor, draft.now, kind="fact", params=act.params) as new:
                new["chargeback_seen"] = True
    return _decision(draft, entry=index)


def _first_on_line(draft: Draft, act: Act, terms: str) -> Decision:
    index = len(draft.entries)
    with draft.line_entry(act.event, act.actor, draft.now, params={**act.params, "first": True}) as line:
        line["firsts"][act.event] = {
            "name": act.actor.name, "role": act.actor.role, "terms": terms, "seq": line["seq"],
        }  # fmt: skip
    return _decision(draft, entry=index, waiting=True)


def _refuse_on_line(
    draft: Draft, act: Act, kind: str, blockers: list[Blocker], possible: tuple[str, ...] = ()
) -> Decision:
    index = len(draft.entries)
    with draft.line_entry(
        act.event, act.actor, draft.now, kind="refused", params=_refused_params(act), texts=tuple(act.texts),
        blockers=tuple(blockers),
    ):  # fmt: skip
        pass
    refusal = Refusal(kind="role" if kind == "role" else "rule", blockers=tuple(blockers), possible=possible)
    return _decision(draft, entry=index, refusal=refusal)


def _act(turn: Turn, move: Move) -> Decision:
    role = _role(move, turn.actor)
    if role:
        return _refuse(turn, "role", role)
    known = _known(turn)
    if known is not None:
        return _decision(turn.draft, refund=turn.case["id"], known=known)
    blockers = _blockers(turn, move)
    if blockers:
        return _refuse(turn, "rule", blockers)
    proof = proofs.sort_proof(turn) if turn.act.event in proofs.EVENTS else None
    two = move.two_persons(turn) and (proof is None or proof.kind != "kept")
    first = turn.case["firsts"].get(turn.act.event)
    if two and (first is None or first["terms"] != _terms(turn)):
        return _first(turn, move)
    if proof is not None and proof.kind != "move":
        return _beside_proof(turn, proof)
    return _move(turn, move)


def _known(turn: Turn) -> int | None:
    """Return the seq of the entry that already told this fact, or None."""
    case, event = turn.case, turn.act.event
    if event in proofs.EVENTS:
        proof = proofs.sort_proof(turn)
        return proof.seq if proof.kind == "known" else None
    if event == "add_evidence":
        return known_since(turn, case)
    if event == "flag_risk":
        return case["flags"].get(str(turn.given("flag")))
    if event == "payout_refused":
        return payout.refusal_known(turn)
    if event == "void_attempt":
        item = case["attempts"].get(str(turn.given("number")))
        return int(item["void_seq"]) if item is not None and item["void"] else None
    return None


def _refuse(turn: Turn, kind: str, blockers: list[Blocker]) -> Decision:
    draft, act = turn.draft, turn.act
    index = len(draft.entries)
    with draft.entry(
        turn.case, act.event, act.actor, draft.now, kind="refused", params=_refused_params(act),
        texts=tuple(act.texts), blockers=tuple(blockers),
    ):  # fmt: skip
        pass
    refusal = Refusal(
        kind="role" if kind == "role" else "rule",
        blockers=tuple(blockers),
        possible=allowed(draft, turn.case, act.actor),
    )
    return _decision(draft, refund=turn.case["id"], entry=index, refusal=refusal)


def _refused_params(act: Act) -> Mapping[str, Json]:
    """Return what was asked for; of files that were not taken, only how many."""
    params = dict(act.params)
    if "evidence" in params:
        params["evidence"] = len(params["evidence"])
    return params


def _first(turn: Turn, move: Move) -> Decision:
    """Record the first of two persons: the state stays and the standing deadline goes on."""
    draft, act = turn.draft, turn.act
    index = len(draft.entries)
    params = {**act.params, "first": True}
    with draft.entry(turn.case, act.event, act.actor, draft.now, params=params, texts=tuple(act.texts)) as new:
        new["firsts"][act.event] = {
            "name": act.actor.name, "role": act.actor.role, "terms": _terms(turn), "seq": new["seq"],
            **({"number": turn.given("number")} if act.event in proofs.EVENTS else {}),
        }  # fmt: skip
        if move.deciding:
            review.decides(turn, new)
        draft.tell("staff_task", "SECOND_PERSON", event=act.event, first=act.actor.name)
    return _decision(draft, refund=turn.case["id"], entry=index, waiting=True)


def _beside_proof(turn: Turn, proof: proofs.Sorted) -> Decision:
    """Record a proof that moves nothing in the chart; a stray payment is a fact of the order line too."""
    draft, act = turn.draft, turn.act
    index = len(draft.entries)
    params = {**act.params, "as": proof.kind, **({"why": proof.why} if proof.why else {})}
    with draft.entry(
        turn.case, act.event, act.actor, draft.now, kind="fact", params=params, texts=tuple(act.texts),
        occurred_at=act.occurred_at,
    ) as new:  # fmt: skip
        if proof.kind == "stray":
            proofs.confirm_first(turn, new)
        match proof.kind:
            case "stray":
                proofs.stray(turn, new)
            case "early":
                proofs.early(turn, new, proof.why)
            case "stray_returned":
                proofs.stray_returned(turn, new)
            case "late":
                proofs.late(turn, new)
            case _:
                proofs.keep(turn, new, proof.why)
    if proof.kind in ("stray", "stray_returned"):
        proofs.count_stray(turn, proof.kind)
    _fall_of_moot_proof(draft, turn.case["id"])
    return _decision(draft, refund=turn.case["id"], entry=index)


def _fall_of_moot_proof(draft: Draft, refund: str) -> None:
    """Let the first who told a payment fall when the number has meanwhile paid or come back."""
    case = draft.refunds[refund]
    first = case["firsts"].get("payout_settled")
    if first is not None and case["attempts"].get(first["number"], {}).get("state") in payout.PAID:
        fall(draft, refund, ["payout_settled"], cause=case["seq"])


def _move(turn: Turn, move: Move) -> Decision:
    draft, act, case = turn.draft, turn.act, turn.case
    index = len(draft.entries)
    target = TABLE.target(case["state"], act.event, situation_of(case)) or case["state"]
    with draft.entry(
        case, act.event, act.actor, draft.now, kind=move.kind, params=_params(turn), texts=tuple(act.texts),
        occurred_at=act.occurred_at,
    ) as new:  # fmt: skip
        taken = _given_by(turn) if act.event == "take_back" else []
        for event in taken:
            del new["firsts"][event]
            if event == "payout_settled":
                draft.tell("staff_task", "PROOF_FELL", event=event, name=act.actor.name)
        if act.event in proofs.EVENTS:
            proofs.confirm_first(turn, new)
        else:
            new["firsts"].pop(act.event, None)
        if act.event == "appeal":
            new["instance"] = "appeal"
        clocks.change_state(draft, new, target, draft.now)
        move.apply(turn, new)
        _note_party(turn, move, new)
        _tidy(draft, case, new)
    follow_ups(draft, case, new, act.event)
    _fall_of_moot_proof(draft, case["id"])
    if len(new["evidence"]) > len(case["evidence"]) and case["state"] == new["state"]:
        deciding = [event for event in new["firsts"] if MOVES[event].deciding]
        fall(draft, new["id"], deciding, cause=new["seq"])
    return _decision(draft, refund=case["id"], entry=index)


def _params(turn: Turn) -> Mapping[str, Json]:
    """Return the parameters as the entry writes them: of evidence only what is new."""
    if "evidence" not in turn.act.params:
        return turn.act.params
    return {**turn.act.params, "evidence": named_files(turn, turn.case)}


def _note_party(turn: Turn, move: Move, case: Case) -> None:
    """Note a service that did what the claimant could have done: who acted for him never decides."""
    name = turn.actor.name
    if turn.actor.role == "service" and "buyer" in move.roles and name not in case["parties"]:
        case["parties"] = [*case["parties"], name]


def _tidy(draft: Draft, before: Case, case: Case) -> None:
    """Leave nothing behind that belonged to the state that was left."""
    if case["state"] != before["state"]:
        if before["state"] == "under_review.negotiating":
            negotiation.end_offer(case, "withdrawn")
        if before["state"] == "awaiting_evidence":
            case.pop("request", None)
    if case["state"] in TABLE.final:
        money.release(draft, case)


def _decision(
    draft: Draft, *, refund: str | None = None, entry: int | None = None, known: int | None = None,
    refusal: Refusal | None = None, waiting: bool = False,
) -> Decision:  # fmt: skip
    return Decision(
        aggregate=draft.aggregate(), entries=tuple(draft.entries), effects=tuple(draft.effects), refusal=refusal,
        refund=refund, entry=entry, known=known, waiting=waiting,
    )  # fmt: skip


__all__ = ["EVENTS", "MOVES", "SYSTEM", "allowed", "blocked", "decide", "due", "explain", "outlook", "register"]
