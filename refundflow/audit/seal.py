"""Entries as canonical bytes, each with the hash of the one before it in its chain."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from refundflow.store import FIRST_PREVIOUS, Sealed, canonical
from states import times
from states.case import Blocker, Entry

Json = Any
BODY_VERSION = 1
CHART = "refund/1"


def seal(
    entries: Sequence[Entry],
    *,
    heads: Mapping[str, str],
    recorded_at: datetime,
    key: str | None = None,
    key_scope: str | None = None,
    request_hash: str | None = None,
    key_entry: int | None = None,
    correlation: str | None = None,
    commitments: Mapping[int, Mapping[str, str]] | None = None,
    repeats: Mapping[str, int] | None = None,
    chart: str = CHART,
) -> list[Sealed]:
    """Chain entries of one transaction, in order, onto the newest hash of each subject (`heads`).

    `key_entry` is the index of the entry that carries the idempotency key and the hash of the request;
    `commitments` stand for the texts of an entry, by its index; `repeats` are refusals counted since the newest
    entry of a subject: the next one carries the count.
    """
    heads, repeats, texts = dict(heads), dict(repeats or {}), commitments or {}
    recorded = times.text(recorded_at)
    sealed: list[Sealed] = []
    for index, entry in enumerate(entries):
        body = _body(entry, texts.get(index, {}), recorded, heads.get(entry.subject, FIRST_PREVIOUS), chart)
        keyed = index == key_entry and key is not None
        if keyed:
            body |= {"key": key, "request": request_hash}
        if correlation is not None:
            body["correlation"] = correlation
        if counted := repeats.pop(entry.subject, 0):
            body["repeats"] = counted
        written = canonical(body, told=(body["params"], entry.patch, body.get("blockers")))
        heads[entry.subject] = hashlib.sha256(written).hexdigest()
        sealed.append(
            Sealed(
                entry=entry, body=written, hash=heads[entry.subject], recorded_at=recorded_at,
                key=key if keyed else None, key_scope=key_scope if keyed else None,
                request_hash=request_hash if keyed else None,
                fingerprint=fingerprint(entry) if entry.kind == "refused" else None,
            )
        )  # fmt: skip
    return sealed


def fingerprint(entry: Entry) -> str:
    """Name a refusal: the same act of the same actor, blocked by the same."""
    told = [entry.event, entry.actor.role, entry.actor.name, dict(entry.params), list(entry.texts)]
    return hashlib.sha256(canonical([*told, _blockers(entry.blockers)])).hexdigest()


def _body(entry: Entry, texts: Mapping[str, str], recorded: str, previous: str, chart: str) -> dict[str, Json]:
    body: dict[str, Json] = {
        "v": BODY_VERSION, "subject": entry.subject, "seq": entry.seq, "kind": entry.kind, "event": entry.event,
        "from": entry.before, "to": entry.after, "effective_at": entry.effective_at,
        "recorded_at": recorded, "actor": {"role": entry.actor.role, "name": entry.actor.name},
        "params": dict(entry.params), "texts": dict(texts), "patch": entry.patch, "ledger": dict(entry.ledger),
        "policy": entry.policy, "calendar": entry.calendar, "chart": chart, "prev": previous,
    }  # fmt: skip
    if entry.occurred_at is not None:
        body["occurred_at"] = entry.occurred_at
    if entry.cause is not None:
        body["cause"] = entry.cause
    if entry.blockers:
        body["blockers"] = _blockers(entry.blockers)
    return body


def _blockers(blockers: Sequence[Blocker]) -> list[Json]:
    return [{"code": item.code, "params": dict(item.params), "until": item.until} for item in blockers]
