"""Cells of CSV files that people open in a spreadsheet."""

import re

# Full-width signs begin a formula too, in East Asian settings.
_FORMULA = re.compile(r"'*\s*[=+\-@＝＋－＠\t\r\n]")
# What a cell begins with that may have to be marked; any other cell is harmless as it is.
RISKY = frozenset("'=+-@＝＋－＠") | {chr(code) for code in range(0x3001) if chr(code).isspace()}


def harmless(cell: str) -> str:
    """Put an apostrophe in front of text that a spreadsheet would take for a formula.

    Text that was already marked so gets one more: `original` always gives back what it was.
    """
    return f"'{cell}" if _FORMULA.match(cell) else cell


def original(cell: str) -> str:
    """Take away the apostrophe that `harmless` put in front."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell[1:]) else cell
