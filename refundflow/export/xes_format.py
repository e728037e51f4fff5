"""XES (IEEE 1849-2016): one trace per refund, all its entries as events, moves of the chart marked "complete".

Order lines and registers are no cases: their entries are in the other formats.
"""

import re
from collections.abc import Generator, Iterable, Iterator
from itertools import groupby
from typing import Any
from xml.sax.saxutils import quoteattr

import orjson

from refundflow.export.activities import activity_of
from refundflow.export.port import Cursor, Piece, Plain
from refundflow.export.source import Entry, Source, unreadable

Json = Any
_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<log xes.version="1849.2016" xes.features="">
 <extension name="Concept" prefix="concept" uri="http://www.xes-standard.org/concept.xesext"/>
 <extension name="Time" prefix="time" uri="http://www.xes-standard.org/time.xesext"/>
 <extension name="Lifecycle" prefix="lifecycle" uri="http://www.xes-standard.org/lifecycle.xesext"/>
 <extension name="Organizational" prefix="org" uri="http://www.xes-standard.org/org.xesext"/>
 <global scope="trace">
  <string key="concept:name" value=""/>
 </global>
 <global scope="event">
  <string key="concept:name" value=""/>
  <string key="lifecycle:transition" value="complete"/>
  <string key="org:resource" value=""/>
  <string key="org:role" value=""/>
  <date key="time:timestamp" value="1970-01-01T00:00:00.000000Z"/>
 </global>
 <classifier name="Activity" scope="event" keys="concept:name"/>
 <classifier name="ActivityAndLifecycle" scope="event" keys="concept:name lifecycle:transition"/>
 <string key="concept:name" value="refundflow"/>
 <string key="lifecycle:model" value="standard"/>
"""
_TAIL = b"</log>\n"
_ENOUGH = 1 << 20  # characters of one piece
_END = "end"
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ATTRIBUTES = ("reason", "currency", "claimed", "usage", "channel", "policy", "chart")


class Xes(Plain):
    """Traces in order of order id and refund id."""

    name, file = "xes", "entries.xes"

    def pieces(self, source: Source, cursor: Cursor) -> Generator[Piece]:
        """Yield the head, then traces of whole orders, then the end of the log."""
        if cursor == [_END]:
            return
        if cursor is None:
            yield Piece(_HEAD.encode(), 0, "")
        written: list[str] = []
        rows = size = 0
        for (traces, events), behind in source.orders(_traces, cursor or None):
            written.append(traces)
            rows, size = rows + events, size + len(traces)
            if size > _ENOUGH:
                yield Piece("".join(written).encode(), rows, behind)
                written, rows, size = [], 0, 0
        yield Piece("".join(written).encode() + _TAIL, rows, [_END])


def _is_refund(subject: str) -> bool:
    return "/" not in subject and "-" in subject


def _traces(entries: Iterator[Entry]) -> tuple[str, int]:
    """Write the traces of the refunds of one order; return them and how many events they have."""
    written: list[str] = []
    events = 0
    for refund, chain in groupby(entries, key=lambda entry: entry.stored.subject):
        if not _is_refund(refund):
            continue
        head = f" <trace>\n  {_attribute('concept:name', refund)}"
        for number, entry in enumerate(chain):
            event = _event(entry)
            if not number:
                written.append(head + _opening(entry) + "\n")
            written.append(event)
            events += 1
        written.append(" </trace>\n")
    return "".join(written), events


def _opening(entry: Entry) -> str:
    """Write what the first entry says of the refund; nothing where the chain begins with another one."""
    opened = entry.body["patch"] if "claimed" in entry.body["patch"] else {}
    return "".join(_attribute(name, opened[name]) for name in _ATTRIBUTES if name in opened)


def _event(entry: Entry) -> str:
    body = entry.body
    try:
        named = activity_of(body)
        told: Iterable[tuple[str, Json]] = (
            ("concept:name", named.name), ("lifecycle:transition", named.lifecycle),
            ("org:resource", body["actor"]["name"]), ("org:role", body["actor"]["role"]),
            ("seq", body["seq"]), ("kind", body["kind"]), ("from", body["from"]), ("to", body["to"]),
            ("reason", body["params"].get("reason")), ("params", body["params"] or None),
            ("deadlines", entry.deadlines or None), ("blockers", body.get("blockers")),
            ("ledger", body["ledger"] or None), ("policy", body["policy"]), ("chart", body["chart"]),
            ("calendar", body["calendar"]), ("hash", entry.stored.hash),
        )  # fmt: skip
        times = [("time:timestamp", body["effective_at"]), ("recorded_at", body["recorded_at"])]
        times += [("occurred_at", body["occurred_at"])] if "occurred_at" in body else []
    except (KeyError, TypeError, AttributeError) as problem:
        raise unreadable(entry.stored, problem) from problem
    dates = "".join(f"<date key={quoteattr(key)} value={_quoted(value)}/>" for key, value in times)
    return f"  <event>{dates}{''.join(_attribute(key, value) for key, value in told if value is not None)}</event>\n"


def _attribute(key: str, value: Json) -> str:
    if type(value) is int:
        return f'<int key="{key}" value="{value}"/>'
    return f'<string key="{key}" value={_quoted(value if isinstance(value, str) else orjson.dumps(value).decode())}/>'


def _quoted(text: str) -> str:
    """Quote text for XML; characters that XML cannot hold are replaced."""
    return quoteattr(_NOT_XML.sub("\ufffd", text))
