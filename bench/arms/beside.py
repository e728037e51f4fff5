"""What an arm with a database of its own fills it with: rows as wide and as many as the scene has."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from bench.lived import Lived, Row, live, people, place

PAGE = 1_000
TABLES = ("order_lines", "refunds", "transitions")


def rows(plan: Mapping[str, Any]) -> Iterator[tuple[str, list[Row]]]:
    """Yield rows by table: the scene's people, then one of its refunds again and again, for other orders."""
    for table, found in people(plan["scene"]).items():
        yield table, found
    model = live(plan["scene"], plan["model"])
    typed = Lived(model.order_id, {table: [_typed(row) for row in found] for table, found in model.rows.items()})
    for first in range(0, plan["refunds"], PAGE):
        numbers = range(first, min(first + PAGE, plan["refunds"]))
        written = [typed.again(place("N", number).order_id) for number in numbers]
        for table in TABLES:
            yield table, [row for new in written for row in new[table]]


def _typed(row: Row) -> Row:
    """Read the moments that SQLite holds as text: each library writes them in its own way."""
    return {
        name: datetime.fromisoformat(value) if name.endswith("_at") and isinstance(value, str) else value
        for name, value in row.items()
    }
