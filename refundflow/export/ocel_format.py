"""OCEL 2.0 (JSON): every entry as an event, with the refund, order line, buyer, payout and actor that it is about.

Events come in log order, then objects with the history of their attributes. Values are written as text and typed
by their declaration, as the published schema has it.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

import orjson

from refundflow.export.activities import activity_of
from refundflow.export.port import Cursor, Piece, Plain
from refundflow.export.source import Entry, Source, unreadable
from states.case import line_subject, refund_place

Json = Any
_OBJECT_TYPES: Mapping[str, Mapping[str, str]] = {
    "refund": {
        "state": "string", "reason": "string", "currency": "string", "usage": "string", "claimed": "integer",
        "approved": "integer", "settled": "integer",
    },
    "order line": {
        "product_type": "string", "usage": "string", "currency": "string", "captured": "integer", "channel": "string",
    },
    "payout": {"state": "string", "channel": "string", "amount": "integer", "currency": "string"},
    "buyer": {},
    "actor": {"role": "string"},
    "register": {},
}  # fmt: skip
_EVENT_ATTRIBUTES: Mapping[str, str] = {
    "lifecycle": "string", "leaf": "integer", "seq": "integer", "kind": "string", "from": "string", "to": "string",
    "recorded_at": "time", "occurred_at": "time", "role": "string", "reason": "string", "params": "string",
    "deadlines": "string", "blockers": "string", "ledger": "string", "policy": "string", "chart": "string",
    "calendar": "string", "hash": "string",
}  # fmt: skip
_LIFECYCLES = {"start": " (1 of 2)", "ate_abort": " (refused)"}
_END = "end"


class Related(NamedTuple):
    """One object that an event is about, and as what."""

    id: str
    type: str
    qualifier: str


class Ocel(Plain):
    """One JSON object: objectTypes, events, objects, and at the end the eventTypes that there were."""

    name, file = "ocel", "entries.jsonocel"

    def pieces(self, source: Source, cursor: Cursor) -> Generator[Piece]:
        """Yield the events page by page, then the objects, which are begun anew where they were interrupted."""
        if cursor == [_END]:
            return
        if cursor is None:
            yield Piece(b'{"objectTypes":' + _types(_OBJECT_TYPES) + b',\n"events":[', 0, [None, [], False])
        place, names, follows = cursor or [None, [], False]
        seen = set(names)
        for events, behind in source.pages(lambda entry: _event(entry, seen), place):
            data = _joined(events, follows)
            follows = follows or bool(events)
            yield Piece(data, len(events), [behind, sorted(seen), follows])
        yield Piece(b'\n],\n"objects":[', 0, None, rest=False)
        follows = False
        for made in _objects(source):
            yield Piece(_joined(made, follows), 0, None, rest=False)
            follows = follows or bool(made)
        kinds = _types(dict.fromkeys(sorted(seen), _EVENT_ATTRIBUTES))
        yield Piece(b'\n],\n"eventTypes":' + kinds + b"}\n", 0, [_END])


def _joined(items: Sequence[bytes], follows: bool) -> bytes:
    """Write items one per line, behind others or as the first."""
    return b"".join((b",\n" if follows or number else b"\n") + item for number, item in enumerate(items))


def _types(declared: Mapping[str, Mapping[str, str]]) -> bytes:
    return orjson.dumps(
        [
            {"name": name, "attributes": [{"name": key, "type": kind} for key, kind in attributes.items()]}
            for name, attributes in declared.items()
        ]
    )


def _event(entry: Entry, seen: set[str]) -> bytes:
    body, stored = entry.body, entry.stored
    try:
        named = activity_of(body)
        kind = named.name + _LIFECYCLES.get(named.lifecycle, "")
        told = {
            "lifecycle": named.lifecycle, "leaf": entry.leaf, "seq": body["seq"], "kind": body["kind"],
            "from": body["from"], "to": body["to"], "recorded_at": body["recorded_at"],
            "occurred_at": body.get("occurred_at"), "role": body["actor"]["role"],
            "reason": body["params"].get("reason"), "params": body["params"], "deadlines": entry.deadlines,
            "blockers": body.get("blockers"), "ledger": body["ledger"], "policy": body["policy"],
            "chart": body["chart"], "calendar": body["calendar"], "hash": stored.hash,
        }  # fmt: skip
        related = _related(entry)
        event = {
            "id": f"{stored.subject}#{body['seq']}",
            "type": kind,
            "time": body["effective_at"],
            "attributes": [{"name": name, "value": _text(value)} for name, value in told.items() if value not in _NONE],
            "relationships": [{"objectId": item.id, "qualifier": item.qualifier} for item in related],
        }
    except (KeyError, TypeError, AttributeError) as problem:
        raise unreadable(stored, problem) from problem
    seen.add(kind)
    return orjson.dumps(event)


_NONE: tuple[Json, ...] = (None, {}, [], ())


def _text(value: Json) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _related(entry: Entry) -> list[Related]:
    """Name the objects that an entry is about, each once."""
    body, subject = entry.body, entry.stored.subject
    actor, patch = body["actor"], body["patch"]
    if not entry.stored.order_id:
        found = [Related(subject, "register", "register")]
    elif "/" in subject:
        found = [Related(subject, "order line", "order line")]
    else:
        found = [Related(subject, "refund", "refund")]
        found.append(Related(line_subject(*refund_place(subject)), "order line", "order line"))
        found += [Related(number, "payout", "payout") for number in patch.get("attempts") or ()]
    of_buyer = actor["role"] == "buyer"
    who = actor["name"] if of_buyer else f"{actor['role']}:{actor['name']}"
    found.append(Related(who, "buyer" if of_buyer else "actor", "by"))
    if "buyer" in patch and not (of_buyer and patch["buyer"] == who):
        found.append(Related(patch["buyer"], "buyer", "buyer"))
    return found


class _Object:
    """One object as its entries tell it."""

    def __init__(self, related: Related) -> None:
        self.id, self.type = related.id, related.type
        self.attributes: list[dict[str, str]] = []
        self.links: dict[tuple[str, str], None] = {}

    def learn(self, told: Mapping[str, Json], at: str) -> None:
        """Add what an entry set of its attributes, as of that moment."""
        known = _OBJECT_TYPES[self.type]
        self.attributes += [
            {"name": name, "time": at, "value": _text(told[name])} for name in known if told.get(name) is not None
        ]

    def written(self) -> bytes:
        """Write the object."""
        links = [{"objectId": to, "qualifier": qualifier} for to, qualifier in self.links]
        return orjson.dumps({"id": self.id, "type": self.type, "attributes": self.attributes, "relationships": links})


def _objects(source: Source) -> Iterator[list[bytes]]:
    """Yield the objects order by order; buyers and actors where they are met first."""
    met: set[bytes] = set()
    for objects, _ in source.orders(_objects_of):
        yield [item.written() for item in objects if item.type not in ("buyer", "actor") or _first(met, item)]


def _objects_of(entries: Iterator[Entry]) -> list["_Object"]:
    own: dict[tuple[str, str], _Object] = {}
    for entry in entries:
        try:
            _learn(entry, own)
        except (KeyError, TypeError, AttributeError, ValueError) as problem:
            raise unreadable(entry.stored, problem) from problem
    return list(own.values())


def _first(met: set[bytes], item: _Object) -> bool:
    """Tell whether an object is met for the first time; eight bytes are kept of each."""
    digest = blake2b(f"{item.type}|{item.id}".encode(), digest_size=8).digest()
    if digest in met:
        return False
    met.add(digest)
    return True


def _learn(entry: Entry, own: dict[tuple[str, str], _Object]) -> None:
    body, subject, at = entry.body, entry.stored.subject, entry.body["effective_at"]
    patch = body["patch"]
    found = {item.id: own.setdefault((item.type, item.id), _Object(item)) for item in _related(entry)}
    for item in found.values():
        if item.type == "actor" and not item.attributes:
            item.learn({"role": item.id.partition(":")[0]}, "1970-01-01T00:00:00.000000Z")
        elif item.type == "payout":
            item.learn((patch.get("attempts") or {}).get(item.id) or {}, at)
            item.links[subject, "pays"] = None
    if not entry.stored.order_id:
        return
    about = found[subject]
    about.learn(patch, at)
    if about.type == "refund":
        about.links[line_subject(*refund_place(subject)), "of"] = None
    if "buyer" in patch:
        about.links[patch["buyer"], "claimed by" if about.type == "refund" else "bought by"] = None
