"""Exports: every entry of every chain in one file, one module per format behind a small port."""

from collections.abc import Callable, Mapping
from typing import Literal

from refundflow.errors import BadInput
from refundflow.export.as_of import export_as_of
from refundflow.export.csv_format import CsvWriter
from refundflow.export.jsonl_format import JsonLinesWriter
from refundflow.export.port import Format
from refundflow.export.rows import rows_of
from refundflow.export.whole_file import whole_file
from refundflow.store import Tx

__all__ = ["FORMATS", "export_as_of", "export_entries", "whole_file"]

FORMATS: Mapping[str, Format] = {"csv": CsvWriter, "jsonl": JsonLinesWriter}
_TOLD_EVERY = 500  # entries


def export_entries(
    tx: Tx, *, format: Literal["csv", "jsonl"], output: str, progress: Callable[[int], None] | None = None
) -> int:
    """Write every entry of every chain to a file, in log order and constant memory; return how many.

    The file appears whole or not at all. `progress` is told how many entries were written since it was told last.

    Raises:
        BadInput: an unknown format, or a path that cannot be written.
        ProofFailed: the body of an entry cannot be read.
        RefundflowError: the disk did not take it all.
    """
    made = FORMATS.get(format)
    if made is None:
        raise BadInput(f"format {format!r} is unknown: one of {', '.join(FORMATS)}", field="format")
    written = 0
    with whole_file(output) as file:
        writer = made(file)
        for row in rows_of(tx):
            writer.write(row)
            written += 1
            if progress and written % _TOLD_EVERY == 0:
                progress(_TOLD_EVERY)
        writer.close()
        if progress and written % _TOLD_EVERY:
            progress(written % _TOLD_EVERY)
    return written
