"""How commands write: data on stdout, talk on stderr, tables for a terminal, plain uncut rows for a pipe."""

import codecs
import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

GAP = 2  # spaces between the columns of a table
BREAKABLE = 24  # what is longer than any code may be broken: a hash, a path, a text without spaces
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
    print(as_json(value, sys.stdout, indent=2))


def as_json(value: Any, stream: TextIO, indent: int | None = None) -> str:
    """Write a value as JSON, which is UTF-8: where the stream is not, all beyond ASCII is escaped."""
    return json.dumps(value, ensure_ascii=codecs.lookup(stream.encoding).name != "utf-8", indent=indent)


def text(written: str) -> None:
    """Print text that has lines of its own, such as a diagram."""
    print(written.rstrip("\n"))


def talk(written: str) -> None:
    """Say something to the person at the terminal, on stderr."""
    print(written, file=sys.stderr)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table on a terminal; in a pipe the rows alone, tab separated, uncut and without a heading.

    On a terminal columns in which nothing stands are left out, and no word is broken, for it may have to be typed:
    where the words do not fit beside one another, each row is printed as a record.
    """
    written = ([clean(cell) for cell in row] for row in rows)
    if not sys.stdout.isatty():
        for row in written:
            print("\t".join(row))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    (names, *lines) = zip(*_filled([list(columns), *written]), strict=True)
    widths = _widths([names, *lines], console.width)
    if widths is None:
        for number, line in enumerate(lines):
            print(end="\n" if number else "")
            record((name, cell) for name, cell in zip(names, line, strict=True) if cell)
        return
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for name, width in zip(names, widths, strict=True):
        shown.add_column(name, width=width, overflow="fold")
    for line in lines:
        shown.add_row(*map(Text, line))
    console.print(shown)


def _filled(rows: list[list[str]]) -> list[tuple[str, ...]]:
    """Return the columns in which something stands beside the heading; all where there are no rows."""
    columns = list(zip(*rows, strict=True))
    return [cells for cells in columns if any(cells[1:])] or columns


def _widths(rows: Sequence[Sequence[str]], room: int) -> list[int] | None:
    """Share the room of a terminal among columns, the widest giving way first; None: a word would have to be broken."""
    from rich.cells import cell_len

    columns = list(zip(*rows, strict=True))
    room -= GAP * (len(columns) - 1)
    least = [max(min(cell_len(word), BREAKABLE) for cell in cells for word in cell.split()) for cells in columns]
    widths = [min(max(map(cell_len, cells)), room) for cells in columns]
    if sum(least) > room:
        return None
    while sum(widths) > room:
        widest = max((at for at, width in enumerate(widths) if width > least[at]), key=widths.__getitem__)
        widths[widest] -= 1
    return widths


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
