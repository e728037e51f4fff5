"""An order line as it was: its chains folded up to a past moment, by when things took effect or were recorded."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple, cast

from refundflow.audit.replay import Replayed, parse
from refundflow.store import StoredEntry
from states import times
from states.case import LEDGER_COLUMNS, Aggregate, Case, Ledger, Line, line_subject


class Past(NamedTuple):
    """A line and its refunds at a moment, as stored entries tell them, and the newest entry of each chain."""

    aggregate: Aggregate
    newest: Mapping[str, StoredEntry]


def line_at(
    chains: Mapping[str, Iterable[StoredEntry]],
    order_id: str,
    line: str,
    *,
    as_of: datetime,
    known_at: datetime | None = None,
) -> Past | None:
    """Fold the chains of one line and its refunds up to what had taken effect at `as_of`; None where there was none.

    `known_at` leaves out what was recorded later. What was due by `as_of` and was never stored is not added here:
    `states.decide.due` does that. Where refunds are older than the registration of their line (imported ones), the
    line is told as it was registered.
    """
    subject = line_subject(order_id, line)
    documents: dict[str, Any] = {}
    newest: dict[str, StoredEntry] = {}
    ledger: Counter[str] = Counter()
    registered: StoredEntry | None = None
    for name, chain in chains.items():
        folded = Replayed(name)
        for entry in chain:
            if known_at is not None and entry.recorded_at > known_at:
                break
            if name == subject:
                registered = registered or entry
            if entry.effective_at > as_of:
                break
            folded.fold(parse(entry.body))
            newest[name] = entry
        ledger.update(folded.ledger)
        if name in newest:
            documents[name] = folded.document
    if subject not in documents:
        if registered is None or not documents:
            return None
        documents[subject] = _as_registered(registered, as_of)
    facts = cast(Line, documents.pop(subject))
    cases = cast(dict[str, Case], documents)
    ordered = dict(sorted(cases.items(), key=lambda item: int(item[0].rpartition("-")[2])))
    amounts = Ledger(*(ledger[name] for name in LEDGER_COLUMNS))
    return Past(Aggregate(line=facts, ledger=amounts, refunds=ordered), newest)


def _as_registered(entry: StoredEntry, as_of: datetime) -> dict[str, Any]:
    folded = Replayed(entry.subject)
    folded.fold(parse(entry.body))
    return folded.document | {"effective_at": times.text(as_of)}
