"""Entries and pages for tests of the dossier: histories made by hand, and pages parsed as a browser parses them."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree.ElementTree import Element

from tinyhtml5.parser import HTMLParser

from refundflow.values import HistoryEntry
from states import times

START = datetime(2026, 3, 2, 2, tzinfo=UTC)  # a Monday, 10:00 in Shanghai


def entry(seq: int, event: str, after: str | None = None, *, hours: float = 0.0, **changes: Any) -> HistoryEntry:
    """Make an entry so many hours after the start; by default of agent li, applied, staying in its state."""
    at = START + timedelta(hours=hours)
    told: dict[str, Any] = {
        "subject": "A1-1-1", "seq": seq, "kind": "applied", "event": event, "before": after, "after": after,
        "effective_at": at, "recorded_at": at, "occurred_at": None, "actor_role": "agent", "actor_name": "li",
        "params": {}, "texts": {}, "blockers": (), "deadline": None, "ledger": {}, "policy": "p", "calendar": "c",
        "chart": "refund/1", "key": None, "correlation": None, "cause": None, "repeats": 0, "hash": "0" * 64,
    }  # fmt: skip
    return HistoryEntry(**told | changes)


def due(hours: float, rule: str = "1 working days") -> Mapping[str, Any]:
    """Make what an entry says of a deadline that is due so many hours after the start."""
    return {"due_at": times.text(START + timedelta(hours=hours)), "rule": rule, "event": "", "calendar": "c"}


def parsed(page: str) -> Element:
    """Parse a page by the HTML standard.

    Raises:
        AssertionError: it has errors; each with its place.
    """
    parser = HTMLParser(namespace_html_elements=False)
    root = parser.parse(page)
    assert not parser.errors, parser.errors
    found: Element = root.getroot() if hasattr(root, "getroot") else root
    return found


def words(element: Element) -> str:
    """Return the text of an element, white space as one blank."""
    return " ".join("".join(element.itertext()).split())


def ids(root: Element) -> Iterator[str]:
    """Yield every id of a page."""
    yield from (found for element in root.iter() if (found := element.get("id")) is not None)
