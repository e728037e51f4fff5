"""Review and appeal: evidence, approval, rejection, and what each of them needs."""

from collections.abc import Iterable

from states import clocks, codes, money, times
from states.case import Act, Actor, Blocker, Case, Json
from states.draft import Turn
from states.eligibility import clear_evidence, usage_blockers
from states.evidence import add_files, came_since, file_blockers, unknown_kinds, unseen_files
from states.moves import Move, of_system, of_terms, text_required, who

ARGUMENT_CHARACTERS = 10  # "an argument of at least a sentence"


def decides(turn: Turn, case: Case) -> None:
    """Note that the actor has decided in this instance."""
    names = case["decided"].get(case["instance"], [])
    if turn.actor.role != "system" and turn.actor.name not in names:
        case["decided"][case["instance"]] = [*names, turn.actor.name]


def may_decide(turn: Turn) -> list[Blocker]:
    """Return what keeps a person from deciding: being the claimant's side, or the review's in the appeal."""
    name = turn.actor.name
    blockers = []
    if turn.actor.is_claimant or name in turn.case["parties"]:
        blockers.append(Blocker(code="CLAIMANT_DECIDES", params={"name": name}))
    if turn.case["instance"] == "appeal" and name in turn.case["decided"].get("review", []):
        blockers.append(Blocker(code="DECIDED_IN_REVIEW", params={"name": name}))
    return blockers


def above_limit(turn: Turn, amount: int) -> bool:
    """Tell whether an amount needs two persons."""
    return amount > turn.policy.money[turn.case["currency"]].two_persons_above


def open_approval(turn: Turn, case: Case, amount: int) -> None:
    """Record an approval for an amount, and tell the buyer and the shop."""
    number = case["approvals"] + 1
    case["approvals"] = number
    case["approved"] = amount
    case["approval"] = {
        "no": number, "seq": case["seq"], "amount": amount, "instance": case["instance"], "at": case["effective_at"],
    }  # fmt: skip
    turn.draft.tell("buyer_message", "APPROVED", amount=amount, currency=case["currency"])
    turn.draft.tell("entitlement_revoke", "ENTITLEMENT_REVOKE", product=turn.line["product"])


def reject_case(turn: Turn, case: Case, grounds: list[str], by: Actor) -> None:
    """Record a rejection with its grounds; a final one tells no appeal window."""
    case["rejection"] = {
        "grounds": grounds,
        "seq": case["seq"],
        "at": case["effective_at"],
        "instance": case["instance"],
    }
    window = case["deadlines"].get("appeal_window")
    turn.draft.tell("buyer_message", "REJECTED", grounds=grounds, appeal_until=window["due_at"] if window else None)


# guards


def _eligible(turn: Turn) -> Iterable[Blocker]:
    return usage_blockers(turn, turn.case["reserved"], whole=True)


@of_terms
def _eligible_or_stated(turn: Turn) -> Iterable[Blocker]:
    """Judge what Eligibility says; a stated ground lifts its blockers, no other."""
    return [] if turn.has_text("ground") or turn.act.probe else _eligible(turn)


def _covered(turn: Turn) -> Iterable[Blocker]:
    return [
        *money.chargeback_open(turn.draft),
        *money.not_covered(turn.draft, turn.case, turn.case["reserved"]),
    ]


@of_system
def _small_claim(turn: Turn) -> Iterable[Blocker]:
    if turn.actor.role != "system":
        return
    limit = turn.policy.money[turn.case["currency"]].small_claim_up_to
    if turn.case["reserved"] > limit:
        yield Blocker(code="ABOVE_SMALL_CLAIM", params={"limit": limit})
    if turn.case["flags"]:
        yield Blocker(code="RISK_FLAGGED", params={"flags": sorted(turn.case["flags"])})
    if turn.case.get("chargeback_seen") or turn.line["chargebacks"]:
        yield Blocker(code="CHARGEBACK_SEEN")


@of_terms
def _grounds(turn: Turn) -> Iterable[Blocker]:
    if not turn.asked("grounds"):
        return
    grounds = turn.given("grounds") or []
    if not grounds and not (turn.act.event == "uphold" and turn.has_text("message")):
        yield Blocker(code="GROUND_REQUIRED", params={"allowed": list(codes.GROUNDS)})
    allowed = turn.policy.system_grounds if turn.actor.role == "system" else codes.GROUNDS
    unknown = [ground for ground in grounds if ground not in allowed]
    if unknown:
        yield Blocker(code="UNKNOWN_GROUND", params={"grounds": unknown, "allowed": list(allowed)})


@of_system
def _evidence_read(turn: Turn) -> Iterable[Blocker]:
    if turn.actor.role == "system" and turn.case["evidence"]:
        yield Blocker(code="EVIDENCE_UNREAD", params={"count": len(turn.case["evidence"])})


@of_terms
def _kinds(turn: Turn) -> Iterable[Blocker]:
    if not turn.asked("kinds"):
        return []
    kinds = turn.given("kinds") or []
    return (
        unknown_kinds(kinds)
        if kinds
        else [Blocker(code="KINDS_REQUIRED", params={"allowed": list(codes.EVIDENCE_KINDS)})]
    )


def _evidence_round(turn: Turn) -> Iterable[Blocker]:
    used, limit = turn.case["rounds"].get(f"evidence.{turn.case['instance']}", 0), turn.policy.evidence_rounds
    if used >= limit:
        yield Blocker(code="EVIDENCE_ROUNDS_USED", params={"used": used, "limit": limit})


@of_terms
def _complete(turn: Turn) -> Iterable[Blocker]:
    request = turn.case.get("request")
    if request is None or turn.given("all") or not turn.asked("evidence"):
        return
    here = {item["kind"] for item in turn.given("evidence") or []}
    here |= {item["kind"] for item in came_since(turn.case, request["seq"])}
    missing = [kind for kind in request["kinds"] if kind not in here]
    if missing:
        yield Blocker(code="EVIDENCE_INCOMPLETE", params={"missing": missing})


@of_terms
def _new_ground(turn: Turn) -> Iterable[Blocker]:
    if turn.act.probe:
        return
    argument = "".join(turn.act.texts.get("argument", "").split())
    since = turn.case.get("rejection", {}).get("seq", 0)
    brought = unseen_files(turn, turn.case) or came_since(turn.case, since)
    if brought or len(argument) >= ARGUMENT_CHARACTERS:
        return
    yield Blocker(code="NO_NEW_GROUND", params={"characters": ARGUMENT_CHARACTERS})


# what the moves do


def _approve(turn: Turn, case: Case) -> None:
    decides(turn, case)
    open_approval(turn, case, case["reserved"])


def _reject(turn: Turn, case: Case) -> None:
    decides(turn, case)
    reject_case(turn, case, list(turn.given("grounds") or []), turn.actor)


def _request_evidence(turn: Turn, case: Case) -> None:
    name = f"evidence.{case['instance']}"
    case["rounds"][name] = case["rounds"].get(name, 0) + 1
    case["request"] = {"kinds": list(turn.given("kinds")), "seq": case["seq"], "round": case["rounds"][name]}
    closes = "closed" if case["instance"] == "appeal" else "rejected"
    turn.draft.tell(
        "buyer_message", "EVIDENCE_REQUESTED", kinds=case["request"]["kinds"],
        due_at=case["deadlines"]["evidence"]["due_at"], silence=closes,
    )  # fmt: skip


def _appeal(turn: Turn, case: Case) -> None:
    _add_evidence(turn, case)
    clear = case.get("clear_evidence", False)
    for name in ("assignee", "hold"):  # the appeal is another's work, with an escalation of its own
        case.pop(name, None)  # type: ignore[misc]
    case["left"].pop("review", None)
    turn.draft.tell("staff_task", "APPEALED", clear_evidence=clear, due_at=case["deadlines"]["appeal_review"]["due_at"])


def _add_evidence(turn: Turn, case: Case) -> None:
    add_files(turn, case)
    if case["instance"] == "appeal" and clear_evidence(turn.policy, turn.line, case):
        case["clear_evidence"] = True


def _two(turn: Turn) -> bool:
    return above_limit(turn, turn.case["reserved"])


_BEFORE_APPROVAL = frozenset(
    {
        "submitted",
        "under_review.reviewing",
        "under_review.negotiating",
        "awaiting_evidence",
        "rejected.appealable",
        "appealed",
    }
)


@of_terms
def _assignable(turn: Turn) -> Iterable[Blocker]:
    if not turn.asked("to"):
        return
    name = turn.given("to")
    if turn.act.facts.get("assignee_is_claimant") or name in turn.case["parties"]:
        yield Blocker(code="CLAIMANT_DECIDES", params={"name": name})
    if not turn.act.facts.get("assignee_registered"):
        yield Blocker(code="NOT_REGISTERED", params={"name": name})


def _assign(turn: Turn, case: Case) -> None:
    case["assignee"] = turn.given("to")
    turn.draft.tell("staff_task", "ASSIGNED", to=case["assignee"])


def _flag(turn: Turn, case: Case) -> None:
    case["flags"][turn.given("flag")] = case["seq"]


def _note(turn: Turn, case: Case) -> None:
    if turn.given("audience") == "buyer":
        turn.draft.tell("buyer_message", "NOTE", contact=turn.given("contact"))


def _extension(turn: Turn) -> Iterable[Blocker]:
    name = extension_of(turn.act, turn.case)
    deadline = turn.case["deadlines"].get(name)
    latest: Json = None
    if deadline is not None and name in clocks.EXTENDABLE and not deadline.get("extended"):
        latest = times.text(clocks.shifted(deadline["due_at"], turn.policy.extension_days, turn.policy.zone))
    days = turn.given("days") if "days" in turn.act.params else None
    if latest is None or (days is not None and not 0 < days <= turn.policy.extension_days):
        yield Blocker(code="EXTENSION_NOT_ALLOWED", params={"deadline": name, "latest": latest})


def extension_of(act: Act, case: Case) -> str:
    """Return the deadline that an extension is for: the one named, else the standing one."""
    return str(act.params.get("deadline") or clocks.STANDING.get(case["state"], ""))


def _extend(turn: Turn, case: Case) -> None:
    name = extension_of(turn.act, case)
    clocks.extend(turn.draft, case, name, turn.given("days") or turn.policy.extension_days, turn.now)
    turn.draft.tell("buyer_message", "DEADLINE_EXTENDED", deadline=name, due_at=case["deadlines"][name]["due_at"])


MOVES = {
    "begin_review": Move(roles=who("agent", "system")),
    "request_evidence": Move(
        roles=who("agent", "system"), guards=(_kinds, _evidence_round), apply=_request_evidence
    ),
    "provide_evidence": Move(roles=who("buyer", "service"), guards=(file_blockers, _complete), apply=_add_evidence),
    "end_request": Move(roles=who("agent"), guards=(text_required("REASON_REQUIRED", "message"),)),
    "approve": Move(
        roles=who("agent", "system"), guards=(may_decide, _eligible, _covered, _small_claim),
        apply=_approve, two_persons=_two, deciding=True,
    ),
    "reject": Move(
        roles=who("agent", "system"),
        guards=(may_decide, _grounds, text_required("TEXT_REQUIRED", "message"), _evidence_read),
        apply=_reject, deciding=True,
    ),
    "withdraw": Move(roles=who("buyer", "service")),
    "appeal": Move(roles=who("buyer", "service"), guards=(file_blockers, _new_ground), apply=_appeal),
    "uphold": Move(roles=who("agent"), guards=(may_decide, _grounds), apply=_reject, deciding=True),
    "overturn": Move(
        roles=who("agent"), guards=(may_decide, _eligible_or_stated, _covered), apply=_approve, two_persons=_two,
        deciding=True,
    ),
    "assign": Move(roles=who("agent"), guards=(_assignable,), apply=_assign, states=_BEFORE_APPROVAL, kind="fact"),
    "flag_risk": Move(roles=who("agent", "service", "system"), apply=_flag, states=_BEFORE_APPROVAL, kind="fact"),
    "note": Move(
        roles=who("agent", "service", "finance"), apply=_note, kind="fact",
        states=frozenset({*clocks.STANDING, "rejected.closed", "paid_out.confirmed", "withdrawn"}),
    ),
    "add_evidence": Move(
        roles=who("buyer", "service", "agent", "finance"), guards=(file_blockers,), apply=_add_evidence, kind="fact",
        states=frozenset({*clocks.STANDING, "rejected.closed", "paid_out.confirmed", "withdrawn"}),
    ),
    "extend": Move(
        roles=frozenset({"supervisor"}), guards=(text_required("REASON_REQUIRED", "message"), _extension),
        apply=_extend, kind="fact", states=frozenset(clocks.STANDING),
    ),
}  # fmt: skip
