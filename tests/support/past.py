"""Cases of another system for tests: as values of a file, and files of them."""

import csv
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from refundflow import orders
from refundflow.history import CASE, EVENT

THEN = datetime(2025, 3, 3, 1, tzinfo=UTC)
PAID = ("submitted", "under_review.reviewing", "approved.payable", "paid_out.settled", "paid_out.confirmed")
REJECTED = ("submitted", "rejected.appealable", "appealed", "rejected.closed")


def an_event(state: str, days: float, **changes: Any) -> dict[str, Any]:
    """Make one event, so many days after the case began."""
    event: dict[str, Any] = {"at": (THEN + timedelta(days=days)).isoformat(), "state": state, "by": "agent:old-li"}
    if state == "submitted":
        event |= {"by": "buyer", "message": "It never came."}
    if state.startswith("rejected"):
        event |= {"grounds": ["DELIVERY_PROVEN"], "message": "It was delivered.", "note": "Third time this year."}
    return event | changes


def a_past_case(number: int = 1, states: Iterable[str] = PAID, **changes: Any) -> dict[str, Any]:
    """Make one closed case on an order of its own; `order` changes facts of it."""
    order = {
        "order_id": f"H{number}", "buyer_id": "wang", "product_type": "software_licence", "product": "Editor Pro",
        "usage": "unused", "amount_minor": 30_000, "currency": "CNY", "channel": "fake", "payment_no": f"pay-H{number}",
        "paid_at": (THEN - timedelta(days=1)).isoformat(), "completed_at": (THEN - timedelta(days=1)).isoformat(),
    }  # fmt: skip
    case = {
        "case": f"L-{number}", "reason": "CODE_INVALID", "claimed_minor": 20_000,
        "events": [an_event(state, day) for day, state in enumerate(states)],
    }  # fmt: skip
    return case | changes | {"order": order | changes.get("order", {})}


def write_jsonl(path: Path, cases: Iterable[Mapping[str, Any]]) -> Path:
    """Write cases as JSON Lines."""
    path.write_text("".join(json.dumps(case, ensure_ascii=False) + "\n" for case in cases), encoding="utf-8")
    return path


def write_csv(path: Path, cases: Iterable[Mapping[str, Any]]) -> Path:
    """Write cases as CSV, one row for each event, the facts on the first row of a case only."""
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.DictWriter(file, (*CASE, *orders.REQUIRED, *EVENT), restval="", lineterminator="\n")
        rows.writeheader()
        for case in cases:
            facts = {name: case[name] for name in CASE} | dict(case["order"])
            for event in case["events"]:
                told = event | {"grounds": ";".join(event.get("grounds", ()))}
                rows.writerow(facts | told)
                facts = {"case": case["case"]}
    return path
