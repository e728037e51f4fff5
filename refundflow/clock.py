"""The one place of the machinery that asks the host for the time."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the host's time as an aware UTC datetime in microseconds."""
    return datetime.now(UTC)
