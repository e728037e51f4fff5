"""The export of the log, bound to a checkpoint that is made for it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from refundflow import proof, values
from refundflow.errors import NotFound
from refundflow.export import export_log
from refundflow.export.tree import Head, newest_head
from refundflow.service.callers import parse_caller
from refundflow.service.lists import leaves_of
from refundflow.service.log import LogWork
from refundflow.service.requests import place_of
from states import times


class Exports(LogWork):
    """The log in files."""

    def export(
        self,
        *,
        format: str | Sequence[str],
        output: str,
        actor: str,
        filters: values.ExportFilters = values.ExportFilters(),  # noqa: B008  a frozen value
        progress: Callable[[int, int], None] | None = None,
        buyer: str | None = None,
        at: datetime | None = None,
    ) -> values.Exported:
        """Write the log, or what the filters choose of it, to a file or a folder, with a manifest.

        Formats: csv, jsonl, parquet, xes, ocel. A checkpoint is made first; the export covers exactly what lies
        below it. Whatever interrupts it, the same call goes on where it stood; no half file is ever under its
        name. With a signing key the manifest is signed. `progress` is told rows written and how many there will be
        at most.

        Raises:
            BadInput: a format, filter or path that cannot be.
            NotFound: a refund whose id cannot be one.
            ProofFailed: an entry cannot be read.
            Busy: another process exports to the same place.
        """
        caller = parse_caller(actor, buyer)
        if caller.buyer_seen is not None:
            raise NotFound("the export")
        for refund in filters.refunds:
            place_of(refund)
        leaves = {leaf for state in filters.states for leaf in leaves_of(state) or ()}
        self.engine.read(lambda tx: self._registered(tx, caller))
        key = proof.read_key(self.signing_key) if self.signing_key is not None else None

        def head() -> Head:
            self.checkpoint(at=at)
            return self.engine.read(lambda tx: newest_head(tx, self.engine.store.secret))

        return export_log(
            self.engine.read,
            formats=[format] if isinstance(format, str) else format,
            output=output,
            by=f"{caller.role}:{caller.name}",
            head=head,
            rehearsal=self.engine.store.rehearsal,
            made_at=lambda: times.text(self.now(at)),
            sign=(lambda text: proof.sign(text, key)) if key is not None else None,
            filters=replace(filters, states=tuple(sorted(leaves))),
            progress=progress,
        )
