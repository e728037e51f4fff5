"""Facts of the order line at the door: told, known, refused, or the first of two persons."""

from states.case import Act, Blocker, Decision, Refusal
from states.draft import Draft
from states.judge import role_blockers, terms_of
from states.line import Fact
from states.outcome import outcome, refused_params


def tell_fact(draft: Draft, act: Act, fact: Fact) -> Decision:
    """Judge and record one fact of the line."""
    role = role_blockers(fact, act.actor)
    if role:
        return refuse_on_line(draft, act, "role", role)
    known = fact.known(draft, act)
    if known is not None:
        return outcome(draft, known=known)
    blockers = list(fact.blockers(draft, act))
    if blockers:
        return refuse_on_line(draft, act, "rule", blockers)
    if fact.two_persons:
        terms, first = terms_of(act.params), draft.line["firsts"].get(act.event)
        if first is None or first["terms"] != terms:
            return _first_on_line(draft, act, terms)
        if first["name"] == act.actor.name:
            needed = Blocker(code="SECOND_PERSON_NEEDED", params={"first": first["name"]})
            return refuse_on_line(draft, act, "rule", [needed])
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
    return outcome(draft, entry=index)


def _first_on_line(draft: Draft, act: Act, terms: str) -> Decision:
    index = len(draft.entries)
    with draft.line_entry(act.event, act.actor, draft.now, params={**act.params, "first": True}) as line:
        line["firsts"][act.event] = {
            "name": act.actor.name, "role": act.actor.role, "terms": terms, "seq": line["seq"],
        }  # fmt: skip
    return outcome(draft, entry=index, waiting=True)


def refuse_on_line(
    draft: Draft, act: Act, kind: str, blockers: list[Blocker], possible: tuple[str, ...] = ()
) -> Decision:
    """Record a refusal in the chain of the line."""
    index = len(draft.entries)
    with draft.line_entry(
        act.event, act.actor, draft.now, kind="refused", params=refused_params(act), texts=tuple(act.texts),
        blockers=tuple(blockers),
    ):  # fmt: skip
        pass
    refusal = Refusal(kind="role" if kind == "role" else "rule", blockers=tuple(blockers), possible=possible)
    return outcome(draft, entry=index, refusal=refusal)
