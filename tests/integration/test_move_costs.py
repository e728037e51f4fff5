"""What a move costs without a clock stays within its bounds on both databases: commits, round trips, bytes of log."""

import pytest

from bench.counts import Costs, count

MOST_ROUND_TRIPS = 3
MOST_LOG = 1.1  # times that of the same rows by hand
EVENTS = ("approve", "withdraw")  # the most effects; the ledger


@pytest.mark.slow
def test_a_move_is_one_commit_in_few_round_trips_and_writes_no_more_log_than_by_hand(database_url: str) -> None:
    """Each move commits once, waits for the server a few times only, and logs what its rows need."""
    for event, costs in count(database_url, EVENTS).items():
        assert costs.facade.commits == costs.hand.commits == 1, event
        assert costs.facade.trips is None or costs.facade.trips <= MOST_ROUND_TRIPS, (event, costs)
        assert costs.log_ratio <= MOST_LOG, (event, costs)
        assert _by_hand_as_expected(costs), (event, costs)


def _by_hand_as_expected(costs: Costs) -> bool:
    """Tell whether the count itself is right: by hand each statement is a round trip, and one statement needs two."""
    return costs.hand.trips in (None, costs.hand.statements) and costs.trips_at_once in (None, 2)
