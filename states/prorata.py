"""The part of what was paid that belongs to the unused time of a service."""

from datetime import datetime, timedelta

MICROSECOND = timedelta(microseconds=1)


def pro_rata(captured: int, valid_from: datetime, valid_to: datetime, at: datetime) -> int:
    """Return captured × unused time ÷ total time, in minor units, rounded half up.

    The times are counted in microseconds and the arithmetic is in integers, so the result is
    exact. Before `valid_from` all is unused, from `valid_to` on nothing; a service without any
    duration leaves nothing unused.
    """
    total = (valid_to - valid_from) // MICROSECOND
    if total <= 0:
        return 0
    unused = min(max((valid_to - at) // MICROSECOND, 0), total)
    return (2 * captured * unused + total) // (2 * total)
