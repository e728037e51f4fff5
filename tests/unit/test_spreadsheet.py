"""Cells of CSV files that people open in a spreadsheet."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from refundflow.spreadsheet import harmless, original

SIGNS = "=+-@＝＋－＠\t\r\n"


@given(st.text(max_size=20))
@example("=1+1")
@example("'=1+1")
@example("''\t")
@example("' =x")
def test_what_was_marked_can_be_read_back(cell: str) -> None:
    """The mark is never lost among apostrophes that were there before."""
    assert original(harmless(cell)) == cell


@given(st.from_regex(r"\A'{0,2}[ \u3000]{0,2}\Z"), st.sampled_from(SIGNS), st.text(max_size=5))
def test_no_cell_begins_as_a_formula(before: str, sign: str, after: str) -> None:
    """Whatever blanks stand before the sign of a formula, an apostrophe stands before them."""
    assert harmless(before + sign + after).startswith("'")


@pytest.mark.parametrize("cell", ["", "退款 1 元", "a=b", "2026-03-02T01:00:00.000000Z", "it's", "'quoted'", "10"])
def test_other_cells_stay_as_they_are(cell: str) -> None:
    """Text that is no formula is not touched."""
    assert harmless(cell) == cell
