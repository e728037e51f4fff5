"""One row per entry, the same in every table: what the sealed body says, in named columns."""

import io
from collections.abc import Generator
from typing import Any

import orjson

from refundflow.export.port import Cursor, Piece
from refundflow.export.source import Entry, Source, unreadable

Json = Any
Row = dict[str, Json]

LEDGER = ("reserved", "in_flight", "settled", "charged_back", "excess")
COLUMNS = (
    "leaf", "order_id", "subject", "seq", "kind", "event", "from", "to", "effective_at", "recorded_at", "occurred_at",
    "actor_role", "actor_name", "reason", "params", "texts", "deadlines", "blockers", *LEDGER, "policy", "chart",
    "calendar", "key", "request", "correlation", "cause", "repeats", "prev", "hash", "body",
)  # fmt: skip
DEADLINE = ("name", "due_at", "rule", "provisional")


def row_of(entry: Entry) -> Row:
    """Repeat what the hash is of, not what the columns beside it say, in the order of `COLUMNS`.

    Raises:
        ProofFailed: the body lacks what every entry has; the entry is named.
    """
    stored, body = entry.stored, entry.body
    try:
        told, actor, params, ledger = body.get, body["actor"], body["params"], body["ledger"].get
        return {
            "leaf": entry.leaf, "order_id": stored.order_id, "subject": body["subject"], "seq": body["seq"],
            "kind": body["kind"], "event": body["event"], "from": body["from"], "to": body["to"],
            "effective_at": body["effective_at"], "recorded_at": body["recorded_at"],
            "occurred_at": told("occurred_at"), "actor_role": actor["role"], "actor_name": actor["name"],
            "reason": params.get("reason"), "params": params, "texts": body["texts"], "deadlines": entry.deadlines,
            "blockers": told("blockers", ()), "reserved": ledger("reserved", 0), "in_flight": ledger("in_flight", 0),
            "settled": ledger("settled", 0), "charged_back": ledger("charged_back", 0),
            "excess": ledger("excess", 0), "policy": body["policy"], "chart": body["chart"],
            "calendar": body["calendar"], "key": told("key"), "request": told("request"),
            "correlation": told("correlation"), "cause": told("cause"), "repeats": told("repeats", 0),
            "prev": body["prev"], "hash": stored.hash, "body": stored.body.decode(),
        }  # fmt: skip
    except (KeyError, TypeError, AttributeError, UnicodeDecodeError) as problem:
        raise unreadable(stored, problem) from problem


def json_lines(source: Source, cursor: Cursor) -> Generator[Piece]:
    """Yield the rows of page after page as lines of JSON."""
    text = io.BytesIO()  # grows once: a thousand separate lines, or a new buffer each time, leave memory in pieces

    def write(entry: Entry) -> None:
        text.write(orjson.dumps(row_of(entry), option=orjson.OPT_APPEND_NEWLINE))

    for written, behind in source.pages(write, cursor):
        yield Piece(taken(text), len(written), behind)


def taken(buffer: io.BytesIO) -> bytes:
    """Return what was written to a buffer, which is written again from its beginning."""
    data = bytes(buffer.getbuffer()[: buffer.tell()])
    buffer.seek(0)
    return data
