"""The page of the chart: diagram, states, moves, deadlines with their bounds, roles of every event."""

from docs.generate.markdown import block, code, table
from docs.generate.markdown import page as whole_page
from refundflow import messages, policies
from refundflow.render import chart
from states import claims, clocks
from states.chart import phase_of
from states.decide import MOVES
from states.line import FACTS
from states.moves import never
from states.refund_v1 import CHART, TABLE

_TWO_PERSONS = {
    "approve": "above the limit",
    "overturn": "above the limit",
    "offer": "above the limit",
    "accept_offer": "an agent, above the limit",
    "payout_settled": "finance",
    "reroute_payout": "always",
    "pay_manually": "always",
    "excess_resolved": "always",
}


def page() -> str:
    """Return the page."""
    return whole_page(
        f"The chart `{CHART}`",
        "What may happen to one refund. `refundflow chart` prints the same, also for a policy of your own "
        "(`--policy FILE`). What blocks a move beyond the chart: [codes](codes.md), [eligibility](eligibility.md).",
        "## Diagram",
        block("mermaid", chart.mermaid(TABLE)),
        "Events that leave the state as it is are in the tables only.",
        "## States",
        _states(),
        "## Moves",
        f"Guards are those of the chart itself; `!` negates. `submit` creates the refund in `{TABLE.initial}`.",
        table(("event", "from", "to", "guards"), ((code(e), code(f), code(t), g) for e, f, t, g in chart.moves(TABLE))),
        "## Deadlines",
        "With the default policy. An act is in time strictly before the due moment. *Ends within*: how long the refund "
        "can stay open by deadlines alone from entering the state on; a dash where only a person ends it. An open "
        f"enquiry adds the deadline `enquiry` ({policies.default().enquiry_minutes} minutes, event "
        f"`{clocks.EVENTS['enquiry']}`); in `paid_out.settled` it stands instead of `receipt`.",
        table(
            ("state", "deadline", "length", "event", "leads to", "ends within"),
            (
                (code(s), code(n), length, code(e), code(t), ends)
                for s, n, length, e, t, ends in chart.deadlines(TABLE, policies.default())
            ),
        ),
        "## Bounds",
        "The longest time of each part of a life by deadlines alone, every round and every extension used.",
        table(("part", "at most"), chart.bounds(policies.default())),
        "## Who may cause an event",
        "Persons are compared by name, whatever the role. *Deciding*: the claimant never may, and who decided in the "
        "review never decides the appeal. *Two persons*: the first call is recorded and the state stays. `channel` and "
        "`system` are never taken from a caller.",
        _events(),
        "## Facts of the order line",
        "Entries of the line's own chain.",
        _facts(),
    )


def _states() -> str:
    rows = []
    for state in TABLE.leaves:
        kind = "final" if state in TABLE.final else "initial" if state == TABLE.initial else ""
        stands = clocks.STANDING.get(state)
        rows.append(
            (
                code(phase_of(state)),
                code(state),
                messages.state_words(state),
                messages.state_words(state, "zh"),
                kind,
                code(stands) if stands else "",
            )
        )
    return table(("phase", "state", "in words", "中文", "kind", "standing deadline"), rows)


def _events() -> str:
    rows = [(code("submit"), _roles(claims.ROLES), "creates the refund", "", "")]
    for event, move in MOVES.items():
        beside = event not in TABLE.events
        rows.append(
            (
                code(event),
                _roles(move.roles),
                "beside the chart" if beside else "move",
                "deciding" if move.deciding else "",
                _two(event, move.two_persons is not never),
            )
        )
    told = "beside the chart, by its own command"
    rows += [
        (code(event), _roles({role}), told, "", "")
        for event, role in (("erased", "supervisor"), ("imported", "service"))
    ]
    lapses = [event for event in TABLE.events if event not in MOVES]
    rows += [(code(event), _roles({"system"}), "by a deadline or in `submit`", "", "") for event in lapses]
    return table(("event", "roles", "what", "deciding", "two persons"), rows)


def _facts() -> str:
    rows = [(code("registered"), _roles({"service"}), "")]
    rows += [(code(event), _roles(fact.roles), _two(event, fact.two_persons)) for event, fact in FACTS.items()]
    return table(("fact", "roles", "two persons"), rows)


def _two(event: str, asked: bool) -> str:
    return _TWO_PERSONS[event] if asked else ""


def _roles(roles: frozenset[str] | set[str]) -> str:
    return code(*sorted(roles))
