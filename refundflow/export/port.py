"""What every format of the export offers: pieces of a file, each with the place where the next one begins."""

from collections.abc import Generator
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from refundflow.export.source import Source

Cursor = Any  # JSON, kept beside an unfinished file; None: the beginning


class Piece(NamedTuple):
    """Bytes that follow what was written before, how many rows they hold, and where the next piece begins."""

    data: bytes
    rows: int
    cursor: Cursor
    rest: bool = True  # an interrupted file may go on behind it


class Format(Protocol):
    """Writes one file piece by piece; never holds more than one page or one order in memory."""

    name: str
    file: str  # its name in a folder

    def pieces(self, source: Source, cursor: Cursor) -> Generator[Piece]:
        """Yield the pieces from a cursor on, the same ones however often it is asked."""
        ...

    def finish(self, part: Path) -> bool:
        """Turn the joined pieces into the file, in place; False: they are the file already."""
        ...


class Plain:
    """The base of formats whose joined pieces are the file."""

    def finish(self, part: Path) -> bool:
        """Change nothing."""
        return False
