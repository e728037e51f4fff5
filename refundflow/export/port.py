"""What every format of the export offers: rows in one by one, a file out."""

from collections.abc import Callable
from typing import BinaryIO, Protocol

from refundflow.export.rows import Row


class Writer(Protocol):
    """Writes one file; never holds more than a few rows in memory."""

    def write(self, row: Row) -> None:
        """Add one row, whose keys are `COLUMNS` of `rows` in their order."""
        ...

    def close(self) -> None:
        """Write what ends the file; the stream itself stays open."""
        ...


Format = Callable[[BinaryIO], Writer]
