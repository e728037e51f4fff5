"""Cases of another system as it hands them over: a file of closed refunds with their own times, case by case.

JSON Lines: one case per line, ``{"case", "reason", "claimed_minor", "order": {columns of an orders file},
"events": [{"at", "state", "by", …}]}``. CSV: one event per row, the rows of a case one after the other, the columns
of the order, the case and the event beside each other. Good cases beside bad ones; a case is taken whole or not at all.
"""

from refundflow.history.file import FORMS, LONGEST_CASE, digest_of_file, parse, read
from refundflow.history.row import CASE, EVENT, OPTIONAL, CaseRow, EventRow, content_of

__all__ = [
    "CASE",
    "EVENT",
    "FORMS",
    "LONGEST_CASE",
    "OPTIONAL",
    "CaseRow",
    "EventRow",
    "content_of",
    "digest_of_file",
    "parse",
    "read",
]
