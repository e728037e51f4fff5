"""The one door: an act on an order line becomes entries and effects, or a refusal with every blocker."""

from collections.abc import Mapping
from datetime import datetime

from states import claims, clocks, money, negotiation, payout, proofs, review
from states.case import Act, Actor, Aggregate, Blocker, Case, Decision, Json, Ledger, Line, Refusal
from states.draft import SYSTEM, Draft, Rules, Turn
from states.evidence import known_since, named_files
from states.follow import fall, follow_ups
from states.judge import (
    EVENTS,
    MOVES,
    allowed,
    caught_up,
    explain,
    given_by,
    outlook,
    role_blockers,
    rule_blockers,
    terms,
    unborn,
)
from states.lapses import target_of
from states.line import FACTS
from states.moves import Move
from states.outcome import outcome, refused_params
from states.refund_v1 import TABLE
from states.telling import refuse_on_line, tell_fact


def decide(aggregate: Aggregate, act: Act, *, rules: Rules, now: datetime) -> Decision:
    """Judge one act at `now`, after everything that is due on the line; pure, and the only way to change a refund.

    Lapses and a refusal that follows are both in the decision: they are committed together.
    """
    draft = caught_up(aggregate, rules, now)
    reused = act.facts.get("key_reused")
    if reused is not None:
        return _refuse_key(draft, act, str(reused))
    if act.refund is None and act.event in FACTS:
        return tell_fact(draft, act, FACTS[act.event])
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
    return outcome(draft, entry=0)


def due(aggregate: Aggregate, *, rules: Rules, now: datetime) -> Decision:
    """Apply what is due at `now` and nothing else: what a read shows and what a worker fires."""
    draft = caught_up(aggregate, rules, now)
    return outcome(draft)


def _refuse_key(draft: Draft, act: Act, event: str) -> Decision:
    """Refuse an idempotency key that another request has used up."""
    blockers = [Blocker(code="KEY_REUSED", params={"event": event})]
    if act.refund is None:
        return refuse_on_line(draft, act, "rule", blockers)
    case = draft.refunds[act.refund]
    return _refuse(Turn(draft=draft, act=act, case=case, policy=draft.policy_of(case)), "rule", blockers)


def _submit(draft: Draft, act: Act) -> Decision:
    turn = Turn(draft=draft, act=act, case=unborn(draft, act), policy=draft.rules.policy)
    rule = turn.policy.reasons.get(str(act.params.get("reason")))
    roles = frozenset({"service"}) if rule is not None and rule.service_only else claims.ROLES
    blockers = [] if act.actor.role in roles else [
        Blocker(code="ROLE_NOT_ALLOWED", params={"role": act.actor.role, "roles": sorted(roles)})
    ]  # fmt: skip
    if blockers:
        return refuse_on_line(draft, act, "role", blockers)
    blockers = claims.claim_blockers(turn)
    if blockers:
        # What is possible instead is an act on the refund that is in the way.
        others = [draft.refunds[b.params["refund"]] for b in blockers if b.code == "REFUND_IN_PROGRESS"]
        possible = tuple(event for case in others[:1] for event in allowed(draft, case, act.actor))
        return refuse_on_line(draft, act, "rule", blockers, possible)
    index = len(draft.entries)
    claims.open_case(turn)
    return outcome(draft, refund=draft.entries[index].subject, entry=index)


def _act(turn: Turn, move: Move) -> Decision:
    act = turn.act
    role = role_blockers(move, act.actor)
    if role:
        return _refuse(turn, "role", role)
    known = _known(turn)
    if known is not None:
        return outcome(turn.draft, refund=turn.case["id"], known=known)
    blockers = rule_blockers(turn, move)
    if blockers:
        return _refuse(turn, "rule", blockers)
    proof = proofs.sort_proof(turn) if act.event in proofs.EVENTS else None
    if move.two_persons(turn) and (proof is None or proof.kind != "kept"):
        first = turn.case["firsts"].get(act.event)
        if first is None or first["terms"] != terms(turn):
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
        turn.case, act.event, act.actor, draft.now, kind="refused", params=refused_params(act),
        texts=tuple(act.texts), blockers=tuple(blockers),
    ):  # fmt: skip
        pass
    refusal = Refusal(
        kind="role" if kind == "role" else "rule",
        blockers=tuple(blockers),
        possible=allowed(draft, turn.case, act.actor),
    )
    return outcome(draft, refund=turn.case["id"], entry=index, refusal=refusal)


def _first(turn: Turn, move: Move) -> Decision:
    """Record the first of two persons: the state stays and the standing deadline goes on."""
    draft, act = turn.draft, turn.act
    index = len(draft.entries)
    params = {**act.params, "first": True}
    with draft.entry(
        turn.case, act.event, act.actor, draft.now, params=params, texts=tuple(act.texts), occurred_at=act.occurred_at
    ) as new:
        new["firsts"][act.event] = {
            "name": act.actor.name, "role": act.actor.role, "terms": terms(turn), "seq": new["seq"],
            **({"number": turn.given("number")} if act.event in proofs.EVENTS else {}),
        }  # fmt: skip
        if move.deciding:
            review.decides(turn, new)
        draft.tell("staff_task", "SECOND_PERSON", event=act.event, first=act.actor.name)
    return outcome(draft, refund=turn.case["id"], entry=index, waiting=True)


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
    proofs.take_back_resolved(turn)
    _fall_of_moot_proof(draft, turn.case["id"])
    return outcome(draft, refund=turn.case["id"], entry=index)


def _fall_of_moot_proof(draft: Draft, refund: str) -> None:
    """Let the first who told a payment fall when the number has meanwhile paid or come back."""
    case = draft.refunds[refund]
    first = case["firsts"].get("payout_settled")
    if first is not None and case["attempts"].get(first["number"], {}).get("state") in payout.PAID:
        fall(draft, refund, ["payout_settled"], cause=case["seq"])


def _move(turn: Turn, move: Move) -> Decision:
    draft, act, case = turn.draft, turn.act, turn.case
    index = len(draft.entries)
    target = target_of(case, act.event) or case["state"]
    with draft.entry(
        case, act.event, act.actor, draft.now, kind=move.kind,
        params=_params(turn) if "evidence" in act.params else act.params,
        texts=tuple(act.texts), occurred_at=act.occurred_at,
    ) as new:  # fmt: skip
        taken = given_by(turn) if act.event == "take_back" else []
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
        if act.actor.role == "service" and "buyer" in move.roles:
            _note_party(act.actor.name, new)
        _tidy(draft, case, new)
    if act.event in proofs.EVENTS:
        proofs.take_back_resolved(turn)
    follow_ups(draft, case, new, act.event)
    _fall_of_moot_proof(draft, case["id"])
    if len(new["evidence"]) > len(case["evidence"]) and case["state"] == new["state"]:
        deciding = [event for event in new["firsts"] if MOVES[event].deciding]
        fall(draft, new["id"], deciding, cause=new["seq"])
    return outcome(draft, refund=case["id"], entry=index)


def _params(turn: Turn) -> Mapping[str, Json]:
    """Return the parameters of evidence as the entry writes them: only what is new."""
    return {**turn.act.params, "evidence": named_files(turn, turn.case)}


def _note_party(service: str, case: Case) -> None:
    """Note a service that did what the claimant could have done: who acted for him never decides."""
    if service not in case["parties"]:
        case["parties"] = [*case["parties"], service]


def _tidy(draft: Draft, before: Case, case: Case) -> None:
    """Leave nothing behind that belonged to the state that was left."""
    if case["state"] != before["state"]:
        if before["state"] == "under_review.negotiating":
            negotiation.end_offer(case, "withdrawn")
        if before["state"] == "awaiting_evidence":
            case.pop("request", None)
    if case["state"] in TABLE.final:
        money.release(draft, case)


__all__ = ["EVENTS", "MOVES", "SYSTEM", "allowed", "decide", "due", "explain", "outlook", "register"]
