"""JSON Lines: one object per entry with every column, and the sealed body as text.

`sha256(body.encode())` is `hash`, and `prev` is the hash of the entry before in the same chain: both can be
computed again without the database.
"""

import json
from typing import BinaryIO

from refundflow.export.rows import Row


class JsonLinesWriter:
    """Writes one object per line, UTF-8, in the order of the columns."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, row: Row) -> None:
        """Add one line; a column without a value is null."""
        self._file.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")

    def close(self) -> None:
        """Do nothing: a line ends itself."""
