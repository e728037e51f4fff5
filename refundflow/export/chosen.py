"""Which entries an export is about: filters read against the log as it stood at the checkpoint."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

import orjson

from refundflow.store import EntryFacts, Tx
from refundflow.values import ExportFilters
from states import times
from states.case import line_subject, refund_place

Json = Any


def written(filters: ExportFilters) -> dict[str, Json]:
    """Write the filters that were given as JSON, under the names of the command line."""
    told: dict[str, Json] = {
        "from": filters.recorded_from and times.text(filters.recorded_from),
        "to": filters.recorded_to and times.text(filters.recorded_to),
        "state": sorted(filters.states),
        "product": sorted(filters.products),
        "agent": sorted(filters.agents),
        "min_amount": filters.min_amount,
        "max_amount": filters.max_amount,
        "refund": sorted(filters.refunds),
        "since_size": filters.since_size,
    }
    return {name: value for name, value in told.items() if value is not None and value != []}


class Chooser:
    """Decides which chains and entries the filters choose."""

    def __init__(self, filters: ExportFilters) -> None:
        self._filters = filters
        self._named_orders = {refund_place(refund)[0] for refund in filters.refunds}
        self._from = times.text(filters.recorded_from) if filters.recorded_from else ""
        self._to = times.text(filters.recorded_to) if filters.recorded_to else "~"
        given = written(filters)
        self.whole = not given
        self.everything = not given.keys() - {"since_size"}  # of the entries that are looked at
        self.refunds_only = bool(given.keys() - {"from", "to", "since_size"})

    def in_time(self, body: Mapping[str, Json]) -> bool:
        """Tell whether an entry was recorded in the time that was asked for."""
        recorded_at: str = body["recorded_at"]
        return self._from <= recorded_at < self._to

    def choose(self, tx: Tx, order_ids: Sequence[str], *, until: int) -> dict[str, frozenset[str]]:
        """Return the chosen chains of each order: refunds, and the lines that they are of."""
        chosen: dict[str, frozenset[str]] = dict.fromkeys(order_ids, frozenset())
        asked = [order for order in order_ids if not self._named_orders or order in self._named_orders]
        facts = tx.order_facts(asked, until=until) if asked else []
        for order_id, of_order in groupby(facts, key=lambda fact: fact.order_id):
            chains = {subject: list(chain) for subject, chain in groupby(of_order, key=lambda fact: fact.subject)}
            chosen[order_id] = frozenset(self._subjects(order_id, chains))
        return chosen

    def _subjects(self, order_id: str, chains: Mapping[str, Sequence[EntryFacts]]) -> Iterable[str]:
        for subject, chain in chains.items():
            opened = _beginning(chain, "submit", "imported")
            if opened is None:
                continue
            line = line_subject(order_id, str(opened.get("line")))
            sold = _beginning(chains.get(line, ()), "registered") or {}
            if self._fits(subject, chain, opened, sold):
                yield subject
                yield line

    def _fits(
        self, refund: str, chain: Sequence[EntryFacts], opened: Mapping[str, Json], sold: Mapping[str, Json]
    ) -> bool:
        asked, amount = self._filters, opened.get("claimed", 0)
        state = next((fact.after for fact in reversed(chain) if fact.after), None)
        actors = {name for fact in chain for name in (fact.actor_name, f"{fact.actor_role}:{fact.actor_name}")}
        return (
            (not asked.refunds or refund in asked.refunds)
            and (not asked.states or state in asked.states)
            and (not asked.products or sold.get("product_type") in asked.products)
            and (not asked.agents or not actors.isdisjoint(asked.agents))
            and (asked.min_amount is None or amount >= asked.min_amount)
            and (asked.max_amount is None or amount <= asked.max_amount)
        )


def _beginning(chain: Sequence[EntryFacts], *events: str) -> Mapping[str, Json] | None:
    """Return what the first entry of a chain set, None where it is no such chain."""
    first = next((fact for fact in chain if fact.event in events and fact.kind != "refused" and fact.body), None)
    patch: Mapping[str, Json] | None = orjson.loads(first.body)["patch"] if first and first.body else None
    return patch
