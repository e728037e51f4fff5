"""The benchmark measures what it says, on both databases."""

import pytest

from bench.measure import MOVES, measure
from bench.report import page


@pytest.mark.slow
def test_the_hand_writes_the_same_rows_and_the_database_verifies(database_url: str) -> None:
    """Both ways leave verified chains, each in one commit, and the page has a line per move."""
    results = measure("here", database_url, 2)

    assert [(result.move, result.rows) for result in results] == [("begin_review", 2), ("approve", 5), ("withdraw", 3)]
    assert all(result.facade_count.commits == result.hand_count.commits == 1 for result in results)
    assert all(f"| here | `{event}` |" in page(results, 2, None) for event in MOVES)
