"""The benchmark measures what it says, on both databases."""

import pytest

from bench.moves import OURS, STEPS, Size, runs, sections
from bench.recorded import LAPSE
from bench.report import page
from bench.scene import EVENTS

SMALL = Size(refunds=120, rounds=2, moves=2)
ORM = "SQLModel + python-statemachine"  # the others have an environment of their own


@pytest.mark.slow
def test_the_hand_writes_the_same_rows_and_the_database_verifies(database_url: str) -> None:
    """Moves and batches of both sides leave chains that verify, and the page has a line per database and move."""
    kind = "sqlite" if database_url.startswith("sqlite:") else "postgresql"

    found = list(runs(kind, database_url, SMALL, [ORM]))

    assert all({OURS, STEPS} <= set(run.moves[event].times) for run in found for event in (*EVENTS, LAPSE))
    assert all(ORM in run.moves["request_evidence"].times for run in found)
    assert [found[0].scene.recordings[event].rows for event in EVENTS] == [2, 3, 5, 3]
    written = page(sections(found), "a test", "2 rounds", {})
    assert all(f"| {run.scene.name} | `{event}` |" in written for run in found for event in EVENTS)
