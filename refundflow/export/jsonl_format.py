"""JSON Lines: one object per entry with every column, and the sealed body as text.

`sha256(body.encode())` is `hash`, and `prev` is the hash of the entry before in the same chain: both can be
computed again without the database.
"""

from collections.abc import Generator

from refundflow.export.port import Cursor, Piece, Plain
from refundflow.export.rows import json_lines
from refundflow.export.source import Source


class JsonLines(Plain):
    """One object per line, UTF-8, in the order of the columns; a column without a value is null."""

    name, file = "jsonl", "entries.jsonl"

    def pieces(self, source: Source, cursor: Cursor) -> Generator[Piece]:
        """Yield the lines of page after page."""
        return json_lines(source, cursor)
