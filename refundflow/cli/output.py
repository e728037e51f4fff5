"""How commands write: data on stdout, talk on stderr, tables for a terminal, plain uncut rows for a pipe."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

_NAMED = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}
_DIRECTIONS = {*range(0x202A, 0x202F), *range(0x2066, 0x206A)}


def clean(value: object) -> str:
    """Write a value on one line in which nothing can move the cursor, colour the screen or turn the text.

    None is written as nothing; control characters and changes of direction as escapes.
    """
    return "" if value is None else "".join(map(_visible, str(value)))


def _visible(character: str) -> str:
    code = ord(character)
    if code < 0x20 or 0x7F <= code < 0xA0:
        return _NAMED.get(character, f"\\x{code:02x}")
    return f"\\u{code:04x}" if code in _DIRECTIONS else character


def data(value: Any) -> None:
    """Print a JSON document."""
    print(json.dumps(value, ensure_ascii=False, indent=2))


def text(written: str) -> None:
    """Print text that has lines of its own, such as a diagram."""
    print(written.rstrip("\n"))


def talk(written: str) -> None:
    """Say something to the person at the terminal, on stderr."""
    print(written, file=sys.stderr)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table on a terminal; in a pipe the rows alone, tab separated, uncut and without a heading."""
    if not sys.stdout.isatty():
        for row in rows:
            print("\t".join(map(clean, row)))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for column in shown.columns:
        column.overflow = "fold"
    for row in rows:
        shown.add_row(*(Text(clean(cell)) for cell in row))
    Console(highlight=False).print(shown)


def record(pairs: Iterable[tuple[str, object]]) -> None:
    """Print names and values: in two columns on a terminal, separated by a tab in a pipe."""
    shown = [(name, clean(value)) for name, value in pairs]
    if not sys.stdout.isatty():
        for name, value in shown:
            print(f"{name}\t{value}")
        return
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        print(f"{name:<{width}}  {value}")
