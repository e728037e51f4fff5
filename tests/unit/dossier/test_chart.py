"""The drawn chart: every leaf has its place, every move its arrow, and no arrow runs over a leaf."""

from datetime import timedelta

import pytest

from refundflow.dossier.chart import arrow, draw
from refundflow.dossier.page import CHARTS
from refundflow.dossier.places import COLUMNS, HEIGHT, PLACES, ROWS, WIDTH, Box, leaf_box, phase_box
from refundflow.dossier.reader import Reader
from refundflow.dossier.way import stays, steps
from refundflow.messages import Language
from states.chart import phase_of
from states.refund_v1 import TABLE
from tests.support.pages import START, entry, parsed

MOVES = sorted({(row.source, row.target) for row in TABLE.rows if row.source != row.target})
READER = Reader(language="en", zone="Asia/Shanghai", currency="CNY", now=START + timedelta(days=9))
WHOLE = (
    entry(1, "submit", "submitted", before=None),
    entry(2, "begin_review", "under_review.reviewing", before="submitted", hours=1),
    entry(3, "request_evidence", "awaiting_evidence", before="under_review.reviewing", hours=3),
    entry(4, "note", "awaiting_evidence", hours=4),
    entry(5, "provide_evidence", "under_review.reviewing", before="awaiting_evidence", kind="refused", hours=5),
    entry(6, "provide_evidence", "under_review.reviewing", before="awaiting_evidence", hours=6),
    entry(7, "reject", "rejected.appealable", before="under_review.reviewing", hours=7),
)


@pytest.mark.parametrize("version", sorted(CHARTS))
def test_every_leaf_has_a_place_of_its_own(version: str) -> None:
    """The grid is complete for every chart that can be drawn, and no two leaves stand on one another."""
    leaves = CHARTS[version].leaves

    assert set(leaves) == set(PLACES)
    assert len(set(PLACES.values())) == len(PLACES)
    assert all(place.column < COLUMNS and place.row < ROWS for place in PLACES.values())


def test_every_box_is_on_the_drawing() -> None:
    """Leaves and phases stand within the drawing, and a phase holds its own leaves and no other."""
    for leaf in PLACES:
        boxes = [leaf_box(leaf)] if leaf == phase_of(leaf) else [leaf_box(leaf), phase_box(phase_of(leaf))]
        for box in boxes:
            assert box.x >= 0 and box.y >= 0 and box.x + box.width <= WIDTH and box.y + box.height <= HEIGHT
        for other in PLACES:
            if phase_of(other) != phase_of(leaf) and phase_of(leaf) not in PLACES:
                assert not phase_box(phase_of(leaf)).meets(leaf_box(other)), (leaf, other)


@pytest.mark.parametrize(("source", "target"), MOVES)
def test_an_arrow_runs_over_no_leaf(source: str, target: str) -> None:
    """Every move of the chart has an arrow from edge to edge, on the drawing, that crosses no other leaf."""
    curve = arrow(source, target)
    points = [curve.at(step / 50) for step in range(51)]

    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in points)
    for leaf in PLACES:
        crossed = sum(leaf_box(leaf).meets(Box(x, y, 0.01, 0.01)) for x, y in points)
        assert crossed == 0, leaf


def test_there_and_back_are_two_arrows() -> None:
    """A move and its way back do not lie on one another."""
    for source, target in MOVES:
        if (target, source) in MOVES:
            there, back = arrow(source, target).at(0.5), arrow(target, source).at(0.5)
            assert abs(there.x - back.x) + abs(there.y - back.y) > 8, (source, target)


def test_steps_are_what_moved() -> None:
    """Refused acts and entries that stay are no steps; time is counted per state, over all visits."""
    way = steps(WHOLE)

    assert [(step.number, step.seq, step.target) for step in way] == [
        (1, 1, "submitted"),
        (2, 2, "under_review.reviewing"),
        (3, 3, "awaiting_evidence"),
        (4, 6, "under_review.reviewing"),
        (5, 7, "rejected.appealable"),
    ]
    spent = stays(way, START + timedelta(hours=9), TABLE.final)
    assert {leaf: span / timedelta(hours=1) for leaf, span in spent.items()} == {
        "submitted": 1, "under_review.reviewing": 3, "awaiting_evidence": 3, "rejected.appealable": 2,
    }  # fmt: skip


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_way_is_drawn_and_told(language: Language) -> None:
    """The drawing has every leaf and move, the way in bold with its numbers, and the way in words."""
    reader = Reader(language=language, zone="Asia/Shanghai", currency="CNY", now=START + timedelta(days=9))
    drawn = draw(reader, TABLE, steps(WHOLE), "A1-1-1")
    root = parsed(f"<!doctype html><html><head><title>x</title></head><body>{drawn}</body></html>")
    kinds = [element.get("class") or "" for element in root.iter()]

    assert sum(kind.startswith("leaf") for kind in kinds) == len(PLACES)
    assert kinds.count("leaf now") == 1
    assert kinds.count("edge") + kinds.count("edge way") == len(MOVES) + 1  # and the entrance
    assert kinds.count("edge way") == kinds.count("badge") == 5
    assert "5. " in drawn and "<desc" in drawn and "<title" in drawn
    assert ("待补充材料" in drawn) == (language == "zh")


def test_many_steps_on_one_arrow_are_counted() -> None:
    """An arrow that was taken again and again shows the first numbers and how many more."""
    there, back = ("under_review.reviewing", "awaiting_evidence"), ("awaiting_evidence", "under_review.reviewing")
    way = steps([entry(seq, "x", pair[1], before=pair[0]) for seq, pair in enumerate([there, back] * 50, 1)])

    drawn = draw(READER, TABLE, way, "A1-1-1")

    assert "1 · 3 · 5 +47" in drawn and "2 · 4 · 6 +47" in drawn
