"""The benchmark measures what it says, on both databases."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet
import pytest
from sqlalchemy import text

from bench import export
from bench.export_by_hand import WAYS
from bench.lived import live, place
from bench.moves import (
    COMPARED,
    JUDGED,
    ORM,
    OURS,
    SAME_ROWS,
    STEPS,
    Size,
    new_beside,
    plan_beside,
    plan_of,
    program,
    runs,
    sections,
    verify,
)
from bench.recorded import LAPSE, Place
from bench.report import page
from bench.rounds import arm
from bench.scene import EVENTS, Scene, Wanted, build
from refundflow import migrations

SMALL = Size(refunds=160, rounds=2, moves=2)
FEWER = f"{ORM}, fewer rows"


@pytest.mark.slow
def test_the_hand_writes_the_same_rows_and_the_database_verifies(database_url: str) -> None:
    """Moves and batches of both sides leave chains that verify, and the page has a line per database and move."""
    kind = "sqlite" if database_url.startswith("sqlite:") else "postgresql"

    found = list(runs(kind, database_url, SMALL, [ORM, FEWER]))

    assert all({OURS, STEPS} <= set(run.moves[event].times) for run in found for event in (*EVENTS, LAPSE))
    assert all(JUDGED in run.moves[event].times for run in found for event in EVENTS)
    assert all({ORM, FEWER} <= set(run.moves[COMPARED].times) for run in found)
    assert [found[0].scene.recordings[event].rows for event in EVENTS] == [2, 3, 5, 3]
    written = page(sections(found), "a test", "2 rounds", {})
    assert all(f"| {run.scene.name} | `{event}` |" in written for run in found for event in EVENTS)


@pytest.mark.slow
def test_an_orm_and_a_machine_write_the_rows_that_refundflow_writes(database_url: str) -> None:
    """The entry has the same parts, the effect stands beside it, a repeat adds nothing, and the database verifies."""
    scene = build("a test", database_url, Wanted(40, 1), (), [ORM])
    [moved] = scene.places[ORM][COMPARED]
    plan = plan_of(scene, ORM) | {"places": {COMPARED: [moved, moved]}}

    _moved_twice(ORM, plan)

    _has_same_rows(scene, database_url, moved)
    verify(scene)


@pytest.mark.slow
@pytest.mark.parametrize("name", SAME_ROWS)
def test_who_has_a_database_of_his_own_writes_such_rows_too(database_url: str, name: str) -> None:
    """The chain is whole there, the entry has the same parts, the effect stands beside it, a repeat adds nothing."""
    if not Path(program(name)[0]).exists():
        pytest.skip("`make bench` installs it")
    scene = build("a test", database_url, Wanted(40, 1), ())
    with new_beside(database_url, [name]) as urls:
        plan = plan_beside(scene, urls[name], 1)

        _moved_twice(name, plan | {"numbers": plan["numbers"] * 2})

        _has_same_rows(scene, urls[name], place("N", plan["numbers"][0]))


def _moved_twice(name: str, plan: dict[str, Any]) -> None:
    with arm(*program(name), plan) as running:
        running.run(COMPARED, 2)
        running.end()


def _has_same_rows(scene: Scene, url: str, moved: Place) -> None:
    newest = live(url, moved.order_id).newest(COMPARED)
    body, recorded = orjson.loads(newest["body"]), scene.recordings[COMPARED]
    assert newest["seq"] == 3
    assert _shape(body) == _shape(recorded.bodies[0])
    assert body["patch"]["state"] == newest["after"] == "awaiting_evidence"
    with migrations.connect(url) as connection:
        asked = text("SELECT kind, code, params, seq FROM effects WHERE order_id = :order_id AND subject = :refund")
        [effect] = connection.execute(asked, moved._asdict()).all()
    [told] = recorded.effects
    assert (effect.kind, effect.code, effect.seq) == (told["kind"], told["code"], newest["seq"])
    assert _shape(orjson.loads(effect.params)) == _shape(orjson.loads(told["params"]))


def _shape(value: Any) -> Any:
    """Return a value without what differs from refund to refund."""
    if isinstance(value, dict):
        return {name: _shape(item) for name, item in value.items()}
    return type(value)


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
