"""The export of the log, bound to a checkpoint that is made for it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from refundflow import proof, values
from refundflow.errors import BadInput, NotFound
from refundflow.export import export_log
from refundflow.export.tree import Head, newest_head
from refundflow.service.callers import SYSTEM, parse_caller
from refundflow.service.lists import leaves_of
from refundflow.service.log import LogWork
from refundflow.service.requests import place_of
from states import codes, times


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
        self.engine.read(lambda tx: self._registered(tx, caller))
        return self._export(
            format=format, output=output, by=f"{caller.role}:{caller.name}", filters=filters, progress=progress, at=at
        )

    def export_to_verify(
        self, refund: str | None = None, *, output: str, progress: Callable[[int, int], None] | None = None
    ) -> values.Exported:
        """Write everything, or one refund with its order line, as JSON Lines for a verifier.

        Like `verify` it asks nobody who he is.

        Raises:
            NotFound: there is no such refund.
            BadInput: a path that cannot be.
        """
        filters = values.ExportFilters(refunds=() if refund is None else (refund,))
        if refund is not None:
            order_id, line = place_of(refund)
            self.engine.read(lambda tx: self._sight(tx, order_id, line, SYSTEM, refund))
        return self._export(format="jsonl", output=output, by="system:verify", filters=filters, progress=progress)

    def _export(
        self,
        *,
        format: str | Sequence[str],
        output: str,
        by: str,
        filters: values.ExportFilters,
        progress: Callable[[int, int], None] | None = None,
        at: datetime | None = None,
    ) -> values.Exported:
        _check_filters(filters)
        leaves = {leaf for state in filters.states for leaf in leaves_of(state) or ()}
        key = proof.read_key(self.signing_key) if self.signing_key is not None else None

        def head() -> Head:
            self.checkpoint(at=at)
            return self.engine.read(lambda tx: newest_head(tx, self.engine.store.secret))

        return export_log(
            self.engine.reading,
            formats=[format] if isinstance(format, str) else format,
            output=output,
            by=by,
            head=head,
            rehearsal=self.engine.store.rehearsal,
            made_at=lambda: times.text(self.now(at)),
            sign=(lambda text: proof.sign(text, key)) if key is not None else None,
            filters=replace(filters, states=tuple(sorted(leaves))),
            progress=progress,
        )


def _check_filters(filters: values.ExportFilters) -> None:
    """Refuse what can choose nothing: a typing error must not look like an empty log.

    Raises:
        BadInput: an unknown product type, or a range that ends before it begins.
        NotFound: a refund whose id cannot be one.
    """
    for refund in filters.refunds:
        place_of(refund)
    for product in filters.products:
        if product not in codes.PRODUCT_TYPES:
            raise BadInput(f"no product type {product!r}: one of {', '.join(codes.PRODUCT_TYPES)}", field="product")
    low, high = filters.min_amount, filters.max_amount
    if low is not None and high is not None and low > high:
        raise BadInput(f"min_amount {low} is more than max_amount {high}: exchange them", field="min_amount")
    begin, end = filters.recorded_from, filters.recorded_to
    if begin is not None and end is not None and begin >= end:
        raise BadInput(f"from {times.text(begin)} is not before to {times.text(end)}: exchange them", field="from")
