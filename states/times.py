"""Moments as the documents hold them: fixed-width UTC text that sorts as time does."""

from datetime import UTC, datetime

_newest: tuple[datetime | None, str] = (None, "")  # one decision writes the same moment again and again


def text(moment: datetime) -> str:
    """Write an aware moment as ``YYYY-MM-DDTHH:MM:SS.ffffffZ`` (27 characters, UTC, microseconds).

    Raises:
        ValueError: the moment has no offset; a naive time names no instant.
    """
    global _newest
    known, written = _newest  # the very object, for equal ones are not the same: a clock is turned back
    if known is moment:
        return written
    if moment.tzinfo is None:
        raise ValueError("a time without an offset names no instant")
    written = f"{moment.astimezone(UTC).isoformat(timespec='microseconds')[:-6]}Z"
    _newest = (moment, written)
    return written


def moment(written: str) -> datetime:
    """Read what `text` wrote (or any ISO 8601 time with an offset) as an aware UTC datetime.

    Raises:
        ValueError: not a time, or a time without an offset.
    """
    read = datetime.fromisoformat(written)
    if read.tzinfo is None:
        raise ValueError(f"{written!r} has no offset: write for instance 2026-11-22T09:00:00+08:00")
    return read if read.tzinfo is UTC else read.astimezone(UTC)
