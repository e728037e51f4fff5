"""The chart drawn as SVG from its own table, with the way of one refund on it."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import cache
from math import hypot
from typing import NamedTuple

from refundflow import words
from refundflow.dossier.html import Markup, tag
from refundflow.dossier.places import HEIGHT, PLACES, WIDTH, Box, leaf_box, name_box, phase_box
from refundflow.dossier.reader import Reader
from refundflow.dossier.way import Step, stays
from states.chart import Table, phase_of

# How far an arrow may bow, in parts of its length, the nicest first; a way there and the way back bow apart.
_BENDS = (0.14, 0.06, 0.22, 0.02, 0.0, 0.3, 0.4, 0.5, 0.6, 0.68, 0.78)
_SAMPLES = tuple(step / 24 for step in range(1, 24))
_SHOWN = 3  # numbers on one arrow; more are counted


class Point(NamedTuple):
    """A place in the drawing."""

    x: float
    y: float


class Arrow(NamedTuple):
    """A curve from the edge of one box to the edge of another."""

    start: Point
    control: Point
    end: Point

    def at(self, part: float) -> Point:
        """Return the point at a part of the way."""
        rest = 1 - part
        return Point(
            *(
                rest * rest * a + 2 * rest * part * b + part * part * c
                for a, b, c in zip(self.start, self.control, self.end, strict=True)
            )
        )

    @property
    def path(self) -> str:
        """Return the data of an SVG path."""
        return f"M{_xy(self.start)} Q{_xy(self.control)} {_xy(self.end)}"


@cache
def arrow(source: str, target: str) -> Arrow:
    """Return the arrow between two leaves: the one that bows least of those that meet no other leaf, and no name."""
    side = _side(source, target)
    drawn = [_bowed(source, target, bend * sign) for sign in (side, -side) for bend in _BENDS]
    leaves = [leaf_box(leaf) for leaf in PLACES if leaf not in (source, target)]
    names = [name_box(phase) for phase in {phase_of(leaf) for leaf in PLACES if phase_of(leaf) not in PLACES}]
    for others in ([*leaves, *names], leaves):
        passing = [curve for curve in drawn if _passes(curve, others)]
        if passing:
            return passing[1] if _climbs(source, target) and len(passing) > 1 else passing[0]
    return drawn[0]


def _bowed(source: str, target: str, bend: float) -> Arrow:
    a, b = Point(*leaf_box(source).middle), Point(*leaf_box(target).middle)
    control = Point((a.x + b.x) / 2 - (b.y - a.y) * bend, (a.y + b.y) / 2 + (b.x - a.x) * bend)
    return Arrow(_edge(leaf_box(source), control), control, _edge(leaf_box(target), control))


def _passes(curve: Arrow, others: Sequence[Box]) -> bool:
    """Tell that a curve stays on the drawing and away from boxes."""
    points = [curve.at(part) for part in _SAMPLES]
    if not all(4 < point.x < WIDTH - 4 and 4 < point.y < HEIGHT - 4 for point in points):
        return False
    return not any(Box(point.x - 3, point.y - 3, 6, 6).meets(box) for point in points for box in others)


def draw(reader: Reader, table: Table, way: Sequence[Step], refund: str) -> Markup:
    """Draw the chart with the way taken; the words of the way stand in the description."""
    taken = dict.fromkeys((step.source, step.target) for step in way)  # in order: the same page has the same bytes
    now = way[-1].target if way else None
    description = "; ".join(f"{step.number}. {reader.word(words.EVENTS, step.event)} → {reader.state(step.target)}"
                            for step in way)  # fmt: skip
    allowed = dict.fromkeys((row.source, row.target) for row in table.rows if row.source != row.target)
    spent = stays(way, reader.now, table.final)
    return tag(
        "svg",
        tag("title", reader.label("chart_title", chart=table.version, refund=refund), id="chart-title"),
        tag("desc", description, id="chart-desc"),
        tag("defs", _head("tip", "tip"), _head("tip-way", "tip way")),
        [_phase(reader, phase) for phase in dict.fromkeys(map(phase_of, table.leaves))],
        [_line(pair[0], pair[1], "edge") for pair in allowed if pair not in taken],
        [_leaf(reader, leaf, leaf in {step.target for step in way}, leaf == now, spent.get(leaf))
         for leaf in table.leaves],
        _entrance(table.initial, bool(way)),
        [_line(source, target, "edge way") for source, target in taken if source is not None],
        list(_badges(way)),
        class_="chart", viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img",
        aria_labelledby="chart-title", aria_describedby="chart-desc",
    )  # fmt: skip


def _climbs(source: str, target: str) -> bool:
    """Tell that an arrow goes up past a leaf of its column: beside the one that goes down there, not on it."""
    a, b = PLACES[source], PLACES[target]
    return a.column == b.column and a.row - b.row > 1


def _side(source: str, target: str) -> int:
    """Bow to the outside: left of the way, and away from the middle of the drawing on a long way in a column."""
    a, b = PLACES[source], PLACES[target]
    if a.column == b.column and abs(a.row - b.row) > 1:
        outside = 1 if a.column == 0 else -1
        return outside if b.row > a.row else -outside
    return 1


def _edge(box: Box, towards: Point) -> Point:
    """Return where the line from the middle of a box leaves it."""
    x, y = box.middle
    dx, dy = towards.x - x, towards.y - y
    if not dx and not dy:
        return Point(x, y)
    scale = min((box.width / 2 + 2) / abs(dx) if dx else 9e9, (box.height / 2 + 2) / abs(dy) if dy else 9e9)
    return Point(x + dx * scale, y + dy * scale)


def _line(source: str, target: str, kind: str) -> Markup:
    tip = "tip-way" if kind.endswith("way") else "tip"
    return tag("path", d=arrow(source, target).path, class_=kind, marker_end=f"url(#{tip})")


def _head(name: str, kind: str) -> Markup:
    return tag(
        "marker", tag("path", d="M0 0 L8 4 L0 8 Z", class_=kind), id=name, viewBox="0 0 8 8", refX="7", refY="4",
        markerWidth="8", markerHeight="8", markerUnits="userSpaceOnUse", orient="auto",
    )  # fmt: skip


def _phase(reader: Reader, phase: str) -> Markup | None:
    if phase in PLACES:  # a phase that is its own leaf
        return None
    box = phase_box(phase)
    return tag(
        "g",
        tag("rect", x=box.x, y=box.y, width=box.width, height=box.height, rx=10, class_="phase"),
        tag("text", reader.word(words.PHASES, phase), x=box.x + box.width - 12, y=box.y + 19, class_="phase-name"),
    )


def _leaf(reader: Reader, leaf: str, visited: bool, now: bool, spent: timedelta | None) -> Markup:
    box, kind = leaf_box(leaf), "leaf now" if now else "leaf visited" if visited else "leaf"
    x, y = box.middle
    return tag(
        "g",
        tag("rect", x=box.x, y=box.y, width=box.width, height=box.height, rx=8),
        tag("text", reader.word(words.LEAVES, leaf), x=x, y=y - 3 if spent is not None else y + 6),
        tag("text", reader.span(spent), x=x, y=y + 18, class_="spent") if spent is not None else None,
        class_=kind,
    )


def _entrance(initial: str, taken: bool) -> Markup:
    """Draw how a refund is opened: a dot, and an arrow into the first state."""
    box = leaf_box(initial)
    y, x = box.middle[1], box.x + box.width
    kind, tip = ("edge way", "tip-way") if taken else ("edge", "tip")
    return tag(
        "g",
        tag("circle", cx=x + 58, cy=y, r=5, class_="start"),
        tag("path", d=f"M{x + 54:.0f} {y:.0f} L{x + 3:.0f} {y:.0f}", class_=kind, marker_end=f"url(#{tip})"),
    )


def _badges(way: Sequence[Step]) -> Iterator[Markup]:
    """Draw the numbers of the steps on their arrows, none over another or over a box."""
    numbers: dict[tuple[str | None, str], list[int]] = {}
    for step in way:
        numbers.setdefault((step.source, step.target), []).append(step.number)
    filled: list[Box] = [leaf_box(leaf) for leaf in PLACES]
    for (source, target), told in numbers.items():
        shown = " · ".join(map(str, told[:_SHOWN])) + (f" +{len(told) - _SHOWN}" if len(told) > _SHOWN else "")
        width = max(26.0, 9.0 * len(shown) + 12)
        box = _free(source, target, width, filled)
        filled.append(box)
        x, y = box.middle
        yield tag(
            "g",
            tag("rect", x=f"{box.x:.1f}", y=f"{box.y:.1f}", width=f"{width:.1f}", height=26, rx=13),
            tag("text", shown, x=f"{x:.1f}", y=f"{y + 6:.1f}"),
            class_="badge",
        )


def _free(source: str | None, target: str, width: float, filled: Sequence[Box]) -> Box:
    """Return a place for the numbers of an arrow: its middle, or as near to it as nothing else is."""
    if source is None:
        box = leaf_box(target)
        return Box(box.x + box.width + 18, box.middle[1] - 13, width, 26)
    curve = arrow(source, target)
    long = hypot(curve.end.x - curve.start.x, curve.end.y - curve.start.y)
    for step in (0.0, 0.08, -0.08, 0.16, -0.16, 0.24, -0.24, 0.32, -0.32):
        point = curve.at(0.5 + step)
        box = Box(point.x - width / 2, point.y - 13, width, 26)
        if not any(box.meets(other) for other in filled) or long < 40:
            return box
    point = curve.at(0.5)
    return Box(point.x - width / 2, point.y - 13, width, 26)


def _xy(point: Point) -> str:
    return f"{point.x:.1f} {point.y:.1f}"
