"""The benchmark measures what it says, on both databases."""

from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet
import pytest

from bench import export
from bench.export_by_hand import WAYS
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


@pytest.mark.slow
def test_the_hand_exports_what_the_command_exports(database_url: str, tmp_path: Path) -> None:
    """The loops in Python write the same bytes and the same table; SQL writes as many rows."""
    entries = export.fill(database_url, 1)
    read: dict[str, Callable[[Path], object]] = {"parquet": pyarrow.parquet.read_table}
    for form, ways in WAYS.items():
        ours, content = tmp_path / f"ours.{form}", read.get(form, Path.read_bytes)
        export.one(export.OURS, form, database_url, str(ours))
        for name, way in ways.items():
            if name.startswith("loop"):
                assert way(database_url, tmp_path / name) == entries
                assert content(tmp_path / name) == content(ours), (form, name)
            elif name == "lines by SQL":
                assert way(database_url, tmp_path / name) == entries
