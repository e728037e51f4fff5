"""The chart refund/1, proven on its leaves: no dead end, one standing deadline each, table and engine agree."""

from collections.abc import Iterable

import pytest

from refundflow import policies
from states import clocks, picture
from states.bounds import bounds
from states.chart import SITUATIONS, Situation, disagreements
from states.decide import MOVES
from states.refund_v1 import TABLE, RefundV1
from tests.unit.rules.story import with_policy

FINAL = {"rejected.closed", "paid_out.confirmed", "withdrawn"}
LEAVES = {
    "submitted", "under_review.reviewing", "under_review.negotiating", "awaiting_evidence", "approved.payable",
    "approved.paying", "approved.payout_failed", "rejected.appealable", "rejected.closed", "appealed",
    "paid_out.settled", "paid_out.confirmed", "withdrawn",
}  # fmt: skip
REVIEWS = {"submitted", "under_review.reviewing", "appealed"}  # a person is told again and again
NO_CLOCK_ENDS = REVIEWS | {leaf for leaf in LEAVES if leaf.startswith("approved.")}
OPEN = sorted(LEAVES - FINAL)

# The moves of the workflow's table: event, leaves it leaves, leaves it leads to (None: stays).
ROWS: tuple[tuple[str, str, str | None], ...] = (
    ("auto_reject", "submitted", "rejected.appealable"),
    ("begin_review", "submitted", "under_review.reviewing"),
    ("request_evidence", "under_review.reviewing appealed", "awaiting_evidence"),
    ("provide_evidence", "awaiting_evidence", "instance"),
    ("end_request", "awaiting_evidence", "instance"),
    ("offer", "under_review.reviewing appealed", "under_review.negotiating"),
    ("counter_offer", "under_review.negotiating", None),
    ("accept_offer", "under_review.negotiating", "approved.payable"),
    ("decline_offer", "under_review.negotiating", "instance"),
    ("offer_lapsed", "under_review.negotiating", "instance"),
    ("approve", "under_review.reviewing", "approved.payable"),
    ("reject", "under_review.reviewing", "rejected.appealable"),
    (
        "withdraw",
        "submitted under_review.reviewing under_review.negotiating awaiting_evidence rejected.appealable appealed",
        "withdrawn",
    ),
    ("appeal", "rejected.appealable", "appealed"),
    ("appeal_window_closed", "rejected.appealable", "rejected.closed"),
    ("uphold", "appealed", "rejected.closed"),
    ("overturn", "appealed", "approved.payable"),
    ("dispatch_payout", "approved.payable", "approved.paying"),
    ("payout_settled", "approved.paying approved.payable approved.payout_failed", "paid_out.settled"),
    ("payout_refused", "approved.paying approved.payable", "approved.payout_failed"),
    ("retry_payout", "approved.payout_failed", "approved.payable"),
    ("reroute_payout", "approved.payout_failed", "approved.payable"),
    ("pay_manually", "approved.payout_failed", "approved.paying"),
    (
        "payout_reversed",
        "paid_out.settled approved.paying approved.payable approved.payout_failed",
        "approved.payout_failed",
    ),
    ("revoke_approval", "approved.payable approved.payout_failed", "instance"),
    ("confirm_receipt", "paid_out.settled", "paid_out.confirmed"),
    ("receipt_assumed", "paid_out.settled", "paid_out.confirmed"),
    ("review_overdue", "submitted under_review.reviewing", None),
    ("appeal_overdue", "appealed", None),
    ("payout_overdue", "approved.payable approved.paying approved.payout_failed", None),
    ("enquiry_overdue", "approved.payable approved.paying approved.payout_failed paid_out.settled", None),
)  # fmt: skip


def reachable(start: str, targets: dict[str, set[str]]) -> set[str]:
    """Return the leaves that can be reached from one, itself included."""
    found, open_ends = {start}, [start]
    while open_ends:
        for leaf in targets[open_ends.pop()] - found:
            found.add(leaf)
            open_ends.append(leaf)
    return found


def targets(events: Iterable[str]) -> dict[str, set[str]]:
    """Return for each leaf where some events can lead from it."""
    return {
        leaf: {
            target
            for event in events
            for situation in SITUATIONS
            if (target := TABLE.target(leaf, event, situation)) is not None
        }
        for leaf in TABLE.leaves
    }


def test_what_is_certain_is_what_every_situation_says() -> None:
    """A target that is looked up without a situation is that of all; where one differs, or refuses, it is asked for."""
    for leaf in TABLE.leaves:
        for event in TABLE.events:
            told = {TABLE.target(leaf, event, situation) for situation in SITUATIONS}
            assert told == {TABLE.certain.get((leaf, event))} or (len(told) > 1 and (leaf, event) not in TABLE.certain)
    assert ("awaiting_evidence", "evidence_lapsed") not in TABLE.certain


def test_the_leaves_are_those_of_the_workflow() -> None:
    """Every state has the name of the contract, `submitted` is first, three are final."""
    assert set(TABLE.leaves) == LEAVES
    assert TABLE.initial == "submitted"
    assert TABLE.final == FINAL


@pytest.mark.parametrize(("event", "sources", "target"), ROWS, ids=[row[0] for row in ROWS])
def test_a_row_of_the_moves_table(event: str, sources: str, target: str | None) -> None:
    """A move leaves the leaves of its row and no other, and leads where the row says."""
    assert set(TABLE.sources(event)) == set(sources.split())
    for source in sources.split():
        review, appeal = (TABLE.target(source, event, Situation(in_appeal=appeal)) for appeal in (False, True))
        if target == "instance":
            assert (review, appeal) == ("under_review.reviewing", "appealed")
        else:
            assert review == appeal == (target or source)


def test_silence_in_a_round_of_evidence_rejects_and_an_answer_does_not() -> None:
    """`evidence_lapsed` leads to four leaves, by instance and by whether anything came."""
    led = {
        (appeal, came): TABLE.target("awaiting_evidence", "evidence_lapsed", Situation(appeal, came))
        for appeal in (False, True)
        for came in (False, True)
    }
    assert led == {
        (False, False): "rejected.appealable",
        (False, True): "under_review.reviewing",
        (True, False): "rejected.closed",
        (True, True): "appealed",
    }


def test_an_offer_without_a_refund_part_is_settled_at_acceptance() -> None:
    """`accept_offer` leads to the payout only when there is something to pay out."""
    empty = Situation(refund_part=False)
    assert TABLE.target("under_review.negotiating", "accept_offer", empty) == "paid_out.settled"


def test_the_chart_knows_no_other_move() -> None:
    """What is no row of the moves table and no lapse of a deadline is no event of the chart."""
    assert set(TABLE.events) == {row[0] for row in ROWS} | {"evidence_lapsed"}


def test_table_and_engine_agree() -> None:
    """The compiled table leads where python-statemachine leads, for every state, event and guard outcome."""
    assert list(disagreements(RefundV1, TABLE)) == []


def test_a_final_state_is_never_left() -> None:
    """No event leads out of a final leaf."""
    assert all(not TABLE.events_of[leaf] for leaf in FINAL)


@pytest.mark.parametrize("leaf", sorted(LEAVES))
def test_every_state_is_reachable(leaf: str) -> None:
    """A refund can come into every leaf."""
    assert leaf in reachable(TABLE.initial, targets(TABLE.events))


@pytest.mark.parametrize("leaf", OPEN)
def test_every_open_state_has_a_way_to_a_final_one(leaf: str) -> None:
    """No leaf is a dead end, and none is a trap."""
    assert reachable(leaf, targets(TABLE.events)) & FINAL


@pytest.mark.parametrize("leaf", OPEN)
def test_every_open_state_has_its_one_standing_deadline(leaf: str) -> None:
    """The deadline of a leaf causes an event that the chart has there; a final leaf has none."""
    assert TABLE.target(leaf, clocks.EVENTS[clocks.STANDING[leaf]]) is not None
    assert set(clocks.STANDING) == LEAVES - FINAL


@pytest.mark.parametrize("leaf", OPEN)
def test_what_deadlines_alone_lead_to(leaf: str) -> None:
    """By deadlines alone a refund ends, or waits in a review, an approval, or settled with an open enquiry."""
    standing = {leaf: {clocks.EVENTS[name]} for leaf, name in clocks.STANDING.items()}
    by_clock = {leaf: targets(standing.get(leaf, set()))[leaf] - {leaf} for leaf in TABLE.leaves}
    ends = {end for end in reachable(leaf, by_clock) if not by_clock[end]}
    assert ends and ends <= FINAL | NO_CLOCK_ENDS


@pytest.mark.parametrize("leaf", sorted(NO_CLOCK_ENDS))
def test_no_clock_decides_a_review_or_about_money(leaf: str) -> None:
    """In the reviews and in an approval the deadlines stay: they tell a person again and again."""
    events = {clocks.EVENTS[clocks.STANDING[leaf]], "enquiry_overdue"}
    assert targets(events)[leaf] == {leaf}


def test_money_leaves_only_from_paying() -> None:
    """Only the two moves that commit an attempt lead to `paying`."""
    into = {row.event for row in TABLE.rows if row.target == "approved.paying" and row.source != row.target}
    assert into == {"dispatch_payout", "pay_manually"}


def test_every_event_of_the_chart_is_a_lapse_or_a_move_of_the_rules() -> None:
    """The rules have each event of the chart, the lapses and the rejection at once excepted."""
    assert set(TABLE.events) - set(MOVES) == set(clocks.EVENTS.values()) | {"auto_reject"}


def test_the_transition_table_names_every_move_once() -> None:
    """The printed table opens with `submit` and has a line for each row of the chart."""
    lines = picture.moves(TABLE)
    assert lines[0] == ("", "submit", "", "submitted")
    assert len(lines) == len(set(lines)) == len(TABLE.rows) + 1
    assert (
        "awaiting_evidence",
        "evidence_lapsed",
        "evidence came and not in appeal",
        "under_review.reviewing",
    ) in lines


def test_the_diagram_draws_every_leaf_and_every_event() -> None:
    """The Mermaid text has a box for each phase with inner states, and an arrow for each move."""
    drawn = picture.mermaid(TABLE)
    assert drawn.startswith("stateDiagram-v2\n    [*] --> submitted : submit\n")
    assert "    state approved {\n" in drawn and '        state "payable" as approved_payable\n' in drawn
    assert all(event in drawn for event in TABLE.events)
    assert drawn.count("--> [*]") == len(FINAL)


def test_the_bounds_follow_from_the_policy() -> None:
    """Each part says how long it can last; the parts that no clock ends say how often a person is told."""
    told = {part: str(bound) for part, bound in bounds(policies.default()).items()}
    again = "a person is told again 5 times every 1 and then every 5 working days"
    daily = "a person is told again 7 times every 24 hours and then every 168 hours"
    assert told == {
        "review": f"3 working days, then no end: {again}",
        "evidence in the review": "96 hours + 14 civil days of extension",
        "negotiation in the review": "288 hours + 42 civil days of extension",
        "appeal window": "3 civil days + 7 civil days of extension",
        "appeal": f"3 working days, then no end: {again}",
        "evidence in the appeal": "96 hours + 14 civil days of extension",
        "negotiation in the appeal": "288 hours + 42 civil days of extension",
        "payout": f"24 hours, then no end: {daily}",
        "receipt": "7 civil days",
        "enquiry": f"60 minutes, then no end: {daily}",
    }


def test_the_bounds_change_with_the_policy() -> None:
    """One round of evidence less is one round less of its time."""
    policy = with_policy(evidence_rounds=1, evidence_hours=24).policy
    assert bounds(policy)["evidence in the appeal"].hours == 24
