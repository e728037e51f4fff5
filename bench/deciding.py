"""Deciding alone, without a database: the rules by the compiled table, and the library's engine for comparison."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from types import SimpleNamespace

from bench.arms.orm_small import Flow
from bench.report import Section
from bench.rounds import Times, turns
from bench.scene import STATES, Scene
from refundflow.service import Refunds
from states.case import Act, Actor
from states.decide import MOVES, allowed, decide
from states.draft import Draft, Turn
from states.judge import caught_up, role_blockers, rule_blockers
from states.lapses import situation_of
from states.refund_v1 import TABLE

EVENT = "request_evidence"
REPEATED = 100  # calls of one measurement
BLOCKERS = "what blocks it: role, state, every guard"
JUDGED = "judging: whether a deadline is due on the line, and what blocks it"
DECIDE = "`states.decide`: lapses, guards, deadline, entry, effects"
ENGINE = "python-statemachine: an instance, one event"


def measure(scene: Scene, *, rounds: int = 20) -> Mapping[str, Times]:
    """Measure on one refund under review that is read once, in milliseconds of `REPEATED` calls."""
    actor = Actor(role="agent", name="li")
    place = scene.rest[0]
    with Refunds.connect(scene.url) as refunds:
        stored = refunds.engine.read(lambda tx: tx.aggregate(place.order_id, "1", lock=False))
        assert stored is not None
        aggregate, rules, now = stored.aggregate, refunds.engine.known_rules, datetime.now(UTC)
        refunds.engine.read(lambda tx: refunds.engine.rules(tx, aggregate))
    case = aggregate.refunds[place.refund]
    assert case["state"] in STATES
    act = Act(event=EVENT, actor=actor, refund=place.refund, params={"kinds": ["screenshot"]})
    draft = Draft(aggregate, rules, now)
    turn = Turn(draft=draft, act=act, case=case, policy=draft.policy_of(case))
    situation = situation_of(case)

    def judged() -> object:
        found = caught_up(aggregate, rules, now)
        asked = Turn(draft=found, act=act, case=found.refunds[place.refund], policy=turn.policy)
        return role_blockers(MOVES[EVENT], actor) or rule_blockers(asked, MOVES[EVENT])

    def engine() -> None:
        Flow(model=SimpleNamespace(state="reviewing", rounds=0)).send(EVENT)

    ways = {
        "the table: state, event, situation → state": lambda: TABLE.target(case["state"], EVENT, situation),
        BLOCKERS: lambda: role_blockers(MOVES[EVENT], actor) or rule_blockers(turn, MOVES[EVENT]),
        JUDGED: judged,
        "what is allowed now: all events": lambda: allowed(draft, case, actor),
        DECIDE: lambda: decide(aggregate, act, rules=rules, now=now),
        ENGINE: engine,
    }
    return turns({name: partial(_repeat, call) for name, call in ways.items()}, rounds=rounds, calls=1)


def _repeat(call: Callable[[], object]) -> None:
    for _ in range(REPEATED):
        call()


def section(times: Mapping[str, Times]) -> Section:
    """Write the table."""
    rows = [
        (name, f"{taken.median() * 1e3 / REPEATED:.1f}", f"{taken.median('cpu') * 1e3 / REPEATED:.1f}")
        for name, taken in times.items()
    ]
    return Section(
        title="Deciding alone", names=1, rows=rows, head=("what", "µs", "CPU, µs"),
        about=f"`{EVENT}` on one refund in memory; nothing is read or written.",
    )  # fmt: skip
