"""How values come out of either database."""

from datetime import UTC, datetime
from typing import Any, overload

from states import times


@overload
def moment(stored: str | datetime) -> datetime: ...
@overload
def moment(stored: None) -> None: ...
def moment(stored: str | datetime | None) -> datetime | None:
    """Read a moment: text on SQLite, aware on PostgreSQL; UTC either way."""
    if stored is None:
        return None
    return times.moment(stored) if isinstance(stored, str) else stored.astimezone(UTC)


def written(stored: Any) -> str | None:
    """Read a moment as the text that documents hold."""
    return stored if stored is None or isinstance(stored, str) else times.text(stored)
