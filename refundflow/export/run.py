"""One export from its filters to its manifest: begun or gone on with, and whole before anything has its name."""

from array import array
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import cached_property
from pathlib import Path
from typing import Any

from refundflow.errors import BadInput, ProofFailed
from refundflow.export import manifest, tree
from refundflow.export.chosen import Chooser, written
from refundflow.export.csv_format import Csv
from refundflow.export.jsonl_format import JsonLines
from refundflow.export.ocel_format import Ocel
from refundflow.export.parquet_format import Parquet
from refundflow.export.parts import Part, Place, Unfinished, Written, give_names, place_of, unfinished, whole
from refundflow.export.pnml import pnml
from refundflow.export.port import Format
from refundflow.export.source import Reading, Source
from refundflow.export.xes_format import Xes
from refundflow.values import Exported, ExportFilters
from states.refund_v1 import TABLE

Json = Any
Progress = Callable[[int, int], None]
FORMATS: Mapping[str, Callable[[], Format]] = {
    "csv": Csv, "jsonl": JsonLines, "parquet": Parquet, "xes": Xes, "ocel": Ocel,
}  # fmt: skip
_CHART = "chart.pnml"


def export_log(
    reading: Reading,
    *,
    formats: Sequence[str],
    output: str,
    by: str,
    head: Callable[[], tree.Head],
    made_at: Callable[[], str],
    rehearsal: bool = False,
    sign: Callable[[str], str] | None = None,
    filters: ExportFilters = ExportFilters(),  # noqa: B008  a frozen value
    progress: Progress | None = None,
) -> Exported:
    """Write the chosen entries below the head of the log, and the manifest; in constant memory.

    One format goes to a file or a folder, several to a folder, where JSON Lines (they carry the proof) and the
    chart as a Petri net always come with them. `progress` is told rows written and how many there will be at most.

    Raises:
        BadInput: an unknown format, a path that cannot be written, or one where another export was interrupted.
        ProofFailed: the body of an entry cannot be read.
        Busy: another process exports to the same place.
        RefundflowError: the disk did not take it all; the same command goes on.
    """
    unknown = next((name for name in formats if name not in FORMATS), None)
    if unknown is not None or not formats:
        raise BadInput(f"format {unknown!r} is unknown: one of {', '.join(FORMATS)}", field="format")
    place = place_of(output)
    if place.name and len(set(formats)) > 1:
        raise BadInput("several formats need a folder: end the path with a slash", field="output")
    chosen = sorted({*formats} if place.name else {*formats, "jsonl"})
    made = [FORMATS[name]() for name in chosen]
    newest = head()
    first = _first(newest, filters)
    command = {"formats": chosen, "filters": written(filters), "by": by, "origin": newest.origin}
    with unfinished(place, command) as state:
        if not state.resumed:
            with reading() as tx:
                start = tx.number_at(first - 1) if first else 0
            begun = {"made_at": made_at(), "by": by, "rehearsal": rehearsal, "first": first, "start": start}
            state.begun = {"head": list(newest), **begun}
            state.save(command)
        export = _Export(reading, place, state, command, filters, progress or (lambda done, most: None))
        return export.run(made, sign)


def _first(head: tree.Head, filters: ExportFilters) -> int:
    """Return the first leaf in question."""
    first = filters.since_size or 0
    if not 0 <= first <= head.size:
        raise BadInput(f"since_size {first}: the log has {head.size} entries", field="since_size")
    return first


class _Export:
    """One export under way."""

    def __init__(
        self,
        reading: Reading,
        place: Place,
        state: Unfinished,
        command: Mapping[str, Json],
        filters: ExportFilters,
        progress: Progress,
    ) -> None:
        self._reading, self._place, self._state, self._command = reading, place, state, command
        self._chooser, self._filters = Chooser(filters), filters
        self._progress, self._done, self._most = progress, 0, 0
        begun = state.begun
        self._head = tree.Head(*begun["head"])
        self._source = Source(
            reading, last_gid=self._head.last_gid, chooser=self._chooser, first=begun["first"], start=begun["start"]
        )

    def run(self, formats: Sequence[Format], sign: Callable[[str], str] | None) -> Exported:
        """Write every file, then the manifest, then let all take their names."""
        self._most = (self._head.size - self._state.begun["first"]) * len(formats)
        names = [(form, self._place.name or form.file) for form in formats]
        try:
            files = [self._entry(form.name, name, self._written(form, name)) for form, name in names]
        except ProofFailed:  # it would fail again at the same place
            self._give_up([name for _, name in names])
            raise
        if not self._place.name:
            files.append(self._entry("pnml", _CHART, self._chart()))
        extent = self._extent()
        text = self._manifest(files, extent, signed=sign is not None)
        self._part(self._place.manifest.name).write_text(sign(text) if sign else text, encoding="utf-8")
        whole(self._part(self._place.manifest.name), 0)
        finals = [*(file["path"] for file in files), self._place.manifest.name]
        give_names([(self._part(name), self._place.folder / name) for name in finals], self._place.folder)
        self._state.path.unlink()
        return Exported(
            entries=extent["entries"],
            files=tuple(str(self._place.folder / name) for name in finals[:-1]),
            manifest=str(self._place.manifest),
            size=self._head.size,
            signed=sign is not None,
            resumed=self._state.resumed,
        )

    def _part(self, name: str) -> Path:
        return self._place.folder / f"{name}.part"

    def _entry(self, form: str, name: str, file: Written) -> dict[str, Json]:
        return {"path": name, "format": form, "sha256": file.sha256, "size": file.size, "rows": file.rows}

    def _written(self, form: Format, name: str) -> Written:
        """Write one file, or go on with it; one that was whole before is only told."""
        kept = self._state.files.get(name)
        if kept and "whole" in kept and (self._part(name).exists() or (self._place.folder / name).exists()):
            return Written(*kept["whole"])
        part = Part(self._part(name), kept)
        self._advance(part.rows)
        try:
            with closing(form.pieces(self._source, part.cursor)) as pieces:
                for piece in pieces:
                    part.add(piece.data, piece.rows, piece.cursor)
                    if piece.rest:
                        self._keep(name, part.kept())
                    self._advance(piece.rows)
            joined = part.kept()["sha256"]
        finally:
            part.close()
        changed = form.finish(part.path)
        made = whole(part.path, part.rows, None if changed else joined)
        self._keep(name, {"whole": list(made)})
        return made

    def _keep(self, name: str, kept: dict[str, Json]) -> None:
        self._state.files[name] = kept
        self._state.save(self._command)

    def _advance(self, rows: int) -> None:
        self._done += rows
        self._progress(self._done, self._most)

    def _chart(self) -> Written:
        part = self._part(_CHART)
        part.write_text(pnml(TABLE), encoding="utf-8")
        return whole(part, 0)

    def _give_up(self, names: Sequence[str]) -> None:
        for path in (*map(self._part, names), self._state.path):
            path.unlink(missing_ok=True)

    def _extent(self) -> dict[str, Json]:
        """Count the entries and name the first and the last leaf."""
        leaves = self._leaves
        ends = {"first_leaf": leaves[0], "last_leaf": leaves[-1]} if leaves else {"first_leaf": None, "last_leaf": None}
        return {"entries": len(leaves), **ends}

    @cached_property
    def _leaves(self) -> Sequence[int]:
        """Return the numbers of the chosen leaves, eight bytes each where they are not all."""
        if self._chooser.everything:
            return range(self._state.begun["first"], self._head.size)
        return array("Q", (leaf for page, _ in self._source.pages(lambda entry: entry.leaf) for leaf in page))

    def _manifest(self, files: Sequence[Mapping[str, Json]], extent: Mapping[str, Json], *, signed: bool) -> str:
        leaves = self._leaves
        with self._reading() as tx:
            missing = [] if self._chooser.whole else tree.pruned(tx, self._head, leaves)
            rules = manifest.rules(tx)
        return manifest.text_of(
            head=self._head,
            signed=signed,
            rehearsal=self._state.begun["rehearsal"],
            begun=self._state.begun,
            filters=written(self._filters),
            extent=extent,
            files=files,
            pruned=missing,
            rules=rules,
        )
