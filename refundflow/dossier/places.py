"""Where each leaf of the chart stands on the page: a grid of three columns, placed by hand."""

from collections.abc import Mapping
from typing import NamedTuple

from states.chart import phase_of


class Place(NamedTuple):
    """A cell of the grid."""

    column: int
    row: int


PLACES: Mapping[str, Place] = {
    "submitted": Place(0, 0),
    "withdrawn": Place(2, 0),
    "under_review.reviewing": Place(0, 1),
    "under_review.negotiating": Place(1, 1),
    "awaiting_evidence": Place(2, 1),
    "approved.payable": Place(0, 2),
    "appealed": Place(1, 2),
    "rejected.appealable": Place(2, 2),
    "approved.paying": Place(0, 3),
    "paid_out.settled": Place(1, 3),
    "rejected.closed": Place(2, 3),
    "approved.payout_failed": Place(0, 4),
    "paid_out.confirmed": Place(1, 4),
}
COLUMNS, ROWS = 3, 5


class Box(NamedTuple):
    """A rectangle in units of the drawing."""

    x: float
    y: float
    width: float
    height: float

    @property
    def middle(self) -> tuple[float, float]:
        """Return the middle."""
        return self.x + self.width / 2, self.y + self.height / 2

    def meets(self, other: "Box") -> bool:
        """Tell whether two rectangles overlap."""
        return (
            self.x < other.x + other.width
            and other.x < self.x + self.width
            and self.y < other.y + other.height
            and other.y < self.y + self.height
        )


WIDTH, HEIGHT = 708, 680
_LEAF_WIDTH, _LEAF_HEIGHT = 172, 54
_LEFT, _TOP, _STEP_X, _STEP_Y = 40, 14, 228, 146


def leaf_box(leaf: str) -> Box:
    """Return the rectangle of a leaf."""
    place = PLACES[leaf]
    return Box(_LEFT + place.column * _STEP_X, _TOP + place.row * _STEP_Y, _LEAF_WIDTH, _LEAF_HEIGHT)


def name_box(phase: str) -> Box:
    """Return the rectangle of a phase's name, in the upper right corner of its box."""
    box, width = phase_box(phase), 9 * len(phase)
    return Box(box.x + box.width - width - 4, box.y + 4, width, 20)


def phase_box(phase: str) -> Box:
    """Return the rectangle around all leaves of a phase, with room for its name above them."""
    boxes = [leaf_box(leaf) for leaf in PLACES if phase_of(leaf) == phase]
    left, top = min(box.x for box in boxes) - 12, min(box.y for box in boxes) - 28
    right, bottom = max(box.x + box.width for box in boxes) + 12, max(box.y + box.height for box in boxes) + 12
    return Box(left, top, right - left, bottom - top)
