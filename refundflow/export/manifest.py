"""The manifest of an export: what is in it, and all that somebody needs who checks it alone."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from refundflow.export.tree import Head
from refundflow.store import Tx
from states import clocks, times
from states.refund_v1 import CHART, TABLE

Json = Any
FORMAT = "refundflow-export/1"


def rules(tx: Tx) -> dict[str, Json]:
    """Return the charts, policies and calendars that the entries were judged by."""
    chart = {
        "version": TABLE.version,
        "initial": TABLE.initial,
        "final": sorted(TABLE.final),
        "rows": [
            {"event": row.event, "from": row.source, "to": row.target, "guards": list(row.guards)} for row in TABLE.rows
        ],
        "standing": dict(clocks.STANDING),
        "events": dict(clocks.EVENTS),
    }
    calendars = [
        {
            "version": json.loads(content)["version"],
            "imported_at": imported_at and times.text(imported_at),
            "content": content,
        }
        for imported_at, content in tx.calendars()
    ]
    return {"charts": {CHART: chart}, "policies": tx.policies(), "calendars": calendars}


def text_of(
    *,
    head: Head,
    signed: bool,
    rehearsal: bool,
    begun: Mapping[str, Json],
    filters: Mapping[str, Json],
    extent: Mapping[str, Json],
    files: Sequence[Mapping[str, Json]],
    pruned: Sequence[Json],
    rules: Mapping[str, Json],
) -> str:
    """Write a manifest as one line of JSON with sorted keys; unsigned, it claims no signed checkpoint either."""
    told = {
        "format": FORMAT,
        "origin": head.origin,
        "rehearsal": rehearsal,
        "made_at": begun["made_at"],
        "by": begun["by"],
        "filters": filters,
        "whole": not filters,
        "as_of": None,
        "tree": {"size": head.size, "root": head.root},
        "checkpoint": head.note if signed else None,
        "keys": head.keys,
        "files": files,
        "pruned": pruned,
        **extent,
        **rules,
    }
    return json.dumps(told, ensure_ascii=False, sort_keys=True, separators=(",", ":")) + "\n"
