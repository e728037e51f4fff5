"""What an entry is to a process miner: a move of the chart, or something beside it."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from states.refund_v1 import CHART, TABLE

Json = Any
_MOVES = frozenset((row.event, row.source, row.target) for row in TABLE.rows) | {("submit", None, TABLE.initial)}


class Activity(NamedTuple):
    """The name of an activity, and what of it the entry tells, in the words of the XES lifecycle extension."""

    name: str
    lifecycle: str


def activity_of(body: Mapping[str, Json]) -> Activity:
    """Name what an entry tells.

    A move of the chart is "complete". Beside the chart stand the first of two persons ("start"), a refused
    attempt ("ate_abort"), and facts ("unknown").
    """
    event, kind = body["event"], body["kind"]
    if kind == "applied" and body["chart"] == CHART and (event, body["from"], body["to"]) in _MOVES:
        return Activity(event, "complete")
    return Activity(event, {"applied": "start", "refused": "ate_abort"}.get(kind, "unknown"))
