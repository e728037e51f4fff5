"""JSON Lines: one object per entry with every column, and the sealed body as text.

`sha256(body.encode())` is `hash`, and `prev` is the hash of the entry before in the same chain: both can be
computed again without the database.
"""

import io
from collections.abc import Iterator

import orjson

from refundflow.export.port import Cursor, Piece, Plain
from refundflow.export.rows import row_of
from refundflow.export.source import Entry, Source


class JsonLines(Plain):
    """One object per line, UTF-8, in the order of the columns; a column without a value is null."""

    name, file = "jsonl", "entries.jsonl"

    def pieces(self, source: Source, cursor: Cursor) -> Iterator[Piece]:
        """Yield the lines of page after page."""
        text = io.BytesIO()  # grows once: a thousand separate lines, or a new buffer each time, leave memory in pieces

        def write(entry: Entry) -> None:
            text.write(orjson.dumps(row_of(entry), option=orjson.OPT_APPEND_NEWLINE))

        for written, behind in source.pages(write, cursor):
            yield Piece(bytes(text.getbuffer()[: text.tell()]), len(written), behind)
            text.seek(0)
