"""The parameters of entries in words: amounts as money, codes with their meaning, moments in the reader's zone."""

from collections.abc import Iterator, Mapping

from refundflow import words
from refundflow.dossier.html import Child, Markup, code, join, said
from refundflow.dossier.labels import LABELS
from refundflow.dossier.reader import Reader
from refundflow.messages import Sentence
from refundflow.values import HistoryEntry, Json
from states import clocks, times

_WORDS: Mapping[str, Mapping[str, Sentence]] = {
    "answer": words.ANSWERS,
    "audience": words.AUDIENCES,
    "channel": words.CHANNELS,
    "deadline": words.DEADLINES,
    "event": words.EVENTS,
    "grounds": words.GROUNDS,
    "how": words.OUTCOMES,
    "kinds": words.EVIDENCE,
    "outcome": words.OUTCOMES,
    "reason": words.REASONS,
    "usage": words.USAGES,
}
_MONEY = ("amount", "captured", "compensation")
_MOMENTS = ("completed_at", "paid_at", "valid_from", "valid_to", "was", "due_at", "arrived_at")
_WITH_CODE = ("grounds", "reason", "answer")
# Told elsewhere in the entry, or of no use to a reader.
_ONLY_IF_SO = ("compensation", "abuse_before", "claims_before")
_LEFT_OUT = ("first", "currency", "all", "as", "void")


def shown(reader: Reader, entry: HistoryEntry) -> Iterator[tuple[str, Child]]:
    """Yield names and values of the parameters of an entry."""
    lapse = entry.event in clocks.EVENTS.values()
    for name, value in entry.params.items():
        if name == "deadline" and lapse:
            continue
        if name in _LEFT_OUT or value is None or (not value and name in _ONLY_IF_SO):
            continue
        label = reader.label(f"p_{name}") if f"p_{name}" in LABELS else name
        yield label, _value(reader, name, value)


def _value(reader: Reader, name: str, value: Json) -> Markup:
    if name == "evidence":
        kinds = [str(item.get("kind")) for item in value] if isinstance(value, list) else []
        return join(reader.listed(reader.word(words.EVIDENCE, kind) for kind in kinds) if kinds else str(value))
    if name in _MONEY and isinstance(value, int):
        return reader.money(value)
    if name in _MOMENTS and isinstance(value, str):
        return reader.due(times.moment(value))
    if name in _WORDS:
        return _coded(reader, name, value if isinstance(value, list) else [value])
    if value is True:
        return join(reader.label("yes"))
    if isinstance(value, list):
        return said(reader.listed(map(str, value)))
    return code(value) if isinstance(value, str) else join(str(value))


def _coded(reader: Reader, name: str, values: list[Json]) -> Markup:
    if name in _WITH_CODE:
        return join([[", " if index else "", reader.coded(_WORDS[name], item)] for index, item in enumerate(values)])
    return join(reader.listed(reader.word(_WORDS[name], item) for item in values))
