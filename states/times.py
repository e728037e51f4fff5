"""Moments as the documents hold them: fixed-width UTC text that sorts as time does."""

from datetime import UTC, datetime
from functools import lru_cache


def text(moment: datetime) -> str:
    """Write an aware moment as ``YYYY-MM-DDTHH:MM:SS.ffffffZ`` (27 characters, UTC, microseconds).

    Raises:
        ValueError: the moment has no offset; a naive time names no instant.
    """
    if moment.tzinfo is UTC:
        return _text(moment)
    if moment.tzinfo is None:
        raise ValueError("a time without an offset names no instant")
    return _text(moment.astimezone(UTC))


@lru_cache(maxsize=256)
def _text(in_utc: datetime) -> str:
    """Write a moment in UTC; one decision writes the same few again and again.

    Only moments in UTC are looked up: elsewhere the two hours of a turned-back clock would be taken for one.
    """
    return f"{in_utc.isoformat(timespec='microseconds')[:-6]}Z"


def moment(written: str) -> datetime:
    """Read what `text` wrote (or any ISO 8601 time with an offset) as an aware UTC datetime.

    Raises:
        ValueError: not a time, or a time without an offset.
    """
    read = datetime.fromisoformat(written)
    if read.tzinfo is None:
        raise ValueError(f"{written!r} has no offset: write for instance 2026-11-22T09:00:00+08:00")
    return read if read.tzinfo is UTC else read.astimezone(UTC)
